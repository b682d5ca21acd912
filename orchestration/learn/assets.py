"""Dagster's view of the learn stage. The thinking is in briefs.py and briefing.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.learn.briefing import rendered
from orchestration.learn.briefs import write_briefs
from orchestration.learn.pictures import forest_plot
from orchestration.learn.reading import learnings_as_of
from orchestration.resources import ClockResource, ProgramsResource, WarehouseResource


@dg.asset(
    key=["learn", "briefs"],
    group_name="learn",
    deps=[dg.AssetKey(["marts", "learnings"]), dg.AssetKey(["published", "marts"])],
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
)
def briefs(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: ClockResource, programs: ProgramsResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per program and segment: the learnings in words, and what the next creatives may assume, as of this cycle."""
    house, now, cycle = warehouse.open(), clock.clock().now(), cycle_of_key(context.partition_key)
    pages, pictures, written, active = [], [], 0, 0
    for program in programs.read():
        made = write_briefs(house, program, cycle, now)
        pages += [rendered(brief) for brief in made.values()]
        learnings = learnings_as_of(house, program.program, program.objective.name, cycle)
        pictures.append(forest_plot(learnings, f"{program.program}: {program.objective.name}, cycle {cycle}"))
        written += len(made)
        active += sum(row.status == "active" for row in learnings)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": written,
            "active learnings": active,
            "learnings": dg.MetadataValue.md("\n".join(pages)),
            "effects": dg.MetadataValue.md("\n\n".join(pictures)),
        }
    )
