"""A file read wholesale comes to the same rows as one that is judged document by document."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.measure import documents, wholesale
from orchestration.measure.contracts import read_contract
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


def staged(path: Path, *, by_document: bool) -> tuple[bool, list[tuple[Any, ...]]]:
    """Whether the file was read wholesale, and the rows it came to, in order."""
    objects = f"""select json from read_json_objects({place_of(path)}, format = 'newline_delimited',
        ignore_errors = true, maximum_object_size = 16000000)"""
    with duckdb.connect(config={"threads": "1"}) as connection:
        connection.execute("set timezone = 'UTC'")
        hold_key(connection, b"key")
        told = not by_document and wholesale.stage(
            connection, path, objects, EVENT, NOW, longest=16_000_000, is_opaque=False
        )
        if not told:
            documents.stage(connection, objects, EVENT, NOW, is_opaque=False)
        order = (
            "event_id, type, user_id, occurred_at, received_at, is_machine, value, properties, context, extra, reason"
        )
        return told, connection.execute(f"select {order} from staged order by rowid").fetchall()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(CHANGES, max_size=4), st.integers(0, 90), st.booleans())
def test_both_ways_come_to_the_same(tmp_path: Path, changes: list[dict[str, Any]], place: int, has_plan: bool) -> None:
    good = GOOD | ({"plan": {"seats": 3}} if has_plan else {})
    told = [*([good] * place), *(good | change for change in changes), *([good] * (100 - place))]
    path = tmp_path / "x.ndjson"
    path.write_text("".join(json.dumps(document) + "\n" for document in told), encoding="utf-8")
    wholesale_rows, rows = staged(path, by_document=False)[1], staged(path, by_document=True)[1]
    assert wholesale_rows == rows


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
@pytest.mark.parametrize("place", [3, 20_500])
def test_one_line_does_not_change_how_the_others_are_read(place: int, line: str, tmp_path: Path) -> None:
    good = [json.dumps(GOOD | {"event_id": f"e{number}"}) for number in range(20_500)]
    path = tmp_path / "x.ndjson"
    path.write_text("\n".join([*good[:place], line, *good[place:], ""]), encoding="utf-8")
    found = staged(path, by_document=False)
    assert found[0], "read wholesale"
    assert found[1] == staged(path, by_document=True)[1]


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
