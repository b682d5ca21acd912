"""What providers really send, through the mover and the staging models, in the one shape that everything after reads."""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.spool import Record, SpoolFile, spool_folder, spool_key
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.mover import move_spool
from orchestration.measure.pseudonyms import pseudonym_key
from orchestration.measure.redaction import Redactor
from tests.dbt.conftest import NewWarehouse
from tests.fakes.payloads import BATCH, MAILGUN, POSTMARK, SENDGRID, SES_CLICK
from tests.fakes.senders import AT, envelope

RECEIVED = dt.datetime.fromisoformat("2026-11-01T12:00")
INGESTED = dt.datetime.fromisoformat("2026-11-01T13:00")
MODELS = (
    "+int_channels__consents",
    "+int_channels__outcomes",
    "+stg_intake__unread",
    "+stg_intake__events",
    "+int_people__user_days",
    "+program_audience",
)
SG = SENDGRID[0]
FORM = {"content-type": "application/x-www-form-urlencoded"}


def sendgrid(number: str, event: str, at: int = AT, **more: Any) -> dict[str, Any]:
    return {
        "email": f"{number}@example.test",
        "event": event,
        "sg_event_id": f"{number}-{event}-{at}",
        "timestamp": at,
        **more,
    }


def of_message(number: str, event: str, at: int = AT, **more: Any) -> dict[str, Any]:
    return sendgrid(number, event, at, send_id=number, **more)


def ses(kind: str, **more: Any) -> dict[str, str]:
    mail = {
        "timestamp": "2026-11-01T10:00:00.000Z",
        "messageId": f"ses-{kind}",
        "destination": ["ana@example.test", "bob@example.test"],
    }
    return envelope({"eventType": kind, "mail": mail, **more})


def mailgun(**changed: Any) -> dict[str, Any]:
    data: dict[str, Any] = MAILGUN["event-data"]
    return {"signature": {}, "event-data": {**data, **changed}}


def ses_subscription(topics: Mapping[str, str], *, out_of_all: bool = False) -> dict[str, str]:
    told = [{"topicName": name, "subscriptionStatus": status} for name, status in topics.items()]
    change = {
        "timestamp": f"2026-11-01T10:2{len(told)}:00Z",
        "newTopicPreferences": {"unsubscribeAll": out_of_all, "topicSubscriptionStatus": told},
    }
    mail = {
        "timestamp": "2026-11-01T10:00:00.000Z",
        "messageId": f"s-{told}",
        "destination": [f"{'-'.join(topics.values())}@example.test"],
    }
    return envelope({"eventType": "Subscription", "mail": mail, "subscription": change})


def klaviyo_bounce(person: str, kind: str) -> dict[str, Any]:
    properties = {"Bounce Type": kind, "$message": "m"}
    attributes = {
        "datetime": "2026-11-01T10:00:00+00:00",
        "profile": {"email": f"{person}@example.test"},
        "event_properties": properties,
    }
    item = {
        "external_id": person,
        "topic": "event:klaviyo.bounced_email",
        "payload": {"data": {"attributes": attributes}},
    }
    return {"data": [item]}


