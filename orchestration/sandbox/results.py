"""What each program of a demo came to: measured by the warehouse, and its claims held against the world's own law."""

from dataclasses import dataclass
from typing import Any

from orchestration.edges.warehouse import Warehouse
from orchestration.learn.reading import learnings_as_of
from orchestration.programs.definition import Program
from orchestration.sandbox.preset import Preset


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """One program after the last cycle.

    Attributes:
        value: Rows of ``marts.loop_value``, by what the creatives with the learnings are compared with; empty before the first look.
        active: Tags claimed, over all segments.
        false: Those of them that have no effect in this world, or the other one.
    """

    program: str
    channel: str
    objective: str
    value: tuple[dict[str, Any], ...]
    active: tuple[str, ...]
    false: tuple[str, ...]

    def against(self, other: str) -> dict[str, Any] | None:
        """The row of one comparison (``baseline`` or ``control``), or None before the first look."""
        return next((row for row in self.value if row["against"] == other), None)


def result_of(warehouse: Warehouse, program: Program, preset: Preset, cycle: int) -> ProgramResult:
    """Reads what a program has earned and claims as of a cycle."""
    value = warehouse.rows(
        """
        select * from marts.loop_value
        where program = $program
            and cycle = (select max(cycle) from marts.loop_value where program = $program and cycle <= $cycle)
        order by against
        """,
        {"program": program.program, "cycle": cycle},
    )
    claims = [
        row
        for row in learnings_as_of(warehouse, program.program, program.objective.name, cycle)
        if row.status == "active" and row.segment == "all"
    ]
    campaign = preset.campaigns.get(program.program)
    effects = campaign.effects if campaign else {tag: _overall(effect) for tag, effect in preset.effects.items()}
    false = [row.tag for row in claims if effects.get(row.tag, 0.0) * (row.effect or 0.0) <= 0]
    return ProgramResult(
        program.program,
        program.channel,
        program.objective.name,
        tuple(value),
        tuple(row.tag for row in claims),
        tuple(false),
    )


def _overall(effect: float | dict[str, float]) -> float:
    return sum(effect.values()) if isinstance(effect, dict) else effect
