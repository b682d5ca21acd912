"""Past experiments that come again: what is there stays once, what contradicts it is refused, what is taken back counts no more."""

from pathlib import Path

import duckdb
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse

from .conftest import Command, Ended

HEADER = "program,cycle,experiment_id,creative_id,segment,metric,n,sum_y,planned_share,tags"
FIRST = ["p,1,e,a,all,click,100,10,0.5,short", "p,1,e,b,all,click,100,12,0.5,long"]
GROWN = [*FIRST, "p,2,f,a,all,click,50,5,0.5,short", "p,2,f,b,all,click,50,6,0.5,long"]
MAPPING = """\
kind: units
unit: who
arm: arm
baseline: a
program: {constant: p}
experiment_id: {constant: e}
cycle: {constant: 1}
"""
PEOPLE = "who,arm,bought,spent\n1,a,1,3.10\n2,a,0,0\n3,b,1,7.20\n4,b,1,0.30\n"


def assert_refused(ended: Ended, subject: str, reason: str) -> None:
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"{subject} -> ")
    assert reason in ended.err


def written(path: Path, rows: list[str]) -> str:
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path.name


def counted(place: Path) -> list[tuple[str, str, float]]:
    """What the evidence is made of, as (experiment, creative, sum_y)."""
    warehouse = Warehouse(place / "warehouse")
    DbtProject().build(warehouse, select=["stg_imports__results"], command="run")
    rows = warehouse.rows("select experiment_id, creative_id, sum_y from staging.stg_imports__results order by all")
    return [(row["experiment_id"], row["creative_id"], row["sum_y"]) for row in rows]


def test_a_file_that_grew_adds_what_is_new(place: Path, loop: Command) -> None:
    loop("import", written(place / "may.csv", FIRST))
    grown = loop("import", written(place / "june.csv", GROWN))
    assert grown.out.startswith("4 rows read, 2 accepted, 0 quarantined, 2 there already\n")
    assert loop("import", "june.csv").out.startswith(
        "4 rows read, 2 accepted, 0 quarantined, 2 there already (taken in before"
    )
    rows = Warehouse(place / "warehouse").rows("select count(*) as rows from raw.results")
    assert rows == [{"rows": 4}]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("100,10,0.5", "100,11,0.5", "sum_y, sum_y2"),
        ("short", "brief", "tags"),
        ("0.5", "0.25", "planned_share"),
    ],
)
def test_a_corrected_file_is_refused_until_the_first_is_taken_back(
    place: Path, loop: Command, old: str, new: str, what: str
) -> None:
    loop("import", written(place / "may.csv", FIRST))
    corrected = [FIRST[0].replace(old, new), FIRST[1].replace("0.5", "0.75") if old == "0.5" else FIRST[1]]
    written(place / "corrected.csv", corrected)
    refused = loop("import", "corrected.csv")
    assert_refused(
        refused, "corrected.csv", f"(first: {what} of click, program p, experiment e, segment all, creative a, cycle 1)"
    )
    assert counted(place) == [("e", "a", 10), ("e", "b", 12)]

    import_id = refused.err.split("loop imports withdraw ")[1].split()[0]
    assert loop("imports", "withdraw", import_id, "--reason", "typing error").code == 0
    assert counted(place) == []
    assert loop("import", "corrected.csv").out.startswith("2 rows read, 2 accepted")
    assert [row[:2] for row in counted(place)] == [("e", "a"), ("e", "b")]
    listed = loop("imports", "list").out.splitlines()
    assert [("taken back" in line, line.split()[3]) for line in listed] == [
        (False, "corrected.csv:"),
        (True, "may.csv:"),
    ]

    assert_refused(loop("import", "may.csv"), "may.csv", "says otherwise than corrected.csv")


