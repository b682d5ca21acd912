"""JSON Schemas of events, compiled to SQL: a document is judged where it lies, a vector at a time, never row by row here.

The subset of draft 2020-12 that is understood: type, enum, const, minLength, maxLength, pattern (RE2), minimum, maximum,
format date-time, required, properties, allOf, anyOf, not, if/then/else. A keyword outside it is refused when a schema is
read, so that no rule is silently left out. ``x-privacy`` tags each field, ``x-reason`` words a rule for people.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import Refusal
from orchestration.measure.predicates import (
    Place,
    Schema,
    checks,
    is_told_by_text,
    may_be_null,
    surely,
    types_of,
    valid,
    wording,
)
from orchestration.measure.reading import literal

FOLDER = Path(__file__).parents[2] / "warehouse" / "schemas"
PRIVACY = ("none", "device", "text", "person", "address", "id")
_NOTES = {"$schema", "$id", "title", "description", "x-privacy", "x-reason"}
_RULES = {
    *("type", "enum", "const", "minLength", "maxLength", "pattern", "minimum", "maximum", "format", "required"),
    *("properties", "allOf", "anyOf", "not", "if", "then", "else"),
}


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
            for keyword, rule in checks(schema, place):
                rules.append((f"{there} and not ({rule})", wording(field, schema, keyword, place)))
        rest = {
            key: rule for key, rule in self.schema.items() if key in {"allOf", "anyOf", "not", "if", "then", "else"}
        }
        for part in [*rest.pop("allOf", []), *([rest] if rest else [])]:
            text = part.get("x-reason", "a rule of the contract is broken")
            rules.append((f"not ({valid(part, Place(literal('OBJECT'), 'null'), fields)})", literal(text)))
        return "case " + " ".join(f"when {broken} then {told}" for broken, told in rules) + " end"

    @property
    def typed(self) -> list[str]:
        """Top-level fields whose type their text does not tell: a truth value, a number or an object may also be written as text."""
        return [name for name, schema in self.fields.items() if not is_told_by_text(schema)]

    def certain(self, fields: Mapping[str, Place]) -> str:
        """SQL that holds only where a document surely keeps the contract, judged by the text of most fields.

        It spares :meth:`reason`, which looks up every type, on nearly all documents; it may fail on a good one, never hold on a bad.

        Args:
            fields: Where each top-level field stands; of a field that is not in :attr:`typed` only the text is read.
        """
        told = {
            name: place
            if name in self.typed
            else Place(literal("VARCHAR"), place.text, is_there=place.is_there or f"{place.text} is not null")
            for name, place in fields.items()
        }
        rules = []
        for name, schema in self.fields.items():
            place = fields[name]
            if name in self.typed:
                rule = " and ".join(f"({check})" for _, check in checks(schema, place)) or "true"
                absent = f"{place.type} is null"
            else:
                rule = surely(schema, place)
                absent = f"{place.text} is null" if may_be_null(schema) else "false"
            rules.append(f"({absent} or ({rule}))")
        rest = [*self.schema.get("allOf", [])]
        rest += [{key: rule for key, rule in self.schema.items() if key in {"anyOf", "not", "if", "then", "else"}}]
        rules += [valid(part, Place(literal("OBJECT"), "null"), told) for part in rest]
        return " and ".join(rules)

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
        if lost := types_of(before) - types_of(after):
            found.append(f"{'.'.join(inside)} is no longer {' or '.join(sorted(lost))}")
        found += breaking_changes(before, after, inside)
    return found


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
