"""The spool's files: what a receiver has promised to keep, until a mover has taken it into the warehouse.

    file  = magic (8), salt (32), frames
    frame = mark (4), bytes sealed (4), first record (8), records (4), nonce (12), crc32 of all else (4), sealed bytes
    record = bytes of its head (4), bytes of its body (4), head as JSON, body as it came

A frame is what one flush to disk made durable: many deliveries, sealed together by AES-256-GCM under a key of the file's own, derived
by HKDF-SHA256 from the spool key and the salt (RFC 5869). The checksum tells a torn or damaged frame without the key. Numbers are
big-endian. A file belongs to the process that holds its lock; when that process is gone, its torn tail was never promised to anybody.
"""

import datetime as dt
import fcntl
import json
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orchestration.edges.keys import held_key
from orchestration.errors import Refusal

VARIABLE = "LOOP_SPOOL_KEY"
_MAGIC, _SALT, _MARK = b"LOOPSPL1", 32, b"\xf5LP\xfa"
_HEAD = struct.Struct(">4sIQI12sI")
_SIZES = struct.Struct(">II")
_START = len(_MAGIC) + _SALT


@dataclass(frozen=True, slots=True)
class Record:
    """One delivery as it came.

    Attributes:
        provider: Which door it came through (sendgrid, ses, segment, ...).
        source: URI-like name, such as ``segment/web``.
        received_at: UTC without offset.
        headers: The few headers that parsers need; never authorisation.
        body: The bytes that were verified.
    """

    provider: str
    source: str
    received_at: dt.datetime
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def packed(self) -> bytes:
        """The record as the bytes of a frame."""
        told = [self.provider, self.source, self.received_at.isoformat(), dict(self.headers)]
        head = json.dumps(told, separators=(",", ":")).encode()
        return _SIZES.pack(len(head), len(self.body)) + head + self.body


@dataclass(frozen=True, slots=True)
class Frame:
    """Records that became durable together; ``first`` numbers the first of them within its file."""

    offset: int
    until: int
    first: int
    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch that is no frame although frames follow, or although it is complete: something was lost after it was kept."""

    offset: int
    until: int


@dataclass(frozen=True, slots=True)
class Tail:
    """What follows the last whole frame: the start of one, cut off."""

    offset: int
    until: int


def spool_folder(warehouse: Path) -> Path:
    """Where the spool of a warehouse folder lies."""
    return warehouse / "spool"


def spool_key(warehouse: Path) -> bytes:
    """The key that every file's key comes from: ``LOOP_SPOOL_KEY``, else ``<warehouse>/spool.key``, made the first time."""
    return held_key(warehouse, "spool.key", VARIABLE, loss="another key cannot open what is spooled already")


class SpoolFile:
    """A file being written: created, locked, and appended to one frame at a time.

    Raises:
        OSError: if the disk is full or the folder cannot be written.
    """

    def __init__(self, folder: Path, key: bytes, now: dt.datetime) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(6)}.spool"
        self.records = 0
        salt = secrets.token_bytes(_SALT)
        self._cipher = _cipher(key, salt)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            _write(self._descriptor, _MAGIC + salt)
            os.fsync(self._descriptor)
            _sync_folder(folder)  # the name must outlive a power cut as well
        except OSError:
            self.close()
            raise
        self.size = _START

    def append(self, packed: Sequence[bytes]) -> None:
        """Makes records durable: one write, one flush.

        Raises:
            OSError: if they could not be kept; the file ends where it ended before, or must be left (``close`` it).
        """
        nonce = secrets.token_bytes(12)
        head = _HEAD.pack(_MARK, sum(map(len, packed)) + 16, self.records, len(packed), nonce, 0)
        sealed = self._cipher.encrypt(nonce, b"".join(packed), head)
        check = zlib.crc32(sealed, zlib.crc32(head))
        frame = _HEAD.pack(_MARK, len(sealed), self.records, len(packed), nonce, check) + sealed
        try:
            _write(self._descriptor, frame)
            os.fdatasync(self._descriptor)
        except OSError:
            # After a failed flush the kernel may call the pages clean: this file cannot be trusted with more.
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(frame)
        self.records += len(packed)

    def close(self) -> None:
        """Lets go of the file, which seals it: nobody appends to a file twice."""
        os.close(self._descriptor)


def is_being_written(path: Path) -> bool:
    """Whether a living process holds the file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_spool(path: Path, key: bytes, offset: int = 0) -> Iterator[Frame | Damage | Tail]:
    """The frames of a file from an offset on, damaged stretches between them, and at most one tail at the end.

    Raises:
        Refusal: if the file is no spool file, or the key is not the one it was written with.
    """
    content = path.read_bytes()
    if len(content) < _START:  # killed before its first frame
        return
    if not content.startswith(_MAGIC):
        raise Refusal(str(path), "is no spool file", "Move it out of the folder.")
    cipher, offset = _cipher(key, content[len(_MAGIC) : _START]), max(offset, _START)
    while offset < len(content):
        until = _end_of_frame(content, offset)
        if until is None:
            following = _next_frame(content, offset + 1)
            if following is None:
                yield (Damage if _is_complete(content, offset) else Tail)(offset, len(content))
                return
            yield Damage(offset, following)
            offset = following
            continue
        mark, size, first, count, nonce, _ = _HEAD.unpack_from(content, offset)
        try:
            opened = cipher.decrypt(
                nonce, content[offset + _HEAD.size : until], _HEAD.pack(mark, size, first, count, nonce, 0)
            )
        except InvalidTag as error:
            raise Refusal(
                str(path), "was written with another key", f"Put the key back, or set {VARIABLE} to it."
            ) from error
        yield Frame(offset, until, first, unpacked(opened))
        offset = until


def unpacked(opened: bytes) -> list[Record]:
    """The records of a frame's bytes, see :meth:`Record.packed`."""
    records, position = [], 0
    while position < len(opened):
        head_size, body_size = _SIZES.unpack_from(opened, position)
        start = position + _SIZES.size
        position = start + head_size + body_size
        provider, source, received_at, headers = json.loads(opened[start : start + head_size])
        body = opened[start + head_size : position]
        records.append(Record(provider, source, dt.datetime.fromisoformat(received_at), headers, body))
    return records


def _end_of_frame(content: bytes, offset: int) -> int | None:
    """Where the frame that starts here ends; None if there is no whole one."""
    if not content.startswith(_MARK, offset) or len(content) < offset + _HEAD.size:
        return None
    mark, size, first, count, nonce, check = _HEAD.unpack_from(content, offset)
    until = offset + _HEAD.size + size
    if until > len(content):
        return None
    head = _HEAD.pack(mark, size, first, count, nonce, 0)
    found = zlib.crc32(memoryview(content)[offset + _HEAD.size : until], zlib.crc32(head))
    return until if found == check else None


def _next_frame(content: bytes, offset: int) -> int | None:
    while (offset := content.find(_MARK, offset)) >= 0:
        if _end_of_frame(content, offset) is not None:
            return offset
        offset += 1
    return None


def _is_complete(content: bytes, offset: int) -> bool:
    """Whether all the bytes that the last frame announces are there: then a kill did not cut it, it went bad."""
    if len(content) < offset + _HEAD.size or not content.startswith(_MARK, offset):
        return False
    size: int = _HEAD.unpack_from(content, offset)[1]
    return offset + _HEAD.size + size <= len(content)


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"loop spool file").derive(key))


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
