"""Keyed pseudonyms of people, computed inside the warehouse with a key that lives outside it.

HMAC-SHA256 (RFC 2104): a plain digest of an address or a small number could be undone by trying them all.
"""

import hashlib
import os
import secrets
from pathlib import Path

import duckdb

from orchestration.errors import Refusal

VARIABLE = "LOOP_PSEUDONYM_KEY"
_BLOCK = 64


def pseudonym_key(folder: Path) -> bytes:
    """The key: ``LOOP_PSEUDONYM_KEY``, else ``<folder>/pseudonym.key``, which is made the first time (mode 0600).

    Raises:
        Refusal: if the key is empty, or its file cannot be read or made.
    """
    if VARIABLE in os.environ:
        return _not_empty(os.environ[VARIABLE].strip().encode(), VARIABLE)
    path = folder / "pseudonym.key"
    try:
        if not path.exists():
            _make(path)
        return _not_empty(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise Refusal(
            str(path), f"cannot be read or made ({error.strerror})", f"Mend it, or set {VARIABLE}."
        ) from error


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


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, path)  # fails where another process was first; its key holds
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def _not_empty(key: bytes, subject: str) -> bytes:
    if not key:
        raise Refusal(
            subject, "is an empty key", f"Put the key back, or set {VARIABLE}; another key makes other people of them."
        )
    return key
