"""A file read wholesale comes to the same rows as one that is judged document by document."""

import datetime as dt
import itertools
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.measure import documents, wholesale
from orchestration.measure.contracts import read_contract
from orchestration.measure.predicates import MOMENT
from orchestration.measure.pseudonyms import hold_key
from orchestration.measure.reading import place_of

NOW = dt.datetime.fromisoformat("2026-11-20")
EVENT = read_contract("event")
GOOD = {
    "event_id": "e",
    "source": "s",
    "event_name": "Signed Up",
    "user_id": "u",
    "occurred_at": "2026-11-01T10:00:00Z",
}
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(width=32), st.text(max_size=5),
    st.sampled_from(["track", "EUR", "12.50", "2026-11-01", "2026-11-01T10:00:00+02:00", "2026-11-01T 1:00:00Z", "1999-01-01",
    "ann@example.org", "{}", "[1]", "5", "1e5", "3f-a", 'a"b\\', "\x00"]),
)  # fmt: skip
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.sampled_from(["traits", "email", "ip", 'a"b', "note"]), SCALARS, max_size=3),
)
CHANGES = st.dictionaries(st.sampled_from([*EVENT.fields, "plan"]), VALUES, max_size=3)


def staged(path: Path, *, by_document: bool, expects_faults: bool = False) -> tuple[bool, list[tuple[Any, ...]]]:
    """Whether the file was read wholesale, and the rows it came to, in order."""
    objects = f"""select json from read_json_objects({place_of(path)}, format = 'newline_delimited',
        ignore_errors = true, maximum_object_size = 16000000)"""
    with duckdb.connect(config={"threads": "1"}) as connection:
        connection.execute("set timezone = 'UTC'")
        hold_key(connection, b"key")
        told = not by_document and wholesale.stage(
            connection, path, objects, EVENT, NOW, longest=16_000_000, is_opaque=False, expects_faults=expects_faults
        )
        if not told:
            documents.stage(connection, objects, EVENT, NOW, is_opaque=False)
        order = (
            "event_id, type, user_id, occurred_at, received_at, is_machine, value, properties, context, extra, reason"
        )
        everything = ", ".join(
            f"null as {name}" for name in order.split(", ")
        )  # a column without a value may be left out
        whole = f"select rowid as place, * from staged union all by name select {everything} where false"
        return told, connection.execute(f"select {order} from ({whole}) order by place").fetchall()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(CHANGES, max_size=4), st.integers(0, 90), st.booleans(), st.booleans())
def test_both_ways_come_to_the_same(
    tmp_path: Path, changes: list[dict[str, Any]], place: int, has_plan: bool, expects_faults: bool
) -> None:
    good = GOOD | ({"plan": {"seats": 3}} if has_plan else {})
    told = [*([good] * place), *(good | change for change in changes), *([good] * (100 - place))]
    path = tmp_path / "x.ndjson"
    path.write_text("".join(json.dumps(document) + "\n" for document in told), encoding="utf-8")
    wholesale_rows = staged(path, by_document=False, expects_faults=expects_faults)[1]
    assert wholesale_rows == staged(path, by_document=True)[1]


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(GOOD),
        json.dumps(GOOD | {"event_name": ""}),
        "",
        "null",
        "{broken",
        "[1]",
        '"text"',
        json.dumps(GOOD | {"late": 1}),  # a name that the first lines did not have
        json.dumps(GOOD)[:-1] + ', "source": "t"}',
        json.dumps(GOOD)[:-1] + ', "more": 1, "more": 2}',
        json.dumps(GOOD | {"Source": "t"}),
        json.dumps(GOOD | {"source_1": "t"}),
        json.dumps({"event_id": None, "source": "s"}),
    ],
)
@pytest.mark.parametrize(("place", "expects_faults"), [(3, False), (20_500, False), (20_500, True)])
def test_one_line_does_not_change_how_the_others_are_read(
    place: int, expects_faults: bool, line: str, tmp_path: Path
) -> None:
    good = [json.dumps(GOOD | {"event_id": f"e{number}"}) for number in range(20_500)]
    path = tmp_path / "x.ndjson"
    path.write_text("\n".join([*good[:place], line, *good[place:], ""]), encoding="utf-8")
    found = staged(path, by_document=False, expects_faults=expects_faults)
    assert found[0], "read wholesale"
    assert found[1] == staged(path, by_document=True)[1]


