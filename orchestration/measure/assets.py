"""Dagster's view of the measure stage. The thinking is in mover.py, imports.py, kafka.py, arrivals.py and cycles.py."""

import dagster as dg

from orchestration.cadence import ONE_BY_ONE, PARTITIONS, cycle_of_key
from orchestration.errors import Refusal
from orchestration.measure.arrivals import arrivals, empty_outputs, picture, table
from orchestration.measure.cycles import open_cycle
from orchestration.measure.drops import configured_drops
from orchestration.measure.imports import intake_drops
from orchestration.measure.in_place import require_unchanged
from orchestration.measure.kafka import configured_stream, consume
from orchestration.measure.mover import move_spool
from orchestration.policy.thresholds import whole_number
from orchestration.resources import ClockResource, ProgramsResource, WarehouseResource

KEY = dg.AssetKey(["raw", "events"])


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
    key=KEY,
    deps=[["raw", "inbox"]],  # before the cycle is opened: what arrived is known to it
    group_name="measure",
    partitions_def=PARTITIONS,
    backfill_policy=ONE_BY_ONE,
    pool="warehouse",
    kinds={"duckdb"},
    check_specs=[
        dg.AssetCheckSpec(
            "what_came_was_taken",
            asset=KEY,
            description="No file is unreadable; none, and no batch, came to nothing but quarantine.",
        ),
        dg.AssetCheckSpec(
            "sources_are_fresh", asset=KEY, description="No source is silent for longer than is usual for it."
        ),
        dg.AssetCheckSpec(
            "volumes_are_usual", asset=KEY, description="No source brings much less a day than it used to."
        ),
    ],
)
def raw_events(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: ClockResource, programs: ProgramsResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """One row per received event: takes in every new file of the drop folders, then opens the cycle with its as-of time."""
    house, now = warehouse.open(), clock.clock().now()
    require_unchanged(house)
    refused: list[Refusal] = []
    reports = intake_drops(house, configured_drops(house.folder), clock.clock(), context.log.info, refused.append)
    for refusal in refused:
        context.log.warning(f"left where it is, the other files were taken: {refusal}")
    stream = configured_stream()
    consumed = consume(house, stream, clock.clock(), context.log.info) if stream else None
    open_cycle(house, programs.read(), cycle_of_key(context.partition_key), now)
    total = house.rows("select count(*) as events from raw.events")[0]["events"]
    new = [report for report in reports if not report.already_imported]
    sources = arrivals(house, now)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": total,
            "files taken in": len(new),
            "messages taken in": consumed.messages if consumed else 0,
            "rows accepted": sum(report.rows_accepted for report in new) + (consumed.accepted if consumed else 0),
            "rows quarantined": sum(report.rows_quarantined for report in new)
            + (consumed.quarantined if consumed else 0),
            "rows there already": sum(report.rows_duplicate for report in new)
            + (consumed.duplicates if consumed else 0),
            "sources": dg.MetadataValue.md(table(sources)),
            "arrivals": dg.MetadataValue.md(picture(house, now)),
        },
        check_results=[
            _checked("what_came_was_taken", [*map(str, refused), *empty_outputs(house)], dg.AssetCheckSeverity.ERROR),
            _checked("sources_are_fresh", [row.stale for row in sources if row.stale], dg.AssetCheckSeverity.WARN),
            _checked("volumes_are_usual", [row.thin for row in sources if row.thin], dg.AssetCheckSeverity.WARN),
        ],
    )


def _checked(name: str, faults: list[str], severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    metadata = {"faults": dg.MetadataValue.md("\n".join(f"- {fault}" for fault in faults))} if faults else {}
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=KEY,
        passed=not faults,
        severity=severity,
        description="; ".join(faults),
        metadata=metadata,
    )
