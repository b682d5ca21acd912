"""Keyed pseudonyms of people, computed inside the warehouse with a key that lives outside it.

HMAC-SHA256 (RFC 2104): a plain digest of an address or a small number could be undone by trying them all.
"""

import hashlib
from pathlib import Path

import duckdb

from orchestration.edges.keys import held_key

VARIABLE = "LOOP_PSEUDONYM_KEY"
_BLOCK = 64


def pseudonym_key(folder: Path) -> bytes:
    """The key: ``LOOP_PSEUDONYM_KEY``, else ``<folder>/pseudonym.key``, which is made the first time (mode 0600).

    Raises:
        Refusal: if the key is empty, or its file cannot be read or made.
    """
    return held_key(folder, "pseudonym.key", VARIABLE, loss="another key makes other people of them")


def hold_key(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Lets the connection compute pseudonyms; as variables, because a query's text may end in an error message."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    for name, pad in (("pseudonym_inner", 0x36), ("pseudonym_outer", 0x5C)):
        connection.execute(f"set variable {name} = ?", [bytes(byte ^ pad for byte in block)])


def pseudonym(text: str) -> str:
    """SQL that turns text into its pseudonym, 64 hexadecimal digits; null stays null.

    Args:
        text: A SQL expression of type varchar, on a connection that holds the key.
    """
    inner = f"unhex(sha256(getvariable('pseudonym_inner') || encode({text})))"
    return f"sha256(getvariable('pseudonym_outer') || {inner})"
