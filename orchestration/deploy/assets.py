"""Dagster's view of the deploy stage. The thinking is in launching.py, experiments.py and assignment.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.deploy.channels import HandoverFiles
from orchestration.deploy.launching import launch_program
from orchestration.deploy.senders.configured import channels_with_senders
from orchestration.resources import ClockResource, ProgramsResource, TurnResource, WarehouseResource


@dg.asset(
    key=["deploy", "experiments"],
    group_name="deploy",
    deps=[
        dg.AssetKey(["generate", "creatives"]),
        dg.AssetKey(["marts", "program_audience"]),
        dg.AssetKey(["marts", "tag_posteriors"]),
        dg.AssetKey(["marts", "experiment_health"]),
        dg.AssetKey(["marts", "experiment_verdicts"]),
        dg.AssetKey(["marts", "experiment_complaints"]),
        dg.AssetKey(["intermediate", "int_experiments__batch_progress"]),
        dg.AssetKey(["intermediate", "int_experiments__stopped_arms"]),
    ],
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
)
def experiments(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseResource,
    clock: ClockResource,
    programs: ProgramsResource,
    turn: TurnResource,
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per experiment of this cycle: approved creatives, randomised people, messages handed over (or a dry run)."""
    house, now, cycle = warehouse.open(), clock.clock().now(), cycle_of_key(context.partition_key)
    channel = HandoverFiles(house.folder / "outbox", channels_with_senders())
    rules, first_day = programs.rules(), programs.first_day(cycle)
    done = [
        launch_program(
            house, program, programs.everybody(), cycle, first_day, channel, now, seed=programs.seed, rules=rules
        )
        for program in programs.read()
    ]
    launches = [launch for one in done for launch in one.launches]
    table = "\n".join(
        f"| {one.program} | {one.state} | {one.guard.status}: {one.guard.reason} | {one.reach.ramp_share:.0%} |"
        for one in done
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(launches),
            "people assigned": sum(launch.people for launch in launches),
            "messages handed over": sum(launch.messages for launch in launches),
            "programs": dg.MetadataValue.md(
                "| program | switch | guardrails | ramp |\n| --- | --- | --- | --- |\n" + table
            ),
        }
    )
