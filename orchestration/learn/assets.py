"""Dagster's view of the learn stage. The thinking is in briefing.py, changes.py, wording.py and operations.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.edges.model_choice import model_of
from orchestration.learn.asking import asker_of
from orchestration.learn.briefing import rendered
from orchestration.learn.briefs import write_briefs
from orchestration.learn.notes import write_notes
from orchestration.learn.pages import page_of, write_pages
from orchestration.learn.pictures import forest_plot
from orchestration.learn.reading import learnings_as_of
from orchestration.learn.taxonomy import Taxonomy
from orchestration.resources import ClockResource, ProgramsResource, WarehouseResource


@dg.asset(
    key=["learn", "briefs"],
    group_name="learn",
    deps=[
        dg.AssetKey(["marts", "learnings"]),
        dg.AssetKey(["marts", "tag_posteriors"]),
        dg.AssetKey(["published", "marts"]),
    ],
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
)
def briefs(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: ClockResource, programs: ProgramsResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per program and segment: what the next creatives may assume as of this cycle, and what changed since the last."""
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


@dg.asset(
    key=["learn", "wording"],
    group_name="learn",
    deps=[dg.AssetKey(["learn", "briefs"])],
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
)
def wording(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: ClockResource, programs: ProgramsResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per note: a sentence about learnings, worded by a model or the template; figures and directions are the warehouse's."""
    house, now, cycle = warehouse.open(), clock.clock().now(), cycle_of_key(context.partition_key)
    taxonomy, pages, written = Taxonomy.load(), {}, 0
    for program in programs.read():
        made = write_briefs(house, program, cycle, now)
        asker = asker_of(model_of(program, house, cycle, now))
        sentences = write_notes(house, program, cycle, made, taxonomy, asker, now)
        pages[program.program] = page_of(house, program, cycle, made, sentences)
        written += sum(map(len, sentences.values()))
    path = write_pages(house.published, cycle, pages)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": written,
            "learnings": dg.MetadataValue.md("\n".join(pages.values())),
            "page": dg.MetadataValue.path(path),
        }
    )
