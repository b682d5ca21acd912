"""Who writes the texts: the contract of every generator, and the one that needs no account."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from orchestration.errors import Refusal
from orchestration.generate.grammar import LONGEST, SUBJECT_LINES, grammar_of
from orchestration.generate.library import Library
from orchestration.learn.policy import policy
from orchestration.learn.taxonomy import Taxonomy
from orchestration.records import Brief, CreativeRequest, Draft, Usage

STAND_IN = "a stand-in whose texts are about household goods, whatever is sold"
_LINES_TRIED = 60


class Generator(Protocol):
    """Fills slots with texts that carry exactly the tags they were asked for."""

    def write(
        self, requests: Sequence[CreativeRequest], brief: Brief, *, voice: str, avoid: frozenset[str]
    ) -> list[Draft]:
        """Writes one draft for each request, in their order.

        Args:
            requests: Slots to fill.
            brief: What the texts may assume.
            voice: How the sender speaks, in the words of the program.
            avoid: Texts already used; none of them is written again, and no text twice.

        Raises:
            Refusal: if a request cannot be written.
        """
        ...


class OfflineGenerator:
    """Writes from the grammar: the same seed and request give the same text.

    Args:
        taxonomy: Reads which tags a text has.
        steerable: Tags that requests ask for or exclude.
        seed: Of the choice among fitting lines.
        grammar: Name of a grammar that ships with the package.
        longest: Most characters of a text; a grammar says nothing longer than its own limit in any case.
    """

    name = "offline"

    def __init__(
        self,
        taxonomy: Taxonomy,
        steerable: tuple[str, ...],
        seed: int,
        grammar: str = SUBJECT_LINES,
        *,
        longest: int = LONGEST,
    ) -> None:
        self._steerable = frozenset(steerable)
        self._grammar = grammar_of(taxonomy, self._steerable, grammar)
        self._seed, self._longest = seed, longest

    def write(
        self, requests: Sequence[CreativeRequest], brief: Brief, *, voice: str, avoid: frozenset[str]
    ) -> list[Draft]:
        """Writes one draft for each request; the brief and the voice are in the grammar already.

        Raises:
            Refusal: if a tag is not steerable, or every line of a tag set is used up.
        """
        used = set(avoid)
        library = Library(sorted(avoid), policy()["near_duplicate_similarity"])
        drafts = []
        for request in requests:
            text = self._unlike(request, used, library)
            if text is None:
                raise Refusal(
                    _subject(request), "no unused line has these tags", "Extend grammar.yaml, or ask for other tags."
                )
            used.add(text)
            drafts.append(Draft(request, text, request.tags, self.name, None, None, None, None, Usage(0, 0, 0.0)))
        return drafts

    def _unlike(self, request: CreativeRequest, used: set[str], library: Library) -> str | None:
        """The first unused line that is not near a past one; where the first many all are, the first unused one."""
        fallback = None
        for line in islice((line for line in self._lines(request) if line not in used), _LINES_TRIED):
            if library.near(line, except_near=request.twin_of) is None:
                return line
            fallback = fallback or line
        return fallback

    def _lines(self, request: CreativeRequest) -> Iterator[str]:
        unknown = request.tags - self._steerable
        if unknown:
            raise Refusal(
                _subject(request), f"{', '.join(sorted(unknown))} cannot be steered", "Ask for tags of the program."
            )
        order = np.random.default_rng(_number(self._seed, request))
        if request.twin_of is None:
            return self._grammar.lines(request.tags, order, longest=self._longest)
        return self._grammar.nearest(request.tags, request.twin_of, order, longest=self._longest)


def _subject(request: CreativeRequest) -> str:
    return f"slot {request.slot} of {request.segment} ({', '.join(sorted(request.tags)) or 'no tags'})"


def _number(seed: int, request: CreativeRequest) -> int:
    """A number that a seed and a request determine on any machine."""
    parts = (seed, request.program, request.cycle, request.segment, request.role, request.slot, *sorted(request.tags))
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], "big")
