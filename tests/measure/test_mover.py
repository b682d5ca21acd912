"""The mover: exactly once, whatever happened before, and never the person."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.edges.clock import FixedClock
from orchestration.edges.spool import Record, SpoolFile, spool_folder, spool_key
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure import redaction
from orchestration.measure.mover import MoveReport, move_spool
from orchestration.measure.privacy import Seal
from orchestration.measure.pseudonyms import pseudonym_key
from orchestration.measure.quarantine import Replayed, replay, show, waiting

AT = dt.datetime.fromisoformat("2026-11-01T10:00")
NOW = dt.datetime.fromisoformat("2026-11-01T12:00")


@pytest.fixture
def house(warehouse: Warehouse) -> Warehouse:
    warehouse.migrate()
    return warehouse


def spooled(house: Warehouse, *frames: list[bytes], at: dt.datetime = AT) -> SpoolFile:
    """A spool file of SendGrid bodies, still held by its writer."""
    file = SpoolFile(spool_folder(house.folder), spool_key(house.folder), at)
    for bodies in frames:
        append(file, *bodies)
    return file


def append(file: SpoolFile, *bodies: bytes) -> None:
    file.append(
        [Record("sendgrid", "sendgrid", AT, {"query": "to=ana@example.test"}, body).packed() for body in bodies]
    )


def moved(house: Warehouse, now: dt.datetime = NOW) -> MoveReport:
    return move_spool(house, FixedClock(now), keep_days=7)


def inbox(house: Warehouse) -> list[Any]:
    return [json.loads(row["body"]) for row in house.rows("select body from raw.inbox order by inbox_id")]


def test_an_open_file_is_moved_as_far_as_it_reaches(house: Warehouse) -> None:
    file = spooled(house, [b"1", b"2"], [b"3"])
    assert moved(house) == MoveReport(files=1, records=3, quarantined=0, expired=0)
    assert moved(house).records == 0
    append(file, b"4")
    file.close()
    assert moved(house).records == 1
    assert inbox(house) == [1, 2, 3, 4]
    row = house.rows("select * from raw.inbox where body::varchar = '4'")[0]
    assert (row["provider"], row["received_at"], row["ingested_at"]) == ("sendgrid", AT, NOW)


def test_nobody_can_be_found_in_the_warehouse_file(house: Warehouse) -> None:
    spooled(house, [b'[{"email":"ana@example.test","ip":"198.51.100.7"}]', b"broken ana@example.test"]).close()
    moved(house)
    told = json.dumps(house.rows("select * from raw.inbox"), default=str) + json.dumps(
        house.rows("select * from raw.quarantine"), default=str
    )
    assert "ana@" not in told
    assert "198.51" not in told
    with house.connect() as connection:
        connection.execute("checkpoint")
    assert b"ana@example" not in house.path.read_bytes()


def test_what_is_no_json_is_quarantined_with_its_place(house: Warehouse) -> None:
    file = spooled(house, [b"1", b"{"])
    file.close()
    assert moved(house) == MoveReport(files=1, records=1, quarantined=1, expired=0)
    row = house.rows("select * from raw.quarantine")[0]
    assert (row["import_id"], row["row_number"], row["reason"]) == (file.path.name, 1, "the body is not JSON")


def test_a_delivery_is_taken_in_once_its_provider_is_described(
    house: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = yaml.safe_load(redaction.FIELDS.read_text(encoding="utf-8"))
    described = tmp_path / "person_fields.yaml"
    monkeypatch.setattr(redaction, "FIELDS", described)

    def describe(fields: dict[str, Any]) -> None:
        described.write_text(yaml.safe_dump(fields), encoding="utf-8")
        redaction._actions.cache_clear()

    describe({name: fields for name, fields in lists.items() if name != "sendgrid"})
    body = b'[{"email":"ana@example.test","event":"open"}]'
    file = spooled(house, [body, body], [b'"broken ana@example.test'])
    file.close()
    assert moved(house) == MoveReport(files=1, records=0, quarantined=3, expired=0)
    reason = "person_fields.yaml does not say who is named in what sendgrid sends"
    assert {row["reason"]: row["rows"] for row in waiting(house)} == {
        reason: 2,
        "the body is not JSON": 1,
    }
    assert show(house, file.path.name, 0)["original"] == body.decode()
    later = FixedClock(NOW + dt.timedelta(days=30))
    assert move_spool(house, later, keep_days=7).expired == 1, "the original is kept in quarantine, sealed"
    assert replay(house, later) == Replayed(3, 0, 0, 3, 0, 0, 3)
    describe(lists)
    (first, second, third) = (replay(house, later, import_id=file.path.name) for _ in range(3))
    assert (first, second, third) == (Replayed(3, 2, 0, 1, 0, 0, 3), *[Replayed(1, 0, 0, 1, 0, 0, 1)] * 2)
    rows = house.rows("select inbox_id, received_at, ingested_at, headers from raw.inbox order by inbox_id")
    assert [(row["inbox_id"], row["received_at"], row["ingested_at"]) for row in rows] == [
        (f"{file.path.stem}#{number}", AT, later.now()) for number in (0, 1)
    ]
    assert len(inbox(house)[0][0]["email"]) == 64
    with house.connect() as connection:
        connection.execute("checkpoint")
    assert b"ana@example" not in house.path.read_bytes()


def test_a_replay_adds_nothing_to_what_the_mover_has_taken_in(house: Warehouse) -> None:
    file = spooled(house, [b"{", b"2"])
    file.close()
    moved(house)
    row = house.rows("select * from raw.quarantine")[0]
    record = Record("sendgrid", "sendgrid", AT, {}, b"2")
    told = json.loads(row["payload"]) | {
        "record": 1,
        "sealed": Seal(pseudonym_key(house.folder)).close(record.packed()),
    }
    house.append({"raw.quarantine": [row | {"row_number": 1, "payload": json.dumps(told)}]})
    assert replay(house, FixedClock(NOW)) == Replayed(2, 0, 1, 1, 0, 0, 2)
    assert inbox(house) == [2]


def test_a_replay_that_fails_half_way_can_be_repeated(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled(house, [b"\xff"]).close()
    moved(house)
    monkeypatch.setattr(redaction.Redactor, "redacted", lambda self, provider, headers, body: "3")
    with house.connect() as connection:
        connection.execute("alter table raw.quarantine_replays add column surprise varchar")
    with pytest.raises(Exception, match=r"surprise|columns"):
        replay(house, FixedClock(NOW))
    assert inbox(house) == []
    with house.connect() as connection:
        connection.execute("alter table raw.quarantine_replays drop column surprise")
    assert replay(house, FixedClock(NOW)).accepted == 1
    assert inbox(house) == [3]


def test_a_failure_half_way_leaves_nothing(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are in, the position is not: as after a kill between the two, the transaction takes both back."""
    spooled(house, [b"1"]).close()
    with house.connect() as connection:
        connection.execute("alter table raw.spool_positions rename to elsewhere")
        connection.execute("create view raw.spool_positions as select * from raw.elsewhere")
    with pytest.raises(Exception, match="spool_positions"):
        moved(house)
    with house.connect() as connection:
        connection.execute("drop view raw.spool_positions")
        connection.execute("alter table raw.elsewhere rename to spool_positions")
    assert inbox(house) == []
    moved(house)
    assert inbox(house) == [1]


