"""Whether what is pulled keeps coming: when each report was read last, how much of its days is there, and what came to nothing."""

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.pulls.definition import Source

VARIABLE = "LOOP_PULL_EXPECTED_HOURS"


@dataclass(frozen=True, slots=True)
class Report:
    """One report of one account as of an instant.

    Attributes:
        lag_hours: Since it was last read to its end; None if it never was.
        newest_day: Last day that a reading with rows covers; None if none had any.
        completeness: Share of the days that the platform still changes which were ever read; None for what is not read by day.
        rows: Of the readings within the expected hours.
        rows_before: Of the readings before them.
        is_refused: Rows came within the expected hours, all were quarantined, and no reading was kept.
    """

    account_id: str
    stream: str
    lag_hours: float | None
    newest_day: dt.date | None
    completeness: float | None
    readings: int
    rows: int
    rows_before: int
    is_refused: bool

    def stale(self, expected: int) -> str | None:
        """Why it is stale; None if it is not."""
        name = f"{self.account_id} {self.stream}"
        if self.lag_hours is None:
            return f"{name}: never read"
        if self.lag_hours > expected:
            return f"{name}: read {self.lag_hours:.0f} h ago, expected every {expected} h"
        return None

    @property
    def came_to_nothing(self) -> str | None:
        """Why there is nothing where there should be something; None if all is well."""
        name = f"{self.account_id} {self.stream}"
        if self.is_refused:
            return f"{name}: rows came and none was taken, see `loop quarantine list`"
        if self.readings and not self.rows and self.rows_before:
            return f"{name}: {self.readings} readings without a row, where earlier ones had {self.rows_before:,}"
        return None


def expected_hours(source: Source) -> int:
    """Hours within which a source is expected to be read again: its file's, unless ``LOOP_PULL_EXPECTED_HOURS`` says otherwise.

    Raises:
        Refusal: if the variable says what is not understood.
    """
    found = source.expected_hours
    for pair in os.environ.get(VARIABLE, "").split():
        name, _, hours = pair.partition("=")
        if not name or not hours.isdecimal() or int(hours) < 1:
            raise Refusal(
                VARIABLE, f"holds {pair}, which is not source=hours", "Write, for example, meta=12 bluesky=2."
            )
        found = int(hours) if name == source.name else found
    return found


def reports(warehouse: Warehouse, source: Source, accounts: Sequence[str], now: dt.datetime) -> list[Report]:
    """Every report of every account that a source is configured for, read or not."""
    since = now - dt.timedelta(hours=expected_hours(source))
    read = warehouse.rows(
        """select account_id, stream, max(extracted_at) as read_at, max(last_day) filter (where rows_read > 0) as newest_day,
            count(*) filter (where extracted_at > $since) as readings,
            coalesce(sum(rows_read) filter (where extracted_at > $since), 0) as rows,
            coalesce(sum(rows_read) filter (where extracted_at <= $since), 0) as rows_before
        from raw.pull_readings where source = $source and extracted_at <= $now group by all""",
        {"source": source.name, "since": since, "now": now},
    )
    known = {(row["account_id"], row["stream"]): row for row in read}
    refused = _refused_streams(warehouse, source, since, now)
    last = now.date() - dt.timedelta(days=1)  # today's may not have been asked for yet
    first = min(last, now.date() - dt.timedelta(days=source.reread_days - 1))
    days = _days_read(warehouse, source, first, last, now)
    found = []
    for account in accounts:
        for stream in source.streams:
            row = known.get((account, stream.name))
            share = len(days.get((account, stream.name), ())) / ((last - first).days + 1)
            lag = (now - row["read_at"]).total_seconds() / 3600 if row else None
            found.append(
                Report(
                    account,
                    stream.name,
                    lag,
                    row["newest_day"] if row else None,
                    share if source.nature == "aggregates" else None,
                    row["readings"] if row else 0,
                    int(row["rows"]) if row else 0,
                    int(row["rows_before"]) if row else 0,
                    stream.name in refused and not (row and row["readings"]),
                )
            )
    return found


def table(found: Sequence[Report]) -> str:
    """The reports as a Markdown table."""
    lines = [
        "| account | report | last read | newest day with rows | days there | rows lately |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        lag = "never" if one.lag_hours is None else f"{one.lag_hours:.1f} h ago"
        share = "not by day" if one.completeness is None else f"{one.completeness:.0%}"
        lines.append(
            f"| {one.account_id} | {one.stream} | {lag} | {one.newest_day or 'none'} | {share} | {one.rows:,} |"
        )
    return "\n".join(lines)


def _refused_streams(warehouse: Warehouse, source: Source, since: dt.datetime, now: dt.datetime) -> set[str]:
    rows = warehouse.rows(
        """select distinct split_part(reason, ': ', 1) as stream from raw.quarantine
        where starts_with(import_id, 'pull/' || $source || '/') and quarantined_at > $since and quarantined_at <= $now""",
        {"source": source.name, "since": since, "now": now},
    )
    return {row["stream"] for row in rows}


def _days_read(
    warehouse: Warehouse, source: Source, first: dt.date, last: dt.date, now: dt.datetime
) -> dict[tuple[str, str], set[dt.date]]:
    """(account, report) -> the days of a span that a reading covers."""
    rows = warehouse.rows(
        """select distinct account_id, stream,
            cast(unnest(generate_series(greatest(first_day, $first), least(last_day, $last), interval 1 day)) as date) as day
        from raw.pull_readings where source = $source and extracted_at <= $now and last_day >= $first and first_day <= $last""",
        {"source": source.name, "first": first, "last": last, "now": now},
    )
    found: dict[tuple[str, str], set[dt.date]] = {}
    for row in rows:
        found.setdefault((row["account_id"], row["stream"]), set()).add(row["day"])
    return found
