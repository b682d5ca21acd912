"""What becomes of people's fields: keyed pseudonyms, withheld addresses, and originals that only the key opens.

Which field is whose is said by the contract's privacy tags; this module turns tags into SQL.
"""

import base64
import hashlib
import json
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestration.errors import Refusal
from orchestration.measure.contracts import Contract
from orchestration.measure.pseudonyms import pseudonym
from orchestration.measure.reading import literal

WITHHELD = "(address withheld)"
_ADDRESS = r"[A-Za-z0-9._+\-]+(@|%40)[A-Za-z0-9\-]+([.][A-Za-z0-9\-]+)+"
_NONCE = 12
_FEW = 4  # names that are looked for faster one by one than by one expression


def looks_like_address(text: str) -> str:
    """SQL that holds where text has an e-mail address in it, and is never null; a case, because `and` would match every text."""
    matches = f"regexp_matches({text}, {literal(_ADDRESS)})"
    return f"case when contains({text}, '@') or contains({text}, '%40') then {matches} else false end"


def without_addresses(text: str) -> str:
    """SQL text with the e-mail addresses in it withheld."""
    replaced = f"regexp_replace({text}, {literal(_ADDRESS)}, {literal(WITHHELD)}, 'g')"
    return f"case when contains({text}, '@') or contains({text}, '%40') then {replaced} else {text} end"


def opaque_id(text: str, *, is_opaque: bool) -> str:
    """SQL of a person's id as it may be stored: its pseudonym; an id that is opaque already stays, unless it is an address."""
    return (
        f"case when {looks_like_address(text)} then {pseudonym(text)} else {text} end" if is_opaque else pseudonym(text)
    )


def hidden(document: str, field: str, contract: Contract, *, is_opaque: bool) -> str:
    """SQL of a JSON object with its people hidden: tagged fields replaced by pseudonyms, addresses elsewhere withheld.

    One look with a regular expression spares the many objects in which there is nothing to hide.

    Args:
        document: A column of JSON, or of its text, null where there is none.
        field: The contract's field that it is, such as ``properties``.
        is_opaque: Ids of other people in it become what :func:`opaque_id` makes of the event's own, so that they name the same people.
    """
    paths = _people_in(field, contract, "person", "address", "id")
    ids = _people_in(field, contract, "id")
    places = ["$." + ".".join(f'"{key}"' for key in path) for path in paths]
    listed = ", ".join(map(literal, places))
    values = {}
    for number, (path, place) in enumerate(zip(paths, places, strict=True), 1):
        text = f"json_extract_string({document}, [{listed}])[{number}]"
        as_it_is = f"json_extract({document}, {literal(place)})"  # a number stays one
        kept = f"case when {looks_like_address(text)} then to_json({pseudonym(text)}) else {as_it_is} end"
        if path in ids:
            values[path] = kept if is_opaque else pseudonym(f"nullif({text}, '')")
        else:
            values[path] = pseudonym(text)
    suspicion = may_name_people(document, field, contract, is_opaque=is_opaque)
    clean = without_addresses(f"cast(json_merge_patch({document}, {_patch(document, values)}) as varchar)")
    return f"case when {suspicion} then cast({clean} as json) else cast({document} as json) end"


def may_name_people(document: str, field: str, contract: Contract, *, is_opaque: bool) -> str:
    """SQL that holds wherever :func:`hidden` might change a JSON object."""
    tags = ("person", "address") if is_opaque else ("person", "address", "id")
    keys = sorted({path[0] for path in _people_in(field, contract, *tags)})
    if len(keys) > _FEW:
        # Apart from the rest, because an expression that begins with one sure sign is searched for twice as fast.
        pattern = '"(' + "|".join(map(re.escape, keys)) + ')"'
        # Extracted, because DuckDB matches every row anew, and extracts once from each text of a column's dictionary.
        named = [f"regexp_extract({document}, {literal(pattern)}) <> ''"]
    else:  # without the quote before them, of which there are many: a search goes by its first sign
        named = [f"contains({document}, {ending})" for ending in (literal(f'{key}"') for key in keys)]
    return " or ".join([f"contains({document}, '@')", f"contains({document}, '%40')", *named])


def _people_in(field: str, contract: Contract, *tags: str) -> list[tuple[str, ...]]:
    return [path[1:] for path in contract.tagged(*tags) if path[0] == field and len(path) > 1]


def _patch(document: str, values: dict[tuple[str, ...], str], inside: tuple[str, ...] = ()) -> str:
    """SQL of the object to merge in (RFC 7396): a null takes out what is absent or null anyway."""
    fields = []
    for key in dict.fromkeys(path[0] for path in values):
        below = {path[1:]: value for path, value in values.items() if path[0] == key and len(path) > 1}
        if below:
            where = literal("$." + ".".join(f'"{part}"' for part in (*inside, key)))
            is_there = f"json_type({document}, {where}) = 'OBJECT'"
            fields.append(f"{literal(key)}, case when {is_there} then {_patch(document, below, (*inside, key))} end")
        else:
            fields.append(f"{literal(key)}, {values[(key,)]}")
    return f"json_object({', '.join(fields)})"


class Seal:
    """Keeps originals so that only the holder of the pseudonyms' key reads them (AES-GCM)."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"quarantine\0" + key).digest())

    def close(self, original: bytes) -> str:
        """Text that says nothing without the key."""
        nonce = os.urandom(_NONCE)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, original, None)).decode("ascii")

    def open(self, sealed: str) -> bytes:
        """The original.

        Raises:
            Refusal: if it was sealed under another key, or is damaged.
        """
        data = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(data[:_NONCE], data[_NONCE:], None)
        except InvalidTag as error:
            raise Refusal(
                "quarantined row", "was sealed under another key", "Set LOOP_PSEUDONYM_KEY to the key of then."
            ) from error

    def payload(self, original: bytes) -> str:
        """The original as the JSON of a quarantined row."""
        return json.dumps({"sealed": self.close(original)})
