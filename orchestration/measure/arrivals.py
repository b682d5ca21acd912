"""What each source brought, and when: freshness, volume and completeness, for checks and for the pages of Dagster's UI."""

import base64
import datetime as dt
import io
from dataclasses import dataclass

from orchestration.edges.warehouse import Warehouse
from orchestration.measure.policy import policy_value


@dataclass(frozen=True, slots=True)
class Arrival:
    """One source as of an instant.

    Attributes:
        events: Events stored.
        lag_hours: Median hours from receipt to intake over the last days; None where nothing came.
        silent_hours: Hours since its last event was received.
        usual_gap_hours: Longest gap between its days with events in the days before, 24 at least.
        last_day: Events received in the last 24 hours before the newest one.
        usual_day: Median of its days before that; None before there are enough days.
    """

    source: str
    events: int
    lag_hours: float | None
    silent_hours: float
    usual_gap_hours: float
    last_day: int
    usual_day: float | None

    @property
    def stale(self) -> str | None:
        """Why the source is stale, None where it is not."""
        allowed = self.usual_gap_hours * policy_value("source_silence_factor")
        if self.silent_hours <= allowed:
            return None
        return f"{self.source}: silent for {self.silent_hours:.0f} h, {allowed:.0f} h are usual at most"

    @property
    def thin(self) -> str | None:
        """Why the source's volume is too small, None where it is not."""
        if self.usual_day is None or self.last_day >= self.usual_day * policy_value("source_volume_floor"):
            return None
        return f"{self.source}: {self.last_day:,} events in its last day, {self.usual_day:,.0f} are usual"


def arrivals(warehouse: Warehouse, now: dt.datetime) -> list[Arrival]:
    """Every source that brought an event in the policy's ``source_memory_days``, as of ``now``."""
    rows = warehouse.rows(
        """with recent as (
            select source, received_at, ingested_at from raw.events
            where received_at >= $now - to_days(cast($memory as integer)) and ingested_at <= $now
        ),
        newest as (select source, max(received_at) as last_at from recent group by source),
        placed as (
            select source, last_at, ingested_at, received_at,
                cast(floor(date_diff('second', received_at, last_at) / 86400) as integer) as days_before
            from recent join newest using (source)
        ),
        daily as (select source, days_before, count(*) as events from placed group by all),
        gaps as (
            select source, days_before, events,
                days_before - lag(days_before) over (partition by source order by days_before) as gap
            from daily
        ),
        usual as (
            select source, max(gap) as gap_days, count(*) filter (where days_before > 0) as days,
                median(events) filter (where days_before > 0) as usual_day,
                coalesce(max(events) filter (where days_before = 0), 0) as last_day
            from gaps group by source
        )
        select source, count(*) as events, last_day, gap_days, days, usual_day,
            median(date_diff('second', received_at, ingested_at)) / 3600 as lag_hours,
            date_diff('second', max(last_at), $now) / 3600 as silent_hours
        from placed join usual using (source)
        group by all order by source""",
        {"now": now, "memory": policy_value("source_memory_days")},
    )
    least = policy_value("source_usual_days")
    return [
        Arrival(
            row["source"],
            row["events"],
            row["lag_hours"],
            row["silent_hours"],
            24.0 * max(row["gap_days"] or 1, 1),
            row["last_day"],
            row["usual_day"] if row["days"] >= least else None,
        )
        for row in rows
    ]


def empty_outputs(warehouse: Warehouse) -> list[str]:
    """Files and streams that had rows of which none became an event: input present, output empty."""
    rows = warehouse.rows(
        """select subject, rows_read, rows_quarantined from raw.imports
        where kind = 'events' and rows_read > 0 and rows_accepted = 0 and rows_quarantined > 0
            and imported_at >= (select max(imported_at) from raw.imports) - interval 1 day
            and import_id in (select import_id from raw.quarantine
                anti join raw.quarantine_replays as replays using (import_id, row_number))
        order by imported_at, subject"""
    )
    return [f"{row['subject']}: none of its {row['rows_read']:,} rows became an event" for row in rows]


def table(found: list[Arrival]) -> str:
    """The sources as a Markdown table."""
    lines = [
        "| source | events | median lag | silent | last day | usual day |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found:
        lag = "unknown" if row.lag_hours is None else f"{row.lag_hours:.1f} h"
        usual = "too few days" if row.usual_day is None else f"{row.usual_day:,.0f}"
        lines.append(
            f"| {row.source} | {row.events:,} | {lag} | {row.silent_hours:.0f} h | {row.last_day:,} | {usual} |"
        )
    return "\n".join(lines)


def picture(warehouse: Warehouse, now: dt.datetime) -> str:
    """Events a day by the day they were received, and the share that was known a day later, as a Markdown image."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    rows = warehouse.rows(
        """select date_trunc('day', received_at) as day, count(*) as events,
            count(*) filter (where ingested_at <= received_at + interval 1 day) / count(*) as known
        from raw.events where received_at >= $now - to_days(cast($memory as integer)) and ingested_at <= $now
        group by 1 order by 1""",
        {"now": now, "memory": policy_value("source_memory_days")},
    )
    figure = Figure(figsize=(8, 3), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    days = [row["day"] for row in rows]
    above.bar(days, [row["events"] for row in rows], color="#4878a8")
    above.set_ylabel("events")
    below.plot(days, [row["known"] for row in rows], color="#a05050", marker=".")
    below.set_ylim(0, 1.05)
    below.set_ylabel("known in a day")
    locator = AutoDateLocator()
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return f"![arrivals](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
