"""A grammar of subject lines: every line it can say is filed under the tags that the taxonomy reads in it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from orchestration.edges import yaml_text
from orchestration.edges.faults import require
from orchestration.errors import Refusal
from orchestration.learn.taxonomy import Taxonomy

DEFAULT = Path(__file__).with_name("grammar.yaml")
FOLDER = Path(__file__).with_name("grammars")
SUBJECT_LINES = "subject_lines"
SHORTEST, LONGEST = 18, 72
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_WORDS = re.compile(r"[^\W_]+|[^\w\s]")
_OPENINGS_NEAR_A_TWIN = 16
_LINES_NEAR_A_TWIN = 40
_PHRASES = ("now ", "from ")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Theme(_Strict):
    many: str
    one: str
    a: str
    room: str
    maker: str
    emoji: tuple[str, ...] = Field(min_length=1)


class _Definition(_Strict):
    """What a grammar file says; without themes or places it has those of the subject lines."""

    themes: tuple[_Theme, ...] = ()
    places: tuple[str, ...] = ()
    openings: tuple[str, ...] = Field(min_length=1)
    endings: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Opening:
    text: str
    theme: _Theme
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Offer:
    text: str
    is_lead: bool


class Grammar:
    """Lines by tag set.

    Args:
        taxonomy: Reads what each line has.
        steerable: The tags that decide where a line is filed; others are free.
        path: The phrases; by default those that ship with the package.

    Raises:
        Refusal: if the phrases cannot be read or name a slot that no theme has.
    """

    def __init__(self, taxonomy: Taxonomy, steerable: Iterable[str], path: Path = DEFAULT) -> None:
        definition = _load(path)
        self._taxonomy = taxonomy
        self._steerable = frozenset(steerable)
        self._openings: dict[frozenset[str], list[_Opening]] = defaultdict(list)
        self._offers: dict[frozenset[str], list[_Offer]] = defaultdict(list)
        for text, theme in _openings(definition, path).items():
            tags = self._tags(text)
            self._openings[tags].append(_Opening(text, theme, tags))
        for templates, is_lead in [(definition.endings, False), (definition.leads, True)]:
            for text in (text for template in templates for text in expand(template)):
                self._offers[self._tags(text)].append(_Offer(text, is_lead))

    def lines(self, tags: frozenset[str], order: np.random.Generator, *, longest: int = LONGEST) -> Iterator[str]:
        """Every line with exactly these tags, in a random order of openings; each opening varies before it repeats.

        Args:
            tags: Steerable tags the line has; every other steerable tag is absent.
            order: Source of the order; the same state gives the same lines.
            longest: Most characters of a line, where that is fewer than ``LONGEST``.
        """
        waiting: list[Iterator[str]] = []
        for opening in self._fitting(tags, order):
            dressed = self._exact(self._dressed(opening, tags, order), tags, longest)
            line = next(dressed, None)
            if line is not None:
                yield line
                waiting.append(dressed)
        while waiting:
            again = []
            for dressed in waiting:
                line = next(dressed, None)
                if line is not None:
                    yield line
                    again.append(dressed)
            waiting = again

    def nearest(
        self, tags: frozenset[str], twin: str, order: np.random.Generator, *, longest: int = LONGEST
    ) -> Iterator[str]:
        """Lines with exactly these tags, the most like ``twin`` first; ties are broken by ``order``, lines may repeat."""
        openings = sorted(self._fitting(tags, order), key=lambda opening: -_shared(opening.text, twin))
        near: list[str] = []
        tried = 0
        for opening in openings:
            lines = [line for line in self._dressed(opening, tags, order) if _fits(line, longest)]
            near += lines
            tried += bool(lines)
            if tried == _OPENINGS_NEAR_A_TWIN:
                break
        near.sort(key=lambda line: -_shared(line, twin))
        close = near[:_LINES_NEAR_A_TWIN]
        close.sort(key=lambda line: -SequenceMatcher(None, line, twin, autojunk=False).ratio())
        yield from self._exact([*close, *near[_LINES_NEAR_A_TWIN:]], tags, longest)
        yield from self.lines(tags, order, longest=longest)

    def _fitting(self, tags: frozenset[str], order: np.random.Generator) -> list[_Opening]:
        """Openings that an offer and an emoji can complete to exactly ``tags``, shuffled."""
        said = tags - {"emoji"}
        groups = [
            group for group in self._openings if group <= said and (group == said or said - group in self._offers)
        ]
        openings = [opening for group in groups for opening in self._openings[group]]
        return [openings[number] for number in order.permutation(len(openings))]

    def _dressed(self, opening: _Opening, tags: frozenset[str], order: np.random.Generator) -> Iterator[str]:
        """The opening with every offer and emoji that complete it, shuffled; not yet read again as a whole."""
        missing = tags - {"emoji"} - opening.tags
        offers: Sequence[_Offer | None] = [None]
        if missing:
            offers = self._offers[missing]
        signs: Sequence[tuple[str, bool] | None] = [None]
        if "emoji" in tags:
            signs = list(product(opening.theme.emoji, (True, False)))
        ways = list(product(offers, signs))
        for number in order.permutation(len(ways)):
            offer, sign = ways[number]
            if not (offer and offer.is_lead and ":" in opening.text):
                yield _decorated(_joined(opening, offer), sign)

    def _exact(self, lines: Iterable[str], tags: frozenset[str], longest: int) -> Iterator[str]:
        return (line for line in lines if _fits(line, longest) and self._tags(line) == tags)

    def _tags(self, text: str) -> frozenset[str]:
        return self._taxonomy.extract(text) & self._steerable


@lru_cache(maxsize=8)
def grammar_of(taxonomy: Taxonomy, steerable: frozenset[str], name: str = SUBJECT_LINES) -> Grammar:
    """A grammar that ships with the package; filing its lines takes half a second, so each process does it once.

    Raises:
        Refusal: if there is none of that name.
    """
    path = DEFAULT if name == SUBJECT_LINES else FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted({SUBJECT_LINES, *(file.stem for file in FOLDER.glob("*.yaml"))}))
        raise Refusal(f"grammar {name}", "does not exist", f"Choose one of {known}.")
    return Grammar(taxonomy, steerable, path)


def expand(template: str) -> list[str]:
    """All texts of a template: ``"[a|your] jug"`` gives ``a jug`` and ``your jug``; an empty alternative is allowed."""
    parts = _CHOICE.split(template)
    alternatives = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
    return list(dict.fromkeys("".join(choice) for choice in product(*alternatives)))


def _fits(line: str, longest: int) -> bool:
    """Whether a line is neither too short nor too long; counted in code points, of which a reader's characters are never more."""
    return SHORTEST <= len(line) <= min(LONGEST, longest)


