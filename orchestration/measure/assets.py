"""Dagster's view of the measure stage. The thinking is in imports.py and cycles.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.measure.cycles import open_cycle
from orchestration.measure.imports import intake_drop
from orchestration.resources import ClockResource, ProgramsResource, WarehouseResource


@dg.asset(
    key=["raw", "events"],
    group_name="measure",
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
    kinds={"duckdb"},
)
def raw_events(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: ClockResource, programs: ProgramsResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per received event: takes in every new file of the drop folder, then opens the cycle with its as-of time."""
    house, now = warehouse.open(), clock.clock().now()
    reports = intake_drop(house, house.folder / "inbox", clock.clock())
    open_cycle(house, programs.read(), cycle_of_key(context.partition_key), now)
    total = house.rows("select count(*) as events from raw.events")[0]["events"]
    new = [report for report in reports if not report.already_imported]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": total,
            "files taken in": len(new),
            "rows accepted": sum(report.rows_accepted for report in new),
            "rows quarantined": sum(report.rows_quarantined for report in new),
        }
    )
