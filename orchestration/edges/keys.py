"""Secret keys that live in files beside the warehouse file, never in it: each made once, readable by its owner alone."""

import os
import secrets
from pathlib import Path

from orchestration.errors import Refusal


def held_key(folder: Path, name: str, variable: str, *, loss: str) -> bytes:
    """The key in an environment variable, else in ``<folder>/<name>``, which is made the first time (mode 0600).

    Args:
        loss: What another key would do, for the refusal's remedy.

    Raises:
        Refusal: if the key is empty, or its file cannot be read or made.
    """
    if variable in os.environ:
        return _not_empty(os.environ[variable].strip().encode(), variable, variable, loss)
    path = folder / name
    try:
        if not path.exists():
            _make(path)
        return _not_empty(path.read_bytes().strip(), str(path), variable, loss)
    except OSError as error:
        raise Refusal(
            str(path), f"cannot be read or made ({error.strerror})", f"Mend it, or set {variable}."
        ) from error


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


def _not_empty(key: bytes, subject: str, variable: str, loss: str) -> bytes:
    if not key:
        raise Refusal(subject, "is an empty key", f"Put the key back, or set {variable}; {loss}.")
    return key
