"""What is told late changes what was counted long before, and nothing else: a build after it and a build of everything agree."""

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.bench.same_tables import compared
from tests.dbt.conftest import NewWarehouse, receive

MODELS = ("+path:models/marts/growth",)
WITHOUT = ("resource_type:test", "resource_type:unit_test", "resource_type:seed")
COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("event_id", "type", "event_name", "user_id", "send_id", "properties")]
    + [(name, pa.timestamp("us")) for name in ("occurred_at", "received_at", "ingested_at")]
    + [("source", pa.string()), ("import_id", pa.string()), ("schema_version", pa.int32())]
)
Row = dict[str, Any]


def _did(user: str | None, name: str, at: str, **more: Any) -> Row:
    return {"type": "track", "event_name": name, "user_id": user, "occurred_at": dt.datetime.fromisoformat(at), **more}


def _click(user: str, second: int, link: int) -> Row:
    told = {"send_id": f"m-{user}", "properties": json.dumps({"link_url": f"https://x.test/{link}"})}
    return _did(user, "Email Link Clicked", f"2026-01-07T10:00:{second:02}", **told)


def _alias(person: str, former: str, at: str) -> Row:
    told = {"type": "alias", "event_name": None, "properties": json.dumps({"previousId": former})}
    return _did(person, "alias", at) | told


def _take(project: DbtProject, warehouse: Warehouse, at: str, told: list[Row]) -> None:
    now = dt.datetime.fromisoformat(at)
    rows = [
        {"properties": "{}", "event_id": f"{at} {number}", "received_at": now, "ingested_at": now, "schema_version": 1}
        | row
        | {"source": "s", "import_id": at}
        for number, row in enumerate(told)
    ]
    receive(warehouse, pa.Table.from_pylist(rows, COLUMNS))
    project.build(warehouse, select=MODELS, exclude=WITHOUT)


def _differences(project: DbtProject, warehouse: Warehouse, folder: Path) -> list[str]:
    """Tables whose rows a build of everything would not make."""
    shutil.copytree(warehouse.folder, folder)
    project.build(Warehouse(folder), select=MODELS, exclude=WITHOUT, full_refresh=True)
    tables, different = compared(warehouse.folder, folder)
    assert tables > 30
    return different


