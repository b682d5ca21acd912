"""Turning the loop: demo, run, doctor, dev, manifest."""

import datetime as dt
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration.commands.console import JsonOption, WarehouseOption, err, out, settings_for
from orchestration.edges.clock import SystemClock
from orchestration.errors import Refusal
from orchestration.settings import ROOT


def demo(
    cycles: Annotated[int, typer.Option(min=1, max=104, help="Weekly cycles to run.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same world and the same creatives.")] = 7,
    preset: Annotated[
        str | None, typer.Option(help="World: newsletter, reference, six_programs, or a YAML file.")
    ] = None,
    programs: Annotated[
        str, typer.Option(help="Programs to run: `all`, or names with commas between them.")
    ] = "subject_lines",
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw an earlier demo in this folder away.")] = False,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
) -> None:
    """The whole loop in a simulated world: no account, no key."""
    settings = settings_for(warehouse)
    from orchestration.programs.definition import FOLDER
    from orchestration.sandbox.demo import run_demo
    from orchestration.sandbox.summary import cycle_line, print_summary

    console = err if as_json else out
    names = sorted(file.stem for file in FOLDER.glob("*.yaml")) if programs == "all" else programs.split(",")
    with console.status("starting") as status:
        result = run_demo(
            settings.warehouse,
            cycles=cycles,
            seed=seed,
            preset=preset or ("newsletter" if names == ["subject_lines"] else "six_programs"),
            programs=names,
            fresh=fresh,
            progress=status.update,
            report=lambda cycle: console.print(cycle_line(cycle)),
        )
    print_summary(console, result)
    if as_json:
        sys.stdout.write(json.dumps({"cycles": [asdict(cycle) for cycle in result.cycles]}) + "\n")


def run(
    cycle: Annotated[
        str | None, typer.Option(help="First day of the cycle, an ISO date; default: the current one.")
    ] = None,
    warehouse: WarehouseOption = None,
) -> None:
    """One cycle of the configured programs: measure, build, learn, generate, (approved) deploy."""
    settings = settings_for(warehouse)
    from orchestration.commands.launching import print_outlook
    from orchestration.edges.clock import cycle_of, start_of
    from orchestration.edges.locks import turning
    from orchestration.readiness import require_ready
    from orchestration.running import require_cycle, run_cycle, told

    require_ready(settings)
    try:
        day = dt.date.fromisoformat(cycle) if cycle else SystemClock().now().date()
    except ValueError as error:
        raise Refusal(
            f"--cycle {cycle}", "is not a date", "Give the first day of the cycle, such as 2026-11-16."
        ) from error
    first = start_of(cycle_of(day, settings.cadence), settings.cadence)
    require_cycle(first.isoformat())
    with turning(settings.warehouse), out.status(f"cycle of {first}: measure, build, learn, generate, deploy"):
        done = run_cycle(
            settings.warehouse.resolve(),
            settings.programs.resolve(),
            settings.cadence,
            settings.seed,
            first.isoformat(),
            fixed_time=None,
        )
    for line in told(settings.warehouse, done.run_id):
        err.print(line, markup=False, soft_wrap=True)
    made = f"cycle of {first}: {done.materialised} assets made. `loop dev` shows run {done.run_id}."
    out.print(made, soft_wrap=True)
    print_outlook(settings, cycle_of(first, settings.cadence))


def doctor(warehouse: WarehouseOption = None) -> None:
    """What is configured, reachable, stale, locked or missing."""
    settings = settings_for(warehouse)
    from orchestration.doctor import examine

    findings = examine(settings)
    for finding in findings:
        out.print("ok  " if finding.is_well else "no  ", style="green" if finding.is_well else "red", end="")
        out.print(f"{finding.subject}: {finding.found}", markup=False, soft_wrap=True)
    if not all(finding.is_well for finding in findings):
        sys.exit(2)


def dev(port: Annotated[int, typer.Option(help="Port of the page.")] = 3000, warehouse: WarehouseOption = None) -> None:
    """Dagster's UI on the same warehouse and the same runs."""
    settings = settings_for(warehouse)
    from orchestration.running import dagster_home

    os.environ["LOOP_WAREHOUSE"] = str(settings.warehouse.resolve())
    os.environ["LOOP_PROGRAMS"] = str(settings.programs.resolve())
    # In the folder of whoever calls, from which paths in variables are meant; so the package is named by its place.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    dagster_home(settings.warehouse)
    command = Path(sys.executable).with_name("dagster")
    os.execv(command, [str(command), "dev", "-m", "orchestration.definitions", "-p", str(port)])  # noqa: S606


def manifest() -> None:
    """Parses the dbt project; `make` does it whenever a model has changed."""
    from orchestration.edges.dbt import DbtProject

    out.print(f"parsed {DbtProject().parse().relative_to(ROOT)}")
