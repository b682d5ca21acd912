"""The other platforms: what each says in its own way, and what a simple connector makes of it."""

import datetime as dt
import json

import pytest

from orchestration.measure.pseudonyms import pseudonym_key
from orchestration.measure.redaction import Redactor
from tests.measure.pulls.conftest import DAY, TODAY, Stage, ad_day

FIRST = TODAY - 6 * DAY


def test_google_tells_every_row_of_the_array(stage: Stage) -> None:
    report = stage.pull(stage.source("google_ads", "ad", "customer"), FIRST, TODAY)
    told = [len(stage.world.told("google_ads", "2001", level, FIRST, TODAY)) for level in ("ad", "account")]
    assert report.rows == sum(told)


def test_google_large_numbers_as_text_and_zeros_left_out_keep_the_contract(stage: Stage) -> None:
    large = 2**53 + 1  # no double holds it
    stage.world.restates = False
    stage.world.ads["google_ads", "2001"] = [ad_day("a", TODAY, 3, micros=large), ad_day("b", TODAY, 0, micros=0)]
    assert stage.pull(stage.source("google_ads", "ad"), TODAY, TODAY).quarantined == 0
    metrics = [json.loads(row["item"])["metrics"] for row in stage.vouched("raw_google_ads.report_rows")]
    assert [one.get("costMicros") for one in metrics] == [str(large), None]


