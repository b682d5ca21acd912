"""The parts of a sentence about a learning: every figure and every direction in them is the warehouse's own."""

import math
import re
from dataclasses import dataclass
from typing import Literal, Protocol

from orchestration.programs.definition import Program
from orchestration.records import Learning

Direction = Literal["raises", "lowers"]
_ASIDE = re.compile(r"\s*\([^)]*\)")
_GRADES = {"designed": "proved by matched pairs", "randomised": "proved by randomised experiments"}


class Describer(Protocol):
    """The part of a taxonomy that phrases need."""

    names: tuple[str, ...]

    def describe(self, tag: str) -> str:
        """One sentence on what a tag means; it begins with a verb."""
        ...


@dataclass(frozen=True, slots=True)
class Phrases:
    """What a sentence about one learning may be built from; all of it comes from the warehouse.

    Attributes:
        subject: A text that has the tag, such as ``a text that speaks to the reader``.
        claim: Subject, direction, metric, readers and size in one piece, so that no sentence can part them.
        interval: The interval, or an empty string where there is none.
    """

    subject: str
    direction: Direction | None
    metric: str
    readers: str
    claim: str
    interval: str
    proof: str
    age: str
    grade: str


def direction_of(learning: Learning) -> Direction | None:
    """Which way a learning points; None without an estimate, or with one of exactly nothing."""
    if not learning.effect:
        return None
    return "raises" if learning.effect > 0 else "lowers"


def phrases_of(learning: Learning, program: Program, describer: Describer) -> Phrases:
    """The phrases of one learning of a program."""
    subject = subject_of(learning.tag, program, describer)
    metric, direction = _metric(learning.metric, program), direction_of(learning)
    readers = "all readers" if learning.segment == "all" else f"the segment {learning.segment}"
    claim = interval = ""
    if learning.effect is not None and direction is not None:
        claim = f"{subject} {direction} {metric} for {readers} by about {size(learning.effect)}"
    if learning.ci_low is not None and learning.ci_high is not None:
        interval = _between(learning.ci_low, learning.ci_high)
    return Phrases(
        subject=subject,
        direction=direction,
        metric=metric,
        readers=readers,
        claim=claim,
        interval=interval,
        proof=f"{_counted(learning.n_experiments, 'experiment')} with {_counted(learning.n_creatives, 'text')}",
        age=_age(learning.age_cycles),
        grade=_GRADES.get(learning.grade, learning.grade),
    )


def subject_of(tag: str, program: Program, describer: Describer) -> str:
    """A text of the program that has the tag, in words."""
    if tag not in describer.names:
        return f"a text tagged {tag}"
    meaning = _ASIDE.sub("", describer.describe(tag)).strip().rstrip(".")
    return f"a text that {meaning[:1].lower()}{meaning[1:]}"


def size(log_effect: float) -> str:
    """The size of a log rate ratio as a percentage without its sign; a small one keeps a decimal."""
    percentage = abs(math.expm1(log_effect) * 100)
    return f"{percentage:.0f} %" if percentage >= 9.95 else f"{percentage:.1f} %"


def _between(low: float, high: float) -> str:
    """An interval as percentages; signed only where it spans nothing, because the direction says the rest."""
    if low > 0 or high < 0:
        nearer, farther = sorted((low, high), key=abs)
        return f"between {size(nearer)} and {size(farther)}"
    return f"between {'-' if low else ''}{size(low)} and {'+' if high else ''}{size(high)}"


def _metric(name: str, program: Program) -> str:
    shown = name.replace("_", " ")
    values = {metric.name: metric.value for metric in program.metrics}
    return f"the {shown} rate" if values.get(name, "any") == "any" else f"{shown} per person"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _age(cycles: int | None) -> str:
    if cycles is None or cycles <= 1:
        return "new in this cycle"
    return f"held for {cycles} cycles"
