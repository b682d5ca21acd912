"""Contracts in SQL against the jsonschema library, on documents that nobody would think of."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.measure.contracts import FOLDER, Contract, breaking_changes, read_contract
from orchestration.measure.predicates import MOMENT, Place

EVENT = read_contract("event")
CHECKER = jsonschema.FormatChecker(formats=())


@CHECKER.checks("date-time")
def is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    found = re.fullmatch(MOMENT, value)
    try:
        return bool(found) and bool(dt.datetime.fromisoformat(re.sub(r"([+-]\d\d)$", r"\1:00", value)))
    except ValueError:
        return False


def verdicts(contract: Contract, documents: list[Any]) -> list[str | None]:
    """The reason of each document, from the SQL that intake runs."""
    names = list(contract.fields)
    places = {name: Place(f"types[{n}]", f"texts[{n}]") for n, name in enumerate(names, 1)}
    with duckdb.connect(config={"threads": "1"}) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("create table documents (place integer, json json)")
        connection.executemany(
            "insert into documents values (?, ?)", [[n, json.dumps(d)] for n, d in enumerate(documents)]
        )
        hasty = connection.execute(
            f"""select place from (select *, json_type(json, {contract.paths}) as types,
                json_extract_string(json, {contract.paths}) as texts from documents)
            where {contract.certain(places)} and len(json_keys(json)) > 0 and {contract.reason(places)} is not null"""
        ).fetchall()
        assert hasty == []  # what is certain by its text is never refused by its types
        found = connection.execute(
            f"""select case when len(json_keys(json)) = 0 then 'no object' else {contract.reason(places)} end
            from (select *, json_type(json, {contract.paths}) as types,
                json_extract_string(json, {contract.paths}) as texts from documents) order by place"""
        ).fetchall()
    return [reason for (reason,) in found]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(max_size=5), st.sampled_from(["track", "identify", "EUR", "eur0", "12.50", "-3", "2026-11-01", "2026-13-01",
    "2026-11-01T10:00:00Z", "2026-11-01T10:00:00+02:00", "2026-11-01 10:00", "epoch", "infinity", "2026-11-01T10:00:00 Europe/Paris",
    "", "ü" * 300, "true", "{}", "[1]", "5", "1e5", "3f-a"]),
)  # fmt: skip
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.sampled_from(["traits", "email", "ip", 'a"b']), SCALARS, max_size=3),
)
GOOD = {"source": "s", "event_name": "Signed Up", "user_id": "u", "occurred_at": "2026-11-01T10:00:00Z"}


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.booleans(), st.dictionaries(st.sampled_from([*EVENT.fields, "new_field"]), VALUES, max_size=6)),
        min_size=1,
        max_size=40,
    )
)
def test_sql_agrees_with_jsonschema(documents: list[tuple[bool, dict[str, Any]]]) -> None:
    told = [(GOOD | document) if is_based else document for is_based, document in documents]
    told = json.loads(json.dumps(told))
    validator = jsonschema.Draft202012Validator(EVENT.schema, format_checker=CHECKER)
    for document, reason in zip(told, verdicts(EVENT, told), strict=True):
        errors = [error.message for error in validator.iter_errors(document)]
        assert (reason is None) == (not errors), (document, reason, errors)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"new_field": {"a": 1}}, None),
        ({"schema_version": 7}, None),
        ({"user_id": 12}, None),
        ({"user_id": 1.5}, "user_id is a number, not string or integer"),
        ({"value": "12,50"}, "value is not written as it must be"),
        ({"properties": "x"}, "properties is text, not object"),
        ({"occurred_at": "epoch"}, "occurred_at is not a time"),
        ({"occurred_at": 1793500000}, "occurred_at is a number, not string"),
        ({"type": "click"}, "type is none of track, identify, page, screen, group, alias"),
        ({"context": {"traits": "x"}}, "context.traits breaks the contract"),
        ({"user_id": None}, "there is neither a user nor an anonymous id"),
        ({"event_name": None}, "the event has no name"),
        ({"occurred_at": None}, "there is no time"),
        ({"source": ""}, "source is empty"),
    ],
)
def test_a_reason_names_the_field_and_the_fault(change: dict[str, Any], reason: str | None) -> None:
    assert verdicts(EVENT, [GOOD | change]) == [reason]


def test_later_versions_only_add() -> None:
    for path in FOLDER.glob("*.v*.json"):
        name, version = path.stem.rsplit(".v", 1)
        if int(version) > 1:
            older, newer = read_contract(name, int(version) - 1), read_contract(name, int(version))
            assert breaking_changes(older.schema, newer.schema) == []
    changed = json.loads(json.dumps(EVENT.schema))
    changed["required"].append("channel")
    changed["properties"]["value"]["type"] = ["number", "null"]
    del changed["properties"]["context"]["properties"]["ip"]
    assert breaking_changes(EVENT.schema, changed) == [
        "the document.channel is newly required",
        "value is no longer string",
        "context.ip is gone",
    ]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({"type": "string"}, "a has no privacy tag"),
        ({"type": "string", "x-privacy": "none", "uniqueItems": True}, "a: uniqueItems is not understood"),
    ],
)
def test_a_schema_that_cannot_be_kept_whole_is_refused(field: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "x.v1.json").write_text(json.dumps({"type": "object", "properties": {"a": field}}), encoding="utf-8")
    with pytest.raises(Refusal, match=message):
        read_contract("x", folder=tmp_path)
