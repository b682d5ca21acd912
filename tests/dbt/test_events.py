"""How events become state: what arrives late, twice, at the same instant, or under an id that was merged away."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.dbt.conftest import GROWTH_MODELS, NewWarehouse, receive

KINDS = pa.schema([
    ("event_id", pa.string()), ("source", pa.string()), ("type", pa.string()), ("event_name", pa.string()), ("user_id", pa.string()),
    ("occurred_at", pa.timestamp("us")), ("received_at", pa.timestamp("us")), ("ingested_at", pa.timestamp("us")),
    ("properties", pa.string()), ("import_id", pa.string()), ("schema_version", pa.int32()),
])  # fmt: skip

MANY = 25_000  # people: with some thousand, one thread sorts them all, and the same way each time


def arrive(warehouse: Warehouse, ingested: str, *events: dict[str, Any]) -> None:
    """Appends events; each is told by its id, person and time, all else is that of a page viewed."""
    rows = []
    for event in events:
        at = dt.datetime.fromisoformat(event["at"])
        row = {
            "source": "web",
            "type": "track",
            "event_name": "Page Viewed",
            "schema_version": 1,
            "import_id": "i",
            "received_at": at,
        }
        row |= {"occurred_at": at, "ingested_at": dt.datetime.fromisoformat(ingested)} | event
        rows.append({name: row.get(name) for name in KINDS.names})
    receive(warehouse, pa.Table.from_pylist(rows, KINDS))


def days(warehouse: Warehouse) -> dict[tuple[str, str], int]:
    rows = warehouse.rows("select user_id, activity_on, events from intermediate.int_people__user_days")
    return {(row["user_id"], row["activity_on"].isoformat()): row["events"] for row in rows}


def test_copies_are_found_across_builds_and_none_is_lost(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """Copies in the same file, in the next one, months later, and a fourth one at last; the identity holds after each build."""
    warehouse = new_warehouse(tmp_path)
    arrive(warehouse, "2026-01-02", {"event_id": "a", "user_id": "u", "at": "2026-01-01T10:00"})
    arrive(warehouse, "2026-01-02", *[{"event_id": "b", "user_id": "u", "at": "2026-01-01T11:00"}] * 2)
    for ingested, received in (
        ("2026-01-03", "2026-01-02T10:00"),
        ("2026-04-01", "2026-03-31T10:00"),
        ("2026-04-02", "2026-04-01T10:00"),
    ):
        project.build(warehouse, select=GROWTH_MODELS, command="run")
        arrive(warehouse, ingested, {"event_id": "a", "user_id": "u", "at": received})
        arrive(warehouse, ingested, {"event_id": f"new {ingested}", "user_id": "u", "at": received})
    project.build(warehouse, select=GROWTH_MODELS, exclude=["test_type:unit"])
    found = warehouse.rows(
        "select event_id, duplicates from staging.stg_events__events where duplicates > 0 order by 1"
    )
    assert found == [{"event_id": "a", "duplicates": 3}, {"event_id": "b", "duplicates": 1}]
    assert days(warehouse) == {
        ("u", "2026-01-01"): 2,
        ("u", "2026-01-02"): 1,
        ("u", "2026-03-31"): 1,
        ("u", "2026-04-01"): 1,
    }


def test_events_of_an_instant_that_was_already_built_are_not_missed(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    warehouse = new_warehouse(tmp_path)
    for number in range(3):
        arrive(warehouse, "2026-01-02", {"event_id": f"e{number}", "user_id": "u", "at": "2026-01-01T10:00"})
        project.build(warehouse, select=GROWTH_MODELS, command="run")
        assert days(warehouse) == {("u", "2026-01-01"): number + 1}


def test_a_merged_person_is_one_person_also_in_the_past(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    warehouse = new_warehouse(tmp_path)
    signed_up = {"event_name": "Signed Up", "at": "2026-01-05T09:00"}
    arrive(
        warehouse,
        "2026-01-08",
        {"event_id": "1", "user_id": "old", **signed_up},
        {"event_id": "2", "user_id": "new", "at": "2026-01-06T10:00"},
        {"event_id": "3", "user_id": "new", **signed_up, "at": "2026-01-07T09:00"},
    )
    project.build(warehouse, select=GROWTH_MODELS, command="run")
    alias = {"type": "alias", "event_name": None, "properties": json.dumps({"previousId": "old"})}
    arrive(warehouse, "2026-01-20", {"event_id": "4", "user_id": "new", "at": "2026-01-19T10:00", **alias})
    project.build(warehouse, select=GROWTH_MODELS, exclude=["test_type:unit"])
    assert days(warehouse) == {("new", "2026-01-05"): 1, ("new", "2026-01-06"): 1, ("new", "2026-01-07"): 1}
    assert warehouse.rows("select user_id, signed_up_on::varchar as day from intermediate.int_people") == [
        {"user_id": "new", "day": "2026-01-05"}
    ]
    cells = warehouse.rows("""select activity_on - signed_up_on as age, days_since_last as gap, people
        from intermediate.int_people__returns order by age""")
    assert [(cell["age"], cell["gap"], cell["people"]) for cell in cells] == [(0, None, 1), (1, 1, 1), (2, 1, 1)]


def test_identities_are_looked_for_among_new_events_and_none_is_missed(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """A build without any, one more at its instant, a copy, and a merge; what the first build wrote stays as it wrote it."""
    warehouse = new_warehouse(tmp_path)

    def described(event_id: str, person: str, segment: str, hour: int) -> dict[str, Any]:
        told = json.dumps({"traits": {"segment": segment}})
        at = f"2026-01-01T{hour:02}:00"
        return {"event_id": event_id, "type": "identify", "event_name": None, "user_id": person, "at": at} | {
            "properties": told
        }

    viewed = {"event_id": "v", "user_id": "v", "at": "2026-01-02T10:00"}
    merged = {"event_id": "m", "type": "alias", "event_name": None, "user_id": "u", "at": "2026-01-04T10:00"}
    merged["properties"] = json.dumps({"previousId": "old"})
    loads = [
        ("2026-01-02", [described("first", "u", "new", 8)]),
        ("2026-01-03", [viewed]),
        ("2026-01-03", [described("last", "u", "regular", 20), described("middle", "old", "lapsing", 12)]),
        ("2026-01-05", [described("first", "u", "new", 8), merged]),
    ]
    marks = []
    for ingested, arrived in loads:
        arrive(warehouse, ingested, *arrived)
        project.build(warehouse, select=GROWTH_MODELS, command="run")
        [mark] = (
            warehouse.rows("""select max(built_through)::date::varchar as through, max(received_events) as received,
            count(event_id) as events from staging.stg_events__identities""")
        )
        marks.append(tuple(mark.values()))
    assert marks == [("2026-01-02", 1, 1), ("2026-01-03", 2, 1), ("2026-01-03", 4, 3), ("2026-01-05", 6, 4)]
    rows = warehouse.rows("""select event_id, received_events from staging.stg_events__identities
        where event_id is not null order by event_id""")
    assert [tuple(row.values()) for row in rows] == [("first", 1), ("last", 4), ("m", 6), ("middle", 4)]
    told = warehouse.rows("""select user_id, segment, identify_number from staging.stg_events__identifies
        order by identify_number""")
    assert [tuple(row.values()) for row in told] == [("u", "new", 1), ("u", "lapsing", 2), ("u", "regular", 3)]
    [person] = warehouse.rows("select segment, reported_segment from intermediate.int_people where user_id = 'u'")
    assert person == {"segment": "regular", "reported_segment": "new"}


def test_events_of_the_same_instant_are_told_apart_by_no_chance(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """Many view at 8 and twice at 10 o'clock, the second time told later, and sign up twice at 7, one of the two by invitation."""
    warehouse = new_warehouse(tmp_path)
    people = [f"u{number}" for number in range(MANY)]
    invited = json.dumps({"invited_by": "host"})

    def events(name: str, hour: int, told: str) -> list[dict[str, Any]]:
        same = {"event_name": name, "at": f"2026-01-01T{hour:02}:00"}
        rows = [{"event_id": f"{person} {name} {hour} {told}", "user_id": person, **same} for person in people]
        for row in rows[told == "first" :: 2] if name == "Signed Up" else ():
            row["properties"] = invited
        return rows

    merges = [
        {"event_id": person, "type": "alias", "event_name": None, "user_id": person, "at": "2026-01-01T12:00"}
        | {"properties": json.dumps({"previousId": "old"})}
        for person in ("second", "first")
    ]
    first = [events("Page Viewed", 8, "first"), events("Page Viewed", 10, "first"), events("Signed Up", 7, "first")]
    again = [events("Page Viewed", 10, "again"), events("Signed Up", 7, "again")]
    for ingested, arrived in (("2026-01-02", [*first, merges]), ("2026-01-03", again)):
        arrive(warehouse, ingested, *[event for group in arrived for event in group])
        project.build(warehouse, select=GROWTH_MODELS, command="run")
    parts = warehouse.rows("""select extract(hour from started_at) as began, extract(hour from ended_at) as ended, events,
        count(*) as people from intermediate.int_people__session_parts group by all order by all""")
    assert [tuple(row.values()) for row in parts] == [(7, 7, 2, MANY), (8, 8, 1, MANY), (10, 10, 2, MANY)]
    inviters = warehouse.rows("""select invited_by, count(*) as people from intermediate.int_people
        where signed_up_at is not null group by all""")
    assert inviters == [{"invited_by": "host", "people": MANY}]
    assert warehouse.rows("select user_id, person_id from staging.stg_events__aliases") == [
        {"user_id": "old", "person_id": "first"}
    ]


def test_what_cannot_be_believed_is_labelled_and_counted(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """Clocks of 1970 and 2099 are replaced by reception; an unknown version is kept and is no activity."""
    warehouse = new_warehouse(tmp_path)
    received = {"received_at": dt.datetime.fromisoformat("2026-01-05T10:00"), "user_id": "u"}
    arrive(
        warehouse,
        "2026-01-06",
        {"event_id": "past", "at": "1970-01-01T00:00", **received},
        {"event_id": "future", "at": "2099-01-01T00:00", **received},
        {"event_id": "version", "at": "2026-01-04T10:00", "schema_version": 99, **received},
        {"event_id": "anonymous", "at": "2026-01-04T10:00", **received, "user_id": None},
    )
    project.build(warehouse, select=GROWTH_MODELS, exclude=["test_type:unit"])
    labels = warehouse.rows(
        "select event_id, clock_reason, is_known_version from staging.stg_events__events order by 1"
    )
    assert [tuple(row.values()) for row in labels] == [
        ("anonymous", None, True),
        ("future", "more than a day after it was received", True),
        ("past", "before 2000", True),
        ("version", None, False),
    ]
    assert days(warehouse) == {("u", "2026-01-05"): 2}