class Explaining:
    """A connection that notes the plans of the tables that are made of documents."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection, self.plans = connection, list[str]()

    def execute(self, query: str, *parameters: Any) -> Any:
        if query.startswith(("create or replace temp table staged", "create or replace temp table rest")):
            self.plans.append(self._connection.execute(f"explain {query}", *parameters).fetchall()[0][1])
        return self._connection.execute(query, *parameters)


def test_no_plan_loses_the_order_of_the_lines(tmp_path: Path) -> None:
    """A row's place says which line is quarantined: out of order, another line would be, and the bad one lost.

    Files of several buffers are read by several threads; only an operator that numbers its batches puts them in order again.
    """
    plans = []
    for last in (json.dumps(GOOD | {"event_name": ""}), "{broken"):
        path = tmp_path / "x.ndjson"
        path.write_text("\n".join([*([json.dumps(GOOD)] * 100), last]), encoding="utf-8")
        objects = (
            f"select json from read_json_objects({place_of(path)}, format = 'newline_delimited', ignore_errors = true)"
        )
        with duckdb.connect(config={"threads": "4"}) as connection:
            connection.execute("set timezone = 'UTC'")
            hold_key(connection, b"key")
            explaining: Any = Explaining(connection)
            assert wholesale.stage(explaining, path, objects, EVENT, NOW, longest=16_000_000, is_opaque=False)
            documents.stage(explaining, objects, EVENT, NOW, is_opaque=False)
            plans += explaining.plans
    assert len(plans) == 6, "strictly, leniently, twice the rest, and twice document by document"
    assert ["Batch Create Table As" in plan for plan in plans] == [True] * 6


def test_where_the_odd_ones_are_many_all_are_judged_one_by_one(tmp_path: Path) -> None:
    odd = [json.dumps(GOOD | {"Source": "t"}), "{broken", json.dumps(GOOD | {f"n{n}": n for n in range(9)})]
    path = tmp_path / "x.ndjson"
    path.write_text("".join(f"{json.dumps(GOOD)}\n{odd[n % 3]}\n" for n in range(300)), encoding="utf-8")
    found = staged(path, by_document=False)
    assert not found[0]
    assert found[1] == staged(path, by_document=True)[1]


def test_a_field_that_differs_by_case_is_no_field_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps(GOOD | {"Source": "t", "source_1": 2}) + "\n", encoding="utf-8")
    told, rows = staged(path, by_document=False)
    assert (told, json.loads(rows[0][-2])) == (False, {"Source": "t", "source_1": 2}), "no document is named plainly"


def test_fields_may_be_named_as_columns_are_here(tmp_path: Path) -> None:
    names = [f"{kind}{n}" for kind in "ftvm" for n in range(20)] + ["extra", "reason", "came_at", "occurred_at_read"]
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps(GOOD | dict.fromkeys(names, "2026-11-02T10:00:00Z")) + "\n", encoding="utf-8")
    told, rows = staged(path, by_document=False)
    assert told
    assert rows == staged(path, by_document=True)[1]


def test_what_is_read_at_sight_is_a_time_of_the_contract() -> None:
    """Of all texts two signs away from a usual one: the engine's own cast, for one, takes a tabulator for a digit."""
    usual = ("2026-11-01T10:00:00Z", "2024-02-29T23:59:59.123Z", "2026-12-31T10:00:00.123456Z")
    signs = ' \t+-./0129:TZa"\\é'
    texts = set(usual)
    for text in usual:
        for first, second in itertools.combinations(range(len(text)), 2):
            for one, two in itertools.product(signs, repeat=2):
                texts.add(text[:first] + one + text[first + 1 : second] + two + text[second + 1 :])
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("texts", pa.table({"text": list(texts), "quoted": [f'"{text}"' for text in texts]}))
        [(seen, wrong)] = connection.execute(
            f"""select count(*), count(*) filter (not regexp_full_match(text, $1)
                or moment is distinct from try_cast(text as timestamptz) at time zone 'UTC')
            from (select text, {wholesale.at_sight("quoted")} as moment from texts) where moment is not null""",
            [MOMENT],
        ).fetchall()
    assert seen > 1000
    assert wrong == 0