def test_what_was_taken_back_may_come_again(place: Path, loop: Command) -> None:
    loop("import", written(place / "may.csv", FIRST))
    import_id = loop("imports", "list").out.split()[0]
    loop("imports", "withdraw", import_id, "--reason", "doubtful")
    assert_refused(
        loop("imports", "withdraw", import_id, "--reason", "x"), f"import {import_id}", "taken back already (doubtful)"
    )
    assert loop("import", "may.csv").out.startswith("2 rows read, 2 accepted, 0 quarantined\n")
    assert loop("import", "may.csv").out.startswith("2 rows read, 0 accepted, 0 quarantined, 2 there already")
    assert counted(place) == [("e", "a", 10), ("e", "b", 12)]


def test_people_who_come_again_are_there_already_and_other_metrics_of_them_are_new(place: Path, loop: Command) -> None:
    (place / "people.csv").write_text(PEOPLE, encoding="utf-8")
    (place / "mended.csv").write_text(PEOPLE.replace("7.20", "7.30"), encoding="utf-8")

    def taken(name: str, metrics: str) -> str:
        (place / "people.yaml").write_text(f"{MAPPING}metrics: {metrics}\n", encoding="utf-8")
        ended = loop("import", name, "--mapping", "people.yaml")
        return ended.out or ended.err

    assert taken("people.csv", "{bought: bought}").startswith("4 rows read, 4 accepted")
    assert taken("people.csv", "{bought: bought, spent: spent}").startswith("4 rows read, 4 accepted")
    assert taken("people.csv", "{spent: spent}").startswith("4 rows read, 0 accepted, 0 quarantined, 4 there already")
    assert "says otherwise than people.csv" in taken("mended.csv", "{spent: spent}")
    assert len(counted(place)) == 4


def test_only_past_experiments_are_taken_back(place: Path, loop: Command) -> None:
    (place / "rates.csv").write_text(
        "currency,reporting_currency,valid_from,rate\nUSD,EUR,2026-01-01,0.9\n", encoding="utf-8"
    )
    loop("import", "rates.csv", "--kind", "rates")
    import_id = loop("imports", "list").out.split()[0]
    assert_refused(loop("imports", "withdraw", import_id, "--reason", "x"), f"import {import_id}", "holds rates")
    assert_refused(loop("imports", "withdraw", "0", "--reason", " "), "--reason", "is empty")
    assert_refused(loop("imports", "withdraw", "zz", "--reason", "x"), "import zz", "is not known")


def test_events_read_in_place_that_are_taken_back_leave_every_table(place: Path, loop: Command) -> None:
    query = """select 'e' || i as event_id, 'u' || i as user_id, 'Page Viewed' as event_name, 's' as source,
        timestamp '2026-02-01' + to_days(i) as occurred_at, timestamp '2026-02-01' + to_days(i) as received_at
        from range({}) as numbers (i)"""
    for name, events in (("long", 30), ("short", 10)):
        duckdb.sql(query.format(events)).write_parquet(str(place / f"{name}.parquet"))
        loop("import", f"{name}.parquet", "--kind", "events", "--in-place", "--set", "pseudonymise=false")
    warehouse, told = Warehouse(place / "warehouse"), list[str]()
    days = "select cast(sum(events) as integer) as events, count(*) as days from intermediate.int_people__known_days"

    def counted() -> list[dict[str, object]]:
        told.clear()
        DbtProject().build(
            warehouse, select=["+int_people__known_days"], exclude=["resource_type:test"], tell=told.append
        )
        return warehouse.rows(days)

    assert counted() == [{"events": 30, "days": 30}]
    import_id = next(line.split()[0] for line in loop("imports", "list").out.splitlines() if "long.parquet" in line)
    assert "events in place: 2 files, as they were checked" in loop("doctor").out
    (place / "long.parquet").rename(place / "lost.parquet")
    assert f"{place / 'long.parquet'} -> is read in place and cannot be read any more" in loop("doctor").out
    refused = loop("build")
    assert_refused(refused, str(place / "long.parquet"), f"`loop imports move {import_id} PATH`")
    assert loop("imports", "withdraw", import_id, "--reason", "lost").code == 0
    assert counted() == [{"events": 10, "days": 10}]
    assert "int_people__known_days is made anew from all of raw: files_taken_back is 1, was not asked" in told
    assert counted() == [{"events": 10, "days": 10}]
    assert told == []
