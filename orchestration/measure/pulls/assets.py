"""Dagster's view of pulls: one asset per source, a partition per day, one run for a whole backfill."""

import datetime as dt

import dagster as dg

from orchestration.measure.pulls.definition import Source, missing_variables, read_sources
from orchestration.measure.pulls.patience import Pace
from orchestration.measure.pulls.pulling import pull
from orchestration.resources import ClockResource, WarehouseResource

DAYS = dg.DailyPartitionsDefinition(start_date="2023-01-01", end_offset=1)
SOURCES = read_sources()


def _asset(source: Source) -> dg.AssetsDefinition:
    key = dg.AssetKey(source.table.split("."))

    @dg.asset(
        key=key,
        description=source.description,
        group_name="measure",
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
        kinds={"dlt", "duckdb"},
        check_specs=[
            dg.AssetCheckSpec(
                "rows_keep_the_contract", asset=key, description="No row changed its type or lost its key."
            )
        ],
    )
    def pulled(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource, clock: ClockResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        keys = sorted(context.partition_keys)
        first, last = dt.date.fromisoformat(keys[0]), dt.date.fromisoformat(keys[-1])
        told = clock.clock()
        # The newest days bring along those that the platform still changes; a backfill of old days reads only these.
        if last >= told.now().date() - dt.timedelta(days=1):
            first = min(first, last - dt.timedelta(days=source.reread_days - 1))
        report = pull(warehouse.open(), source, told, first=first, last=last, pace=Pace(tell=context.log.info))
        if report.stopped is not None:
            raise report.stopped
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": report.rows,
                "windows": report.windows,
                "first day": first.isoformat(),
                "last day": last.isoformat(),
                "rows quarantined": report.quarantined,
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name="rows_keep_the_contract",
                    asset_key=key,
                    passed=report.quarantined == 0,
                    severity=dg.AssetCheckSeverity.ERROR,
                    description=report.reason or "",
                )
            ],
        )

    return pulled


PULLS = [_asset(source) for source in SOURCES.values()]
_CONFIGURED = [source for source in SOURCES.values() if not missing_variables(source)]

pulls_job = dg.define_asset_job(
    "pulls",
    selection=[dg.AssetKey(source.table.split(".")) for source in _CONFIGURED or SOURCES.values()],
    partitions_def=DAYS,
    executor_def=dg.in_process_executor,
)

# Stopped until somebody turns it on, as everything that reaches out.
pulls_schedule = dg.build_schedule_from_partitioned_job(
    pulls_job, name="daily_pulls", hour_of_day=4, default_status=dg.DefaultScheduleStatus.STOPPED
)
