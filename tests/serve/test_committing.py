"""Group commit: one flush for many, an answer only after it, and a full disk that costs nobody anything."""

import asyncio
import datetime as dt
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.spool import Frame, Record, read_spool
from orchestration.serve.answers import Turned
from orchestration.serve.committing import Committer

KEY = b"k"
AT = dt.datetime.fromisoformat("2026-11-01T10:00")


def record(number: int, size: int = 10) -> Record:
    return Record("segment", "segment/web", AT, {}, f"{number}:".encode() + b"x" * size)


def frames(folder: Path) -> list[list[int]]:
    """Numbers of the records, frame by frame."""
    return [
        [int(kept.body.partition(b":")[0]) for kept in frame.records]
        for path in sorted(folder.glob("*.spool"))
        for frame in read_spool(path, KEY)
        if isinstance(frame, Frame)
    ]


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file of this process may grow beyond a size: writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_many_share_one_flush_and_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is held back: nobody is answered meanwhile, and all that gathered go down in one flush."""
    flush, may_flush, flushes = os.fdatasync, threading.Event(), []

    def slow(descriptor: int) -> None:
        may_flush.wait()
        flushes.append(descriptor)
        flush(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)

    async def scenario() -> None:
        committer = Committer(tmp_path, KEY, FixedClock(AT))
        committer.start()
        waiting = [asyncio.create_task(committer.keep(record(0)))]
        await asyncio.sleep(0.1)
        waiting += [asyncio.create_task(committer.keep(record(number))) for number in range(1, 101)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)
        may_flush.set()
        await asyncio.gather(*waiting)
        await committer.stop()

    asyncio.run(scenario())
    assert len(flushes) == 2
    assert [len(frame) for frame in frames(tmp_path)] == [1, 100]


def test_a_full_disk_is_503_and_what_was_kept_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        committer = Committer(tmp_path, KEY, FixedClock(AT))
        committer.start()
        await committer.keep(record(0))
        with full_disk(4096):
            with pytest.raises(Turned, match="could not be stored") as turned:
                await committer.keep(record(1, size=8192))
            assert turned.value.status == 503
        await committer.keep(record(2))  # room again
        await committer.stop()

    asyncio.run(scenario())
    assert sorted(frames(tmp_path)) == [[0], [2]]


def test_too_much_waiting_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.serve.committing._WAITING_BYTES", 1000)

    async def scenario() -> list[object]:
        committer = Committer(tmp_path, KEY, FixedClock(AT))
        committer.start()
        answers = await asyncio.gather(*(committer.keep(record(n, size=300)) for n in range(5)), return_exceptions=True)
        await committer.stop()
        return [type(answer) for answer in answers]

    assert asyncio.run(scenario()) == [type(None)] * 2 + [Turned] * 3


def test_stopping_keeps_what_waits_and_takes_no_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        committer = Committer(tmp_path, KEY, FixedClock(AT))
        committer.start()
        waiting = [asyncio.create_task(committer.keep(record(n))) for n in range(20)]
        await asyncio.sleep(0)
        await committer.stop()
        await asyncio.gather(*waiting)
        with pytest.raises(Turned, match="is stopping"):
            await committer.keep(record(99))

    asyncio.run(scenario())
    assert sum(map(len, frames(tmp_path))) == 20


def test_a_large_file_is_sealed_and_another_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.serve.committing._FILE_BYTES", 1000)

    async def scenario() -> None:
        committer = Committer(tmp_path, KEY, FixedClock(AT))
        committer.start()
        for number in range(6):
            await committer.keep(record(number, size=400))
        await committer.stop()

    asyncio.run(scenario())
    assert len(list(tmp_path.glob("*.spool"))) == 3
    assert sorted(number for frame in frames(tmp_path) for number in frame) == list(range(6))