MESSAGES: list[tuple[str, Any, Mapping[str, str]]] = [
    # A batch, and the same batch again three times: a mean of three deliveries of one event has been measured.
    *[("sendgrid", [{**SG, "category": "winback"}, sendgrid("cara", "processed")], {})] * 4,
    # Out of order: the click came before the delivery that makes it a scanner's.
    ("sendgrid", [of_message("fast", "click", AT + 4, url="https://x.test/1")], {}),
    ("sendgrid", [of_message("fast", "delivered"), of_message("fast", "click", AT + 900, url="https://x.test/1")], {}),
    ("sendgrid", [of_message("burst", "click", AT + 900 + n, url=f"https://x.test/{n}") for n in range(3)], {}),
    (
        "sendgrid",
        [of_message("burst", "delivered"), of_message("burst", "click", AT + 9000, url="https://x.test/1")],
        {},
    ),
    (
        "sendgrid",
        [
            of_message("apple", "open", sg_machine_open=True),
            of_message("proxy", "open", useragent="Mozilla/5.0"),
            of_message("false", "open", sg_machine_open=False),
            of_message("robot", "click", useragent="ExampleBot/1.0"),
            of_message("image", "click", useragent="GoogleImageProxy"),
        ],
        {},
    ),
    (
        "sendgrid",
        [
            sendgrid("blocked", "bounce", type="blocked", reason="554 to blocked@example.test"),
            sendgrid("hard", "bounce", type="bounce"),
            sendgrid("hard", "delivered"),
            sendgrid("drop", "dropped", reason="Unsubscribed Address"),
            sendgrid("group", "group_unsubscribe", AT, asm_group_id=5),
            sendgrid("group", "group_resubscribe", AT + 10, asm_group_id=5),
            sendgrid("spam", "spamreport"),
            sendgrid("new", "invented"),
            {**sendgrid("taken", "open"), "send_id": {"a": 1}, "type": "mine"},
            sendgrid("early", "open", 5),
            sendgrid("late", "open", AT + 9 * 86400),
        ],
        {},
    ),
    ("sendgrid", ["text", None, {"email": "x"}, sendgrid("when", "open", "soon")], {}),  # type: ignore[arg-type]
    ("sendgrid", [], {}),
    ("sendgrid", {"event": "open"}, {}),
    # One message, one kind, two clicks; then the first of them once more.
    ("postmark", POSTMARK, {}),
    ("postmark", {**POSTMARK, "ReceivedAt": "2026-11-01T10:03:11.7654321Z"}, {}),
    ("postmark", POSTMARK, {}),
    (
        "postmark",
        {
            "RecordType": "Bounce",
            "ID": 4,
            "Type": "HardBounce",
            "TypeCode": 16,
            "MessageID": "p2",
            "Email": "hard@example.test",
            "BouncedAt": "2026-11-01T11:03:11.1234567+02:00",
            "Inactive": True,
            "Details": "550 hard@example.test",
        },
        {},
    ),
    (
        "postmark",
        {
            "RecordType": "Bounce",
            "ID": 5,
            "Type": "Blocked",
            "TypeCode": 16,
            "MessageID": "p3",
            "Email": "soft@example.test",
        },
        {},
    ),
    (
        "postmark",
        {
            "RecordType": "SubscriptionChange",
            "MessageID": "p4",
            "Recipient": "out@example.test",
            "SuppressSending": True,
            "SuppressionReason": "ManualSuppression",
            "ChangedAt": "2026-11-01T10:00:00Z",
        },
        {},
    ),
    ("ses", ses_subscription({"news": "OptIn"}), {}),
    ("ses", ses_subscription({"news": "OptOut", "offers": "OptIn"}), {}),
    ("klaviyo", klaviyo_bounce("klaviyo-hard", "Hard"), {}),
    ("klaviyo", klaviyo_bounce("klaviyo-soft", "Soft"), {}),
    ("ses", envelope(SES_CLICK), {}),
    ("ses", envelope(SES_CLICK), {}),
    ("ses", ses("Open", open={"timestamp": "2026-11-01T10:09:00Z", "userAgent": "Mozilla/5.0 (X11)"}), {}),
    (
        "ses",
        ses(
            "Complaint",
            complaint={
                "complainedRecipients": [{"emailAddress": "a@example.test"}, {"emailAddress": "b@example.test"}],
                "timestamp": "2026-11-01T10:09:00Z",
            },
        ),
        {},
    ),
    (
        "ses",
        ses(
            "Bounce",
            bounce={
                "bounceType": "Permanent",
                "bounceSubType": "NoEmail",
                "timestamp": "2026-11-01T10:09:00Z",
                "bouncedRecipients": [{"emailAddress": "Ana@example.test"}, {"emailAddress": "bob@example.test"}],
            },
        ),
        {},
    ),
    (
        "ses",
        envelope(
            {
                "notificationType": "Delivery",
                "mail": {"messageId": "old"},
                "delivery": {"recipients": ["ana@example.test"]},
            }
        ),
        {},
    ),
    ("ses", ses("Rendering Failure", failure={"errorMessage": "no name"}), {}),
    ("ses", envelope("Confirm", kind="SubscriptionConfirmation"), {}),
    ("ses", envelope("hello"), {}),
    # One id on two days is two events.
    ("mailgun", mailgun(severity="temporary"), {}),
    ("mailgun", mailgun(timestamp=AT - 86400.0), {}),
    ("mailgun", mailgun(id="bot", event="opened", **{"client-info": {"bot": "apple"}}), {}),
    ("mailgun", {"signature": {}}, {}),
    (
        "customerio",
        {
            "metric": "spammed",
            "event_id": "01A",
            "object_type": "sms",
            "timestamp": AT,
            "data": {"recipient": "+15550100"},
        },
        {},
    ),
    ("customerio", {"metric": "converted", "event_id": "01B", "object_type": "email", "timestamp": AT}, {}),
    (
        "klaviyo",
        {"data": [{"external_id": f"evt_{n}", "topic": "event:klaviyo.clicked_email"} for n in range(1000)]},
        {},
    ),
    ("twilio", b"MessageSid=SM1&MessageStatus=delivered&To=%2B15550100", FORM | {"query": "a=1&send_id=s9"}),
    ("twilio", b"MessageSid=SM1&MessageStatus=sent&To=%2B15550100", FORM),
    *[("one_click", {"person": "p1", "list_id": "news", "send_id": "s1"}, {})] * 3,
    ("segment", BATCH, {"call": "batch"}),
    ("segment", BATCH, {"call": "batch"}),
    (
        "segment",
        {
            "userId": "u",
            "event": "Worked",
            "originalTimestamp": "2026-11-01T10:00:00Z",
            "sentAt": "2026-11-01T10:05:00Z",
        },
        {"call": "track"},
    ),
    ("segment", {"userId": "u", "event": "Twice"}, {"call": "track"}),
    ("segment", {"userId": "u", "event": "Twice"}, {"call": "track"}),
    (
        "segment",
        {
            "batch": [
                {"type": "track", "userId": "u"},
                {"type": "click", "userId": "u"},
                {"type": "page"},
                7,
                {"type": "page", "userId": "u", "originalTimestamp": "soon"},
                {"type": "page", "userId": "u", "properties": {"x": "y" * 33_000}},
            ]
        },
        {"call": "batch"},
    ),
    ("segment", {"anonymousId": "a", "previousId": "b"}, {"call": "alias"}),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, project: DbtProject, new_warehouse: NewWarehouse) -> Warehouse:
    warehouse = new_warehouse(tmp_path_factory.mktemp("channels"))
    file = SpoolFile(spool_folder(warehouse.folder), spool_key(warehouse.folder), RECEIVED)
    # Received one a second, so that copies have an order.
    for number, (provider, body, headers) in enumerate(MESSAGES):
        at = RECEIVED if provider == "segment" else RECEIVED + dt.timedelta(seconds=number)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        source = "segment/web" if provider == "segment" else provider
        file.append([Record(provider, source, at, headers, content).packed()])
    file.close()
    move_spool(warehouse, FixedClock(INGESTED), keep_days=7)
    project.build(warehouse, select=["machine_agents"], command="seed")
    project.build(warehouse, select=MODELS, exclude=["resource_type:unit_test"])
    return warehouse