@pytest.mark.slow
def test_a_first_day_may_turn_out_to_be_another(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """Somebody was there six weeks before; somebody's first click was a scanner's; somebody's old id was there before.

    A scanner is known by its third link within five seconds, however late that is told.
    """
    warehouse = new_warehouse(tmp_path / "warehouse")
    # Each on a day of their own: what one ceases to be another becomes, and days of people who are merged are made anew anyway.
    back = {"early": 18, "scanned": 19, "moved": 20}
    seen = [_did(user, "Page Viewed", f"2026-02-{day}T10:00") for user, day in back.items()]
    click = _did("scanned", "Email Link Clicked", "2026-01-05T10:00:03", send_id="m")
    before = [_did("was", "Page Viewed", "2026-01-06T10:00"), _did("was", "Page Viewed", "2026-01-08T10:00")]
    person = [_click("one_link", second, 1) for second in (1, 2, 3)]
    patient = [_click("patient", 1, 1), _click("patient", 6, 2), _click("patient", 7, 3)]
    scanner, late = (
        [_click("scanner", second, second) for second in (1, 2, 6)],
        [_click("late", 1, 1), _click("late", 6, 2)],
    )
    today = _did("z", "Page Viewed", "2026-02-28T10:00")
    _take(project, warehouse, "2026-03-01T03:00", [*seen, click, *before, *person, *patient, *scanner, *late, today])
    days = "day between date '2026-02-18' and date '2026-02-20'"
    query = f"select new, resurrected from marts.lifecycle where segment = 'all' and {days} order by day"

    def news() -> list[tuple[int, ...]]:
        return [tuple(row.values()) for row in warehouse.rows(query)]

    def clicked() -> list[tuple[str, int]]:
        days = "select user_id, events from intermediate.int_people__user_days where activity_on = date '2026-01-07' order by 1"
        return [(row["user_id"], row["events"]) for row in warehouse.rows(days)]

    assert news() == [(1, 0), (0, 1), (1, 0)]
    assert clicked() == [("late", 2), ("one_link", 3), ("patient", 3)]
    told = [
        _did("early", "Page Viewed", "2026-01-05T10:00"),
        _did("scanned", "Email Delivered", "2026-01-05T10:00", send_id="m"),
        _alias("moved", "was", "2026-02-28T11:00"),
        _click("late", 4, 3) | {"received_at": dt.datetime.fromisoformat("2026-03-01T02:59")},
    ]
    _take(project, warehouse, "2026-03-02T03:00", [*told, _did("z", "Page Viewed", "2026-03-01T10:00")])
    assert news() == [(0, 1), (1, 0), (0, 1)]
    assert clicked() == [("one_link", 3), ("patient", 3)]
    assert _differences(project, warehouse, tmp_path / "anew") == []


@pytest.mark.slow
def test_an_id_may_turn_out_to_be_somebody_elses_again(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """`shared` is told to be ann's and then bob's, `gone` carl's and then bob's; x is told to be y's, and then y to be x's."""
    warehouse = new_warehouse(tmp_path / "warehouse")
    spec = json.dumps({"activation": {"steps": ["Signed Up", "Feature Used"], "within_days": 7}})
    warehouse.append({"ledger.programs": [{"program": "p", "version": "v", "spec": spec, "recorded_at": "2026-01-01"}]})
    lives = [
        _did(user, name, f"2026-01-{day:02}T10:00")
        for user, name, day in (
            ("shared", "Signed Up", 5), ("shared", "Feature Used", 6), ("ann", "Page Viewed", 6), ("bob", "Page Viewed", 6),
            ("gone", "Signed Up", 7), ("x", "Signed Up", 8), ("y", "Page Viewed", 9),
        )
    ]  # fmt: skip
    words = [
        _alias("ann", "shared", "2026-01-10"),
        _alias("carl", "gone", "2026-01-10"),
        _alias("y", "x", "2026-01-10"),
    ]
    _take(project, warehouse, "2026-02-10T03:00", [*lives, *words, _did("z", "Page Viewed", "2026-02-09T10:00")])
    people = "select user_id, signed_up_on is not null as signed_up from intermediate.int_people where user_id <> 'z' order by 1"
    assert [tuple(row.values()) for row in warehouse.rows(people)] == [
        ("ann", True), ("bob", False), ("carl", True), ("y", True),
    ]  # fmt: skip
    again = [_alias("bob", "shared", "2026-01-11"), _alias("bob", "gone", "2026-01-11"), _alias("x", "y", "2026-01-12")]
    _take(project, warehouse, "2026-02-11T03:00", [*again, _did("z", "Page Viewed", "2026-02-10T10:00")])
    assert [tuple(row.values()) for row in warehouse.rows(people)] == [
        ("ann", False), ("bob", True), ("carl", False), ("x", True), ("y", False),
    ]  # fmt: skip
    assert warehouse.rows("select user_id from intermediate.int_people__activations where is_activated") == [
        {"user_id": "bob"}
    ]
    assert _differences(project, warehouse, tmp_path / "anew") == []


@pytest.mark.slow
def test_an_inviter_is_who_the_id_belongs_to_now(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """`host` was never seen but as an inviter and is told to be ann's; bob invited himself under another id; a click goes away."""
    warehouse = new_warehouse(tmp_path / "warehouse")
    lives = [
        _did("ann", "Invite Sent", "2026-01-05T10:00"),
        _did("guest", "Signed Up", "2026-01-06T10:00", properties=json.dumps({"invited_by": "host"})),
        _did("bob too", "Invite Sent", "2026-01-12T10:00"),
        _did("bob", "Signed Up", "2026-01-13T10:00", properties=json.dumps({"invited_by": "bob too"})),
        _did("scanned", "Email Link Clicked", "2026-01-20T10:00:03", send_id="m"),
        _did("carl", "Invite Sent", "2026-01-19T10:00"),
    ]
    _take(project, warehouse, "2026-04-10T03:00", [*lives, _did("z", "Page Viewed", "2026-04-09T10:00")])
    query = """select strftime(week, '%d') as week, active_people, invited_sign_ups from intermediate.int_people__invite_weeks
        order by week"""
    assert [tuple(row.values()) for row in warehouse.rows(query)] == [("05", 2, 0), ("12", 2, 1), ("19", 2, 0)]
    _take(project, warehouse, "2026-04-11T03:00", [_did("scanned", "Email Delivered", "2026-01-20T10:00", send_id="m")])
    assert [tuple(row.values()) for row in warehouse.rows(query)] == [("05", 2, 0), ("12", 2, 1), ("19", 1, 0)]
    words = [_alias("ann", "host", "2026-02-01"), _alias("bob", "bob too", "2026-02-01")]
    _take(project, warehouse, "2026-04-12T03:00", [*words, _did("z", "Page Viewed", "2026-04-10T10:00")])
    assert [tuple(row.values()) for row in warehouse.rows(query)] == [("05", 2, 1), ("12", 1, 0), ("19", 1, 0)]
    _take(project, warehouse, "2026-04-13T03:00", [_alias("carl", "host", "2026-02-02")])
    assert [tuple(row.values()) for row in warehouse.rows(query)] == [("05", 2, 0), ("12", 1, 0), ("19", 1, 0)]
    assert _differences(project, warehouse, tmp_path / "anew") == []


@pytest.mark.slow
def test_steps_that_were_dropped_may_be_named_again(
    project: DbtProject, new_warehouse: NewWarehouse, tmp_path: Path
) -> None:
    """`p` asks for another step for a while, `q` for none; a copy that counts first comes in between, and an unknown version."""
    warehouse = new_warehouse(tmp_path / "warehouse")

    def define(version: int, p: list[str], q: list[str]) -> None:
        specs = {
            "p": {"activation": {"steps": p, "within_days": 7}},
            "q": {"activation": {"steps": q, "within_days": 7}} if q else {},
        }
        rows = [
            {"program": name, "version": f"{version}", "spec": json.dumps(spec), "recorded_at": f"2026-01-0{version}"}
            for name, spec in specs.items()
        ]
        warehouse.append({"ledger.programs": rows})

    def activated() -> list[tuple[str, ...]]:
        rows = warehouse.rows(
            "select program, user_id from intermediate.int_people__activations where is_activated order by all"
        )
        return [tuple(row.values()) for row in rows]

    usual, other = ["Signed Up", "Feature Used"], ["Signed Up", "Page Viewed"]
    define(1, usual, usual)
    lives = [
        *(_did(user, "Signed Up", "2026-01-05T10:00") for user in ("ann", "bob", "carl")),
        _did("ann", "Feature Used", "2026-01-06T10:00"),
        _did("unread", "Signed Up", "2026-01-05T10:00", schema_version=99),
        _did("copied", "Page Viewed", "2026-01-07T10:00", event_id="copy"),
    ]
    _take(project, warehouse, "2026-02-10T03:00", [*lives, _did("z", "Page Viewed", "2026-02-09T10:00")])
    assert activated() == [("p", "ann"), ("q", "ann")]
    define(2, other, [])
    _take(project, warehouse, "2026-02-11T03:00", [_did("bob", "Feature Used", "2026-01-06T10:00")])
    assert activated() == []
    define(3, usual, usual)
    _take(project, warehouse, "2026-02-12T03:00", [_did(None, "Page Viewed", "2026-02-11T10:00")])
    [looked] = warehouse.rows("select as_of::varchar as at from intermediate.int_as_of")
    assert looked["at"].startswith("2026-02-12 03:00"), "a load of nobody is a look all the same"
    assert activated() == [("p", "ann"), ("p", "bob"), ("q", "ann"), ("q", "bob")]
    first = dt.datetime.fromisoformat("2026-02-10T02:00")
    _take(project, warehouse, "2026-02-10T03:00", [
        _did("copied", "Page Viewed", "2026-01-08T10:00", event_id="copy", received_at=first),
    ])  # fmt: skip
    days = "select strftime(activity_on, '%d') as day from intermediate.int_people__known_days where user_id = 'copied'"
    assert warehouse.rows(days) == [{"day": "08"}]
    people = warehouse.rows("select user_id from intermediate.int_people where signed_up_at is not null order by 1")
    assert [row["user_id"] for row in people] == ["ann", "bob", "carl"]
    assert _differences(project, warehouse, tmp_path / "anew") == []
