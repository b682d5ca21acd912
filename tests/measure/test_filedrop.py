"""Files of events as JSON lines: nothing lost, nothing twice, nobody's address in clear."""

import datetime as dt
import gzip
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.imports import import_file, intake_drop
from orchestration.measure.mapping import Mapping
from orchestration.measure.quarantine import replay, show, waiting

NOW = dt.datetime.fromisoformat("2026-11-20T12:00")
EVENTS = Mapping.named("events")


def event(number: int, **changes: Any) -> dict[str, Any]:
    told = {
        "event_id": f"e{number}",
        "source": "shop",
        "type": "track",
        "event_name": "Signed Up",
        "user_id": f"u{number}",
    }
    return told | {"occurred_at": "2026-11-01T10:00:00+02:00"} | changes


def lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows))
    return path


def test_bad_lines_are_set_aside_with_their_numbers_and_the_rest_gets_in(warehouse: Warehouse, tmp_path: Path) -> None:
    good = [event(n) for n in range(3_000)]
    rows: list[Any] = [
        *good[:10],
        b"{broken",
        b"",
        *good[10:2_500],
        b'{"a": "\xff"}',
        [1],
        event(1, value="much"),
        *good[2_500:],
    ]
    report = import_file(warehouse, lines(tmp_path / "x.ndjson", rows), EVENTS, FixedClock(NOW))
    assert (report.rows_read, report.rows_accepted, report.rows_quarantined) == (3_004, 3_000, 4)
    found = warehouse.rows("select row_number, reason from raw.quarantine order by 1")
    assert [tuple(row.values()) for row in found] == [
        (11, "the row is not a JSON object"), (2_503, "the row is not a JSON object"), (2_504, "the row is not a JSON object"),
        (2_505, "value is not written as it must be"),
    ]  # fmt: skip
    assert warehouse.rows("select min(occurred_at) as at from raw.events")[0]["at"] == dt.datetime.fromisoformat(
        "2026-11-01T08:00"
    )
    assert show(warehouse, report.import_id[:8], 11)["original"] == "{broken"


def test_copies_are_set_aside_in_a_file_and_between_files(warehouse: Warehouse, tmp_path: Path) -> None:
    first = [event(1, received_at="2026-11-01T10:00:09Z"), event(1, received_at="2026-11-01T10:00:01Z"), event(2)]
    reports = [
        import_file(warehouse, lines(tmp_path / f"{name}.ndjson", rows), EVENTS, FixedClock(NOW))
        for name, rows in (("a", first), ("b", [event(2), event(3), event(2, source="app")]))
    ]
    assert [(report.rows_accepted, report.rows_duplicate) for report in reports] == [(2, 1), (2, 1)]
    kept = warehouse.rows("select source, event_id, received_at from raw.events order by 2, 1")
    assert [(row["source"], row["event_id"]) for row in kept] == [
        ("shop", "e1"),
        ("app", "e2"),
        ("shop", "e2"),
        ("shop", "e3"),
    ]
    assert kept[0]["received_at"] == dt.datetime.fromisoformat("2026-11-01T10:00:01")  # the copy that came first


def test_new_fields_are_kept_and_addresses_reach_nothing(warehouse: Warehouse, tmp_path: Path) -> None:
    told = event(
        1, user_id="ann@example.org", event_id="mail-ann@example.org", plan={"seats": 3, "owner": "Ann ann@example.org"},
        properties={"email": "ann@example.org", "note": "write to ann@example.org",
                    "url": "https://x.test/?e=ann%40example.org", "n": 1},
        context={"ip": "198.51.100.7", "userAgent": "Mozilla/5.0", "traits": {"phone": "+15550100", "plan": "pro"}},
    )  # fmt: skip
    escaped = json.dumps(event(2, properties={"email": "bob@example.org"})).replace("email", "\\u0065mail").encode()
    bad = event(3, user_id="eve@example.org", value="much")
    import_file(warehouse, lines(tmp_path / "x.ndjson", [told, escaped, bad]), EVENTS, FixedClock(NOW))
    row = warehouse.rows("select * from raw.events order by length(extra) nulls last")[0]
    properties, context = json.loads(row["properties"]), json.loads(row["context"])
    assert json.loads(row["extra"]) == {"plan": {"seats": 3, "owner": "Ann (address withheld)"}}
    assert properties["note"] == "write to (address withheld)"
    assert (properties["n"], len(properties["email"]), len(row["event_id"])) == (1, 64, 64)
    assert (context["userAgent"], context["traits"]["plan"], len(context["ip"])) == ("Mozilla/5.0", "pro", 64)
    stored = b"".join(path.read_bytes() for path in warehouse.folder.iterdir() if path.is_file())
    for secret in (b"ann@", b"bob@", b"eve@", b"example.org", b"198.51.100.7", b"+15550100"):
        assert secret not in stored


