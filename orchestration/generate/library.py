"""Every text a program ever had, so that nothing near to one is written again."""

import re
from collections.abc import Iterable

from rapidfuzz import fuzz, process

_SIGNS = re.compile(r"[\W_]+")
_FIGURES = re.compile(r"\d+")


class Library:
    """Texts by what is left of them without case, signs and the values of figures.

    Args:
        likeness: From 0 to 1, where two texts count as repeats of each other (Indel similarity of sorted words).
    """

    def __init__(self, texts: Iterable[str], likeness: float) -> None:
        self._texts = {text: plain(text) for text in texts}
        self._cutoff = likeness * 100

    def near(self, text: str, *, except_near: str | None = None) -> str | None:
        """The past text that this one nearly repeats, or None.

        Args:
            except_near: A text it is meant to be close to; what is near that one does not count.
        """
        mine = plain(text)
        exempt = None if except_near is None else plain(except_near)
        if exempt is None:
            found = process.extractOne(mine, self._texts, scorer=fuzz.token_sort_ratio, score_cutoff=self._cutoff)
            return None if found is None else str(found[2])
        matches = process.extract(
            mine, self._texts, scorer=fuzz.token_sort_ratio, score_cutoff=self._cutoff, limit=None
        )
        others = (str(key) for other, _, key in matches if fuzz.token_sort_ratio(exempt, other) < self._cutoff)
        return next(others, None)


def plain(text: str) -> str:
    """A text as likeness is measured: two that differ in a figure's value alone are the same."""
    return " ".join(_SIGNS.sub(" ", _FIGURES.sub("0", text.casefold())).split())


def likeness(text: str, other: str) -> float:
    """How alike two texts are, from 0 to 1, word for word in their order."""
    return fuzz.ratio(plain(text), plain(other)) / 100
