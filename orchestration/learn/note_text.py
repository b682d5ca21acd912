"""What a model may say beside the warehouse's phrases: words of a closed list, and nothing else.

A list of what is forbidden would have to know every way of writing a number or a direction in every language and script. A
list of what is allowed has to know only itself.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from orchestration.edges import yaml_text
from orchestration.learn.phrases import Phrases

LONGEST = 320
_WORDS = Path(__file__).with_name("wording.yaml")
_PIECE = re.compile(r"\{([a-z]+)(?:_([0-9]{1,2}))?\}|([A-Za-z]+)|([ ,.;:()]+)|(.)", re.DOTALL)
_SLOTS = ("claim", "interval", "proof", "age")


@cache
def allowed_words() -> frozenset[str]:
    """Every word that may stand beside the placeholders."""
    return frozenset(yaml_text.read(_WORDS)["words"])


def fault_of(text: str, evidence: int) -> str | None:
    """Why a text cannot stand, or None if it can.

    Args:
        text: A sentence with placeholders; those of several pieces of evidence are numbered from 1 as they are cited.
        evidence: How many pieces of evidence it cites.
    """
    if not text.strip() or len(text) > LONGEST:
        return f"needs 1 to {LONGEST} characters"
    return next(_faults(text, evidence), None)


def _faults(text: str, evidence: int) -> Iterator[str]:
    current = 0
    told: set[tuple[str, int]] = set()
    for name, number, word, _, strange in (match.groups() for match in _PIECE.finditer(text)):
        if strange is not None:
            yield f"holds a sign that is not allowed (U+{ord(strange):04X})"
        if word is not None and word.lower() not in allowed_words():
            yield f"holds a word that is not allowed ({word[:20]})"
        if name is None:
            continue
        place = int(number) if number else (1 if evidence == 1 else 0)
        if name not in _SLOTS or not 1 <= place <= evidence:
            yield f"has no such placeholder ({name}{'_' + number if number else ''})"
        current = place if name == "claim" else current
        if place != current:
            yield f"parts {name} from its claim"
        if (name, place) in told:
            yield f"repeats {name}"
        told.add((name, place))
    missing = [place for place in range(1, evidence + 1) if ("claim", place) not in told]
    if missing:
        yield f"does not state the claim of evidence {missing[0]}"


def filled(text: str, phrases: Sequence[Phrases]) -> str:
    """A text that has no fault with its placeholders filled in, as a sentence."""

    def phrase(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        return str(getattr(phrases[int(match[2] or 1) - 1], match[1]))

    sentence = " ".join(_PIECE.sub(phrase, text).split())
    return sentence[:1].upper() + sentence[1:] + ("" if sentence.endswith(".") else ".")
