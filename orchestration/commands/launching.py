"""What may go out: approvals, approve, reject; and what must not: stop, resume, rollback."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.commands.console import WarehouseOption, err, out, settings_for
from orchestration.edges.clock import SystemClock
from orchestration.errors import LoopError, Refusal, WarehouseLocked
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.deploy.switches import State
    from orchestration.edges.warehouse import Warehouse

Actor = Annotated[str, typer.Option(help="Who decides.", envvar="USER")]
Program = Annotated[str | None, typer.Option("--program", help="This program alone.")]


def approvals(program: Program = None, warehouse: WarehouseOption = None) -> None:
    """Creatives that wait for a decision, by program, with the rule that withheld them."""
    from orchestration.generate.approval import waiting

    rows = waiting(_existing(settings_for(warehouse)), program)
    for name in dict.fromkeys(row["program"] for row in rows):
        out.print(name, style="bold")
        for row in (row for row in rows if row["program"] == name):
            out.print(
                f"  {row['creative_id']}  {row['segment']}, {row['role']}: {row['text']}", markup=False, soft_wrap=True
            )
            out.print(f"      {row['waits_because']}", markup=False, soft_wrap=True, style="dim")
    out.print(
        f"{len(rows)} creative{'s' if len(rows) != 1 else ''} wait{'s' if len(rows) == 1 else ''} for a decision."
    )


def approve(
    creative: Annotated[str, typer.Argument(help="A creative's id, or `all` of those that wait.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "looks right",
    program: Program = None,
    actor: Actor = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """Lets a creative be sent; the next `loop run` of its cycle launches it."""
    _decide(warehouse, creative, "approved", actor, reason, None, program)


def reject(
    creative: Annotated[str, typer.Argument(help="A creative's id, or `all` of those that wait.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept, and told to whoever writes next.")],
    code: Annotated[str, typer.Option(help="Why, in one word that can be counted.")] = "other",
    program: Program = None,
    actor: Actor = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """Keeps a creative from being sent; the next `loop run` writes another one for its slot, or drops its arm."""
    _decide(warehouse, creative, "rejected", actor, reason, code, program)


def stop(
    program: Annotated[str | None, typer.Argument(help="A program.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All programs.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "stopped by hand",
    actor: Actor = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """The kill switch: nothing of the program, or of any, goes out from the next batch on. Works while something else runs."""
    scope = _throw(warehouse, program, everything, "stopped", actor, reason)
    out.print(f"{scope} is stopped. `loop resume` lets it run again.")


def resume(
    program: Annotated[str | None, typer.Argument(help="A program.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Takes back a stop of all programs.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "resumed by hand",
    actor: Actor = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """Lets a program run again that was stopped or rolled back, by hand or by its guardrails."""
    from orchestration.deploy.switches import state_by_both, state_in
    from orchestration.edges.warehouse import Warehouse

    scope = _throw(warehouse, program, everything, "running", actor, reason)
    house = Warehouse(settings_for(warehouse).warehouse, patience_seconds=1)
    try:
        left = state_by_both(house, program or "")
    except WarehouseLocked:
        left = state_in(house.folder, program or "")
    more = "" if left == "running" else f" It is still {left}: all programs are. `loop resume --all` takes that back."
    out.print(f"{scope} may run.{more}")


def rollback(
    program: Annotated[str, typer.Argument(help="A program.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "rolled back by hand",
    actor: Actor = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """Back to the baseline: from the next batch on the program sends its own text and nothing else."""
    _throw(warehouse, program, False, "baseline", actor, reason)
    out.print(f"{program} sends its baseline alone. `loop resume {program}` takes that back.")


def print_outlook(settings: Settings, cycle: int) -> None:
    """After a run: what waits, how long a proof will take, and which programs are held back."""
    from orchestration.deploy.switches import known_switches
    from orchestration.generate.approval import waiting
    from orchestration.generate.generators import STAND_IN

    house = _existing(settings)
    texts = """
        select program, is_fallback, count(*) as texts from ledger.creatives
        where cycle = ? and (generator = 'offline' or is_fallback) group by all order by all
    """
    for row in house.rows(texts, [cycle]):
        why = "the model failed, so they are" if row["is_fallback"] else "they are"
        out.print(
            f"{row['program']}: {row['texts']} texts to be read with care: {why} the offline generator's, {STAND_IN}.",
            markup=False,
            soft_wrap=True,
        )
    for row in house.rows("select program, message from ledger.power_checks where cycle = ? order by program", [cycle]):
        out.print(f"{row['program']}: {row['message']}.", markup=False)
    ramps = "select program, share, reason from ledger.ramps where cycle = ? and share < 1 order by program"
    for row in house.rows(ramps, [cycle]):
        out.print(f"{row['program']}: reaches {row['share']:.0%} of its people ({row['reason']}).", markup=False)
    with house.connect() as connection:
        last = {switch.scope: switch for switch in known_switches(connection)}
    for scope, switch in sorted(last.items()):
        if switch.state != "running":
            out.print(f"{'All programs' if scope == '*' else scope}: {switch.state} ({switch.reason}).", markup=False)
    batches = """
        select program, any_value(json_array_length(questions)) filter (where step = 'prepared') as questions
        from ledger.model_batches where cycle = ?
        group by program, batch_key having count(*) filter (where step = 'ended') = 0 order by program
    """
    for row in house.rows(batches, [cycle]):
        out.print(
            f"{row['program']}: a batch of {row['questions']} questions is with the model; the next `loop run` collects it.",
            soft_wrap=True,
        )
    if count := len(waiting(house)):
        out.print(f"{count} creative{'s' if count != 1 else ''} wait for approval: `loop approvals`.")


def _throw(folder: Path | None, program: str | None, everything: bool, state: "State", actor: str, reason: str) -> str:
    settings = settings_for(folder)
    from orchestration.deploy.switches import EVERYTHING, record_switches, throw
    from orchestration.edges.warehouse import Warehouse
    from orchestration.generate.approval import require_reason

    require_reason(reason)
    if (program is None) != everything:
        raise Refusal("switch", "names no program, or one and all of them", "Name one program, or give --all.")
    if program is not None:
        _require_known(settings, program)
    throw(settings.warehouse, program or EVERYTHING, state, actor, reason, SystemClock().now())
    house = Warehouse(settings.warehouse, patience_seconds=1)
    if house.path.exists():
        try:
            house.migrate()
            record_switches(house)
        except WarehouseLocked:
            err.print("The switch holds. The warehouse is in use; the next run copies it to the ledger.")
    return program or "Everything"


def _require_known(settings: Settings, program: str) -> None:
    """Refuses a misspelt program; where the programs cannot be read, a switch must work all the same."""
    from orchestration.programs.definition import read_programs

    try:
        names = [one.program for one in read_programs(settings.programs)]
    except LoopError as error:
        err.print(f"{error} The switch is thrown all the same.", markup=False)
        return
    if program not in names:
        raise Refusal(f"program {program}", "is not configured", f"Programs are {', '.join(names)}.")


def _existing(settings: Settings) -> "Warehouse":
    from orchestration.edges.warehouse import Warehouse

    house = Warehouse(settings.warehouse)
    if not house.path.exists():
        raise Refusal(str(settings.warehouse), "holds no warehouse yet", "`loop run` makes it and writes creatives.")
    house.migrate()
    return house


def _decide(
    warehouse: Path | None, creative: str, decision: str, actor: str, reason: str, code: str | None, program: str | None
) -> None:
    house = _existing(settings_for(warehouse))
    from orchestration.generate.approval import decide

    decided = decide(house, creative, decision, actor, reason, SystemClock().now(), code=code, program=program)
    out.print(f"{decision} {len(decided)} creative{'s' if len(decided) != 1 else ''}")
