"""Dagster's view of pulls: one asset per source, a partition per day, one run for a whole backfill; checks of what keeps coming."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration.measure.pulls.definition import Source, missing_variables, read_access, read_sources
from orchestration.measure.pulls.freshness import expected_hours, reports, table
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


def _checks(source: Source) -> dg.AssetChecksDefinition:
    key = dg.AssetKey(source.table.split("."))

    @dg.multi_asset_check(
        name=f"{source.name}_arrivals",
        specs=[
            dg.AssetCheckSpec(
                "is_fresh", asset=key, description="Every report was read within the hours expected of it."
            ),
            dg.AssetCheckSpec(
                "what_came_was_taken",
                asset=key,
                description="No report came to nothing: refused whole, or suddenly empty.",
            ),
        ],
        pool="warehouse",
    )
    def looked_at(warehouse: WarehouseResource, clock: ClockResource) -> Iterator[dg.AssetCheckResult]:
        if missing := missing_variables(source):
            for name in ("is_fresh", "what_came_was_taken"):
                yield _checked(key, name, [], {"not configured": ", ".join(missing)})
            return
        hours = expected_hours(source)
        found = reports(warehouse.open(), source, read_access(source).accounts, clock.clock().now())
        lags = [one.lag_hours for one in found if one.lag_hours is not None]
        shares = [one.completeness for one in found if one.completeness is not None]
        metadata: dict[str, dg.MetadataValue[Any] | str | float] = {
            "expected every hours": float(hours),
            "reports": dg.MetadataValue.md(table(found)),
        }
        metadata |= {"longest lag in hours": max(lags)} if lags else {}
        metadata |= {"least share of days there": min(shares)} if shares else {}
        stale = [told for one in found if (told := one.stale(hours))]
        empty = [one.came_to_nothing for one in found if one.came_to_nothing]
        yield _checked(key, "is_fresh", stale, metadata)
        yield _checked(key, "what_came_was_taken", empty, metadata)

    return looked_at


def _checked(key: dg.AssetKey, name: str, faults: list[str], metadata: Mapping[str, Any]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=key,
        passed=not faults,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(faults),
        metadata=metadata,
    )


PULLS = [_asset(source) for source in SOURCES.values()]
CHECKS = [_checks(source) for source in SOURCES.values()]
_CONFIGURED = [source for source in SOURCES.values() if not missing_variables(source)]

pulls_job = dg.define_asset_job(
    "pulls",
    selection=[dg.AssetKey(source.table.split(".")) for source in _CONFIGURED or SOURCES.values()],
    partitions_def=DAYS,
    executor_def=dg.in_process_executor,
)

# Beside the pulls, because a source that is no longer read is found by nobody who waits for its reading.
arrivals_job = dg.define_asset_job(
    "pull_arrivals", selection=dg.AssetSelection.checks(*CHECKS), executor_def=dg.in_process_executor
)
arrivals_schedule = dg.ScheduleDefinition(
    name="hourly_pull_arrivals",
    job=arrivals_job,
    cron_schedule="30 * * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
)

# Stopped until somebody turns it on, as everything that reaches out.
pulls_schedule = dg.build_schedule_from_partitioned_job(
    pulls_job, name="daily_pulls", hour_of_day=4, default_status=dg.DefaultScheduleStatus.STOPPED
)
