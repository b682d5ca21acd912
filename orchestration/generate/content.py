"""What screening finds in a text: links, personal data, figures, claims and traces of a prompt. It finds; policy judges."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from orchestration.edges import yaml_text

_FILE = Path(__file__).with_name("content.yaml")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_BEFORE = r"(?<![a-z0-9_])"  # letters of other scripts run into an address without a blank
_LABELS = r"(?<![\w@])(?:[\w-]{1,63}\.)+"
_SCHEME = rf"{_BEFORE}(?:h(?:tt|xx)ps?|ftps?|mailto|javascript):\S+|{_BEFORE}www\.\S+"
_WITH_PATH = rf"{_LABELS}[a-z]{{2,24}}/\S+"
_FULL_STOP = str.maketrans({"\u3002": "."})  # the ideographic one, which browsers take for a dot
_PERSONAL = {
    "email": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63}"),
    "phone": re.compile(r"(?<![\w.])\+?\d(?:[ ()./-]?\d){8,14}(?!\w)"),
    "iban": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "ip_address": re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
}
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_MARKUP = re.compile(r"</?[a-z!][^>]{0,200}>|&[a-z]{2,8};|&#x?[0-9a-f]{1,6};|[{}`]|<\||\|>|\]\(|\*\*", re.IGNORECASE)
# What a mailing tool fills in: *|FNAME|*, %name%, %%name%%, __name__, [[name]], [First Name]; {name} and <name> are markup.
_MERGE_FIELD = re.compile(
    r"\*\|[^|]{0,60}\|\*|(?<!\d)%{1,2}[a-z][\w.]{0,40}%|##[\w .]{1,40}##|(?<!\w)__\w{1,40}?__|\[\[[^\]]{0,60}\]\]"
    r"|\[[^\[\]]{0,30}(?:\b|_)(?:first|last|sur|fore|full|user|f|l)?-?(?:name|vorname|nachname|pr\u00e9nom|prenom|nombre|nome|insert)"
    r"(?:\b|_)[^\[\]]{0,30}\]|\[\w+_\w+\]"
    r"|\[(?:your |the )?(?:recipient|customer|subscriber|company|city|product|brand|e-?mail|url|link|code|date)(?: here)?\]",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"\b(?=[IVXLCDM]{2})M{0,3}(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})\b")
_NOT_ROMAN = frozenset({"CD", "CV", "DC", "DI", "LI", "MC", "MD", "MI", "XL", "XXL"})
_LATIN = re.compile(
    r"LATIN (?:SMALL |CAPITAL )?LETTER (?:(?:SMALL CAPITAL|DOTLESS|SCRIPT|OPEN|TURNED|REVERSED) )*([A-Z])(?: WITH .+)?"
)
_LIKE = {"LATIN SMALL LETTER ALPHA": "a", "LATIN SMALL LETTER IOTA": "i", "LATIN SMALL LETTER SCHWA": "e"}
_SIGNS_IN_WORDS = re.compile(r"(?<=[a-z])[0134578@$!|\u00a1]+(?=[a-z])")
_AS_LETTERS = str.maketrans("0134578@$!|\u00a1", "oieastbasiii")
_SHARED_WORDS = 7  # as many words in a row as the prompt has are no accident


@dataclass(frozen=True, slots=True)
class _Lists:
    banned_claims: tuple[str, ...]
    leakage: tuple[str, ...]
    number_words: frozenset[str]
    domains: tuple[str, ...]
    version: str


def links(text: str) -> list[str]:
    """Addresses of pages, in the order of the text: with a scheme, with a path, or with a top-level domain of the list.

    Mail programs make links of them all, also where somebody forgot the blank after a full stop.
    """
    return _link().findall(_PERSONAL["email"].sub(" ", _plain(text)))


def personal_data(text: str) -> list[str]:
    """Kinds of personal data: email, phone, card, iban, ip_address."""
    plain = _plain(text)
    found = [kind for kind, pattern in _PERSONAL.items() if pattern.search(plain)]
    if any(_is_card(match.group()) for match in _CARD.finditer(plain)):
        found.append("card")
    return sorted(found)


def banned_claims(text: str) -> list[str]:
    """Phrases of the list of banned claims, also with figures and signs in the place of letters."""
    claims, folded = _lists().banned_claims, _folded(text)
    disguised = _phrases(_SIGNS_IN_WORDS.sub(lambda signs: signs.group().translate(_AS_LETTERS), folded), claims)
    plain = _phrases(folded, claims)
    return [claim for claim in claims if claim in plain or claim in disguised]


def leakage(text: str, prompt: str | None, tags: Iterable[str]) -> list[str]:
    """Markup, unfilled fields, words of the conversation with a model, names of tags, and runs of words that the prompt has too.

    Args:
        prompt: What the model was told, without the texts it was to stay close to; None where nobody was asked.
        tags: Names that no reader should see; those that are plain words do not count.
    """
    plain = _plain(text)
    found = [match.group()[:20] for pattern in (_MARKUP, _MERGE_FIELD) for match in pattern.finditer(plain)]
    found += _phrases(_folded(text), _lists().leakage)
    found += [tag for tag in tags if "_" in tag and tag in text.casefold()]
    if prompt is not None:
        known = _known_runs(prompt)
        found += [" ".join(run) for run in _runs(text) if run in known][:1]
    return list(dict.fromkeys(found))


def figures(text: str) -> list[str]:
    """Every figure: digits of any script, roman and circled ones, and number words; in the order of the text."""
    plain = unicodedata.normalize("NFKC", text)
    found = [sign for sign in text if unicodedata.category(sign) in {"Nl", "No"}]  # before they are folded into letters
    found += [word for word in _ROMAN.findall(plain) if word not in _NOT_ROMAN]
    digits = ""
    for character in plain:
        if character.isdecimal():
            digits += str(unicodedata.decimal(character))
            continue
        if digits:
            found.append(digits)
            digits = ""
        if character.isnumeric():
            found.append(character)
    found += [digits] if digits else []
    words = _lists().number_words
    folded = _folded(text)
    spoken = [word for word in _WORD.findall(folded) if word in words]
    return (
        found + spoken + (["per cent"] if "per cent" in folded else []) + (["%"] if "%" in plain and not found else [])
    )


def unsupported_figures(text: str, facts: Sequence[str]) -> list[str]:
    """Figures of a text that none of the facts has."""
    known = {figure for fact in facts for figure in _known_figures(fact)}
    return [figure for figure in dict.fromkeys(figures(text)) if figure not in known]


def foreign_scripts(text: str, samples: Sequence[str]) -> list[str]:
    """Scripts of a text's letters that none of the samples is written in; look-alikes of other alphabets show here."""
    known = {script for sample in samples for script in _known_scripts(sample)} | {"LATIN"}
    return sorted(_scripts(text) - known)


