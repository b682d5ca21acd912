"""How a text is built, whatever its language: lengths, punctuation, figures, capitals."""

import html
import re
import unicodedata

import numpy as np

_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"'})
_COUNTED = (",", ".", "?", "!", ":", "-", "(", "...")
_ENDS = tuple(".!?\u3002\u061f")
_LONG_WORD = 7  # letters

SHAPES = 14 + len(_COUNTED)


def tidy(text: str) -> str:
    """One spelling of what a reader sees: entities, quotes, widths and white space made equal."""
    plain = unicodedata.normalize("NFKC", html.unescape(text)).translate(_QUOTES)
    return re.sub(r"\s+", " ", plain).strip()


def shape(text: str) -> tuple[float, ...]:
    """Measures of a tidy text, ``SHAPES`` of them, all 0 where it has no word; counts are logs of 1 + count."""
    words = text.split()
    if not words:
        return (0.0,) * SHAPES
    bare = [re.sub(r"\W+", "", word).lower() for word in words]
    lengths = [len(word) for word in bare]
    counts = [
        len(text),
        len(words),
        max(lengths),
        sum(length >= _LONG_WORD for length in lengths),
        sum(word.isupper() and len(word) > 1 for word in words),
        sum(character.isdigit() for character in text),
        text.count('"') + text.count("'"),
        len(re.findall(r"[.!?\u3002\u061f]+", text)),
        *(text.count(mark) for mark in _COUNTED),
    ]
    shares = (
        len(text) / len(words),
        sum(word[0].isupper() for word in words) / len(words),
        len(set(bare)) / len(words),
        sum(lengths) / len(words),
        float(words[0][0].isdigit()),
        float(text.endswith(_ENDS)),
    )
    return (*np.log1p(counts).tolist(), *shares)
