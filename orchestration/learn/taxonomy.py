"""The versioned taxonomy: which interpretable features a text has, by deterministic rules."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from orchestration.edges import yaml_text
from orchestration.edges.faults import require
from orchestration.errors import Refusal
from orchestration.learn.rules import AnyRule, Words
from orchestration.learn.seen_text import looked_up, see

DEFAULT = Path(__file__).with_name("taxonomy.yaml")
# Part of every version: raise it when seen_text.py or rules.py changes what any text is found to have.
_READING_VERSION = 1
_REMEDY = "Mend the file; the comment at its top says what a rule may be."

_Phrase = tuple[str, ...]


class _Tag(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    describe: str = Field(min_length=1)
    rules: tuple[AnyRule, ...] = Field(min_length=1)


class _Definition(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    acronyms: frozenset[str] = frozenset()
    tags: dict[str, _Tag] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """Phrases of all tags in one table, so that a text is walked once however many tags there are."""

    tags_of: dict[_Phrase, frozenset[str]]
    longest_from: dict[str, int]

    def at(self, words: Sequence[str], position: int) -> Iterator[frozenset[str]]:
        """Tags of the phrases that begin at a position."""
        for length in range(1, self.longest_from.get(words[position], 0) + 1):
            found = self.tags_of.get(tuple(words[position : position + length]))
            if found:
                yield found


class Taxonomy:
    """Reads texts into tags.

    Attributes:
        version: Digest of everything that decides what is found; descriptions do not count.
        names: The tags, in the order of the file.
    """

    def __init__(self, definition: _Definition) -> None:
        self._tags = definition.tags
        self._acronyms = definition.acronyms
        self.names: tuple[str, ...] = tuple(definition.tags)
        self.version: str = _digest(definition)
        self._anywhere = self._lexicon("anywhere")
        self._start = self._lexicon("start")
        self._others = [
            (name, [rule.holds for rule in tag.rules if not isinstance(rule, Words)])
            for name, tag in definition.tags.items()
            if any(not isinstance(rule, Words) for rule in tag.rules)
        ]

    def __eq__(self, other: object) -> bool:
        """Two taxonomies of one version find the same in any text."""
        return isinstance(other, Taxonomy) and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.version)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Reads a taxonomy file, by default the one that ships with the package.

        Raises:
            Refusal: if it cannot be read, is not YAML, names an unknown kind of rule, or has a pattern that does not
                compile or may take more than linear time.
        """
        path = path or DEFAULT
        content = yaml_text.read(path, remedy=_REMEDY)
        return cls(require(_Definition, content, str(path), _REMEDY))

    def describe(self, tag: str) -> str:
        """One sentence on what a tag means.

        Raises:
            Refusal: if the taxonomy has no such tag.
        """
        if tag not in self._tags:
            raise Refusal(f"tag {tag}", "the taxonomy has no such tag", f"Choose one of {', '.join(self.names)}.")
        return self._tags[tag].describe

    def extract(self, text: str | None) -> frozenset[str]:
        """The tags a text has; none for a missing or blank one. Never raises, whatever the text."""
        seen = see(text, self._acronyms) if text else None
        if seen is None or seen.is_empty:
            return frozenset()
        found = set(self._found_by_words(seen.words))
        for name, rules in self._others:
            if name not in found and any(holds(seen) for holds in rules):
                found.add(name)
        return frozenset(found)

    def extract_many(self, texts: Sequence[str | None]) -> list[frozenset[str]]:
        """The tags of each text, in order; a text that repeats is read once."""
        known = {text: self.extract(text) for text in dict.fromkeys(texts)}
        return [known[text] for text in texts]

    def _found_by_words(self, words: Sequence[str]) -> Iterator[str]:
        for position in range(len(words)):
            for tags in self._anywhere.at(words, position):
                yield from tags
        if words:
            for tags in self._start.at(words, 0):
                yield from tags

    def _lexicon(self, at: str) -> _Lexicon:
        tags_of: dict[_Phrase, frozenset[str]] = {}
        longest: dict[str, int] = {}
        for name, tag in self._tags.items():
            entries = [entry for rule in tag.rules if isinstance(rule, Words) and rule.at == at for entry in rule.any]
            for entry in entries:
                phrase = self._phrase(entry)
                tags_of[phrase] = tags_of.get(phrase, frozenset()) | {name}
                longest[phrase[0]] = max(longest.get(phrase[0], 0), len(phrase))
        return _Lexicon(tags_of, longest)

    def _phrase(self, entry: str) -> _Phrase:
        if entry in self._acronyms:
            return (entry,)
        return tuple(looked_up(word) for word in see(entry).written)


def _digest(definition: _Definition) -> str:
    rules = {
        "reading": _READING_VERSION,
        "acronyms": sorted(definition.acronyms),
        "tags": {name: [_canonical(rule) for rule in tag.rules] for name, tag in definition.tags.items()},
    }
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()


def _canonical(rule: AnyRule) -> dict[str, object]:
    content = rule.model_dump(mode="json")
    return {key: sorted(value) if isinstance(value, list) else value for key, value in content.items()}
