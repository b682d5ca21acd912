"""How a text is read before any tag is looked for: what a reader sees, without what machines put into it."""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_STRAIGHT = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u00b4\u02bc", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u300c\u300d\u300e\u300f", '"')
    | {"\u037e": "?"}  # the Greek question mark, which NFKC would turn into a semicolon
)
# Pictographs of https://www.unicode.org/Public/emoji/; ornamental quotes, brackets and digits of Dingbats are left out.
_EMOJI = re.compile(
    "[\U0001f000-\U0001f0ff\U0001f170-\U0001f1ff\U0001f200-\U0001f265\U0001f300-\U0001f64f\U0001f680-\U0001f6ff"
    "\U0001f7e0-\U0001f7ff\U0001f900-\U0001faff\u2600-\u275a\u2761-\u2767\u2795-\u27be\u231a-\u231b\u2328\u23cf\u23e9-\u23fa"
    "\u25b6\u25c0\u25fb-\u25fe\u2934-\u2935\u2b05-\u2b07\u2b1b-\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299\u20e3]|.\ufe0f(?!\u20e3)",
)
_LINK = re.compile(
    r"\bhttps?://\S+|\bwww\.\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.\S{1,200}"
    r"|\b[\w-]{1,63}\.(?:com|org|net|io|co|gov|edu|info|shop|dev|uk|de|fr)\b(?:[/?#]\S*)?",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"\.\w")
_WORD = re.compile(r"(?:[^\W\d_]\.){2,}|[^\W_]+(?:'[^\W_]+)*")
_ENDING = re.compile(r"(?<=\w)'(?:re|ve|ll|d|m|s)$")
_SENTENCE_END = re.compile(r"""[.!?](?=["')]?(?:\s|$))|[\u3002\uff01\uff1f]""")
_KEPT_WHOLE = frozenset({"let's"})


@dataclass(frozen=True, slots=True)
class SeenText:
    """A text as its reader sees it.

    Attributes:
        folded: Lower case, one kind of quotes, single spaces, neither links nor emoji.
        written: Words in the case they were written in.
        words: Words to look up: lower case, without endings such as 're or 's.
        sentences: How many there are; 0 only for a text without content.
        has_emoji: Whether a pictograph was seen.
    """

    folded: str
    written: tuple[str, ...]
    words: tuple[str, ...]
    sentences: int
    has_emoji: bool

    @property
    def is_empty(self) -> bool:
        """True when nothing is left to read, not even an emoji."""
        return not self.folded and not self.has_emoji


def see(text: str, acronyms: frozenset[str] = frozenset()) -> SeenText:
    """Reads a text of any script and any length, in linear time.

    Args:
        text: What was published; HTML entities may still be escaped.
        acronyms: Words in capitals that are names unless all is in capitals (US is not us); they keep their capitals.
    """
    plain = html.unescape(text)
    plain, emoji_found = (plain, 0) if plain.isascii() else _EMOJI.subn(" ", plain)
    if not (plain.isascii() and plain.isprintable()):
        plain = unicodedata.normalize("NFKC", plain.translate(_STRAIGHT))
        plain = "".join(_visible(plain)).translate(_STRAIGHT)
    if "://" in plain or _DOTTED.search(plain):  # most texts have no link, and the search for one is slow
        plain = _LINK.sub(" ", plain)
    plain = " ".join(plain.split())
    written = tuple(_WORD.findall(plain))
    keeps_capitals = acronyms if any(map(str.islower, plain)) else frozenset[str]()
    return SeenText(
        folded=plain.casefold(),
        written=written,
        words=tuple(word if word in keeps_capitals else looked_up(word) for word in written),
        sentences=_sentences(plain),
        has_emoji=emoji_found > 0,
    )


def looked_up(word: str) -> str:
    """The form under which a lexicon knows a word: ``You're`` is ``you``, ``won't`` stays whole."""
    folded = word.casefold()
    return folded if "'" not in folded or folded in _KEPT_WHOLE else _ENDING.sub("", folded)


def _visible(text: str) -> Iterator[str]:
    """Drops zero-width, bidirectional and other format characters; control characters become spaces."""
    for character in text:
        category = unicodedata.category(character)
        if category == "Cf":
            continue
        yield " " if category in {"Cc", "Cs", "Co"} else character


def _sentences(plain: str) -> int:
    if not plain:
        return 0
    ends = [match.end() for match in _SENTENCE_END.finditer(plain)]
    return len(ends) + 1 if not ends or any(letter.isalnum() for letter in plain[ends[-1] :]) else len(ends)
