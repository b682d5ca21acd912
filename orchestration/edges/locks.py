"""Locks between processes: held through the kernel (flock), so that one is free again the moment its holder dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from orchestration.errors import Refusal, WarehouseLocked


@contextmanager
def held(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds a file or a folder against every other holder, in this process too.

    Args:
        wait: Until it is free; otherwise a held one is an error.

    Raises:
        BlockingIOError: if it is held and not waited for.
        FileNotFoundError: if it is not there.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path, subject: str, doing: str) -> Iterator[None]:
    """Holds the right to do something that one process at a time may do; the file says which process that is.

    Args:
        subject: What is held, as the error names it.
        doing: What the holder does, such as ``is sending``.

    Raises:
        WarehouseLocked: if another holder does it already.
        Refusal: if the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600)
            stack.enter_context(held(path, wait=False))
        except BlockingIOError as error:
            number = path.read_text(encoding="utf-8")
            holder = f"process {number}" if number else "another process"
            raise WarehouseLocked(subject, f"{holder} {doing}", "Wait for it to end, or stop it.") from error
        except OSError as error:
            reason = f"cannot be written ({error.strerror})"
            raise Refusal(str(path.parent), reason, "Choose another folder with --warehouse.") from error
        path.write_text(str(os.getpid()), encoding="utf-8")
        yield


def turning(warehouse: Path) -> AbstractContextManager[None]:
    """The right to turn the loop of a warehouse: one process at a time, because two would send from what the other has half done.

    Raises:
        WarehouseLocked: if another process turns it.
    """
    return alone(warehouse / ".turning.lock", str(warehouse), "turns its loop")
