"""Whoever asked to be left alone gets nothing more, whichever way the word came and however long ago the last build was."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.spool import Record, SpoolFile, spool_folder, spool_key
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.cycles import open_cycle
from tests.bench.sender_kills import NOON, PROGRAM, prepare, send_id
from tests.conftest import parsed_before
from tests.deploy.conftest import moved_in
from tests.deploy.played import PEOPLE, WANTED, MovingClock, PlayedChannel, reasons, sent

# Neither unsubscribed nor held out.
LEAVING = next(f"u{number}" for number in range(PEOPLE) if send_id(number) in WANTED)
THEIRS = send_id(int(LEAVING[1:]))
HOUR = dt.timedelta(hours=1)
BUILT = NOON - 2 * HOUR  # as prepare() says


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the parsers' own views."""
    folder = tmp_path_factory.mktemp("parsed")
    prepare(folder, PEOPLE)
    warehouse = Warehouse(folder)
    with warehouse.connect() as connection:
        connection.execute("drop schema staging cascade; drop schema policy cascade")
    project = DbtProject(target=parsed_before(tmp_path_factory.mktemp("target")))
    project.build(warehouse, select=["policy", "machine_agents"], command="seed")
    project.build(warehouse, select=["+stg_intake__events"], command="run")
    with warehouse.connect() as connection:
        connection.execute("create table staging.stg_events__aliases (user_id varchar, person_id varchar)")
    return folder


