"""What a row of a report must be. New fields are kept as they came; a changed type or a missing key is not guessed at."""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.errors import Refusal
from orchestration.measure.pulls.definition import Kind, Stream

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """A window's rows after judgement.

    Attributes:
        rows: Those that hold to the contract, in their order; a row told twice is here once.
        faults: (reason, row) of the others.
    """

    rows: tuple[Item, ...]
    faults: tuple[tuple[str, Item], ...]


def at(item: Any, path: str) -> Any:
    """The value at a dotted path; None where there is none."""
    for step in path.split("."):
        if not isinstance(item, Mapping):
            return None
        item = item.get(step)
    return item


def judge(stream: Stream, day_path: str | None, days: Sequence[dt.date], items: Iterable[Item]) -> Judged:
    """Judges the rows of one window.

    Args:
        days: Days that were asked for.

    Raises:
        Refusal: if two different rows have one key: the key lacks a breakdown, or the report changed while it was read.
    """
    known: dict[str, str] = {}
    rows: list[Item] = []
    faults: list[tuple[str, Item]] = []
    asked = {day.isoformat() for day in days}
    for item in items:
        reason = fault(stream, item)
        if reason is None and day_path and at(item, day_path) not in asked:
            reason = f"{day_path} is not one of the days asked for"
        if reason is not None:
            faults.append((reason, item))
            continue
        key = json.dumps([at(item, path) for path in stream.key], sort_keys=True)
        text = json.dumps(item, sort_keys=True)
        if key not in known:
            known[key] = text
            rows.append(item)
        elif known[key] != text:
            raise Refusal(
                stream.name,
                f"has two rows of one key ({', '.join(stream.key)})",
                "Add the missing breakdown to the key, or pull again if the report changed while it was read.",
            )
    return Judged(tuple(rows), tuple(faults))


def fault(stream: Stream, item: Any) -> str | None:
    """Why a row breaks the contract; None if it does not."""
    if not isinstance(item, Mapping):
        return "the row is no object"
    for path in stream.key:
        if at(item, path) in (None, ""):
            return f"{path} is missing"
    for path, kind in stream.fields.items():
        value = at(item, path)
        if value is not None and not _is(value, kind):
            return f"{path} is no {kind}"
    return None


def _is(value: Any, kind: Kind) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "list":
            return isinstance(value, list)
        case "object":
            return isinstance(value, Mapping)
        case "day":
            return isinstance(value, str) and _is_day(value)
        case "whole":
            return (number := _number(value)) is not None and number == number.to_integral_value()
        case "number":
            return _number(value) is not None


def _number(value: Any) -> Decimal | None:
    """Platforms send numbers as numbers or as text (int64 does not fit a double)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_day(value: str) -> bool:
    try:
        return dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
