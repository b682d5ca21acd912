"""Event tables and drop folders: what is accepted, what is set aside, and that nobody's id gets through."""

import datetime as dt
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.imports import ImportReport, import_file, intake_drop
from orchestration.measure.mapping import Mapping

NOW = dt.datetime.fromisoformat("2026-11-20T12:00")
MAPPING: dict[str, Any] = {
    "kind": "events", "source": {"constant": "shop/csv"}, "user_id": "email", "event_name": "what", "occurred_at": "at",
    "properties": ["what", "page"], "aliases": {"signup": "Signed Up"},
}  # fmt: skip
EVENT = {"email": "ann@example.org", "what": "signup", "at": "2026-11-01T10:00:00+02:00", "page": "/a"}


def lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def taken(warehouse: Warehouse, path: Path, rows: list[dict[str, Any]], **options: Any) -> ImportReport:
    return import_file(warehouse, lines(path, rows), Mapping.of(MAPPING | options), FixedClock(NOW))


def test_an_event_becomes_canonical(warehouse: Warehouse, tmp_path: Path) -> None:
    taken(warehouse, tmp_path / "x.ndjson", [EVENT])
    event = warehouse.rows("select * from raw.events")[0]
    assert json.loads(event["properties"]) == {"what": "signup", "page": "/a"}
    at = dt.datetime.fromisoformat("2026-11-01T08:00")
    told = {"source": "shop/csv", "type": "track", "event_name": "Signed Up"}
    assert {name: event[name] for name in told} == told
    assert len(event["user_id"]) == 64
    assert (event["occurred_at"], event["received_at"], event["ingested_at"]) == (at, at, NOW)


def test_events_without_an_id_are_named_by_what_they_say(warehouse: Warehouse, tmp_path: Path) -> None:
    taken(
        warehouse, tmp_path / "x.ndjson", [EVENT, EVENT, EVENT | {"page": "/b"}, EVENT | {"email": "bob@example.org"}]
    )
    assert warehouse.rows("select count(*) as n, count(distinct event_id) as ids from raw.events") == [
        {"n": 3, "ids": 3}
    ]


def test_bad_events_are_set_aside(warehouse: Warehouse, tmp_path: Path) -> None:
    bad: list[tuple[dict[str, Any], str]] = [
        ({"email": " "}, "there is neither a user nor an anonymous id"),
        ({"what": None}, "the event has no name"),
        ({"at": "soon"}, "occurred_at is not a time"),
        ({"at": None}, "there is no time"),
        ({"at": "2026-11-21T12:00:01Z"}, "occurred_at is more than a day in the future"),
        ({"at": "1999-12-31"}, "occurred_at is before the year 2000"),
        ({"value": "much"}, "value is not an amount"),
        ({"type": "click"}, "type is none of track, identify, page, screen, group, alias"),
        ({"context": "{"}, "context is not JSON"),
        ({"is_machine": "perhaps"}, "is_machine is neither true nor false"),
    ]
    report = taken(warehouse, tmp_path / "x.ndjson", [EVENT, *(EVENT | change for change, _ in bad)])
    found = warehouse.rows("select row_number, reason from raw.quarantine order by row_number")
    assert [(row["row_number"], row["reason"]) for row in found] == [(place, r) for place, (_, r) in enumerate(bad, 2)]
    assert report.reasons == {reason: 1 for _, reason in bad}


def test_times_come_in_many_forms(warehouse: Warehouse, tmp_path: Path) -> None:
    forms = [
        "1761984000",
        "1761984000000",
        "1761984000000000",
        1761984000,
        "2025-11-01 08:00:00",
        "2025-11-01T10:00+02:00",
    ]
    taken(warehouse, tmp_path / "x.ndjson", [EVENT | {"at": at, "page": str(n)} for n, at in enumerate(forms)])
    same = dt.datetime.fromisoformat("2025-11-01T08:00")
    assert warehouse.rows("select occurred_at from raw.events") == [{"occurred_at": same}] * len(forms)


@pytest.mark.parametrize("key", ["k", "a key longer than one block of the digest " * 3])
def test_people_become_keyed_pseudonyms(
    key: str, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOP_PSEUDONYM_KEY", key)
    taken(warehouse, tmp_path / "x.ndjson", [EVENT], pseudonymise=True)
    expected = hmac.new(key.strip().encode(), b"ann@example.org", hashlib.sha256).hexdigest()
    assert warehouse.rows("select user_id from raw.events") == [{"user_id": expected}]


def test_the_key_is_made_once_for_its_owner_alone(warehouse: Warehouse, tmp_path: Path) -> None:
    taken(warehouse, tmp_path / "x.ndjson", [EVENT], pseudonymise=True)
    path = warehouse.folder / "pseudonym.key"
    key = path.read_bytes()
    taken(warehouse, tmp_path / "y.ndjson", [EVENT | {"page": "/b"}], pseudonymise=True)
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, key)
    assert warehouse.rows("select distinct user_id from raw.events") == [
        {"user_id": hmac.new(key.strip(), b"ann@example.org", hashlib.sha256).hexdigest()}
    ]


