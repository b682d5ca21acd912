"""The command ``loop``. Every expected refusal ends in one line on standard error and exit code 2."""

import multiprocessing.util
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from orchestration.commands import (
    bench,
    building,
    evidence,
    explaining,
    intake,
    launching,
    policies,
    programs,
    pulling,
    sending,
    serving,
    turning,
)
from orchestration.commands.console import err
from orchestration.errors import LoopError, Refusal

app = typer.Typer(
    help="The warehouse-native marketing loop: the warehouse decides what is true, the model decides how to say it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
INTERRUPTED = 130  # exit code: 128 and the number of the signal
IN_SCRATCH = frozenset(
    {"aa", "plan", "backtest", "replay", "bench"}
)  # commands that work in a folder thrown away after
COMMANDS: tuple[Callable[..., None], ...] = (
    turning.demo,
    turning.run,
    launching.approvals,
    launching.approve,
    launching.reject,
    launching.stop,
    launching.resume,
    launching.rollback,
    explaining.explain,
    building.build,
    evidence.import_,
    intake.consume,
    pulling.pull,
    evidence.backtest,
    evidence.replay,
    evidence.aa,
    evidence.plan,
    sending.send,
    serving.serve,
    bench.bench,
    pulling.sandbox_server,
    turning.doctor,
    turning.dev,
    turning.manifest,
)
for command in COMMANDS:
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)
app.add_typer(policies.policy, name="policy")
app.add_typer(intake.imports, name="imports")
app.add_typer(intake.quarantine, name="quarantine")
app.add_typer(sending.outbox, name="outbox")
app.add_typer(programs.programs, name="programs")


def main() -> None:
    """Entry point: runs a command and words what it refuses, and that it was interrupted."""
    with _noted_interruption() as was_interrupted:
        try:
            app()
        except BaseException as ended:
            code = ended.code if isinstance(ended, SystemExit) else 1
            # On its way an interruption may have become a refusal, or an error of DuckDB's.
            if code == INTERRUPTED or (was_interrupted() and code not in (0, None)):
                _end_interrupted(sys.argv[1:])
            refusal = _refusal(ended)
            if refusal is None:
                raise
            err.print(str(refusal), style="red", markup=False, soft_wrap=True)
            sys.exit(2)


def _refusal(ended: BaseException) -> LoopError | None:
    """What an error says to whoever typed the command; None for what nobody expected."""
    if isinstance(ended, LoopError):
        return ended
    if isinstance(ended, OSError) and ended.errno is not None:
        subject, reason = str(ended.filename or "disk"), ended.strerror or str(ended)
        return Refusal(subject, reason, "Check space and permissions, and run it again.")
    return None


@contextmanager
def _noted_interruption() -> Iterator[Callable[[], bool]]:
    """Lets Ctrl-C be noted as it is raised; the answer says whether it was."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    def again(swallowed: "sys.UnraisableHookArgs") -> None:
        """What strikes while something is thrown away is swallowed by Python: it comes again a moment later."""
        if issubclass(swallowed.exc_type, Exception):
            sys.__unraisablehook__(swallowed)
        else:
            threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # where it is ignored, as in the background of a shell, it stays so
        signal.signal(signal.SIGINT, note)
        sys.unraisablehook = again
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = sys.__unraisablehook__


def _end_interrupted(arguments: Sequence[str]) -> NoReturn:
    kept = "it keeps nothing. Run the same command again: it begins anew."
    if not arguments or arguments[0] not in IN_SCRATCH:
        kept = "what was finished is kept. Run the same command again: it goes on from there."
    err.print(f"interrupted -> you stopped it; {kept}", style="yellow", markup=False, soft_wrap=True)
    sys.stdout.flush()
    # Threads of dbt may still be within DuckDB, which aborts the process where Python takes itself down around them; of what Python
    # would have done, dbt's semaphores are let go of, or they would be complained about after the last line.
    multiprocessing.util._run_finalizers(0)  # type: ignore[attr-defined]  # it has no public name
    os._exit(INTERRUPTED)