def _joined(opening: _Opening, offer: _Offer | None) -> str:
    text = opening.text
    if offer is None:
        return _capital(text)
    if offer.is_lead:
        return f"{_capital(offer.text)}: {text}"
    if text.endswith("?"):
        return f"{_capital(text)} {_capital(offer.text)}"
    follows = (
        offer.text.startswith(_PHRASES) and "," not in text and text.endswith((opening.theme.many, opening.theme.one))
    )
    joint = "," if follows else " \u2013"
    return f"{_capital(text)}{joint} {offer.text}"


def _decorated(line: str, sign: tuple[str, bool] | None) -> str:
    if sign is None:
        return line
    emoji, at_start = sign
    return f"{emoji} {line}" if at_start else f"{line} {emoji}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@lru_cache(maxsize=50_000)
def _word_set(text: str) -> frozenset[str]:
    return frozenset(_WORDS.findall(text.casefold()))


def _shared(text: str, other: str) -> float:
    """Jaccard similarity of two texts' words and signs."""
    mine, theirs = _word_set(text), _word_set(other)
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 1.0


def _openings(definition: _Definition, path: Path) -> dict[str, _Theme]:
    """Every opening with its theme; one that two themes share (the same maker) belongs to the first."""
    found: dict[str, _Theme] = {}
    for theme, template in product(definition.themes, definition.openings):
        for text in expand(template):
            for filled in expand(_filled(text, theme, definition.places, path)):
                found.setdefault(filled, theme)
    return found


def _filled(text: str, theme: _Theme, places: Sequence[str], path: Path) -> str:
    try:
        return text.format(**theme.model_dump(exclude={"emoji"}), place=f"[{'|'.join(places)}]")
    except (KeyError, ValueError, IndexError) as error:
        remedy = "Use {many}, {one}, {a}, {room}, {maker} or {place}."
        raise Refusal(str(path), f"{text!r} names a slot no theme has", remedy) from error


def _load(path: Path) -> _Definition:
    content = yaml_text.read(path)
    definition = require(
        _Definition, content, str(path), "Mend the field; the comment at the top of grammar.yaml says how."
    )
    shared = definition if definition.themes and definition.places else _load(DEFAULT)
    return definition.model_copy(
        update={"themes": definition.themes or shared.themes, "places": definition.places or shared.places}
    )
