"""The command ``loop``. Every expected refusal ends in one line on standard error and exit code 2."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from orchestration.edges.clock import SystemClock
from orchestration.errors import LoopError, Refusal
from orchestration.settings import ROOT, Settings, read_settings

app = typer.Typer(
    help="The warehouse-native marketing loop: the warehouse decides what is true, the model decides how to say it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

WarehouseOption = Annotated[Path | None, typer.Option("--warehouse", help="Folder of the warehouse.")]


def main() -> None:
    """Entry point: runs a command and words what it refuses."""
    try:
        app()
    except LoopError as error:
        err.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        refusal = Refusal(str(error.filename or "disk"), error.strerror or str(error), "Check space and permissions, and run it again.")
        err.print(str(refusal), style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        err.print("stopped -> interrupted by you. Run the same command again: it goes on where it stopped.", style="yellow")
        sys.exit(130)


def _settings(warehouse: Path | None) -> Settings:
    """Settings, with the warehouse of the command line handed on to Dagster and dbt."""
    if warehouse is not None:
        os.environ["LOOP_WAREHOUSE"] = str(warehouse.resolve())
    return read_settings()


@app.command()
def demo(
    cycles: Annotated[int, typer.Option(min=1, max=104, help="Weekly cycles to run.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same world and the same creatives.")] = 7,
    preset: Annotated[str, typer.Option(help="World: newsletter, reference, or a YAML file.")] = "newsletter",
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw an earlier demo in this folder away.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object.")] = False,
    warehouse: WarehouseOption = None,
) -> None:
    """The whole loop in a simulated world: no account, no key."""
    settings = _settings(warehouse)
    from orchestration.sandbox.demo import discard, run_demo
    from orchestration.sandbox.summary import cycle_line, print_summary

    console = err if as_json else out
    if fresh:
        discard(settings.warehouse)
    with console.status("starting") as status:
        result = run_demo(
            settings.warehouse,
            cycles=cycles,
            seed=seed,
            preset=preset,
            progress=lambda message: status.update(message),
            report=lambda cycle: console.print(cycle_line(cycle)),
        )
    print_summary(console, result)
    if as_json:
        sys.stdout.write(json.dumps({"cycles": [asdict(cycle) for cycle in result.cycles]}) + "\n")


@app.command()
def run(
    cycle: Annotated[str | None, typer.Option(help="First day of the cycle, an ISO date; default: the current one.")] = None,
    warehouse: WarehouseOption = None,
) -> None:
    """One cycle of the configured programs: measure, build, learn, generate, (approved) deploy."""
    import datetime as dt

    settings = _settings(warehouse)
    from orchestration.edges.clock import cycle_of, start_of
    from orchestration.programs.definition import read_programs
    from orchestration.running import run_cycle

    read_programs(settings.programs)
    try:
        day = dt.date.fromisoformat(cycle) if cycle else SystemClock().now().date()
    except ValueError as error:
        raise Refusal(f"--cycle {cycle}", "is not a date", "Give the first day of the cycle, such as 2026-11-16.") from error
    first = start_of(cycle_of(day, settings.cadence), settings.cadence)
    with out.status(f"cycle of {first}: measure, build, learn, generate, deploy"):
        done = run_cycle(
            settings.warehouse.resolve(), settings.programs.resolve(), settings.cadence, settings.seed, first.isoformat(), fixed_time=None
        )
    out.print(f"cycle of {first}: {done.materialised} assets made. `loop dev` shows run {done.run_id}.")


@app.command("import")
def import_(
    file: Path,
    as_: Annotated[str | None, typer.Option("--as", help="A mapping that ships, such as upworthy_tests.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A YAML file that says which column is what.")] = None,
    kind: Annotated[str, typer.Option(help="Without a mapping: results, units or events in their own column names.")] = "results",
    set_: Annotated[list[str] | None, typer.Option("--set", help="target=column or target:=constant; may repeat.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    warehouse: WarehouseOption = None,
) -> None:
    """Past experiments or event tables into raw; says what it refused and why."""
    settings = _settings(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.learn.tagging import tag_texts
    from orchestration.learn.taxonomy import Taxonomy
    from orchestration.measure.imports import import_file

    house = Warehouse(settings.warehouse)
    house.migrate()
    with err.status(f"reading {file.name}") as status:
        report = import_file(house, file, _mapping(as_, mapping, kind, set_ or []), SystemClock(), progress=status.update)
        tag_texts(house, Taxonomy.load(), SystemClock().now())
    if as_json:
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
        return
    _print_report(report)


@app.command()
def backtest(
    results: Path,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for learnings.parquet and experiment_health.parquet.")],
    as_: Annotated[str | None, typer.Option("--as", help="A mapping that ships, such as upworthy_tests.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A YAML file that says which column is what.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="target=column or target:=constant; may repeat.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """What would have been learned, and when, from past experiments."""
    from orchestration.edges.dbt import DbtProject
    from orchestration.learn.backtest import backtest as run_backtest
    from orchestration.learn.taxonomy import Taxonomy

    with err.status("starting") as status:
        done = run_backtest(
            results,
            out_folder,
            _mapping(as_, mapping, "results", set_ or []),
            SystemClock(),
            dbt=DbtProject(),
            taxonomy=Taxonomy.load(),
            progress=status.update,
        )
    if as_json:
        found = {"imported": asdict(done.imported), "learnings": done.summary, "engine_seconds": {n.unique_id: n.seconds for n in done.nodes}}
        sys.stdout.write(json.dumps(found, default=str) + "\n")
        return
    _print_report(done.imported)
    from orchestration.learn.tables import backtest_table

    out.print(backtest_table(done.summary))
    out.print(f"Every look at every claim: {done.learnings}\nEvery look at every experiment: {done.health}")


@app.command()
def approve(
    creative: Annotated[str, typer.Argument(help="A creative's id, or `all` of those that wait.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "looks right",
    actor: Annotated[str, typer.Option(help="Who decides.", envvar="USER")] = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """Lets a creative be sent; the next `loop run` of its cycle launches it."""
    _decide(warehouse, creative, "approved", actor, reason)


@app.command()
def reject(
    creative: Annotated[str, typer.Argument(help="A creative's id, or `all` of those that wait.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    actor: Annotated[str, typer.Option(help="Who decides.", envvar="USER")] = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """Keeps a creative from being sent."""
    _decide(warehouse, creative, "rejected", actor, reason)


@app.command()
def doctor(warehouse: WarehouseOption = None) -> None:
    """What is configured, reachable, stale, locked or missing."""
    settings = _settings(warehouse)
    from orchestration.doctor import examine

    findings = examine(settings)
    for finding in findings:
        out.print(f"[{'green' if finding.is_well else 'red'}]{'ok ' if finding.is_well else 'no '}[/] {finding.subject}: {finding.found}")
    if not all(finding.is_well for finding in findings):
        sys.exit(2)


@app.command()
def dev(port: Annotated[int, typer.Option(help="Port of the page.")] = 3000, warehouse: WarehouseOption = None) -> None:
    """Dagster's UI on the same warehouse and the same runs."""
    settings = _settings(warehouse)
    from orchestration.running import dagster_home

    os.environ["LOOP_WAREHOUSE"] = str(settings.warehouse.resolve())
    dagster_home(settings.warehouse)
    command = Path(sys.executable).with_name("dagster")
    os.chdir(ROOT)
    os.execv(command, [str(command), "dev", "-m", "orchestration.definitions", "-p", str(port)])  # noqa: S606


