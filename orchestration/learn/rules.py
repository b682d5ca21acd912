"""The kinds of rules a taxonomy may use, and how each decides. A new kind is a new class here and nothing elsewhere."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from orchestration.learn.seen_text import SeenText, see

_LITERALS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}|\)\{")


class Rule(BaseModel):
    """What all kinds share: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class Words(Rule):
    """Whole words or phrases, anywhere or as the first words. The taxonomy looks them all up in one pass."""

    kind: Literal["words"]
    any: tuple[str, ...] = Field(min_length=1)
    at: Literal["anywhere", "start"] = "anywhere"

    @field_validator("any")
    @classmethod
    def _has_words(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if not see(entry).written:
                raise ValueError(f"{entry!r} holds no word")
        return entries


class Pattern(Rule):
    """Regular expressions over the folded text.

    Repeats must be bounded and groups at most optional: then any text, however hostile, takes linear time.
    """

    kind: Literal["pattern"]
    any: tuple[str, ...] = Field(min_length=1)

    @field_validator("any")
    @classmethod
    def _is_safe(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if _UNBOUNDED.search(_LITERALS.sub("x", pattern)):
                raise ValueError(f"{pattern} repeats without bound or repeats a group; bound it, such as {{1,20}}")
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern} does not compile ({error})") from error
        return patterns

    @cached_property
    def _search(self) -> Callable[[str], re.Match[str] | None]:
        return re.compile("|".join(f"(?:{pattern})" for pattern in self.any)).search

    def holds(self, text: SeenText) -> bool:
        """True if any of the expressions is found."""
        return self._search(text.folded) is not None


class Length(Rule):
    """A count between bounds: characters, words, sentences or the mean letters of a word."""

    kind: Literal["length"]
    of: Literal["characters", "words", "sentences", "mean_word"]
    at_least: float = Field(default=0, ge=0)
    at_most: float = Field(default=float("inf"), ge=0)

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.at_least > self.at_most:
            raise ValueError("at_least is above at_most")
        if self.at_least == 0 and self.at_most == float("inf"):
            raise ValueError("needs at_least or at_most")
        return self

    def holds(self, text: SeenText) -> bool:
        """True if the count lies within the bounds, both included."""
        return self.at_least <= _count(text, self.of) <= self.at_most


class Capitals(Rule):
    """A word of several letters written in capitals only."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["capitals"]
    letters: int = Field(default=2, ge=2)
    exceptions: frozenset[str] = Field(default=frozenset(), alias="except")

    def holds(self, text: SeenText) -> bool:
        """True if a word of at least that many letters is in capitals and no exception."""
        return any(
            word.isupper() and sum(map(str.isalpha, word)) >= self.letters and word.rstrip("s") not in self.exceptions
            for written in text.written
            for word in [written.partition("'")[0].replace(".", "")]
            if "." not in written
        )


class Emoji(Rule):
    """An emoji or another pictograph."""

    kind: Literal["emoji"]

    def holds(self, text: SeenText) -> bool:
        """True if one was seen."""
        return text.has_emoji


AnyRule = Annotated[Words | Pattern | Length | Capitals | Emoji, Field(discriminator="kind")]


def _count(text: SeenText, of: str) -> float:
    match of:
        case "characters":
            return len(text.folded)
        case "words":
            return len(text.written)
        case "sentences":
            return text.sentences
        case _:
            return sum(map(len, text.written)) / len(text.written) if text.written else 0.0