def test_an_opaque_id_stays_and_an_address_does_not(warehouse: Warehouse, tmp_path: Path) -> None:
    lines(tmp_path / "drop" / "x.ndjson", [event(1), event(2, user_id="ann@example.org")])
    (tmp_path / "drop" / ".drop.yaml").write_text("ids: opaque\n", encoding="utf-8")
    intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW))
    ids = warehouse.rows("select user_id from raw.events order by event_id")
    assert (ids[0]["user_id"], len(ids[1]["user_id"])) == ("u1", 64)


def test_a_file_in_the_making_waits_and_a_finished_one_does_not(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "drop" / "x.ndjson"
    lines(path, [event(1), event(2)])
    path.write_bytes(path.read_bytes()[:-20])
    just_now = NOW.replace(tzinfo=dt.UTC).timestamp()
    os.utime(path, (just_now, just_now))
    assert intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW)) == []
    (report,) = intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW + dt.timedelta(minutes=10)))
    assert (report.rows_accepted, report.rows_quarantined) == (1, 1)


def test_one_bad_file_holds_no_other_up(warehouse: Warehouse, tmp_path: Path) -> None:
    lines(tmp_path / "drop" / "a.ndjson", [event(1)])
    (tmp_path / "drop" / "b.ndjson").write_bytes(json.dumps(event(2)).encode("utf-16"))
    (tmp_path / "drop" / "c.ndjson.gz").write_bytes(gzip.compress(json.dumps(event(3)).encode() * 500)[:-30])
    lines(tmp_path / "drop" / "d.ndjson", [event(4)])
    (tmp_path / "drop" / "e.ndjson.gz").write_bytes(gzip.compress((json.dumps(event(5)) + "\n").encode()))
    with pytest.raises(Refusal, match=r"b.ndjson -> is not text in UTF-8.* 1 more files are refused") as refusal:
        intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW))
    assert "\n" not in str(refusal.value)
    assert [row["event_id"] for row in warehouse.rows("select event_id from raw.events order by 1")] == [
        "e1",
        "e4",
        "e5",
    ]


def test_a_replay_takes_in_once_what_holds_now(warehouse: Warehouse, tmp_path: Path) -> None:
    early = event(1, occurred_at="2026-11-25T00:00:00Z")
    rows = [early, early, event(2), event(3, value="much")]
    import_file(warehouse, lines(tmp_path / "x.ndjson", rows), EVENTS, FixedClock(NOW))
    assert [(row["rows"], row["reason"]) for row in waiting(warehouse)] == [
        (2, "received_at is more than a day in the future"), (1, "value is not written as it must be"),
    ]  # fmt: skip
    later = FixedClock(NOW + dt.timedelta(days=7))
    done = [replay(warehouse, later), replay(warehouse, later)]
    assert [(d.judged, d.accepted, d.duplicates, d.still_refused) for d in done] == [(3, 1, 1, 1), (1, 0, 0, 1)]
    assert warehouse.rows("select count(*) as n from raw.events") == [{"n": 2}]
    assert warehouse.rows("select count(*) as n from raw.quarantine") == [{"n": 3}]
    marks = warehouse.rows("select row_number, outcome from raw.quarantine_replays order by 1")
    assert [tuple(mark.values()) for mark in marks] == [(1, "accepted"), (2, "duplicate")]


def test_a_replay_says_which_rows_it_cannot_judge(warehouse: Warehouse, tmp_path: Path) -> None:
    mapped = tmp_path / "x.csv"
    mapped.write_text(
        "event_id,source,event_name,user_id,occurred_at\ne1,s,A,u,2026-11-01\ne2,s,A,u,then\n", encoding="utf-8"
    )
    import_file(warehouse, mapped, EVENTS, FixedClock(NOW))
    place = json.dumps({"spool_file": "0001.spool", "from_offset": 40, "until_offset": 90})
    damage = {"import_id": "0001.spool", "row_number": 40, "reason": "damaged", "payload": place, "quarantined_at": NOW}
    warehouse.append({"raw.quarantine": [damage]})
    done = replay(warehouse, FixedClock(NOW))
    assert (done.judged, done.not_replayable, done.lost) == (0, 1, 1)


def test_another_key_opens_nothing(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = import_file(warehouse, lines(tmp_path / "x.ndjson", [event(1), b"{"]), EVENTS, FixedClock(NOW))
    monkeypatch.setenv("LOOP_PSEUDONYM_KEY", "another")
    with pytest.raises(Refusal, match="sealed under another key"):
        show(warehouse, report.import_id, 2)


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file of this process may grow beyond a size: writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_in_a_line_and_the_file_gets_in_once_there_is_room(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    lines(tmp_path / "drop" / "a.ndjson", [event(1)])
    intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW))
    lines(
        tmp_path / "drop" / "b.ndjson", [event(n, properties={"note": os.urandom(900).hex()}) for n in range(2, 2_000)]
    )
    with full_disk(warehouse.path.stat().st_size + 100_000), pytest.raises(Refusal, match="Check space") as refusal:
        intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW))
    assert "\n" not in str(refusal.value)
    assert warehouse.rows("select count(*) as n from raw.events") == [{"n": 1}]
    intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW))
    found = warehouse.rows("select count(*) as n, count(distinct event_id) as ids from raw.events")
    assert found == [{"n": 1_999, "ids": 1_999}]
