"""How many school years a text asks of its reader: Flesch-Kincaid, with syllables counted by groups of vowels."""

import re

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_END = re.compile(r"[.!?]+(?:\s|$)")
_VOWELS = re.compile(r"[aeiouy\u00e0-\u00ff]+")
FEWEST_WORDS = 8  # below, one long word decides everything


def reading_level(text: str) -> float | None:
    """School years (US grade) by Kincaid et al., Research Branch Report 8-75 (1975); None for a text too short to tell."""
    words = _WORD.findall(text.casefold())
    if len(words) < FEWEST_WORDS:
        return None
    sentences = max(1, len(_END.findall(text.strip() + " ")))
    syllables = sum(map(_syllables, words))
    return round(0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59, 1)


def _syllables(word: str) -> int:
    groups = len(_VOWELS.findall(word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)
