"""Evidence from the past: import, backtest, replay, and what to expect: aa, plan."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.commands.console import JsonOption, WarehouseOption, err, out, settings_for
from orchestration.edges.clock import SystemClock
from orchestration.errors import Refusal

ProgramOption = Annotated[
    str | None, typer.Option("--program", help="Judge by the thresholds of this program; else by the policy's.")
]


def import_(
    file: Path,
    as_: Annotated[str | None, typer.Option("--as", help="A mapping that ships, such as upworthy_tests.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A YAML file that says which column is what.")] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="Without a mapping: results, units, events, rates or channel_daily in their own column names."
        ),
    ] = "results",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="target=column or target:=constant; may repeat.")
    ] = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Leave a Parquet file of events where it lies, and let the models read it there."
        ),
    ] = False,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
) -> None:
    """Past experiments, event tables, exchange rates or platforms' daily figures into raw; says what it refused and why."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.learn.tagging import tag_texts
    from orchestration.learn.taxonomy import Taxonomy
    from orchestration.measure.imports import import_file
    from orchestration.measure.in_place import attach

    house = Warehouse(settings.warehouse)
    columns = _mapping(as_, mapping, kind, set_ or [])
    with err.status(f"reading {file.name}") as status:
        take = attach if in_place else import_file
        report = take(house, file, columns, SystemClock(), progress=status.update)
        tag_texts(house, Taxonomy.load(), SystemClock().now())
    if as_json:
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
        return
    _print_report(report)


def backtest(
    results: Path,
    out_folder: Annotated[
        Path, typer.Option("--out", help="Folder for learnings.parquet and experiment_health.parquet.")
    ],
    as_: Annotated[str | None, typer.Option("--as", help="A mapping that ships, such as upworthy_tests.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A YAML file that says which column is what.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="target=column or target:=constant; may repeat.")
    ] = None,
    program: ProgramOption = None,
    as_json: JsonOption = False,
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
            thresholds=_thresholds_of(program),
            progress=status.update,
        )
    if as_json:
        found = {
            "imported": asdict(done.imported),
            "learnings": done.summary,
            "verdicts": done.verdicts,
            "engine_seconds": {n.unique_id: n.seconds for n in done.nodes},
        }
        sys.stdout.write(json.dumps(found, default=str) + "\n")
        return
    _print_report(done.imported)
    from orchestration.learn.tables import backtest_table, verdict_table

    out.print(backtest_table(done.summary))
    if done.verdicts:
        out.print(verdict_table(done.verdicts))
    out.print(f"Every look at every claim: {done.learnings}\nEvery look at every experiment: {done.health}")


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
    flags = {} if base else {"kind": kind}
    for setting in sets:
        target, separator, value = setting.partition("=")
        if not separator or not target.rstrip(":") or not value:
            raise Refusal(
                f"--set {setting}",
                "is not target=column",
                "Write, for example, --set n=impressions or --set metric:=click.",
            )
        flags[target.rstrip(":")] = f"={value}" if target.endswith(":") else value
    return Mapping.from_flags(flags, base)


def _thresholds_of(name: str | None) -> Any:
    """The thresholds of a program in ``LOOP_PROGRAMS``; None for no name.

    Raises:
        Refusal: if there is no such program.
    """
    from orchestration.programs.definition import read_programs

    if name is None:
        return None
    programs = {program.program: program for program in read_programs(settings_for(None).programs)}
    if name not in programs:
        raise Refusal(f"--program {name}", "is no program", f"Choose one of {', '.join(programs)}.")
    return programs[name].thresholds


def _require_possible(effect: float, rate: float) -> None:
    """Refuses an effect that would make more than everybody convert."""
    if rate * (1 + effect) > 1:
        raise Refusal(
            f"--effect {effect:g}",
            f"would raise a rate of {rate:g} to {rate * (1 + effect):g}, above 1",
            "Give a relative change: 0.1 is +10 %.",
        )


def _print_report(report: Any) -> None:
    again = " (taken in before; nothing was added)" if report.already_imported else ""
    there = f", {report.rows_duplicate:,} there already" if report.rows_duplicate else ""
    out.print(
        f"{report.rows_read:,} rows read, {report.rows_accepted:,} accepted, {report.rows_quarantined:,} quarantined{there}{again}"
    )
    for reason, rows in sorted(report.reasons.items(), key=lambda item: -item[1]):
        out.print(f"  {rows:,} rows: {reason}", markup=False, soft_wrap=True)


def replay(
    history: Path,
    arms: Path,
    out_file: Annotated[Path, typer.Option("--out", help="File for experiment_id, creative_id, score, uncertainty.")],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Use the local model of the extra `embeddings`.")
    ] = False,
) -> None:
    """Scores creatives that history has not seen: ranks them, proves nothing."""
    from orchestration.learn.embeddings import LocalEmbedder
    from orchestration.learn.replay import replay_scores
    from orchestration.learn.taxonomy import Taxonomy

    with err.status("learning from the history"):
        embedder = LocalEmbedder() if embeddings else None
        replay_scores(history, arms, out_file, taxonomy=Taxonomy.load(), embedder=embedder)
    out.print(f"scores: {out_file}")