def test_google_manager_accounts_have_no_metrics(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_GOOGLE_ADS_ACCOUNTS", "999-9")
    assert "Name client accounts" in str(stage.pull(stage.source("google_ads", "ad"), TODAY, TODAY).stopped)


def test_google_quota_of_the_day_ends_the_pull_and_a_short_one_is_waited_for(stage: Stage) -> None:
    stage.world.play("google_ads", "exhausted_shortly", "", "exhausted")
    report = stage.pull(stage.source("google_ads", "customer", "campaign"), TODAY, TODAY)
    assert (report.windows, stage.waits) == (1, [30.0])
    assert "tomorrow" in str(report.stopped)


def test_tiktok_errors_arrive_as_200(stage: Stage) -> None:
    source = stage.source("tiktok", "ad")
    stage.world.play("tiktok", "maintenance", "limited")
    report = stage.pull(source, FIRST, TODAY)
    expected = len(stage.world.told("tiktok", "4001", "ad", FIRST, TODAY))
    assert (report.rows, report.stopped, stage.waits) == (expected, None, [60.0, 60.0])
    stage.world.play("tiktok", "no_access")
    stage.world.now += DAY
    assert "LOOP_TIKTOK_TOKEN" in str(stage.pull(source, FIRST, TODAY).stopped)


def test_tiktok_too_large_is_halved(stage: Stage) -> None:
    stage.world.play("tiktok", "too_large", "too_large")
    report = stage.pull(stage.source("tiktok", "ad"), FIRST, TODAY)
    assert (report.rows, report.windows) == (len(stage.world.told("tiktok", "4001", "ad", FIRST, TODAY)), 3)


def test_tiktok_a_report_that_shifts_is_read_again(stage: Stage) -> None:
    expected = len(stage.world.told("tiktok", "4001", "ad", FIRST, TODAY))
    assert expected > 50  # two pages
    stage.world.play("tiktok", "", "shifting")
    report = stage.pull(stage.source("tiktok", "ad"), FIRST, TODAY)
    assert (report.rows, report.stopped) == (expected, None)
    stage.world.now += DAY
    stage.world.play("tiktok", *["", "shifting"] * 3)
    assert "changes while it is read" in str(stage.pull(stage.source("tiktok", "ad"), FIRST, TODAY).stopped)


def test_linkedin_an_empty_answer_without_permission_is_no_zero(stage: Stage) -> None:
    source = stage.source("linkedin", "account")
    stage.world.play("linkedin", "no_permission")
    assert "does not show account 3001" in str(stage.pull(source, FIRST, TODAY).stopped)
    assert stage.warehouse.rows("select * from raw.pull_readings") == []
    assert stage.pull(source, FIRST, TODAY).rows == 7  # 414 for a long address: the query is tunnelled
    items = [json.loads(row["item"]) for row in stage.warehouse.rows("select item from raw_linkedin.analytics")]
    assert {item["currency"] for item in items} == {"EUR"}, "told of the account alone"
    stage.world.now += DAY
    stage.world.play("linkedin", "sunset")
    assert "withdrawn" in str(stage.pull(source, FIRST, TODAY).stopped)


def test_klaviyo_events_that_come_late_are_told_and_none_twice(stage: Stage) -> None:
    source = stage.source("klaviyo_events")
    late = stage.world.events[40]  # a day old
    late["known_at"] = stage.world.now + dt.timedelta(hours=6)
    assert stage.pull(source).rows == 239
    stage.world.now += DAY
    assert stage.pull(source).stopped is None
    rows = stage.warehouse.rows("select item, extracted_at from raw_klaviyo.events")
    ids = [json.loads(row["item"])["id"] for row in rows]
    assert sorted(ids) == sorted(event["id"] for event in stage.world.events)
    # The cursor came from the warehouse: no folder of the first pull is left. It began a lag before the newest event.
    newest = max(event["datetime"] for event in stage.world.events)
    asked = [call.query for call in stage.world.calls if call.path.endswith("/events") and "cursor" not in call.query]
    assert f"{newest - dt.timedelta(hours=72):%Y-%m-%dT%H%%3A%M}" in asked[-1]


def test_klaviyo_a_backfill_leaves_the_cursor_alone(stage: Stage) -> None:
    source = stage.source("klaviyo_events")
    stage.pull(source)
    stage.pull(source, TODAY - 5 * DAY, TODAY - 4 * DAY)
    stage.pull(source)
    asked = [call.query for call in stage.world.calls if call.path.endswith("/events") and "cursor" not in call.query]
    assert len(asked) == 3
    newest = max(event["datetime"] for event in stage.world.events)
    assert f"{newest - dt.timedelta(hours=72):%Y-%m-%dT%H%%3A%M}" in asked[2]
    assert stage.warehouse.rows("select count(*) as n from raw_klaviyo.events")[0]["n"] == 240


def test_klaviyo_people_are_pseudonyms_the_same_as_elsewhere(stage: Stage) -> None:
    stage.pull(stage.source("klaviyo_events"))
    items = [row["item"] for row in stage.warehouse.rows("select item from raw_klaviyo.events")]
    assert not any("@" in item or '"P1"' in item for item in items)
    redactor = Redactor(pseudonym_key(stage.warehouse.folder))
    people = {redactor.pseudonym(f"person{number}@example.test") for number in range(40)}
    assert {json.loads(item)["profile"]["email"] for item in items} <= people


def test_klaviyo_a_changed_type_of_an_event_is_quarantined_and_the_others_stay(stage: Stage) -> None:
    stage.world.play("klaviyo", "changed_type")
    report = stage.pull(stage.source("klaviyo_events"))
    assert (report.quarantined, report.rows) == (1, 239)
    assert "event_properties is no object" in str(report.reason)


def test_klaviyo_a_refused_key_leaves_events_and_cursor_as_they_were(stage: Stage) -> None:
    source = stage.source("klaviyo_events")
    stage.world.play("klaviyo", "", "", "revoked")
    report = stage.pull(source)
    assert "LOOP_KLAVIYO_KEY" in str(report.stopped)
    assert stage.warehouse.rows("select * from raw_klaviyo.events") == []
    assert stage.pull(source).rows == 240


def test_klaviyo_waits_as_told_and_sends_the_revision(stage: Stage) -> None:
    stage.world.play("klaviyo", "burst", "steady")
    assert stage.pull(stage.source("klaviyo_campaigns"), TODAY, TODAY).stopped is None
    assert stage.waits == [1.0, 37.0]
    assert {call.headers["revision"] for call in stage.world.calls} == {"2026-07-15"}


def test_klaviyo_the_reports_of_a_day_are_counted_in_the_warehouse(stage: Stage) -> None:
    source = stage.source("klaviyo_campaigns").model_copy(update={"daily_calls": 5})
    report = stage.pull(source)
    assert (report.windows, len(stage.world.calls)) == (5, 5)
    assert "5 calls of today are used up" in str(report.stopped)
    assert stage.pull(source).windows == 0  # another run of the same day knows of them
    assert len(stage.world.calls) == 5
    stage.world.now += dt.timedelta(hours=12, minutes=1)  # past midnight, later than a window stays fresh
    assert stage.pull(source).windows == 5


def test_klaviyo_the_platforms_own_count_ends_the_pull_too(stage: Stage) -> None:
    stage.world.kept[f"klaviyo reports {TODAY}"] = 223
    report = stage.pull(stage.source("klaviyo_campaigns"))
    assert report.windows == 2
    assert "asks to wait 86400 s" in str(report.stopped)
    assert stage.waits == []
    stage.world.kept[f"klaviyo reports {TODAY}"] = 0
    assert stage.pull(stage.source("klaviyo_campaigns")).windows == 12  # those that are missing, no other


def test_mailchimp_reads_every_page(stage: Stage) -> None:
    stage.world.campaigns["mailchimp"] = [
        row | {"id": f"{row['id']}x{copy}"} for row in stage.world.campaigns["mailchimp"] for copy in range(250)
    ]
    report = stage.pull(stage.source("mailchimp"))
    assert report.rows == 9 * 250
    assert len(stage.paths("mailchimp")) == 3


def test_bluesky_asks_for_25_at_a_time_and_no_others_posts(stage: Stage) -> None:
    report = stage.pull(stage.source("bluesky"))
    expected = [
        post for post in stage.world.posts["bluesky", "did:plc:acme"] if post.created_at.date() > TODAY - 14 * DAY
    ]
    assert (report.rows, report.stopped) == (len(expected), None)
    assert len(expected) > 50
    assert all("did:plc:acme" in row["item"] for row in stage.vouched("raw_bluesky.posts"))


def test_mastodon_follows_links_and_waits_until_the_instant_of_reset(stage: Stage) -> None:
    stage.world.play("mastodon", "limited")
    report = stage.pull(stage.source("mastodon"))
    expected = [post for post in stage.world.posts["mastodon", "7"] if post.created_at.date() > TODAY - 14 * DAY]
    assert (report.rows, report.stopped) == (len(expected), None)
    assert len(expected) > 40
    assert stage.waits == [pytest.approx(90, abs=2)]
