"""What is wrong with a file that people write (programs, rules, mappings, ...), in a sentence for each field."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orchestration.errors import Refusal

Record = TypeVar("Record", bound=BaseModel)
_MOST = 5  # faults told at once
_KINDS = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be fields with values",
    "model_type": "must be fields with values",
    "date_type": "must be a date such as 2026-11-02",
    "date_parsing": "must be a date such as 2026-11-02",
    "date_from_datetime_parsing": "must be a date such as 2026-11-02",
    "date_from_datetime_inexact": "must be a date such as 2026-11-02",
    "missing": "is missing",
    "no_alternative": "is of no kind that it may be",
    "finite_number": "must be a finite number",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "must begin with a lower-case letter and hold lower-case letters, digits and underscores alone",
}
_MISFITS = frozenset(_KINDS) - {"finite_number"} | {"extra_forbidden"}
_ALTERNATIVE = re.compile(r"constrained-\w+|\w+\[.*\]")
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


def require(model: type[Record], content: Any, subject: str, remedy: str) -> Record:
    """The content as a record.

    Args:
        subject: What a refusal names.

    Raises:
        Refusal: naming each field that is not as the record has it.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Refusal(subject, told(error.errors(), model), remedy) from error


def told(errors: Iterable[Mapping[str, Any]], model: type[BaseModel]) -> str:
    """The faults that pydantic found, each with the field it is in, with semicolons between them.

    Args:
        errors: As ``ValidationError.errors()`` gives them.
        model: What the file should be; its fields are offered in place of misspelt ones.
    """
    faults = [_fault(error, model) for error in _alternatives_as_one(errors)]
    more = f"; and {len(faults) - _MOST} more" if len(faults) > _MOST else ""
    return "; ".join(faults[:_MOST]) + more


def _alternatives_as_one(errors: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of a value that may be of several kinds pydantic tells what is wrong with it as each of them: one fault, not as many."""
    errors, open_ended = list(errors), set()
    for error in errors:
        open_ended |= {error["loc"][:at] for at, part in enumerate(error["loc"]) if _ALTERNATIVE.fullmatch(str(part))}
    kept: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for error in errors:
        place = next(
            (error["loc"][:at] for at in range(len(error["loc"])) if error["loc"][:at] in open_ended), error["loc"]
        )
        if place not in open_ended:
            kept[place] = error
        elif error["type"] not in _MISFITS:  # it is of this kind, and beyond what the kind may be
            kept[place] = {**error, "loc": place}
        else:
            kept.setdefault(place, {**error, "loc": place, "type": "no_alternative"})
    return list(kept.values())


def _fault(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "the file"
    return f"{where}: {_said(error, model)}"


def _said(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"{error['input']!r} is none of {str(context['expected']).replace(' or ', ', ').replace(chr(39), '')}"
    if kind in _BOUNDS:
        word, name = _BOUNDS[kind]
        return f"must be {word} {context[name]}"
    if kind == "extra_forbidden":
        near = (
            difflib.get_close_matches(str(error["loc"][-1]), model.model_fields, n=1) if len(error["loc"]) == 1 else []
        )
        return f"there is no such field{f'; did you mean {near[0]}?' if near else ''}"
    return _KINDS.get(kind, str(error["msg"]))
