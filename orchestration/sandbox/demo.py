"""The whole loop in a simulated world: the same job, assets and records as in production; only the world is not real."""

import datetime as dt
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.build.checking import Checks
from orchestration.deploy.batches import batch_times
from orchestration.deploy.experiments import starts_of
from orchestration.edges.clock import SystemClock, cycle_of
from orchestration.edges.locks import turning
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.programs.definition import FOLDER, Program, read_program
from orchestration.records import Learning
from orchestration.running import run_cycle
from orchestration.sandbox.preset import Preset, read_preset
from orchestration.sandbox.results import ProgramResult, result_of
from orchestration.sandbox.truth import SentArm, Truth
from orchestration.sandbox.world import World

FIRST_MONDAY = dt.date(2026, 1, 5)
NEWSLETTER = "subject_lines"


@dataclass(frozen=True, slots=True)
class CycleReport:
    """One cycle against the truth of the world; rates are expected clicks per exposed person.

    Attributes:
        reward: What the loop sent (all arms but holdout and control).
        oracle: The best arm, given the same creatives.
        ideal: The best creatives the generator could have made.
        baseline: The loop's own baseline arm.
        learnings_active, learnings_false: After the cycle was measured; false ones contradict the truth.
    """

    cycle: int
    reward: float
    oracle: float
    ideal: float
    baseline: float
    learnings_active: int
    learnings_false: int


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything the summary says.

    Attributes:
        program: The newsletter's, whose cycles are scored by the world's truth.
        value: Rows of ``marts.loop_value`` after the last cycle: against the baseline and against creatives without learnings.
        programs: What each program came to, the newsletter's among them.
    """

    program: Program
    cycles: tuple[CycleReport, ...]
    learnings: tuple[Learning, ...]
    value: tuple[dict[str, Any], ...]
    messages: int
    programs: tuple[ProgramResult, ...]


def run_demo(
    folder: Path,
    *,
    cycles: int,
    seed: int,
    preset: str = "newsletter",
    programs: Sequence[str] = (NEWSLETTER,),
    fresh: bool = False,
    progress: Callable[[str], None] = lambda message: None,
    report: Callable[[CycleReport], None] = lambda cycle: None,
) -> Demo:
    """Runs the demo, or goes on where an earlier run of the same world stopped.

    Args:
        folder: Warehouse folder; it may hold the same world already, never another one.
        programs: Shipped programs to run; the newsletter's is always one of them.
        fresh: Throw an earlier demo in the folder away first.
        progress: Told what is happening.
        report: Told each finished cycle.

    Raises:
        Refusal: if the folder holds another world, or real data.
        WarehouseLocked: if another process turns the folder's loop.
    """
    days = [FIRST_MONDAY + dt.timedelta(weeks=week) for week in range(cycles + 1)]
    if days[-1] > SystemClock().now().date():
        most = (SystemClock().now().date() - FIRST_MONDAY).days // 7
        raise Refusal(f"--cycles {cycles}", "would end in the future", f"Ask for at most {most} cycles.")
    _require_answered(programs, read_preset(preset))  # refused before anything is made
    with turning(folder):
        if fresh:
            discard(folder)
        return _lived(folder, days, seed, preset, programs, progress, report)


def _lived(
    folder: Path,
    days: Sequence[dt.date],
    seed: int,
    preset: str,
    programs: Sequence[str],
    progress: Callable[[str], None],
    report: Callable[[CycleReport], None],
) -> Demo:
    warehouse, cycles = Warehouse(folder), len(days) - 1
    _refuse_real_data(warehouse)
    progress("making the world")
    world = World.create(folder, preset, seed)
    definitions = folder / "world" / "programs"
    running = _sandbox_programs(definitions, programs, world)
    program = next(item for item in running if item.program == NEWSLETTER)
    done, turn = _read(folder), _Turning(world, folder, definitions, seed, progress)
    for number, day in enumerate(days):
        finished = number - 1
        if finished >= 0 and finished < len(done):
            report(done[finished])
        if number < len(done) or (number == len(done) == cycles):
            continue
        now = dt.datetime.combine(day, dt.time())
        if number == cycles:
            turn.until(now, day, "a last look: measure, build, learn", only=("measure", "build", "learn"), checks="all")
        else:
            turn.until(now, day, f"cycle {number + 1} of {cycles}: measure, build, learn, generate, deploy")
            _later_batches(turn, running, day)
        if finished >= len(done):
            done.append(_score(warehouse, program, folder, cycle_of(days[finished], "weekly"), cycle_of(day, "weekly")))
            _write(folder, done)
            report(done[-1])
    last_cycle = cycle_of(days[-1], "weekly")
    results = tuple(result_of(warehouse, item, world.preset, last_cycle) for item in running)
    messages = warehouse.rows(
        """
        select count(*) as messages
        from ledger.sends inner join ledger.experiments using (experiment_id)
        where experiments.cycle < ?
        """,
        [last_cycle],
    )[0]["messages"]
    value = next(result.value for result in results if result.program == NEWSLETTER)
    learnings = tuple(_learnings(warehouse, program, last_cycle))
    return Demo(program, tuple(done[:cycles]), learnings, value, messages, results)


@dataclass(frozen=True, slots=True)
class _Turning:
    """Turns the loop of a world from moment to moment."""

    world: World
    folder: Path
    programs: Path
    seed: int
    progress: Callable[[str], None]

    def until(
        self, moment: dt.datetime, day: dt.date, what: str, only: Sequence[str] = (), checks: Checks = "evidence"
    ) -> None:
        """Lets time pass until a moment and runs stages of a cycle then, unless an earlier run has gone past that moment.

        It had run them before it went on; and what the world has sent since would be events of the future, which intake refuses.

        Args:
            day: First day of the cycle.
            only: Stages to run; empty runs all.
        """
        if self.world.now > moment:
            return
        self.progress(f"{what.partition(':')[0]}: time passes")
        self.world.advance(moment)
        self.progress(what)
        run_cycle(
            self.folder,
            self.programs,
            "weekly",
            self.seed,
            day.isoformat(),
            fixed_time=moment.isoformat(),
            only=only,
            checks=checks,
        )


def _later_batches(turn: _Turning, running: Sequence[Program], day: dt.date) -> None:
    """Runs the loop again whenever a later batch of the week's sends is due."""
    due = sorted(
        {
            moment
            for program in running
            for start in starts_of(program, day).values()
            for moment in batch_times(program, start)[1:]
        }
    )
    for number, moment in enumerate(due, 1):
        what = f"batch {number} of {len(due)} of the week, by what the earlier ones show: measure, build, deploy"
        turn.until(moment, day, what, only=("measure", "build", "deploy"))


