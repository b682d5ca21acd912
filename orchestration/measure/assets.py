"""Dagster's view of the measure stage. The thinking is in mover.py, imports.py and cycles.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.measure.cycles import open_cycle
from orchestration.measure.imports import intake_drop
from orchestration.measure.mover import move_spool
from orchestration.policy import whole_number
from orchestration.resources import ClockResource, ProgramsResource, WarehouseResource


@dg.asset(
    key=["raw", "inbox"],
    group_name="measure",
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
    kinds={"duckdb"},
)
def raw_inbox(warehouse: WarehouseResource, clock: ClockResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per delivery that webhooks, the event receiver and one-click links brought: what the spool holds, moved."""
    house = warehouse.open()
    report = move_spool(house, clock.clock(), whole_number("spool_keep_days"))
    total = house.rows("select count(*) as deliveries from raw.inbox")[0]["deliveries"]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": total,
            "deliveries taken in": report.records,
            "deliveries quarantined": report.quarantined,
            "spool files read": report.files,
            "spool files deleted": report.expired,
        }
    )


@dg.asset(
    key=["raw", "events"],
    deps=[["raw", "inbox"]],  # before the cycle is opened: what arrived is known to it
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
