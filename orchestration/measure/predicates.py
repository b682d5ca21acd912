"""SQL predicates of JSON Schema keywords: what one value must be, where it stands in a document."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.measure.reading import literal

# Date, or date and time with an optional zone; what DuckDB's own cast takes beyond it (epoch, infinity) is no time of an event.
MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"

_NAMES = {"VARCHAR": "text", "BOOLEAN": "a truth value", "OBJECT": "an object", "ARRAY": "a list", "NULL": "null"}


_KINDS = {
    "string": "{t} = 'VARCHAR'",
    "number": "{t} in ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE')",
    "integer": (  # a case, because `or` would try the cast, which is slow to fail, on every text
        "case when {t} in ('BIGINT', 'UBIGINT', 'HUGEINT') then true"
        " when {t} = 'DOUBLE' then try_cast({v} as double) = trunc(try_cast({v} as double)) else false end"
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
        is_there: SQL that holds where there is a value, if its type does not tell.
        document: SQL of it as JSON, if it is at hand as such.
        guard: SQL that holds where there may be a value; elsewhere type and text must not be asked for.
    """

    type: str
    text: str
    moment: str | None = None
    is_there: str | None = None
    document: str | None = None
    guard: str | None = None

    @property
    def exists(self) -> str:
        """SQL that holds where there is a value, and is never null."""
        told = self.is_there or f"{self.type} is not null"
        return f"case when {self.guard} then {told} else false end" if self.guard else told

    def where_it_is(self, rule: str) -> str:
        """SQL that holds where there is no value, or one that keeps a rule."""
        if self.guard:  # asked once: what stands in it is not cheap
            return f"case when {self.guard} then {self.type} is null or ({rule}) else true end"
        return f"not ({self.exists}) or ({rule})"

    def of(self, key: str) -> "Place":
        """A field inside; the document's text is searched first, since most objects lack most fields."""
        # Without the quote before it, of which there are many: a search goes by its first sign.
        path, named = literal(f'$."{key}"'), literal(json.dumps(key, ensure_ascii=False)[1:])
        inside = f"{self.type} = 'OBJECT' and contains({self.text}, {named})"
        return Place(f"json_type({self.text}, {path})", f"json_extract_string({self.text}, {path})", guard=inside)


def types_of(schema: Schema) -> set[str]:
    """The JSON types a schema admits; all of them where it does not say."""
    told = schema.get("type", list(_KINDS))
    return {told} if isinstance(told, str) else set(told)


def checks(schema: Schema, place: Place) -> list[tuple[str, str]]:
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
        ("minimum", f"case when {is_number} then true else coalesce(try_cast({v} as double) >= {{}}, false) end"),
        ("maximum", f"case when {is_number} then true else coalesce(try_cast({v} as double) <= {{}}, false) end"),
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
    found = [("required", f"{no_object} or {fields[name].exists}") for name in schema.get("required", [])]
    for name, rules in schema.get("properties", {}).items():
        place = fields[name]
        found += [
            (f"properties.{name}.{keyword}", f"{no_object} or {place.where_it_is(valid)}")
            for keyword, valid in checks(rules, place)
        ]
    return found


def valid(schema: Schema, place: Place, fields: Mapping[str, Place]) -> str:
    """SQL that holds, and is never null, where the document keeps a schema that speaks of its top-level fields."""
    rules = [sql for _, sql in _inside(schema, place.type, fields)]
    rules += [valid(part, place, fields) for part in schema.get("allOf", [])]
    if "anyOf" in schema:
        rules.append(" or ".join(f"({valid(part, place, fields)})" for part in schema["anyOf"]))
    if "not" in schema:
        rules.append(f"not ({valid(schema['not'], place, fields)})")
    if "if" in schema:
        then, other = (valid(schema.get(key, {}), place, fields) for key in ("then", "else"))
        rules.append(f"case when {valid(schema['if'], place, fields)} then {then} else {other} end")
    return " and ".join(f"coalesce(({rule}), false)" for rule in rules) or "true"


def is_told_by_text(schema: Schema) -> bool:
    """Whether the text of a value tells its type well enough for :func:`surely`."""
    return "enum" in schema or (types_of(schema) <= {"string", "integer", "null"} and "string" in types_of(schema))


def may_be_null(schema: Schema) -> bool:
    """Whether a schema admits null."""
    return None in schema["enum"] if "enum" in schema else "null" in types_of(schema)


def surely(schema: Schema, place: Place) -> str:
    """SQL that holds only where a text (not null) is of a JSON string, or an integer where that may be, and keeps the rules."""
    text = place.text
    if "enum" in schema:  # words: no other type is written like them
        # Not `in`: the engine makes a join of longer lists, and then the order of the documents is lost.
        return (
            "(" + " or ".join(f"{text} = {literal(value)}" for value in schema["enum"] if isinstance(value, str)) + ")"
        )
    if schema.get("format") == "date-time":
        return _is_moment(place)
    word = f"({text} >= 'A' and {text} < '[' or {text} >= 'a' and {text} < '{{') and {text} not in ('true', 'false')"
    # What has a sign that no number, list or object begins with; for the many ids that begin with a digit.
    mixed = f"regexp_full_match({text}, '[0-9+.eE-]+[^0-9+.eE{{\\[-].*')"
    digits = f" or regexp_full_match({text}, '[0-9]+')" if "integer" in types_of(schema) else ""
    rules = [f"({word}{digits} or {mixed})"]
    if "minLength" in schema:
        rules.append(f"strlen({text}) >= 4 * {schema['minLength']}" if schema["minLength"] > 1 else f"{text} <> ''")
    if "maxLength" in schema:
        rules.append(f"strlen({text}) <= {schema['maxLength']}")
    if "pattern" in schema:
        rules.append(f"regexp_matches({text}, {literal(schema['pattern'])})")
    return " and ".join(rules)


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


def wording(field: str, schema: Schema, keyword: str, place: Place) -> str:
    """SQL text of the reason for people: the field, and what is wrong with it."""
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