def _sandbox_programs(folder: Path, names: Sequence[str], world: World) -> list[Program]:
    """The shipped programs, allowed to approve by themselves and to send: in this world nobody can be harmed.

    Raises:
        Refusal: if a program is not shipped, or this world does not answer it.
    """
    _require_answered(names, world.preset)
    wanted = dict.fromkeys((NEWSLETTER, *names))
    folder.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        shipped = read_program(FOLDER / f"{name}.yaml").model_dump(mode="json")
        content = yaml.safe_dump(shipped | {"approval": "automatic", "dry_run": False}, sort_keys=False)
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    return [read_program(folder / f"{name}.yaml") for name in sorted(wanted)]


def _require_answered(names: Sequence[str], preset: Preset) -> None:
    answered = {NEWSLETTER, *preset.campaigns}
    if unknown := sorted(set(names) - answered):
        raise Refusal(
            f"program {unknown[0]}",
            f"has no answer in the world {preset.preset}",
            f"Choose among {', '.join(sorted(answered))}, or a preset that knows it.",
        )


def _refuse_real_data(warehouse: Warehouse) -> None:
    if not warehouse.path.exists() or (warehouse.folder / "world").exists():
        return
    warehouse.migrate()
    if warehouse.rows("select 1 from raw.imports union all select 1 from ledger.cycles limit 1"):
        raise Refusal(
            str(warehouse.folder),
            "holds a warehouse that is not a simulated world",
            "Choose another folder with --warehouse.",
        )


def _score(warehouse: Warehouse, program: Program, folder: Path, cycle: int, look: int) -> CycleReport:
    """Scores what a cycle sent, and what is claimed at the look that measured it."""
    sent = warehouse.rows(
        """
        select assignments.segment, creatives.text, arms.role, assignments.experiment_id as send, count(*) as people
        from ledger.assignments as assignments
        inner join ledger.experiments as experiments on assignments.experiment_id = experiments.experiment_id
        inner join ledger.arms as arms
            on assignments.experiment_id = arms.experiment_id and assignments.segment = arms.segment
            and assignments.creative_id = arms.creative_id
        inner join ledger.creatives as creatives on assignments.creative_id = creatives.creative_id
        where experiments.cycle = ? and experiments.program = ?
        group by all order by all
        """,
        [cycle, program.program],
    )
    truth = Truth.of(folder)
    score = truth.score_cycle([SentArm(**row) for row in sent], program.tags)
    active = [row for row in _learnings(warehouse, program, look) if row.status == "active"]
    false = [row for row in active if truth.contradicts(row.tag, row.segment, row.effect or 0.0)]
    return CycleReport(
        cycle, score.reward, score.oracle, score.ideal, score.baseline or math.nan, len(active), len(false)
    )


def _learnings(warehouse: Warehouse, program: Program, cycle: int) -> list[Learning]:
    from orchestration.learn.reading import learnings_as_of

    return learnings_as_of(warehouse, program.program, program.objective.name, cycle)


def _read(folder: Path) -> list[CycleReport]:
    file = folder / "world" / "scores.json"
    return [CycleReport(**row) for row in json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []


def _write(folder: Path, reports: list[CycleReport]) -> None:
    draft = folder / "world" / "scores.part"
    draft.write_text(json.dumps([asdict(report) for report in reports]), encoding="utf-8")
    os.replace(draft, folder / "world" / "scores.json")


def discard(folder: Path) -> None:
    """Throws an earlier demo away; never a folder that holds anything else.

    Raises:
        Refusal: if the folder holds a warehouse without a simulated world.
    """
    _refuse_real_data(Warehouse(folder))
    for name in ("world", "inbox", "outbox", "published", "dagster"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for file in folder.glob("loop.duckdb*"):
        file.unlink()