@app.command()
def manifest() -> None:
    """Parses the dbt project; `make` does it whenever a model has changed."""
    from orchestration.edges.dbt import DbtProject

    out.print(f"parsed {DbtProject().parse().relative_to(ROOT)}")


def _mapping(as_: str | None, file: Path | None, kind: str, sets: list[str]) -> Any:
    from orchestration.measure.mapping import Mapping

    if as_ and file:
        raise Refusal("--as and --mapping", "name two mappings", "Give one of them.")
    if file:
        base: Any = Mapping.read(file)
    elif as_:
        base = Mapping.named(as_)
    else:
        base = None
    if base is not None and not sets:
        return base
    content: dict[str, Any] = base.model_dump(exclude_defaults=True) | {"kind": base.kind} if base else {"kind": kind}
    for setting in sets:
        target, separator, value = setting.partition("=")
        if not separator or not target or not value:
            raise Refusal(f"--set {setting}", "is not target=column", "Write, for example, --set n=impressions or --set metric:=click.")
        content[target.rstrip(":")] = {"constant": value} if target.endswith(":") else value
    return Mapping.of(content, "--set")


def _print_report(report: Any) -> None:
    again = " (taken in before; nothing was added)" if report.already_imported else ""
    out.print(f"{report.rows_read:,} rows read, {report.rows_accepted:,} accepted, {report.rows_quarantined:,} quarantined{again}")
    for reason, rows in sorted(report.reasons.items(), key=lambda item: -item[1]):
        out.print(f"  {rows:,} rows: {reason}", markup=False)


def _decide(warehouse: Path | None, creative: str, decision: str, actor: str, reason: str) -> None:
    settings = _settings(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.generate.approval import decide

    house = Warehouse(settings.warehouse)
    house.migrate()
    decided = decide(house, creative, decision, actor, reason, SystemClock().now())
    out.print(f"{decision} {len(decided)} creative{'s' if len(decided) != 1 else ''}")