def events(house: Warehouse, where: str, *names: str) -> list[Any]:
    found = house.rows(f"select * from intermediate.int_channels__events where {where} order by provider, event_id")
    return [tuple(row[name] for name in names) if len(names) > 1 else row[names[0]] for row in found]


def person(house: Warehouse, address: str) -> str:
    return str(Redactor(pseudonym_key(house.folder)).pseudonym(address))


def test_copies_are_counted_and_set_aside(house: Warehouse) -> None:
    assert events(house, "event_id = 'Y2xpY2stMS0x'", "event_type", "duplicates") == [("clicked", 3)]
    assert events(house, "provider = 'ses' and event_type = 'clicked'", "duplicates") == [1]
    assert events(house, "provider = 'one_click'", "duplicates") == [2]


def test_sendgrid_fields_reach_their_columns(house: Warehouse) -> None:
    names = ("message_id", "campaign_id", "creative_id", "decision_id", "recipient", "url", "machine_reason")
    assert events(house, "event_id = 'Y2xpY2stMS0x'", *names) == [
        (
            "Qh2zA",
            "winback",
            "v3",
            "dec_42",
            person(house, "ana@example.test"),
            "https://shop.example.test/p/9?d=dec_42",
            None,
        )
    ]


def test_machines_are_labelled_and_unknown_is_not_false(house: Warehouse) -> None:
    told = {
        "apple": "the provider says so",
        "proxy": "user agent of a mail privacy proxy",
        "false": None,
        "robot": "user agent of a robot",
        "image": None,  # a proxy of pictures says nothing of a click
    }
    for send_id, reason in told.items():
        assert events(house, f"send_id = '{send_id}'", "machine_reason", "is_machine") == [
            (reason, True if reason else None)
        ]