def aa(
    programs: Annotated[int, typer.Option(min=1, max=5000, help="Simulated programs.")] = 200,
    cycles: Annotated[int, typer.Option(min=5, max=520)] = 52,
    units: Annotated[int, typer.Option(min=10, help="People per arm and segment of one experiment.")] = 2000,
    rate: Annotated[float, typer.Option(min=0.0001, max=0.9, help="Conversions per person.")] = 0.03,
    tags: Annotated[int, typer.Option(min=2, max=50)] = 5,
    segments: Annotated[int, typer.Option(min=1, max=20)] = 3,
    effect: Annotated[
        float, typer.Option(min=-0.9, max=10, help="Effect of the first two tags in the power run.")
    ] = 0.1,
    creative_sd: Annotated[
        float, typer.Option(min=0, max=1, help="Differences between creatives that no tag explains.")
    ] = 0.1,
    smaller: Annotated[
        float, typer.Option(min=0.001, max=1, help="People in each arm but the baseline, as a part of --units.")
    ] = 1.0,
    value_sd: Annotated[
        float | None,
        typer.Option(
            min=0, max=3, help="A conversion is worth money: log standard deviation of orders, 1 is usual of a shop."
        ),
    ] = None,
    program: ProgramOption = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    as_json: JsonOption = False,
) -> None:
    """A/A self-audit of your own sizes: does it learn from noise, and how soon does it learn what is true?"""
    import math

    from orchestration.edges.dbt import DbtProject
    from orchestration.learn.audit import Setting, audit

    _require_possible(effect, rate)
    dbt, thresholds = DbtProject(), _thresholds_of(program)
    null = Setting(
        programs, cycles, segments, units, rate, (0.0,) * tags, creative_sd, smaller=smaller, value_sd=value_sd
    )
    true = replace(null, effects=(math.log1p(effect),) * 2 + (0.0,) * (tags - 2))
    with err.status("starting") as status:
        noise, power = (
            audit(one, seed=number, dbt=dbt, clock=SystemClock(), thresholds=thresholds, progress=status.update)
            for number, one in enumerate((null, true), seed)
        )
    if as_json:
        sys.stdout.write(json.dumps({"null": asdict(noise), "power": asdict(power)}) + "\n")
        return
    out.print(f"Nothing is true ({programs} programs, {cycles} cycles): {noise.ever_false:.1%} ever claimed anything.")
    found = f"{power.found:.0%} of the true tags were proved" if power.found is not None else "no tag is true"
    wait = "" if power.median_cycle is None else f", the median one in cycle {power.median_cycle:.0f}"
    out.print(f"Two tags of {effect:+.0%} are true: {found}{wait}; {power.false_share:.1%} of the claims were false.")
    if power.boast is not None:
        out.print(f"Reported effects were {power.boast:.2f} times the true ones on average.")


def plan(
    effect: Annotated[float, typer.Option(min=-0.9, max=10, help="Relative change to find, 0.1 for +10 %.")],
    rate: Annotated[float, typer.Option(min=0.00001, max=0.99, help="Conversions per person.")],
    people: Annotated[int, typer.Option(min=1, help="People who can be reached in one experiment, all arms together.")],
    arms: Annotated[int, typer.Option(min=2, help="Arms they are spread over.")] = 6,
    experiments_per_week: Annotated[float, typer.Option(min=0.01, help="Experiments a week that vary the tag.")] = 1.0,
    tags: Annotated[int, typer.Option(min=1, help="Tags judged together.")] = 8,
    creative_sd: Annotated[float, typer.Option(min=0, max=1)] = 0.1,
) -> None:
    """Units, experiments and weeks that a stated effect needs, or that the list is too small to learn it."""
    from orchestration.learn.planning import LONGEST
    from orchestration.learn.planning import plan as make_plan

    _require_possible(effect, rate)
    per_arm = people // arms
    if per_arm < 1 or effect == 0:
        raise Refusal(
            "plan",
            "there is no one in an arm, or no effect to find",
            "Give more people than arms and an effect such as 0.1.",
        )
    made = make_plan(
        effect=effect,
        rate=rate,
        people_per_arm=per_arm,
        experiments_per_week=experiments_per_week,
        tags=tags,
        creative_sd=creative_sd,
    )
    if made.experiments is None or made.weeks is None:
        out.print(
            f"This list is too small to learn this: {effect:+.0%} at a rate of {rate:.2%} with {per_arm:,} people an arm would need "
            f"more than {LONGEST} experiments. Look for larger effects, a more frequent outcome, or fewer arms."
        )
        return
    out.print(
        f"{effect:+.0%} at a rate of {rate:.2%}: {made.experiments} experiments of {people:,} people ({per_arm:,} an arm), "
        f"{made.weeks:.0f} weeks, prove it in 4 of 5 cases."
    )