def test_a_torn_tail_is_left_and_a_damaged_stretch_is_told(house: Warehouse) -> None:
    file = spooled(house, [b"1"])
    start = file.size
    append(file, b"2")
    append(file, b"3")
    file.close()
    content = file.path.read_bytes()
    file.path.write_bytes(content[: start + 50] + b"\0" + content[start + 51 :] + content[start : start + 20])
    assert moved(house) == MoveReport(files=1, records=2, quarantined=1, expired=0)
    assert inbox(house) == [1, 3]
    assert "damaged" in house.rows("select reason from raw.quarantine")[0]["reason"]
    assert moved(house) == MoveReport(files=0, records=0, quarantined=0, expired=0)


def test_a_file_is_deleted_once_it_is_sealed_moved_and_old(house: Warehouse) -> None:
    file = spooled(house, [b"1"])
    week_later = AT + dt.timedelta(days=7, seconds=1)
    assert moved(house, week_later).expired == 0, "still being written"
    file.close()
    assert moved(house, week_later - dt.timedelta(seconds=2)).expired == 0
    assert moved(house, week_later).expired == 1
    assert list(spool_folder(house.folder).iterdir()) == []
    assert inbox(house) == [1]


def test_another_key_stops_the_move(house: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled(house, [b"1"]).close()
    monkeypatch.setenv("LOOP_SPOOL_KEY", "another")
    with pytest.raises(Refusal, match="was written with another key"):
        moved(house)
    monkeypatch.delenv("LOOP_SPOOL_KEY")
    assert moved(house).records == 1


def test_a_warehouse_without_a_spool_has_nothing_to_move(house: Warehouse, tmp_path: Path) -> None:
    assert moved(house) == MoveReport(0, 0, 0, 0)
    assert not (house.folder / "spool.key").exists()
