"""Work in a process of its own, for runs that are killed: a process that has opened DuckDB must not fork."""

import os
import traceback
from collections.abc import Callable


def begun(work: Callable[[], object]) -> int:
    """Starts the work in a forked process, which ends with 0, or with 1 and a traceback; returns its number."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def awaited(child: int, code: int = 0) -> None:
    """Waits for a process.

    Raises:
        RuntimeError: if it ends otherwise than with the code.
    """
    if (ended := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])) != code:
        raise RuntimeError(f"the process ended with {ended} instead of {code}")


def forked(work: Callable[[], object], code: int = 0) -> None:
    """Both, one after the other."""
    awaited(begun(work), code)