def test_scanners_are_known_by_their_haste_in_whatever_order_events_come(house: Warehouse) -> None:
    fast = "send_id = 'fast' and event_type = 'clicked' order by occurred_at --"
    assert events(house, fast, "machine_reason") == ["clicked too soon after delivery", None]
    burst = "send_id = 'burst' and event_type = 'clicked' order by occurred_at --"
    assert events(house, burst, "machine_reason") == ["clicked many links at once"] * 3 + [None]
    for message in ("fast", "burst"):  # what experiments and growth metrics count says the same
        told = house.rows(
            """
            select bot_reason from staging.stg_events__events
            where send_id = ? and event_name = 'Email Link Clicked' order by occurred_at
            """,
            [message],
        )
        clicks = f"send_id = '{message}' and event_type = 'clicked' order by occurred_at --"
        assert [row["bot_reason"] for row in told] == events(house, clicks, "machine_reason")


def test_outcomes_with_and_without_machines_stand_side_by_side(house: Warehouse) -> None:
    rows = house.rows(
        "select * from intermediate.int_channels__outcomes where message_key in ('fast', 'burst', 'apple')"
    )
    told = {
        row["message_key"]: (row["clicks"], row["clicks_filtered"], row["opens"], row["opens_filtered"]) for row in rows
    }
    assert told == {"fast": (2, 1, 0, 0), "burst": (4, 1, 0, 0), "apple": (0, 0, 1, 0)}


def test_a_blocked_bounce_suppresses_nobody_and_a_hard_one_does(house: Warehouse) -> None:
    blocked, hard = person(house, "blocked@example.test"), person(house, "hard@example.test")
    assert events(house, f"recipient = '{blocked}'", "event_type", "reject_reason", "is_permanent") == [
        ("bounced", "blocked", False)
    ]
    words = house.rows(
        "select recipient, word, reason, provider from intermediate.int_channels__consents where reason = 'bounced'"
    )
    assert {(row["provider"], row["recipient"]) for row in words} == {
        ("sendgrid", hard), ("postmark", hard), ("ses", person(house, "ana@example.test")), ("ses", person(house, "bob@example.test")),
        ("mailgun", person(house, "ana@example.test")), ("klaviyo", person(house, "klaviyo-hard@example.test")),
    }  # fmt: skip


def test_nobody_is_mailed_whom_a_provider_calls_gone(house: Warehouse) -> None:
    """Whoever the words of a channel suppress is not subscribed; a word that allows restores consent for its list alone."""
    words = house.rows(
        "select recipient, word from intermediate.int_channels__consents where is_latest and channel = 'email'"
    )
    refused = {row["recipient"] for row in words if row["word"] == "suppress"}
    people = {
        row["user_id"]: row["is_subscribed"]
        for row in house.rows("select user_id, is_subscribed from intermediate.int_people")
    }
    gone = {
        person(house, f"{name}@example.test") for name in ("hard", "ana", "bob", "klaviyo-hard", "spam", "OptOut-OptIn")
    }
    assert gone <= refused
    assert {name: people[name] for name in refused if name in people} == dict.fromkeys(refused & set(people), False)
    assert gone <= set(people)
    still = {person(house, f"{name}@example.test") for name in ("blocked", "klaviyo-soft", "soft", "OptIn")}
    assert all(people[name] for name in still)


