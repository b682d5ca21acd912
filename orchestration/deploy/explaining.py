"""Why a person got what they got: every send with the number that dealt it, dealt again here, and who let it through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.deploy.assignment import unit_number
from orchestration.deploy.reach import EVERYBODY_HOLDOUT
from orchestration.edges.warehouse import Warehouse

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Dealt:
    """One send of one person.

    Attributes:
        role: Of the creative, or None where it is no arm of the experiment.
        number: The person's number under the experiment's salt, computed now.
        low, high: Interval of the arm on the unit interval, from the chances that were fixed before; None for the holdout.
        agrees: Whether dealing again gives the same arm: the holdout for whom a holdout's number holds out, and for everybody else the
            arm in whose interval the number lies.
        let_through: The decision on the creative, or None for the holdout.
        notes: What the text leaned on, in the words of the ledger.
    """

    experiment_id: str
    assigned_at: Any
    segment: str
    batch: int
    creative_id: str
    role: str | None
    text: str | None
    probability: float
    number: float
    low: float | None
    high: float | None
    agrees: bool
    let_through: str | None
    notes: tuple[str, ...]


def why_person(warehouse: Warehouse, user_id: str) -> list[Dealt]:
    """Every send a person was dealt in, oldest first."""
    rows = warehouse.rows(
        """
        select assignments.experiment_id, experiments.program, experiments.salt, assignments.assigned_at, assignments.segment,
            assignments.batch, assignments.creative_id, assignments.probability, arms.role, creatives.text,
            decisions.decision || ' by ' || decisions.actor || ' (' || decisions.reason || ')' as let_through,
            coalesce(creatives.learnings_used, []) as learnings_used
        from ledger.assignments as assignments
        inner join ledger.experiments as experiments on assignments.experiment_id = experiments.experiment_id
        left join ledger.arms as arms
            on assignments.experiment_id = arms.experiment_id and assignments.segment = arms.segment
            and assignments.creative_id = arms.creative_id
        left join ledger.creatives as creatives on assignments.creative_id = creatives.creative_id
        left join ledger.decisions as decisions on assignments.creative_id = decisions.creative_id
        where assignments.user_id = ?
        order by assignments.assigned_at, assignments.experiment_id
        """,
        [user_id],
    )
    return [_dealt(warehouse, user_id, row) for row in rows]


def _dealt(warehouse: Warehouse, user_id: str, row: Mapping[str, Any]) -> Dealt:
    chances = warehouse.rows(
        """
        select arms.creative_id, arms.role, coalesce(allocations.probability, arms.planned_share) as probability
        from ledger.arms as arms
        left join ledger.allocations as allocations
            on arms.experiment_id = allocations.experiment_id and arms.segment = allocations.segment
            and arms.creative_id = allocations.creative_id and allocations.batch = $batch
        where arms.experiment_id = $experiment_id and arms.segment = $segment
        order by arms.arm_number
        """,
        {key: row[key] for key in ("experiment_id", "segment", "batch")},
    )
    number, bounds = unit_number(row["salt"], user_id), None
    held = sum(chance["probability"] for chance in chances if chance["role"] == "holdout")
    agrees = (row["role"] == "holdout") == _is_held_out(warehouse, row, user_id, held)
    if row["role"] != "holdout":
        bounds = _interval([chance for chance in chances if chance["role"] != "holdout"], row["creative_id"])
        agrees &= bounds is not None and bounds[0] - _ROUNDING <= number < bounds[1] + _ROUNDING
    notes = warehouse.rows(
        "select distinct sentence from ledger.notes where evidence_id in (select unnest($used)) order by sentence",
        {"used": list(row["learnings_used"])},
    )
    own = {key: row[key] for key in ("experiment_id", "assigned_at", "segment", "batch", "creative_id", "role", "text")}
    low, high = bounds or (None, None)
    return Dealt(
        **own,
        probability=row["probability"],
        number=number,
        low=low,
        high=high,
        agrees=agrees,
        let_through=row["let_through"],
        notes=tuple(note["sentence"] for note in notes),
    )


def _is_held_out(warehouse: Warehouse, row: Mapping[str, Any], user_id: str, held: float) -> bool:
    """Whether a holdout takes the person: the program's own, or that of everybody, which takes the rest of the chance.

    Args:
        held: Chance of being held out by either, as it was fixed before.
    """
    told = warehouse.rows(
        """
        with dealt as (
            select coalesce(min(allocations.recorded_at), any_value(experiments.recorded_at)) as at
            from ledger.experiments as experiments
            left join ledger.allocations as allocations
                on experiments.experiment_id = allocations.experiment_id and allocations.batch = $batch
            where experiments.experiment_id = $experiment_id
        )
        select cast(json_extract_string(programs.spec, '$.experiments.holdout_share') as double) as share
        from ledger.programs as programs
        inner join dealt on programs.recorded_at <= dealt.at + interval 1 second
        where programs.program = $program
        order by programs.recorded_at desc
        limit 1
        """,
        {key: row[key] for key in ("experiment_id", "program", "batch")},
    )
    own = held if not told or told[0]["share"] is None else told[0]["share"]
    everybody = 1 - (1 - held) / (1 - own)
    return (
        unit_number(f"{row['program']}/holdout", user_id) < own
        or unit_number(EVERYBODY_HOLDOUT, user_id) < everybody - _ROUNDING
    )


def _interval(chances: Sequence[Mapping[str, Any]], creative_id: str) -> tuple[float, float] | None:
    """The arm's part of the unit interval: chances of the arms among people outside the holdout, added up in their order."""
    total, low = sum(chance["probability"] for chance in chances), 0.0
    for chance in chances:
        high = low + chance["probability"] / total
        if chance["creative_id"] == creative_id:
            return low, high
        low = high
    return None


def sentences(dealt: Dealt, program: str, user_id: str) -> list[str]:
    """A send in words."""
    head = f"{dealt.experiment_id}, {dealt.assigned_at:%Y-%m-%d %H:%M} UTC, segment {dealt.segment}"
    check = (
        "Dealt again now: the same arm." if dealt.agrees else "Dealt again now: ANOTHER arm; the records do not agree."
    )
    if dealt.role == "holdout":
        own, everybody = unit_number(f"{program}/holdout", user_id), unit_number(EVERYBODY_HOLDOUT, user_id)
        return [
            f"{head}: nothing, because of a holdout, the same people in every send.",
            f"  Number {own:.6f} in {program}/holdout, {everybody:.6f} in {EVERYBODY_HOLDOUT}; chance {dealt.probability:.2%}. {check}",
        ]
    batch = f", batch {dealt.batch}" if dealt.batch > 1 else ""
    part = "no part of the experiment" if dealt.low is None else f"{dealt.low:.6f} to {dealt.high:.6f}"
    lines = [
        f"{head}{batch}: {dealt.text!r} ({dealt.role or 'no arm of it'}).",
        f"  Number {dealt.number:.6f}; this arm has {part}; chance {dealt.probability:.2%}. {check}",
        f"  The text was {dealt.let_through or 'never decided on'}.",
    ]
    return [*lines, *(f"  It leaned on: {note}" for note in dealt.notes)]