@pytest.fixture
def believed(parsed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    return moved_in(parsed, tmp_path, monkeypatch)


def tell(house: Warehouse, name: str | None, at: dt.datetime = NOON, person: str = LEAVING, **more: Any) -> None:
    """An event of a file or a stream, as an import leaves it."""
    event = {
        "event_id": f"{name} {at} {person}", "source": "shop", "type": "track" if name else "identify", "event_name": name,
        "user_id": person, "occurred_at": at, "received_at": at, "ingested_at": at, "import_id": "i", **more,
    }  # fmt: skip
    house.append({"raw.events": [event]})


def deliver(house: Warehouse, provider: str, body: Any, at: dt.datetime = NOON, **headers: str) -> None:
    """A delivery as the mover leaves it."""
    row = {"inbox_id": f"{provider} {at}", "provider": provider, "source": f"{provider}/a", "body_sha256": "x"}
    told = {"received_at": at, "ingested_at": at, "headers": json.dumps(headers), "body": json.dumps(body)}
    house.append({"raw.inbox": [row | told]})


def spool(house: Warehouse, provider: str, body: Any, at: dt.datetime = NOON) -> None:
    """A delivery as the receiver leaves it."""
    file = SpoolFile(spool_folder(house.folder), spool_key(house.folder), at)
    file.append([Record(provider, f"{provider}/a", at, {}, json.dumps(body).encode()).packed()])
    file.close()


def left_alone(house: Warehouse, clock: MovingClock | None = None) -> bool:
    """Whether everybody gets a message but the one who is leaving."""
    channel = PlayedChannel()
    done = sent(house, channel, clock)
    assert sorted({*channel.ids(), THEIRS}) == sorted(WANTED)
    if THEIRS not in channel.ids():
        assert "no consent: unsubscribed, suppressed or not in the audience" in reasons(done, "withheld")
    return THEIRS not in channel.ids()


@pytest.mark.parametrize(
    ("name", "properties", "counts"),
    [
        ("Unsubscribed", None, True),
        ("Email Marked as Spam", None, True),
        ("Email Bounced", {"bounce_type": "Permanent"}, True),
        ("Email Bounced", {"bounce_type": "Transient"}, False),
        (None, {"consent": "no"}, True),
        (None, {"traits": {"consent": False}}, True),
        (None, {"segment": "new"}, False),
        ("Order Completed", None, False),
    ],
)
def test_a_word_of_refusal_in_a_file_counts_before_any_build(
    house: Warehouse, name: str | None, properties: dict[str, Any] | None, counts: bool
) -> None:
    tell(house, name, properties=properties and json.dumps(properties))
    assert left_alone(house) is counts


def test_a_merged_id_speaks_for_the_person_it_became(house: Warehouse) -> None:
    with house.connect() as connection:
        connection.execute("insert into staging.stg_events__aliases values ('old', ?)", [LEAVING])
    tell(house, "Unsubscribed", person="old")
    assert left_alone(house)


@pytest.mark.parametrize(
    ("provider", "body", "headers"),
    [
        ("segment", {"type": "track", "userId": LEAVING, "event": "Unsubscribed", "messageId": "m"}, {"call": "track"}),
        ("segment", {"userId": LEAVING, "traits": {"consent": "false"}, "messageId": "m"}, {"call": "identify"}),
        ("sendgrid", [{"email": LEAVING, "event": "spamreport", "sg_event_id": "x", "timestamp": 1795410000}], {}),
        ("sendgrid", [{"email": "?", "event": "unsubscribe", "send_id": THEIRS, "timestamp": 1795410000}], {}),
        ("sendgrid", [{"email": LEAVING, "event": "bounce", "type": "bounce", "timestamp": 1795410000}], {}),
        ("postmark", {"RecordType": "SpamComplaint", "Email": LEAVING, "BouncedAt": "2026-11-16T12:00:00Z", "ID": 1}, {}),
        ("one_click", {"person": LEAVING, "list_id": "subject_lines", "send_id": None}, {}),
    ],
)  # fmt: skip
def test_a_provider_s_word_counts_as_soon_as_it_is_in_the_inbox(
    believed: Warehouse, provider: str, body: Any, headers: dict[str, str]
) -> None:
    deliver(believed, provider, body, **headers)
    assert left_alone(believed)


def test_what_providers_say_otherwise_keeps_nobody_from_a_message(believed: Warehouse) -> None:
    told = [{"email": LEAVING, "event": "delivered", "sg_event_id": "x", "timestamp": 1795410000}]
    blocked = [{"email": LEAVING, "event": "bounce", "type": "blocked", "sg_event_id": "y", "timestamp": 1795410000}]
    deliver(believed, "sendgrid", told + blocked)
    assert not left_alone(believed)


def test_a_provider_s_word_counts_while_it_lies_in_the_spool(believed: Warehouse) -> None:
    complaint = {"email": "a@example.test", "event": "spamreport", "send_id": THEIRS, "timestamp": 1795410000}
    spool(believed, "sendgrid", [complaint])
    assert left_alone(believed)


@pytest.mark.parametrize("way", ["inbox", "spool", "file"])
def test_a_cycle_that_was_opened_and_not_built_knows_nothing(house: Warehouse, way: str) -> None:
    with house.connect() as connection:
        connection.execute("update intermediate.int_people set built_through = ?", [NOON - 240 * HOUR])
    said, click = NOON - 72 * HOUR, {"person": LEAVING, "list_id": "subject_lines", "send_id": None}
    match way:
        case "inbox":
            deliver(house, "one_click", click, said)
        case "spool":
            spool(house, "one_click", click, said)
        case _:
            tell(house, "Unsubscribed", said)
    open_cycle(house, [PROGRAM], 202647, NOON)
    assert left_alone(house)


@pytest.mark.parametrize(("built", "counts"), [(BUILT, False), (BUILT - 12 * HOUR, True)])
def test_who_came_back_gets_messages_again_once_it_is_built(house: Warehouse, built: dt.datetime, counts: bool) -> None:
    with house.connect() as connection:
        connection.execute("update intermediate.int_people set built_through = ?", [built])
    tell(house, "Unsubscribed", BUILT - 3 * HOUR)
    tell(house, None, BUILT - 2 * HOUR, properties='{"consent": "yes"}')
    assert left_alone(house) is counts


@pytest.mark.parametrize(("complaints", "is_refused"), [(2, False), (3, True)])
def test_complaints_that_no_build_has_read_end_the_sending(house: Warehouse, complaints: int, is_refused: bool) -> None:
    with house.connect() as connection:
        connection.execute(
            "insert into policy.policy values ('complaint_stop_people', 3), ('complaint_rate_stop', 0.001)"
        )
    for number in range(complaints):
        tell(house, "Email Marked as Spam", person=f"v{number}", creative_id="c1")
    channel = PlayedChannel()
    if is_refused:
        with pytest.raises(Refusal, match=r"complaints -> 3 people called c1 spam since the last build.*`loop build`"):
            sent(house, channel)
    else:
        sent(house, channel)
    assert len(channel.taken) == (0 if is_refused else len(WANTED))