def invisible_signs(text: str) -> list[str]:
    """Control and format characters other than line ends and what joins emoji: they hide or reorder what is read."""
    hidden = {sign for sign in text if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Co", "Cn"}}
    return sorted(f"U+{ord(sign):04X}" for sign in hidden - {"\n", "\u200d"})


def disclosures_missing(text: str, required: Sequence[str]) -> list[str]:
    """Disclosures that the text does not carry."""
    folded = _folded(text)
    return [phrase for phrase in required if _folded(phrase) not in folded]


def rules_version() -> str:
    """Digest of the lists."""
    return _lists().version


def _is_card(text: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1)."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return len(digits) >= 13 and sum(doubled) % 10 == 0


def _phrases(folded: str, phrases: Iterable[str]) -> list[str]:
    words = " ".join(_WORD.findall(folded))
    signs = " ".join(re.sub(r"\s*%", "% ", folded).split())
    return [phrase for phrase in phrases if f" {phrase} " in f" {words} " or ("%" in phrase and phrase in signs)]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_FULL_STOP)


@lru_cache(maxsize=32)
def _known_runs(prompt: str) -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(prompt))


def _runs(text: str) -> list[tuple[str, ...]]:
    words = _WORD.findall(_folded(text))
    return [tuple(words[at : at + _SHARED_WORDS]) for at in range(len(words) - _SHARED_WORDS + 1)]


def _folded(text: str) -> str:
    """Lower case without accents, with straight quotes, and with plain letters in the place of those that look like them."""
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'").replace("\u2018", "'")).casefold()
    kept = (sign for sign in plain if not unicodedata.combining(sign) and unicodedata.category(sign) != "Cf")
    return "".join(sign if sign.isascii() else _look_of(sign) for sign in kept)


@lru_cache(maxsize=4096)
def _look_of(sign: str) -> str:
    """The plain Latin letter that a Latin letter looks like; every other sign is itself. Other alphabets show as scripts."""
    name = unicodedata.name(sign, "")
    latin = _LATIN.fullmatch(name)
    return latin[1].lower() if latin else _LIKE.get(name, sign)


@cache
def _link() -> re.Pattern[str]:
    lists = _lists()
    # Digits alone before two letters are a time or the end of a sentence: 9.30am, No. 1.In
    domain = rf"(?!(?:\d+\.)+[a-z]{{2}}(?![\w./])){_LABELS}(?:{'|'.join(lists.domains)}|xn--[a-z0-9-]+)(?![a-z0-9_\u00c0-\u024f])"
    return re.compile(rf"{_SCHEME}|{_WITH_PATH}|{domain}(?:[/?#]\S*|:\d\S*)?", re.IGNORECASE)


@lru_cache(maxsize=256)
def _known_figures(fact: str) -> tuple[str, ...]:
    return tuple(figures(fact))


@lru_cache(maxsize=256)
def _known_scripts(sample: str) -> frozenset[str]:
    return _scripts(sample)


def _scripts(text: str) -> frozenset[str]:
    """First words of the Unicode names of a text's letters; those of ASCII are known without looking."""
    letters = {letter for letter in unicodedata.normalize("NFKC", text) if letter.isalpha()}
    return frozenset(
        "LATIN" if letter.isascii() else unicodedata.name(letter, "UNKNOWN").split()[0] for letter in letters
    )


@cache
def _lists() -> _Lists:
    content = yaml_text.read(_FILE)
    return _Lists(
        tuple(_folded(phrase) for phrase in content["banned_claims"]),
        tuple(_folded(phrase) for phrase in content["leakage"]),
        frozenset(_folded(word) for word in content["number_words"]),
        tuple(re.escape(domain) for domain in content["top_level_domains"].split()),
        hashlib.sha256(_FILE.read_bytes()).hexdigest(),
    )
