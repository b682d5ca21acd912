"""Group commit: deliveries that wait at the same time share one flush to disk, and none is answered before it.

A flush costs milliseconds whatever it carries. One thread writes; while it waits for the disk the next group gathers.
"""

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.edges.clock import Clock
from orchestration.edges.spool import Record, SpoolFile
from orchestration.serve.answers import Turned

LOG = logging.getLogger(__name__)
_FILE_BYTES = 64 * 2**20  # the mover reads a file whole
_FILE_SECONDS = 3600.0  # a sealed file can be deleted once its days are over
_WAITING_BYTES = 64 * 2**20  # beyond it senders are asked to come back: memory is no place to keep a promise


@dataclass(slots=True)
class _Group:
    """Deliveries that will become durable together, and who waits for it."""

    packed: list[bytes] = field(default_factory=list)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)


class Committer:
    """Keeps records durably, for one event loop.

    Args:
        folder: The spool.
        key: The spool key.
        clock: Names the files.
    """

    def __init__(self, folder: Path, key: bytes, clock: Clock) -> None:
        self._folder, self._key, self._clock = folder, key, clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._group = _Group()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._is_stopping = False
        self._file: SpoolFile | None = None
        self._opened = 0.0
        self._thread = threading.Thread(target=self._write_groups, name="spool", daemon=True)

    def start(self) -> None:
        """Starts the writing thread; to be called on the event loop that will wait."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Writes what waits, then seals the file."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        await asyncio.to_thread(self._thread.join)

    async def keep(self, record: Record) -> None:
        """Returns when the record would survive a power cut.

        Raises:
            Turned: 503, if the disk is full or too much waits; the record may have been kept all the same.
        """
        packed = record.packed()
        assert self._loop is not None
        future: asyncio.Future[None] = self._loop.create_future()
        with self._changed:
            if self._is_stopping:
                raise Turned(503, "the receiver is stopping; send it again")
            if self._waiting_bytes + len(packed) > _WAITING_BYTES:
                raise Turned(503, "too much is waiting for the disk; send it again")
            self._waiting_bytes += len(packed)
            self._group.packed.append(packed)
            self._group.waiting.append(future)
            self._changed.notify()
        await future

    def _write_groups(self) -> None:
        while True:
            with self._changed:
                while not self._group.packed and not self._is_stopping:
                    self._changed.wait()
                group, self._group = self._group, _Group()
            if not group.packed:
                self._leave()
                return
            failure = self._write(group)
            with self._changed:
                self._waiting_bytes -= sum(map(len, group.packed))
            assert self._loop is not None
            self._loop.call_soon_threadsafe(_settle, group.waiting, failure)

    def _write(self, group: _Group) -> Turned | None:
        try:
            self._current().append(group.packed)
        except OSError as error:
            self._leave()
            return Turned(503, f"it could not be stored ({error.strerror}); send it again")
        except Exception:
            LOG.exception("a group of %d deliveries was not kept", len(group.packed))
            self._leave()
            return Turned(503, "it could not be stored; send it again")
        return None

    def _current(self) -> SpoolFile:
        if self._file and (self._file.size > _FILE_BYTES or time.monotonic() - self._opened > _FILE_SECONDS):
            self._leave()
        if self._file is None:
            self._file, self._opened = SpoolFile(self._folder, self._key, self._clock.now()), time.monotonic()
        return self._file

    def _leave(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _settle(waiting: list[asyncio.Future[None]], failure: Turned | None) -> None:
    for future in waiting:
        if future.cancelled():  # the sender hung up; what it sent is kept all the same
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(Turned(failure.status, failure.reason))
