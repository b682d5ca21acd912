"""Measuring the growth marts: bench. The measuring itself lies with the tests, which an installation may lack."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from orchestration.commands.console import JsonOption, err, out
from orchestration.errors import Refusal
from orchestration.settings import ROOT

MEANT_FOR = 20_000_000  # events from which the promises are made


def bench(
    events: Annotated[
        float, typer.Option(min=10_000, max=1e9, help="Events of the history; the bars are meant for 20e6 and more.")
    ] = 2e6,
    days: Annotated[int, typer.Option(min=40, max=1000, help="Days they are spread over.")] = 180,
    folder: Annotated[
        Path | None, typer.Option(help="Where events and warehouses are written, and removed again.")
    ] = None,
    picture: Annotated[Path, typer.Option(help="PNG with the seconds of each part.")] = Path("growth_bench.png"),
    as_json: JsonOption = False,
) -> None:
    """The growth marts against a script by hand and pandas: time, memory, a new day, a late day."""
    sys.path.insert(0, str(ROOT))  # an installed command looks for modules beside itself, not in the checkout
    try:
        from tests.bench import growth_benchmark, growth_report
    except ModuleNotFoundError as error:
        raise Refusal(
            "bench", f"{error.name} is not here", "Run it from a checkout of the project, with its development extras."
        ) from error
    console = err if as_json else out
    try:
        workplace = tempfile.TemporaryDirectory(prefix="loop-bench-", dir=folder)
    except OSError as error:
        raise Refusal(
            str(folder or "bench"), f"cannot be written ({error.strerror})", "Choose another --folder."
        ) from error
    with workplace as place, console.status("starting") as status:

        def say(what: str) -> None:
            status.update(what)
            if not console.is_terminal:
                console.print(what, markup=False)  # a log has no status line: each part is named as it begins

        measured = growth_benchmark.benchmark(Path(place), int(events), days, say)
    console.print(growth_report.steps(measured))
    console.print(growth_report.promises(measured))
    if events < MEANT_FOR:
        console.print(
            f"The bars are meant for {MEANT_FOR:,} events and more (--events 20e6): with fewer, what takes as long at any size "
            "weighs more, and MISSED says little.",
            soft_wrap=True,
        )
    growth_report.picture(measured, picture)
    console.print(f"picture: {picture}", markup=False)
    if as_json:
        sys.stdout.write(growth_benchmark.as_json(measured) + "\n")
