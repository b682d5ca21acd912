import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.sandbox.world import World
from tests.sandbox.conftest import MONDAY, Begin, Play, tags_in

DAY = dt.timedelta(days=1)
FEW = {
    "segments": {
        name: {"people": 100, "click_rate": 0.1, "order_after_click": 0.1, "visits_per_week": 1, "age_days": [0, 90]}
        for name in ("new", "regular", "lapsing")
    }
}
NEXT = MONDAY + 7 * DAY
TEXTS = ("plain", "number", "urgency")
MIGRATION = Path(__file__).parents[2] / "warehouse" / "migrations" / "0001_raw.sql"


def mailed(play: Play) -> Play:
    for number, day in enumerate((0, 2, 4)):
        play.send(f"e{number}", MONDAY + day * DAY + dt.timedelta(hours=9), TEXTS)
    return play


def files(play: Play) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in play.world.inbox.iterdir()}


def rows(play: Play) -> list[tuple[str, ...]]:
    return sorted(map(tuple, play.events().drop(columns="file").astype(str).to_numpy().tolist()))


def test_same_seed_and_messages_give_the_same_bytes(begin: Begin) -> None:
    one, other = mailed(begin("one")), mailed(begin("other"))
    path = other.world.outbox / "e1.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(len(table) - 1, -1, -1))), path)
    path.rename(path.with_name("a different name.parquet"))
    one.world.advance(NEXT)
    other.world.advance(NEXT)
    assert files(one) == files(other)


def test_another_seed_is_another_world(begin: Begin) -> None:
    assert set(begin("one").events().event_id).isdisjoint(begin("other", seed=2).events().event_id)


def test_python_hash_seed_does_not_matter(begin: Begin) -> None:
    play = mailed(begin(changes=FEW))
    copy = play.world.folder.with_name("copy")
    shutil.copytree(play.world.folder, copy)
    script = (
        "import datetime as dt, sys; from pathlib import Path; from orchestration.sandbox.world import World;"
        "World.open(Path(sys.argv[1]), lambda text: frozenset([text])).advance(dt.datetime(2026, 1, 12))"
    )
    subprocess.run([sys.executable, "-c", script, str(copy)], check=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    here = World.open(play.world.folder, lambda text: frozenset([text]))
    here.advance(NEXT)
    assert files(Play(here)) == {path.name: path.read_bytes() for path in (copy / "inbox").iterdir()}


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hours=st.sets(st.integers(1, 24 * 9), min_size=1, max_size=6))
def test_the_size_of_steps_changes_no_event(begin: Begin, hours: set[int]) -> None:
    end = MONDAY + 10 * DAY
    whole, steps = (mailed(begin(name, changes=FEW)) for name in ("whole", "steps"))
    whole.world.advance(end)
    for hour in sorted(hours):
        steps.world.advance(MONDAY + dt.timedelta(hours=hour))
    steps.world.advance(end)
    assert rows(steps) == rows(whole)
    for play in (whole, steps):
        shutil.rmtree(play.world.folder)


def test_every_arrival_comes_once_in_the_file_of_its_time(begin: Begin) -> None:
    play = mailed(begin())
    ends = [MONDAY + days * DAY for days in (2, 4, 7, 14)]
    for end in ends:
        play.world.advance(end)
    events = play.events()
    assert not events.duplicated(["event_id", "received_at"]).any()
    assert events.received_at.is_monotonic_increasing
    for file, end in zip(sorted(events.file.unique())[1:], ends, strict=True):
        assert (events[events.file == file].received_at < end).all()
    happened_before = events.occurred_at < MONDAY + 2 * DAY
    assert (happened_before & (events.received_at >= MONDAY + 2 * DAY)).any()
    assert not events.occurred_at.dropna().is_monotonic_increasing
    assert 0.01 < events.duplicated("event_id").mean() < 0.03


def test_again_with_the_same_instant_or_an_earlier_one_changes_nothing(begin: Begin) -> None:
    play = mailed(begin())
    play.world.advance(NEXT)
    before = files(play)
    for until in (NEXT, MONDAY, NEXT):
        World.open(play.world.folder, tags_in).advance(until)
    assert files(play) == before


@pytest.mark.parametrize("lost", ["inbox", "state", "both", "draft of the state", "draft of the file"])
def test_a_kill_half_way_loses_and_repeats_nothing(begin: Begin, lost: str) -> None:
    play = mailed(begin(changes=FEW))
    folder = play.world.folder
    shutil.copytree(folder, folder.with_name("before"))
    target = play.world.advance(NEXT)
    wanted = files(play)
    assert target
    if lost != "state":
        target.unlink()
    if lost in {"state", "both", "draft of the state"}:
        states = folder / "world" / "states"
        shutil.rmtree(states)
        shutil.copytree(folder.with_name("before") / "world" / "states", states)
    if lost == "draft of the file":
        target.with_name(f".{target.name}.part").write_bytes(b"half")
    if lost == "draft of the state":
        (next(states.iterdir()).with_name(f".{next(states.iterdir()).name}.part")).mkdir()
    again = World.open(folder, tags_in)
    again.advance(NEXT)
    assert files(Play(again)) == wanted
    play.world.advance(NEXT + DAY)
    assert not play.events().duplicated(["event_id", "received_at"]).any()


def test_a_kill_before_the_file_loses_nothing_when_the_next_step_is_another(begin: Begin) -> None:
    play = mailed(begin(changes=FEW))
    target = play.world.advance(NEXT)
    wanted = files(play)
    assert target
    target.unlink()
    World.open(play.world.folder, tags_in).advance(NEXT + DAY)
    assert files(play).items() > wanted.items()


def test_files_fit_the_table_of_the_warehouse(begin: Begin) -> None:
    play = mailed(begin())
    file = play.world.advance(NEXT)
    with duckdb.connect() as connection:
        connection.execute(MIGRATION.read_text(encoding="utf-8"))
        listed = "select column_name from information_schema.columns where table_name = 'events'"
        columns = {row[0] for row in connection.execute(listed).fetchall()}
        assert set(pq.read_schema(file).names) == columns - {"ingested_at", "import_id"}
        connection.execute(
            "insert into raw.events by name select *, received_at as ingested_at, '' as import_id from read_parquet(?)",
            [str(play.world.inbox / "*.parquet")],
        )
        unread = (
            "select count(*) from raw.events where json_type(properties) <> 'OBJECT' or json_type(context) <> 'OBJECT'"
        )
        assert connection.execute(unread).fetchall() == [(0,)]
    assert set(play.events().source) == {"sandbox/small"}


def test_devices_have_wrong_clocks_that_can_be_put_right(begin: Begin) -> None:
    events = begin().events().drop_duplicates("event_id")
    web = events[events.channel == "web"]
    assert web.occurred_at.isna().all()
    right = web.received_at - (web.sent_at - web.original_at)
    wrong_by = (web.original_at - right).abs()
    assert 0.01 < (wrong_by > dt.timedelta(hours=1)).mean() < 0.06
    assert (right <= web.received_at).all()


def test_a_world_is_created_once(begin: Begin, tmp_path: Path) -> None:
    play = begin()
    again = World.create(play.world.folder, str(tmp_path / "world.yaml"), 1, tags_in)
    assert again.now == MONDAY
    with pytest.raises(Refusal, match="already holds the world small with seed 1"):
        World.create(play.world.folder, "reference", 1, tags_in)
    with pytest.raises(Refusal, match="holds no world"):
        World.open(tmp_path / "elsewhere", tags_in)
