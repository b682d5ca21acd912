"""Addresses of people, asked for at the moment of sending and kept nowhere: the warehouse knows pseudonyms only.

``LOOP_ADDRESSES`` names a CSV or Parquet file with the columns ``user_id`` and ``address``, or a command (``command: my-lookup``) that
gets one id per line and answers with one JSON object per line, ``{"user_id": ..., "address": ...}``. Ids are those of the warehouse,
or the plain ids from which the warehouse's pseudonyms were made.
"""

import hashlib
import hmac
import json
import os
import shlex
import subprocess
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import duckdb

from orchestration.errors import Refusal

VARIABLE = "LOOP_ADDRESSES"
_COMMAND = "command:"
_PATIENCE_SECONDS = 120

Resolver = Callable[[Collection[str]], dict[str, str]]


def addresses_from(source: str, pseudonym_key: bytes | None = None) -> Resolver:
    """A function from ids of the warehouse to the addresses that are known.

    Args:
        source: A file, or a command after ``command:``.
        pseudonym_key: Lets the source be keyed by plain ids as well.

    Raises:
        Refusal: (also when the function is called) if the source is not there, cannot be read, or contradicts itself.
    """
    if source.startswith(_COMMAND):
        words = shlex.split(source.removeprefix(_COMMAND))
        if not words:
            raise Refusal(VARIABLE, "names no command", "Write it after `command:`.")
        return lambda wanted: _matched(_answers(words, wanted), wanted, pseudonym_key)
    path = Path(source)
    if not path.is_file():
        raise Refusal(str(path), "is no file", f"Set {VARIABLE} to a CSV or Parquet file, or to `command: ...`.")
    return lambda wanted: _matched(_rows(path), wanted, pseudonym_key)


def configured_addresses(pseudonym_key: bytes | None) -> Resolver:
    """The resolver of the environment.

    Raises:
        Refusal: if there is none.
    """
    source = os.environ.get(VARIABLE, "")
    if not source:
        raise Refusal(VARIABLE, "is not set, so there are no addresses", "Set it to a file or a `command: ...`.")
    return addresses_from(source, pseudonym_key)


def _matched(rows: Iterable[tuple[str, str]], wanted: Collection[str], key: bytes | None) -> dict[str, str]:
    found: dict[str, str] = {}
    names = wanted if isinstance(wanted, set | frozenset | dict) else set(wanted)
    for user_id, address in rows:
        own = (user_id, hmac.digest(key, user_id.encode(), hashlib.sha256).hex()) if key else (user_id,)
        for name in own:
            if name not in names:
                continue
            if found.setdefault(name, address) != address:
                raise Refusal(f"person {name}", "has two addresses", "Give each person one row.")
    return found


def _rows(path: Path) -> Iterable[tuple[str, str]]:
    read = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    options = "" if path.suffix == ".parquet" else ", all_varchar = true, header = true"
    with duckdb.connect() as connection:
        try:
            cursor = connection.execute(
                f"""
                select cast(user_id as varchar), trim(cast(address as varchar)) from {read}(?{options})
                where user_id is not null and trim(cast(address as varchar)) <> ''
                """,
                [str(path)],
            )
            while rows := cursor.fetchmany(50_000):
                yield from rows
        except duckdb.Error as error:
            reason = "cannot be read as a table with the columns user_id and address"
            raise Refusal(str(path), reason, "Mend the file; nothing was sent to anybody it names.") from error


def _answers(words: list[str], wanted: Collection[str]) -> Iterable[tuple[str, str]]:
    asked = "".join(f"{user_id}\n" for user_id in wanted)
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            words, input=asked, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal(words[0], f"cannot be asked for addresses ({type(error).__name__})", "Mend it.") from error
    if done.returncode != 0:
        raise Refusal(words[0], f"ended with {done.returncode} when asked for addresses", "Run it by hand to see why.")
    try:
        for line in filter(None, done.stdout.splitlines()):
            told = json.loads(line)
            yield str(told["user_id"]), str(told["address"]).strip()
    except (ValueError, TypeError, KeyError) as error:
        # The line is not repeated: it may hold an address.
        raise Refusal(
            words[0], "answered with a line that is no address", 'Answer {"user_id": ..., "address": ...} per line.'
        ) from error