def test_the_last_word_of_a_person_and_list_holds(house: Warehouse) -> None:
    query = "select word, is_latest from intermediate.int_channels__consents where recipient = ? and list_id = '5' order by said_at"
    rows = house.rows(query, [person(house, "group@example.test")])
    assert [(row["word"], row["is_latest"]) for row in rows] == [("suppress", False), ("allow", True)]


def test_a_one_click_link_used_again_speaks_again(house: Warehouse) -> None:
    (row,) = house.rows(
        "select recipient, list_id, word, said_at from intermediate.int_channels__consents where provider = 'one_click'"
    )
    last = house.rows("select max(received_at) as at from raw.inbox where provider = 'one_click'")[0]["at"]
    assert (row["recipient"], row["list_id"], row["word"], row["said_at"]) == ("p1", "news", "suppress", last)


def test_unknown_kinds_are_kept_under_their_own_name(house: Warehouse) -> None:
    kept = events(house, "event_type = 'unknown'", "provider", "provider_event", "event_name")
    assert kept == [("customerio", "converted", None), ("sendgrid", "invented", None)]


def test_a_custom_argument_that_collides_changes_nothing(house: Warehouse) -> None:
    (event,) = events(
        house, f"recipient = '{person(house, 'taken@example.test')}'", "event_type", "is_permanent", "send_id"
    )
    assert event == ("opened", None, '{"a":1}')


def test_impossible_times_give_way_to_reception_and_say_so(house: Warehouse) -> None:
    early = events(
        house, f"recipient = '{person(house, 'early@example.test')}'", "clock_reason", "occurred_at", "received_at"
    )
    late = events(
        house, f"recipient = '{person(house, 'late@example.test')}'", "clock_reason", "occurred_at", "received_at"
    )
    assert [found[0] for found in early + late] == ["before 2000", "more than a day after it was received"]
    assert all(occurred == received for _, occurred, received in early + late)


def test_two_clicks_of_one_postmark_message_stay_two(house: Warehouse) -> None:
    clicks = events(
        house, "provider = 'postmark' and event_type = 'clicked'", "occurred_at", "duplicates", "creative_id"
    )
    assert sorted(clicks) == [
        (dt.datetime.fromisoformat("2026-11-01T10:03:11.123456"), 1, "v3"),
        (dt.datetime.fromisoformat("2026-11-01T10:03:11.765432"), 0, "v3"),
    ]


def test_postmark_is_read_by_words_not_by_codes(house: Warehouse) -> None:
    """Both carry the code 16, of which tables disagree."""
    found = events(
        house,
        "provider = 'postmark' and provider_event = 'Bounce' order by message_id --",
        "event_type",
        "reject_reason",
        "occurred_at",
    )
    assert found == [("bounced", "bounced", dt.datetime.fromisoformat("2026-11-01T09:03:11.123456")),
                     ("rejected", "blocked", events(house, "message_id = 'p3'", "received_at")[0])]  # fmt: skip


def test_ses_names_a_recipient_only_where_there_is_one(house: Warehouse) -> None:
    names = ("event_type", "recipient")
    assert events(house, "message_id = 'ses-1'", *names, "send_id", "creative_id") == [
        ("clicked", person(house, "ana@example.test"), "s1", "v3")
    ]
    assert events(house, "message_id = 'ses-Open'", *names) == [("opened", None)]
    assert events(house, "message_id = 'ses-Complaint'", *names) == [("complained", None)], (
        "everybody at the domain is listed"
    )
    bounced = {("bounced", person(house, "ana@example.test")), ("bounced", person(house, "bob@example.test"))}
    assert set(events(house, "message_id = 'ses-Bounce'", *names)) == bounced
    assert events(house, "message_id = 'old'", *names) == [("delivered", person(house, "ana@example.test"))]
    assert {name for name, _ in events(house, "message_id = 'ses-Rendering Failure'", *names)} == {"failed"}


