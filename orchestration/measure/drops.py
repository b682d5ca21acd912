"""Drop folders: local ones and whatever fsspec reaches (s3://, gs://, abfs://, sftp://, ...), read alone, never written to.

A listing tells which files are there and in which state; a file is brought only if that state was not taken in before.
"""

import datetime as dt
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestration.errors import Refusal
from orchestration.measure.packing import room

VARIABLE = "LOOP_DROP"
OPTIONS = ".drop.yaml"
INBOX = "inbox"  # the folder of the warehouse itself
_PERSON = re.compile(r"^[^/@]*@")  # who asks, and perhaps a password
# What listings call the signs of a file's state; its size alone is none.
_SIGNS = (
    *("ETag", "etag", "md5Hash", "content_md5", "checksum", "generation", "version_id"),
    *("LastModified", "last_modified", "updated", "mtime", "modified", "created"),
)


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A file as a listing tells it.

    Attributes:
        state: The same as long as the file is; '' where the listing does not tell.
    """

    name: str
    state: str


class Drop(Protocol):
    """A folder into which others put files."""

    place: str

    def files(self) -> list[DroppedFile]:
        """Its files by name, those without the options.

        Raises:
            Refusal: if it cannot be reached.
        """

    def options(self) -> str:
        """What its ``.drop.yaml`` says; '' where there is none."""

    def brought(self, file: DroppedFile) -> Any:
        """Context: a path at which the file can be read, None if it changed meanwhile."""


class LocalDrop:
    """A folder of this machine.

    Args:
        may_be_missing: Whether it holds nothing where it does not exist.
    """

    def __init__(self, folder: Path, *, may_be_missing: bool = False) -> None:
        self._folder, self._may_be_missing = folder, may_be_missing
        self.place = str(folder.resolve())

    def files(self) -> list[DroppedFile]:
        """See :class:`Drop`."""
        if not self._folder.is_dir():
            if self._may_be_missing and not self._folder.exists():
                return []
            raise Refusal(self.place, f"is no folder, but {VARIABLE} names it", f"Make it, or mend {VARIABLE}.")
        found = []
        for path in sorted(self._folder.iterdir()):
            if path.name.startswith("."):
                continue
            try:
                told = path.stat()
            except FileNotFoundError:  # its owner took it back meanwhile
                continue
            except OSError:  # whoever takes it will say what is wrong with it
                found.append(DroppedFile(path.name, ""))
                continue
            if stat.S_ISREG(told.st_mode) or stat.S_ISDIR(
                told.st_mode
            ):  # a folder that is called like a file is a mistake
                found.append(DroppedFile(path.name, f"{told.st_size} {told.st_mtime_ns} {told.st_ino}"))
        return found

    def options(self) -> str:
        """See :class:`Drop`."""
        path = self._folder / OPTIONS
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @contextmanager
    def brought(self, file: DroppedFile) -> Iterator[Path | None]:
        """See :class:`Drop`; the file itself."""
        yield self._folder / file.name


class RemoteDrop:
    """A folder behind a URL; its files are copied to this machine while they are read.

    Args:
        url: Keys of the store come from the environment (``AWS_...``, ``FSSPEC_<PROTOCOL>_...``), never from the URL.
        beside: Folder of the warehouse, which holds the copies.

    Raises:
        Refusal: if nothing here reads such URLs.
    """

    def __init__(self, url: str, beside: Path) -> None:
        import fsspec

        scheme = url.partition("://")[0] + "://"
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise Refusal(
                scheme, f"cannot be read here ({error})", f"Install the package that fsspec names, or mend {VARIABLE}."
            ) from error
        except Exception as error:  # some connect at once, and each has errors of its own
            raise _unreachable(scheme + _PERSON.sub("", url.removeprefix(scheme)), error) from error
        self.place = str(self._files.unstrip_protocol(self._root))
        self._beside = beside

    def files(self) -> list[DroppedFile]:
        """See :class:`Drop`."""
        try:
            self._files.invalidate_cache()
            listed = self._files.ls(self._root, detail=True)
        except Exception as error:
            raise _unreachable(self.place, error) from error
        named = [(str(one["name"]).rstrip("/").rpartition("/")[2], one) for one in listed if one["type"] == "file"]
        return [
            DroppedFile(name, _state(one)) for name, one in sorted(named, key=lambda told: told[0]) if name[:1] != "."
        ]

    def options(self) -> str:
        """See :class:`Drop`."""
        try:
            return str(self._files.cat_file(self._at(OPTIONS)).decode())
        except FileNotFoundError:
            return ""
        except Exception as error:
            raise _unreachable(self.place, error) from error

    @contextmanager
    def brought(self, file: DroppedFile) -> Iterator[Path | None]:
        """See :class:`Drop`; a copy as old as the file."""
        with room(self._beside) as folder:
            copy = folder / file.name
            try:
                before = self._told(file.name)
                self._files.get_file(self._at(file.name), str(copy))
                info = self._told(file.name)
            except FileNotFoundError:
                yield None
                return
            except Exception as error:
                if isinstance(error, OSError) and error.filename is not None and Path(error.filename) == copy:
                    raise
                raise _unreachable(self.place, error) from error
            is_whole = copy.stat().st_size == info.get("size", copy.stat().st_size)
            if not is_whole or _state(info) != _state(before):
                yield None
                return
            at = _modified(info)
            os.utime(copy, (at, at))
            yield copy

    def _told(self, name: str) -> Mapping[str, Any]:
        self._files.invalidate_cache()
        told: Mapping[str, Any] = self._files.info(self._at(name))
        return told

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _unreachable(place: str, error: Exception) -> Refusal:
    """Of whatever a store's package raises: their errors have no class in common."""
    if isinstance(error, FileNotFoundError):
        return Refusal(place, "does not exist", f"Check the address; an empty folder may hold a file {OPTIONS}.")
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Refusal(place, f"cannot be read ({said})", f"Check the address in {VARIABLE}, the keys and the network.")


def open_drop(place: str, beside: Path) -> Drop:
    """The drop folder of a path or URL.

    Args:
        beside: Folder of the warehouse; its own ``inbox`` may be missing.

    Raises:
        Refusal: if nothing here reads such URLs, or a server cannot be reached.
    """
    path = place.removeprefix("file://")
    if "://" in path:
        return RemoteDrop(place, beside)
    return LocalDrop(Path(path), may_be_missing=Path(path) == beside / INBOX)


def configured_drops(warehouse: Path) -> list[str]:
    """The folder ``inbox`` of the warehouse, and the paths and URLs that ``LOOP_DROP`` names, parted by spaces."""
    return [str(warehouse / INBOX), *os.environ.get(VARIABLE, "").split()]


def _state(info: Mapping[str, Any]) -> str:
    signs = {name: str(info[name]) for name in _SIGNS if info.get(name) is not None}
    told = json.dumps([info.get("size"), signs], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest() if signs else ""


def _modified(info: Mapping[str, Any]) -> float:
    """Seconds since the epoch at which a file changed last; 0 where nobody tells."""
    for name in ("LastModified", "last_modified", "updated", "mtime", "modified", "created"):
        told = info.get(name)
        if isinstance(told, str):
            try:
                told = dt.datetime.fromisoformat(told)
            except ValueError:
                continue
        if isinstance(told, dt.datetime):
            return (told if told.tzinfo else told.replace(tzinfo=dt.UTC)).timestamp()
        if isinstance(told, int | float):
            return float(told)
    return 0.0
