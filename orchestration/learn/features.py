"""What a text looks like to the predictor: blocks of features, and how alike two texts are in each.

``tags`` are interpretable properties and the text's shape, ``words`` and ``chars`` are TF-IDF of word and character
n-grams, ``meaning`` is an optional embedding, and ``joint`` is high only where two texts are alike in all of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from orchestration.learn.embeddings import Embedder
from orchestration.learn.shape import SHAPES, shape, tidy

Floats = npt.NDArray[np.float64]
BLOCKS = ("tags", "words", "chars", "meaning", "joint")

_WORD = r"(?u)\b\w[\w']*|[^\w\s]"
_FULL_VOCABULARY_UP_TO = 200  # texts; below that a word seen once may be half of what is known
# Exponents of the joint block per unit of each block's squared distance: forward chaining inside the headline archive
# up to June 2014 is flat around these values.
_JOINT = {"tags": 0.1, "words": 0.35, "chars": 0.35, "meaning": 0.7}


class Tagger(Protocol):
    """The part of a taxonomy the predictor needs."""

    @property
    def names(self) -> Sequence[str]:
        """Every tag there is, in a fixed order."""
        ...

    def extract(self, text: str) -> frozenset[str]:
        """Tags one text shows."""
        ...


@dataclass(frozen=True, slots=True)
class Features:
    """Measured texts, one row each.

    Attributes:
        tags: Standardised tags and shape, shape (n, p), rows scaled so that a typical squared length is 1.
        words: TF-IDF of word n-grams, rows of length 1 or 0.
        chars: TF-IDF of character n-grams, rows of length 1 or 0.
        meaning: Embeddings of length 1, or None without an embedder.
    """

    tags: Floats
    words: Any
    chars: Any
    meaning: Floats | None

    def rows(self, index: npt.NDArray[np.intp]) -> "Features":
        """The same features for a selection of texts."""
        meaning = None if self.meaning is None else self.meaning[index]
        return Features(self.tags[index], self.words[index], self.chars[index], meaning)


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """How texts are measured: vocabulary, weights and scales, all learned from past texts alone."""

    tagger: Tagger
    tag_names: tuple[str, ...]
    words: Any
    chars: Any
    embedder: Embedder | None
    tag_scale: tuple[Floats, Floats]
    meaning_scale: tuple[Floats, Floats]

    @classmethod
    def fit(
        cls, texts: Sequence[str], given: Sequence[frozenset[str]], tagger: Tagger, embedder: Embedder | None
    ) -> tuple[Self, Features]:
        """Learns vocabulary and scales, and measures the texts they came from.

        Args:
            texts: Past texts.
            given: Tags somebody gave each text beyond what extraction finds; a tag unknown to the taxonomy counts too.
        """
        # The empty text keeps the vocabulary from being empty where people gave tags and no texts.
        cleaned = [_marked(tidy(text)) for text in [*texts, " "]]
        common = len(set(cleaned)) > _FULL_VOCABULARY_UP_TO
        words = TfidfVectorizer(
            ngram_range=(1, 2),
            min_df=2 if common else 1,
            sublinear_tf=True,
            token_pattern=_WORD,
        ).fit(cleaned)
        chars = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), min_df=3 if common else 1, sublinear_tf=True
        ).fit(cleaned)
        names = tuple(sorted(set(tagger.names).union(*given)))
        raw = _raw_tags(texts, given, tagger, names)
        meanings = None if embedder is None else embedder.embed([tidy(text) for text in texts])
        blank = np.zeros((1, 0)) if meanings is None else meanings
        space = cls(tagger, names, words, chars, embedder, _scale(raw), _scale(blank))
        return space, space._features(texts, raw, meanings)

    def measure(self, texts: Sequence[str], given: Sequence[frozenset[str]]) -> Features:
        """Measures texts of any script; given tags this space has not seen are ignored."""
        raw = _raw_tags(texts, given, self.tagger, self.tag_names)
        meanings = None if self.embedder is None else self.embedder.embed([tidy(text) for text in texts])
        return self._features(texts, raw, meanings)

    def _features(self, texts: Sequence[str], raw: Floats, meanings: Floats | None) -> Features:
        marked = [_marked(tidy(text)) for text in texts]
        tags = np.clip(_standard(raw, self.tag_scale), -3, 3) / np.sqrt(raw.shape[1])
        meaning = None if meanings is None else _directions(_standard(meanings, self.meaning_scale))
        return Features(tags, self.words.transform(marked), self.chars.transform(marked), meaning)


def similarity(left: Features, right: Features) -> dict[str, Floats]:
    """How alike each text on the left is to each on the right, per block.

    Returns:
        A matrix of shape (left, right) per name in ``BLOCKS``; without embeddings there is no ``meaning``.
    """
    inner = {"tags": left.tags @ right.tags.T}
    inner["words"] = np.asarray((left.words @ right.words.T).todense())
    inner["chars"] = np.asarray((left.chars @ right.chars.T).todense())
    exponent = np.zeros_like(inner["tags"])
    for block in ("tags", "words", "chars"):
        exponent += _JOINT[block] * _squared_distance(getattr(left, block), getattr(right, block), inner[block])
    if left.meaning is not None and right.meaning is not None:
        distance = _squared_distance(left.meaning, right.meaning, left.meaning @ right.meaning.T)
        inner["meaning"] = np.exp(-distance)
        exponent += _JOINT["meaning"] * distance
    inner["joint"] = np.exp(-exponent)
    return inner


def _marked(text: str) -> str:
    """Marks both ends, because how a headline opens and closes matters more than its middle."""
    return f"\x02 {text} \x03"


def _raw_tags(texts: Sequence[str], given: Sequence[frozenset[str]], tagger: Tagger, names: tuple[str, ...]) -> Floats:
    found = [tagger.extract(text) | extra for text, extra in zip(texts, given, strict=True)]
    tags = np.array([[name in tags for name in names] for tags in found], dtype=float).reshape(len(texts), len(names))
    return np.hstack([tags, np.array([shape(tidy(text)) for text in texts]).reshape(len(texts), SHAPES)])


def _squared_distance(left: Any, right: Any, inner: Floats) -> Floats:
    return np.maximum(_squared_length(left)[:, None] + _squared_length(right)[None, :] - 2 * inner, 0.0)


def _squared_length(rows: Any) -> Floats:
    if sparse.issparse(rows):
        return np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return np.asarray(np.einsum("ij,ij->i", rows, rows))


def _scale(raw: Floats) -> tuple[Floats, Floats]:
    return raw.mean(0), np.maximum(raw.std(0), 1e-6)


def _standard(raw: Floats, scale: tuple[Floats, Floats]) -> Floats:
    centre, spread = scale
    return (raw - centre) / spread


def _directions(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=float)
