"""Dagster's view of the generate stage. The thinking is in cycle.py, design.py and creatives.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.deploy.switches import state_by_both
from orchestration.edges.clock import cycle_of
from orchestration.generate.choosing import batched_for, generator_for
from orchestration.generate.cycle import generate_cycle
from orchestration.generate.power import check_power
from orchestration.learn.briefs import write_briefs
from orchestration.learn.taxonomy import Taxonomy
from orchestration.resources import ClockResource, ProgramsResource, TurnResource, WarehouseResource


@dg.asset(
    key=["generate", "creatives"],
    group_name="generate",
    deps=[
        dg.AssetKey(["learn", "wording"]),
        dg.AssetKey(["marts", "tag_posteriors"]),
        dg.AssetKey(["marts", "program_audience"]),
        dg.AssetKey(["marts", "loop_value"]),
        dg.AssetKey(["marts", "experiment_verdicts"]),
        dg.AssetKey(["marts", "experiment_complaints"]),
    ],
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
)
def creatives(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseResource,
    clock: ClockResource,
    programs: ProgramsResource,
    turn: TurnResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per creative of this cycle: written from the brief, with everything that made it.

    A stopped program writes none, nor one whose first cycle is to come.
    """
    house, now, cycle = warehouse.open(), clock.clock().now(), cycle_of_key(context.partition_key)
    taxonomy, rules, rows = Taxonomy.load(), programs.rules(), []
    for program in programs.read():
        if state_by_both(house, program.program) == "stopped":
            continue
        if cycle_of(program.first_cycle, program.cadence) > cycle:
            context.log.warning(
                f"{program.program}: its first cycle is that of {program.first_cycle}, nothing is written"
            )
            continue
        made = write_briefs(house, program, cycle, now)
        check_power(house, program, cycle, now)
        generator = generator_for(program, taxonomy, house, cycle=cycle, seed=programs.seed, now=now)
        batched = batched_for(program, taxonomy, house, cycle=cycle, seed=programs.seed, now=now)
        rows += generate_cycle(
            house, program, cycle, made, generator, taxonomy, seed=programs.seed, now=now, rules=rules, batched=batched
        )
    table = "\n".join(
        f"| {row['send_number']} | {row['segment']} | {row['role']} | {row['text']} | {row['decision']} |"
        for row in rows
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "waiting for approval": sum(row["decision"] == "waiting" for row in rows),
            "written by the fallback": sum(bool(row["is_fallback"]) for row in rows),
            "creatives": dg.MetadataValue.md(
                "| send | segment | role | text | approval |\n| --- | --- | --- | --- | --- |\n" + table
            ),
        }
    )
