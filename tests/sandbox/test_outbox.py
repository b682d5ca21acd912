import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.errors import Refusal
from tests.sandbox.conftest import MONDAY, Begin

HOUR = dt.timedelta(hours=1)


def rewritten(path: Path, column: str, values: pa.Array | None) -> None:
    table = pq.read_table(path)
    table = table.drop_columns([column])
    pq.write_table(table if values is None else table.append_column(column, values), path)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("subject", None, "lacks the column subject"),
        ("channel", "sms", "is not for the channel email"),
        ("scheduled_at", "soon", "scheduled_at is string, not a time"),
        ("user_id", "", "has empty fields"),
    ],
)
def test_unfit_files_are_refused_and_nothing_changes(begin: Begin, column: str, value: str | None, said: str) -> None:
    play = begin()
    path = play.send("e1", MONDAY + HOUR, ["plain"])
    count = pq.read_metadata(path).num_rows
    cell = pa.scalar(value or None, type=pa.string())
    rewritten(path, column, None if value is None else pa.repeat(cell, count))
    before = sorted(play.world.inbox.iterdir())
    with pytest.raises(Refusal, match=said):
        play.world.advance(MONDAY + 2 * HOUR)
    assert (play.world.now, sorted(play.world.inbox.iterdir())) == (MONDAY, before)


def test_a_file_that_is_no_parquet_is_refused(begin: Begin) -> None:
    play = begin()
    (play.world.outbox / "e1.parquet").write_text("hello", encoding="utf-8")
    with pytest.raises(Refusal, match=r"e1\.parquet -> is not a readable Parquet file"):
        play.world.advance(MONDAY + HOUR)


def test_a_message_is_sent_once_at_its_time_and_at_once_when_it_comes_too_late(begin: Begin) -> None:
    play = begin()
    path = play.send("e1", MONDAY + 30 * HOUR, ["plain"])
    pq.write_table(pa.concat_tables([pq.read_table(path)] * 2), path)
    play.world.advance(MONDAY + 24 * HOUR)
    assert play.happened("Email Delivered").empty
    play.send("too late", MONDAY, ["number"])
    for hours in (31, 48, 200):
        play.world.advance(MONDAY + hours * HOUR)
    delivered = play.happened("Email Delivered")
    assert not delivered.send_id.duplicated().any()
    first = delivered.groupby("experiment_id").occurred_at.min()
    assert MONDAY + 30 * HOUR <= first["e1"] < MONDAY + 30.1 * HOUR
    assert MONDAY + 24 * HOUR <= first["too late"] < MONDAY + 24.1 * HOUR


def test_times_with_an_offset_are_the_same_instants(begin: Begin) -> None:
    play = begin()
    path = play.send("e1", MONDAY + 5 * HOUR, ["plain"])
    count = pq.read_metadata(path).num_rows
    zone = pa.timestamp("ns", "America/New_York")
    at = dt.datetime.fromisoformat("2026-01-05T03:00:00+00:00")
    rewritten(path, "scheduled_at", pa.repeat(pa.scalar(at, type=zone), count))
    play.world.advance(MONDAY + 12 * HOUR)
    assert play.happened("Email Delivered").occurred_at.min().floor("min") == MONDAY + 3 * HOUR


def test_strangers_and_people_who_said_no_get_no_mail(begin: Begin) -> None:
    play = begin()
    people = play.people()
    no = people.index[~people.consent][:3]
    play.send("e1", MONDAY, ["plain"], ["a stranger", *no])
    play.world.advance(MONDAY + 24 * HOUR)
    bounced = play.happened("Email Bounced").set_index("user_id").properties
    assert "invalid" in bounced.pop("a stranger")
    assert bounced.str.contains("unsubscribed").sum() == len(no) > 0
    assert play.happened("Email Delivered").empty