def test_a_mailgun_id_is_one_within_a_day(house: Warehouse) -> None:
    found = events(house, "provider = 'mailgun'", "event_type", "is_machine")
    assert found == [("bounced", None), ("deferred", None), ("opened", True)]
    assert events(house, "provider = 'mailgun' and event_type = 'deferred'", "detail", "message_id") == [
        (f"no such user {person(house, 'ana@example.test')}", "20261101.1@example.test")
    ]


def test_a_thousand_events_in_one_klaviyo_delivery(house: Warehouse) -> None:
    found = events(house, "provider = 'klaviyo' and event_type = 'clicked'", "event_type", "clock_reason")
    assert found == [("clicked", "the provider tells no time")] * 1000


def test_twilio_callbacks_in_any_order(house: Warehouse) -> None:
    assert events(house, "provider = 'twilio'", "channel", "event_type", "send_id") in (
        [("sms", "delivered", "s9"), ("sms", "sent", None)],
        [("sms", "sent", None), ("sms", "delivered", "s9")],
    )


def test_what_cannot_be_read_says_why(house: Warehouse) -> None:
    rows = house.rows(
        "select provider, unread_reason, count(*) as n from staging.stg_intake__unread group by all order by all"
    )
    assert [(row["provider"], row["unread_reason"], row["n"]) for row in rows] == [
        ("mailgun", "there is no event-data", 1),
        ("segment", "its time is not a time", 1),
        ("segment", "the event has no name", 1),
        ("segment", "the event is no object", 1),
        ("segment", "the event is too large", 1),
        ("segment", "there is neither a user nor an anonymous id", 1),
        ("segment", "type is none of track, identify, page, screen, group, alias", 1),
        ("sendgrid", "its time is not a time", 1),
        ("sendgrid", "the delivery holds no events", 3),
        ("sendgrid", "the event has no name", 1),
        ("sendgrid", "the event is no object", 1),
        ("ses", "SubscriptionConfirmation of the topic, no event", 1),
        ("ses", "the message is no JSON object", 1),
    ]


def test_product_events_are_canonical(house: Warehouse) -> None:
    rows = house.rows(
        "select * from staging.stg_intake__events where source = 'segment/web' order by event_name, event_id"
    )
    told = {row["event_id"]: row for row in rows}
    order = told["m-1"]
    assert (order["type"], order["event_name"], order["channel"], order["currency"]) == (
        "track",
        "Order Completed",
        "web",
        "EUR",
    )
    assert float(order["value"]) == 12.5
    assert order["user_id"] == person(house, "ana@example.test")
    assert json.loads(order["context"])["library"] == {"name": "analytics-python"}, (
        "the batch's context lies under the event's"
    )
    assert json.loads(told["m-2"]["properties"]) == {"email": person(house, "ana@example.test")}
    assert sum(row["event_id"] == "m-1" for row in rows) == 2, "copies are set aside with those of raw.events"
    assert len({row["event_id"] for row in rows if row["event_name"] == "Twice"}) == 2, "said twice without a time"


def test_a_device_clock_is_corrected(house: Warehouse) -> None:
    """10:00 by a clock that said 10:05 on sending; received at 12:00."""
    (row,) = house.rows("select occurred_at from staging.stg_intake__events where event_name = 'Worked'")
    assert row["occurred_at"] == dt.datetime.fromisoformat("2026-11-01T11:55")


def test_providers_speak_segment_names(house: Warehouse) -> None:
    rows = house.rows(
        "select distinct event_name from staging.stg_intake__events where source in ('sendgrid', 'twilio')"
    )
    names = {"Email Delivered", "Email Opened", "Email Link Clicked", "Email Bounced", "Email Marked as Spam", "Email Rejected",
             "Unsubscribed", "Subscribed", "SMS Delivered", "SMS Sent"}  # fmt: skip
    assert {row["event_name"] for row in rows} == names


@pytest.mark.slow
def test_broken_payloads_end_somewhere(tmp_path: Path, project: DbtProject) -> None:
    from tests.bench.mutated_payloads import run

    fate = run(tmp_path / "w", project, payloads=3000, seed=1)
    assert (fate.unaccounted, fate.unlabelled) == (0, 0)
    assert fate.quarantined + fate.inbox == 3000
    assert fate.quarantined > 0
    assert fate.unread > 0
    assert fate.events > 0
