"""The command ``loop``. Every expected refusal ends in one line on standard error and exit code 2."""

import sys
from collections.abc import Callable

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
    """Entry point: runs a command and words what it refuses."""
    try:
        app()
    except LoopError as error:
        err.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        if error.errno is None:
            raise
        subject = str(error.filename or "disk")
        refusal = Refusal(subject, error.strerror or str(error), "Check space and permissions, and run it again.")
        err.print(str(refusal), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print(
            "stopped -> interrupted by you. Run the same command again: it goes on where it stopped.", style="yellow"
        )
        sys.exit(130)
