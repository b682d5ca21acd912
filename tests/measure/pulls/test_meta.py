"""Meta Insights: what a simple connector loses, repeats or believes too early."""

import json

import pytest

from orchestration.errors import Refusal
from orchestration.measure.pulls.contracts import judge
from tests.measure.pulls.conftest import DAY, TODAY, Stage

FIRST = TODAY - 2 * DAY


def test_every_breakdown_is_a_row_of_its_own(stage: Stage) -> None:
    whole = stage.pull(stage.source("meta", "ad"), FIRST, TODAY)
    parts = stage.pull(stage.source("meta", "title_asset"), FIRST, TODAY)
    assert parts.rows == 3 * whole.rows  # a key without the breakdown keeps one of the three
    spent: dict[str, float] = {"ad": 0.0, "title_asset": 0.0}
    for row in stage.vouched("raw_meta.insights"):
        spent[row["stream"]] += float(json.loads(row["item"])["spend"])
    assert spent["title_asset"] == pytest.approx(spent["ad"], abs=0.01 * parts.rows)


def test_a_key_that_lacks_a_breakdown_is_refused() -> None:
    from orchestration.measure.pulls.definition import read_sources

    [stream] = [stream for stream in read_sources()["meta"].streams if stream.name == "title_asset"]
    short = stream.model_copy(update={"key": stream.key[:-1]})
    base = {"account_id": "1", "campaign_id": "2", "adset_id": "3", "ad_id": "4", "date_start": TODAY.isoformat()}
    rows = [base | {"title_asset": {"id": id_}, "spend": spend} for id_, spend in (("a", "10"), ("b", "5"))]
    assert len(judge(stream, "date_start", [TODAY], [*rows, rows[0]]).rows) == 2  # the same row told twice is one
    with pytest.raises(Refusal, match="two rows of one key"):
        judge(short, "date_start", [TODAY], rows)


@pytest.mark.parametrize("fault", ["completed_at_80", "job_failed", "running"])
def test_a_job_is_read_when_it_is_whole(stage: Stage, fault: str) -> None:
    expected = len(stage.world.told("meta", "1001", "ad", FIRST, TODAY))
    stage.world.play("meta", fault)
    report = stage.pull(stage.source("meta", "ad"), FIRST, TODAY)
    assert (report.stopped, report.rows) == (None, expected)
    assert (sum(stage.waits) > 0) == (fault != "job_failed")


def test_an_empty_page_is_not_the_last(stage: Stage) -> None:
    expected = len(stage.world.told("meta", "1001", "ad", TODAY - 6 * DAY, TODAY))
    assert expected > 50  # three pages
    stage.world.play("meta", "", "", "", "empty_page")
    assert stage.pull(stage.source("meta", "ad"), TODAY - 6 * DAY, TODAY).rows == expected


def test_too_much_is_asked_for_in_halves_and_not_again(stage: Stage) -> None:
    expected = len(stage.world.told("meta", "1001", "ad", TODAY - 3 * DAY, TODAY))
    stage.world.play("meta", "too_much")
    report = stage.pull(stage.source("meta", "ad"), TODAY - 3 * DAY, TODAY)
    assert (report.rows, report.windows, stage.waits) == (expected, 2, [])
    spans = [call.body for call in stage.world.calls if call.method == "POST"]
    assert len(spans) == 3 == len(set(spans))


@pytest.mark.parametrize("fault", ["throttled", "limited", "business_limit"])
def test_limits_are_waited_for(stage: Stage, fault: str) -> None:
    stage.world.play("meta", fault)
    assert stage.pull(stage.source("meta", "account"), TODAY, TODAY).stopped is None
    assert stage.waits == [60.0]


def test_slows_down_before_the_limit_is_met(stage: Stage) -> None:
    stage.world.play("meta", "nearly_throttled")
    assert stage.pull(stage.source("meta", "account"), TODAY, TODAY).stopped is None
    assert stage.waits == [60]
    assert any("91 %" in line for line in stage.told)


def test_a_revoked_key_is_named_and_what_was_read_stays(stage: Stage) -> None:
    source = stage.source("meta", "account", "campaign")
    stage.world.play("meta", "", "", "", "revoked")
    report = stage.pull(source, TODAY, TODAY)
    assert report.windows == 1
    assert "revoked" in str(report.stopped)
    assert "LOOP_META_TOKEN" in str(report.stopped)
    assert stage.pull(source, TODAY, TODAY).windows == 1  # goes on with what is missing


def test_secrets_go_to_no_other_host(stage: Stage) -> None:
    stage.world.play("meta", "", "", "strange_next")
    assert "points to another host" in str(stage.pull(stage.source("meta", "account"), TODAY, TODAY).stopped)
    assert stage.vouched("raw_meta.insights") == []


def test_windows_that_meta_no_longer_answers_are_refused(stage: Stage) -> None:
    [stream] = stage.source("meta", "ad").streams
    dead = stream.model_copy(update={"options": {**stream.options, "attribution_windows": ("1d_click", "7d_view")}})
    report = stage.pull(stage.source("meta").model_copy(update={"streams": (dead,)}), TODAY, TODAY)
    assert "7d_view" in str(report.stopped)
    assert stage.paths("meta") == []


def test_a_changed_type_is_quarantined_and_the_days_keep_what_was_known(stage: Stage) -> None:
    source = stage.source("meta", "account")
    assert stage.pull(source, TODAY, TODAY).quarantined == 0
    known = stage.vouched("raw_meta.insights")
    stage.world.now += DAY
    stage.world.play("meta", "", "", "changed_type")
    report = stage.pull(source, TODAY, TODAY)
    assert (report.quarantined, report.refused_windows, report.reason) == (1, 1, "account: spend is no number")
    assert stage.vouched("raw_meta.insights") == known
    [row] = stage.warehouse.rows("select reason, payload from raw.quarantine")
    assert row["reason"] == "account: spend is no number"
    assert "amount" in json.loads(row["payload"])["spend"]


def test_a_new_field_is_kept(stage: Stage) -> None:
    stage.world.play("meta", "", "", "new_field")
    assert stage.pull(stage.source("meta", "account"), TODAY, TODAY).quarantined == 0
    assert json.loads(stage.vouched("raw_meta.insights")[0]["item"])["attention_seconds"] == "4.2"


@pytest.mark.parametrize("fault", ["half", "unavailable"])
def test_half_an_answer_is_asked_for_again(stage: Stage, fault: str) -> None:
    stage.world.play("meta", fault, "", fault)
    report = stage.pull(stage.source("meta", "campaign"), FIRST, TODAY)
    assert report.stopped is None
    assert report.rows == len(stage.world.told("meta", "1001", "campaign", FIRST, TODAY))


def test_a_platform_that_does_not_answer_is_given_up(stage: Stage) -> None:
    stage.world.play("meta", *["unavailable"] * 6)
    report = stage.pull(stage.source("meta", "campaign"), FIRST, TODAY)
    assert "answered 503 6 times" in str(report.stopped)
    assert stage.waits == [1, 2, 4, 8, 16]
