"""Dagster's view of the deploy stage. The thinking is in experiments.py and assignment.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.deploy.channels import HandoverFiles
from orchestration.deploy.experiments import launch_cycle
from orchestration.resources import ClockResource, ProgramsResource, WarehouseResource


@dg.asset(
    key=["deploy", "experiments"],
    group_name="deploy",
    deps=[
        dg.AssetKey(["generate", "creatives"]),
        dg.AssetKey(["marts", "program_audience"]),
        dg.AssetKey(["marts", "tag_posteriors"]),
        dg.AssetKey(["intermediate", "int_experiments__batch_progress"]),
        dg.AssetKey(["intermediate", "int_experiments__stopped_arms"]),
    ],
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
)
def experiments(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: ClockResource, programs: ProgramsResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per experiment of this cycle: approved creatives, randomised people, messages handed over (or a dry run)."""
    house, now, cycle = warehouse.open(), clock.clock().now(), cycle_of_key(context.partition_key)
    channel = HandoverFiles(house.folder / "outbox")
    launches = [
        launch
        for program in programs.read()
        for launch in launch_cycle(house, program, cycle, programs.first_day(cycle), channel, now, seed=programs.seed)
    ]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(launches),
            "people assigned": sum(launch.people for launch in launches),
            "messages handed over": sum(launch.messages for launch in launches),
        }
    )