def test_an_empty_key_is_refused(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_PSEUDONYM_KEY", " ")
    with pytest.raises(Refusal, match=r"^LOOP_PSEUDONYM_KEY -> is an empty key"):
        taken(warehouse, tmp_path / "x.ndjson", [EVENT], pseudonymise=True)


def test_no_id_gets_into_the_warehouse_when_pseudonymised(warehouse: Warehouse, tmp_path: Path) -> None:
    path = lines(tmp_path / "x.ndjson", [EVENT, EVENT | {"at": "soon"}])
    path.write_text(path.read_text() + '{"email": "ann@example.org", broken\n', encoding="utf-8")
    report = import_file(warehouse, path, Mapping.of(MAPPING | {"pseudonymise": True}), FixedClock(NOW))
    assert report.rows_quarantined == 2
    stored = warehouse.rows(
        "select to_json(e) as row from raw.events e union all select to_json(q) from raw.quarantine q"
    )
    assert "ann@" not in str(stored)
    assert "example.org" not in warehouse.path.read_bytes().decode("latin-1")


def test_an_id_among_the_properties_is_refused() -> None:
    with pytest.raises(Refusal, match=r"properties repeat email, which is to be pseudonymised"):
        Mapping.of(MAPPING | {"pseudonymise": True, "properties": ["email"]})


@pytest.mark.parametrize("pseudonymise", [True, False])
@pytest.mark.parametrize("is_mapped", [True, False])
@pytest.mark.parametrize("host", ["host", 42, "host@example.org"])
def test_who_invited_is_named_as_they_are_elsewhere(
    pseudonymise: bool, is_mapped: bool, host: str | int, warehouse: Warehouse, tmp_path: Path
) -> None:
    told = {"source": "shop", "occurred_at": "2026-11-01T10:00:00Z"}
    rows: list[dict[str, Any]] = [
        told | {"event_id": "1", "event_name": "Invite Sent", "user_id": host},
        told | {"event_id": "2", "event_name": "Signed Up", "user_id": "guest", "properties": {"invited_by": host}},
        told | {"event_id": "3", "type": "alias", "user_id": "guest", "properties": {"previousId": host}},
        told | {"event_id": "4", "event_name": "Signed Up", "user_id": "other", "properties": {"invited_by": ""}},
    ]
    mapping: dict[str, Any] = {"kind": "events", "pseudonymise": pseudonymise}
    import_file(
        warehouse,
        lines(tmp_path / "x.ndjson", rows),
        Mapping.of(mapping | ({"aliases": {"signup": "Signed Up"}} if is_mapped else {})),
        FixedClock(NOW),
    )
    named = warehouse.rows(
        """select event_id, user_id, properties ->> 'invited_by' as host, properties ->> 'previousId' as former
        from raw.events order by event_id"""
    )
    known = named[0]["user_id"]
    assert (known == str(host)) == (not pseudonymise and "@" not in str(host))
    assert (named[1]["host"], named[2]["former"], named[3]["host"] or None) == (known, known, None)


def dropped(folder: Path, name: str, *, received: list[str], user: str = "u1") -> Path:
    folder.mkdir(exist_ok=True)
    events = {
        "event_id": [f"{name}-{place}" for place in range(len(received))],
        "source": "sandbox/x", "type": "track", "event_name": "Signed Up",
        "user_id": user, "received_at": pd.to_datetime(received), "is_machine": None, "value": 1.5, "properties": '{"a": 1}',
    }  # fmt: skip
    pd.DataFrame(events).to_parquet(folder / name)
    return folder / name


def test_a_drop_folder_is_taken_in_the_order_of_names_and_once(warehouse: Warehouse, tmp_path: Path) -> None:
    for name in ("b.parquet", "a.parquet"):
        dropped(tmp_path / "inbox", name, received=["2026-11-01", "2026-11-02"])
    (tmp_path / "inbox" / ".c.parquet").write_bytes(b"half")
    (tmp_path / "inbox" / "d.parquet.part").write_bytes(b"half")
    first = intake_drop(warehouse, tmp_path / "inbox", FixedClock(NOW))
    again = intake_drop(warehouse, tmp_path / "inbox", FixedClock(NOW))
    assert [(report.subject, report.rows_accepted) for report in first] == [("a.parquet", 2), ("b.parquet", 2)]
    assert [report.already_imported for report in first + again] == [False, False, True, True]
    assert warehouse.rows("select count(*) as n from raw.events") == [{"n": 4}]


def test_what_is_received_later_waits(warehouse: Warehouse, tmp_path: Path) -> None:
    dropped(tmp_path / "inbox", "a.parquet", received=["2026-11-01"])
    dropped(tmp_path / "inbox", "b.parquet", received=["2026-11-02", "2026-11-08"])
    until = [dt.datetime.fromisoformat("2026-11-08"), dt.datetime.fromisoformat("2026-11-09")]
    taken_ = [intake_drop(warehouse, tmp_path / "inbox", FixedClock(NOW), until=time) for time in until]
    assert [[report.subject for report in reports if not report.already_imported] for reports in taken_] == [
        ["a.parquet"],
        ["b.parquet"],
    ]


def test_a_drop_without_good_rows_does_not_stop_the_loop(warehouse: Warehouse, tmp_path: Path) -> None:
    dropped(tmp_path / "inbox", "a.parquet", received=["2036-11-01"])
    dropped(tmp_path / "inbox", "b.parquet", received=[])
    reports = intake_drop(warehouse, tmp_path / "inbox", FixedClock(NOW))
    assert [(report.rows_read, report.rows_quarantined) for report in reports] == [(1, 1), (0, 0)]


def test_an_inbox_that_nobody_made_holds_nothing(warehouse: Warehouse) -> None:
    assert intake_drop(warehouse, warehouse.folder / "inbox", FixedClock(NOW)) == []
