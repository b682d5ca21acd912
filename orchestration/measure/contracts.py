"""JSON Schemas of events, compiled to SQL: a document is judged where it lies, a vector at a time, never row by row here.

The subset of draft 2020-12 that is understood: type, enum, const, minLength, maxLength, pattern (RE2), minimum, maximum,
format date-time, required, properties, allOf, anyOf, not, if/then/else. A keyword outside it is refused when a schema is
read, so that no rule is silently left out. ``x-privacy`` tags each field, ``x-reason`` words a rule for people.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import Refusal
from orchestration.measure.reading import literal

FOLDER = Path(__file__).parents[2] / "warehouse" / "schemas"
PRIVACY = ("none", "device", "text", "person", "address")
# Date, or date and time with an optional zone; what DuckDB's own cast takes beyond it (epoch, infinity) is no time of an event.
MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
_NOTES = {"$schema", "$id", "title", "description", "x-privacy", "x-reason"}
_RULES = {
    *("type", "enum", "const", "minLength", "maxLength", "pattern", "minimum", "maximum", "format", "required"),
    *("properties", "allOf", "anyOf", "not", "if", "then", "else"),
}
_NAMES = {"VARCHAR": "text", "BOOLEAN": "a truth value", "OBJECT": "an object", "ARRAY": "a list", "NULL": "null"}
_KINDS = {
    "string": "{t} = 'VARCHAR'",
    "number": "{t} in ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE')",
    "integer": (
        "({t} in ('BIGINT', 'UBIGINT', 'HUGEINT')"
        " or {t} = 'DOUBLE' and try_cast({v} as double) = trunc(try_cast({v} as double)))"
    ),
    "boolean": "{t} = 'BOOLEAN'",
    "object": "{t} = 'OBJECT'",
    "array": "{t} = 'ARRAY'",
    "null": "{t} = 'NULL'",
}

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value of a document stands.

    Attributes:
        type: SQL of its JSON type, null where it is absent.
        text: SQL of its text.
        moment: SQL of its time, null where it is none, if somebody has computed that already.
    """

    type: str
    text: str
    moment: str | None = None

    def of(self, key: str) -> "Place":
        """A field inside; the document's text is searched first, since most objects lack most fields."""
        path, named = literal(f'$."{key}"'), literal(json.dumps(key, ensure_ascii=False))
        inside = f"{self.type} = 'OBJECT' and contains({self.text}, {named})"
        return Place(
            f"case when {inside} then json_type({self.text}, {path}) end",
            f"case when {inside} then json_extract_string({self.text}, {path}) end",
        )


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of a schema of documents.

    Attributes:
        name: Such as ``event``.
        version: Counts up; a later one only adds.
    """

    name: str
    version: int
    schema: Schema

    @property
    def fields(self) -> dict[str, Schema]:
        """Top-level fields, in order."""
        properties: dict[str, Schema] = self.schema["properties"]
        return properties

    @property
    def paths(self) -> str:
        """SQL list of the JSON paths of the top-level fields."""
        return "[" + ", ".join(literal(f'$."{name}"') for name in self.fields) + "]"

    def reason(self, fields: Mapping[str, Place]) -> str:
        """SQL text: why a document (a JSON object) breaks the contract, null where it keeps it.

        Args:
            fields: Where each top-level field stands.
        """
        rules = []
        required = self.schema.get("required", [])
        for field, schema in self.fields.items():
            place = fields[field]
            if field in required:
                rules.append((f"{place.type} is null", literal(f"{field} is missing")))
            there = f"{place.type} is not null"
            for keyword, valid in _checks(schema, place):
                rules.append((f"{there} and not ({valid})", _wording(field, schema, keyword, place)))
        rest = {
            key: rule for key, rule in self.schema.items() if key in {"allOf", "anyOf", "not", "if", "then", "else"}
        }
        for part in [*rest.pop("allOf", []), *([rest] if rest else [])]:
            text = part.get("x-reason", "a rule of the contract is broken")
            rules.append((f"not ({_valid(part, Place(literal('OBJECT'), 'null'), fields)})", literal(text)))
        return "case " + " ".join(f"when {broken} then {told}" for broken, told in rules) + " end"

    def tagged(self, *tags: str) -> dict[tuple[str, ...], str]:
        """Path -> tag of every field, nested ones too, that bears one of these privacy tags."""
        return {path: tag for path, tag in _tags(self.schema, ()) if tag in tags}


def read_contract(name: str, version: int | None = None, folder: Path = FOLDER) -> Contract:
    """A contract that ships: ``<name>.v<version>.json``, the newest unless a version is given.

    Raises:
        Refusal: if there is none, or it says what cannot be compiled.
    """
    found = {int(path.stem.rpartition(".v")[2]): path for path in folder.glob(f"{name}.v*.json")}
    if not found or (version is not None and version not in found):
        raise Refusal(f"contract {name}", "has no schema", f"Put {name}.v{version or 1}.json into {folder.name}.")
    chosen = version or max(found)
    try:
        schema = json.loads(found[chosen].read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refusal(found[chosen].name, f"cannot be read ({error})", "Mend the schema.") from error
    _check(schema, found[chosen].name, (), tagged=False)
    return Contract(name, chosen, schema)


def breaking_changes(old: Schema, new: Schema, path: tuple[str, ...] = ()) -> list[str]:
    """What a newer schema refuses or hides that the older took: fields gone, types fewer, fields newly required."""
    where = ".".join(path) or "the document"
    found = [
        f"{where}.{name} is newly required" for name in sorted({*new.get("required", [])} - {*old.get("required", [])})
    ]
    for name, before in old.get("properties", {}).items():
        inside, after = (*path, name), new.get("properties", {}).get(name)
        if after is None:
            found.append(f"{'.'.join(inside)} is gone")
            continue
        if lost := _types(before) - _types(after):
            found.append(f"{'.'.join(inside)} is no longer {' or '.join(sorted(lost))}")
        found += breaking_changes(before, after, inside)
    return found


def _types(schema: Schema) -> set[str]:
    told = schema.get("type", list(_KINDS))
    return {told} if isinstance(told, str) else set(told)


def _check(schema: Schema, subject: str, path: tuple[str, ...], *, tagged: bool) -> None:
    where = ".".join(path) or "the document"
    if unknown := sorted(set(schema) - _RULES - _NOTES):
        raise Refusal(subject, f"{where}: {unknown[0]} is not understood", "Say it with the keywords that are.")
    if tagged and schema.get("x-privacy") not in PRIVACY:
        raise Refusal(subject, f"{where} has no privacy tag", f"Give x-privacy, one of {', '.join(PRIVACY)}.")
    for name, field in schema.get("properties", {}).items():
        _check(field, subject, (*path, name), tagged=tagged or not path)
    for key in ("allOf", "anyOf", "not", "if", "then", "else"):
        for part in schema.get(key, []) if key in {"allOf", "anyOf"} else [schema[key]] if key in schema else []:
            for name, field in part.get("properties", {}).items():
                _check(field, subject, (*path, name), tagged=False)
            _check({k: v for k, v in part.items() if k != "properties"}, subject, path, tagged=False)


def _tags(schema: Schema, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    found = []
    for name, field in schema.get("properties", {}).items():
        inside = (*path, name)
        found += [(inside, field["x-privacy"]), *_tags(field, inside)]
    return found


def _checks(schema: Schema, place: Place) -> list[tuple[str, str]]:
    """Keyword -> SQL that holds where the value keeps it; the value is there."""
    t, v = place.type, place.text
    found: list[tuple[str, str]] = []
    if "type" in schema:
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        found.append(("type", " or ".join(_KINDS[kind].format(t=t, v=v) for kind in kinds)))
    for keyword in ("enum", "const"):
        if keyword in schema:
            values = schema["enum"] if keyword == "enum" else [schema["const"]]
            found.append((keyword, " or ".join(_equals(value, place) for value in values)))
    is_text = f"{t} <> 'VARCHAR'"
    is_number = f"not {_KINDS['number'].format(t=t)}"
    for keyword, sql in (
        ("minLength", f"{is_text} or strlen({v}) >= 4 * {{0}} or length({v}) >= {{0}}"),  # bytes cost nothing to count
        ("maxLength", f"{is_text} or strlen({v}) <= {{0}} or length({v}) <= {{0}}"),
        ("minimum", f"{is_number} or coalesce(try_cast({v} as double) >= {{}}, false)"),
        ("maximum", f"{is_number} or coalesce(try_cast({v} as double) <= {{}}, false)"),
    ):
        if keyword in schema:
            found.append((keyword, sql.format(repr(schema[keyword]))))
    if "pattern" in schema:
        found.append(("pattern", f"{is_text} or regexp_matches({v}, {literal(schema['pattern'])})"))
    if schema.get("format") == "date-time":
        found.append(("format", f"{is_text} or {_is_moment(place)}"))
    if "properties" in schema or "required" in schema:
        inner = {name: place.of(name) for name in [*schema.get("properties", {}), *schema.get("required", [])]}
        found += _inside(schema, t, inner)
    return found


def _inside(schema: Schema, type_: str, fields: Mapping[str, Place]) -> list[tuple[str, str]]:
    no_object = f"{type_} <> 'OBJECT'"
    found = [("required", f"{no_object} or {fields[name].type} is not null") for name in schema.get("required", [])]
    for name, rules in schema.get("properties", {}).items():
        place = fields[name]
        found += [
            (f"properties.{name}.{keyword}", f"{no_object} or {place.type} is null or ({valid})")
            for keyword, valid in _checks(rules, place)
        ]
    return found


def _valid(schema: Schema, place: Place, fields: Mapping[str, Place]) -> str:
    """SQL that holds, and is never null, where the document keeps a schema that speaks of its top-level fields."""
    rules = [sql for _, sql in _inside(schema, place.type, fields)]
    rules += [_valid(part, place, fields) for part in schema.get("allOf", [])]
    if "anyOf" in schema:
        rules.append(" or ".join(f"({_valid(part, place, fields)})" for part in schema["anyOf"]))
    if "not" in schema:
        rules.append(f"not ({_valid(schema['not'], place, fields)})")
    if "if" in schema:
        then, other = (_valid(schema.get(key, {}), place, fields) for key in ("then", "else"))
        rules.append(f"case when {_valid(schema['if'], place, fields)} then {then} else {other} end")
    return " and ".join(f"coalesce(({rule}), false)" for rule in rules) or "true"


def _equals(value: object, place: Place) -> str:
    if value is None:
        return f"{place.type} = 'NULL'"
    if isinstance(value, bool):
        return f"({place.type} = 'BOOLEAN' and {place.text} = '{str(value).lower()}')"
    if isinstance(value, str):
        return f"({place.type} = 'VARCHAR' and {place.text} = {literal(value)})"
    return (
        f"({_KINDS['number'].format(t=place.type)} and coalesce(try_cast({place.text} as double) = {value!r}, false))"
    )


def _wording(field: str, schema: Schema, keyword: str, place: Place) -> str:
    kinds = schema.get("type", [])
    expected = " or ".join([kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"])
    if keyword == "type":
        names = " ".join(f"when {literal(kind)} then {literal(name)}" for kind, name in _NAMES.items())
        found = f"case {place.type} {names} else 'a number' end"
        return f"{literal(f'{field} is ')} || {found} || {literal(f', not {expected}')}"
    told = {
        "enum": f"is none of {', '.join(str(value) for value in schema.get('enum', []) if value is not None)}",
        "const": f"is not {schema.get('const')}",
        "minLength": "is empty" if schema.get("minLength") == 1 else f"is shorter than {schema.get('minLength')}",
        "maxLength": f"is longer than {schema.get('maxLength')} characters",
        "minimum": f"is below {schema.get('minimum')}",
        "maximum": f"is above {schema.get('maximum')}",
        "pattern": "is not written as it must be",
        "format": "is not a time",
        "required": "lacks a field",
    }
    inner = keyword.split(".")
    return literal(f"{field}.{inner[1]} breaks the contract" if len(inner) > 1 else f"{field} {told[keyword]}")


def _is_moment(place: Place) -> str:
    """SQL that holds where text is a date, or a date and time, of the calendar."""
    moment = place.moment or f"try_cast({place.text} as timestamptz)"
    return f"(regexp_full_match({place.text}, {literal(MOMENT)}) and {moment} is not null)"
