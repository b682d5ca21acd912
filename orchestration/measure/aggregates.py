"""Restated aggregates into ``raw.channel_daily``: a re-read day replaces that day whole, and every version is kept.

A platform changes a day's figures for weeks and withdraws rows altogether, so a row is never upserted: the unit is the window
of one account, level and day, told complete. ``stg_channels__daily`` says what each window held at any instant.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

import duckdb
import pyarrow as pa

from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal


@dataclass(frozen=True, slots=True)
class DailyRow:
    """One row of a report at full grain; None is unknown, never 0.

    Attributes:
        breakdown: JSON text of every breakdown, '' where there is none. Left out of the key it would cost rows.
        attribution: The setting the conversions were counted under, '' where the provider has none.
    """

    campaign_id: str | None = None
    campaign_name: str | None = None
    ad_set_id: str | None = None
    ad_id: str | None = None
    breakdown: str = ""
    attribution: str = ""
    impressions: int | None = None
    clicks: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    conversions_claimed: float | None = None
    conversion_value_claimed: float | None = None

    @property
    def grain(self) -> tuple[str | None, ...]:
        """What tells it from the other rows of its window."""
        return (self.campaign_id, self.ad_set_id, self.ad_id, self.breakdown, self.attribution)


@dataclass(frozen=True, slots=True)
class Window:
    """All that a provider says of one account's day at one level; no rows means it says there was nothing.

    Attributes:
        level: account, campaign, ad_set or ad. Levels are separate reports of the same money.
    """

    provider: str
    account_id: str
    level: str
    day: dt.date
    rows: Sequence[DailyRow]


_TYPES = {
    **dict.fromkeys(("impressions", "clicks"), pa.int64()),
    "cost": pa.decimal128(18, 6),
    **dict.fromkeys(("conversions_claimed", "conversion_value_claimed"), pa.float64()),
}
_COLUMNS = [field.name for field in fields(DailyRow)]


def replace_windows(warehouse: Warehouse, windows: Sequence[Window], extracted_at: dt.datetime) -> int:
    """Appends a version of each window, all of them or none; the same read told twice is stored once.

    Args:
        extracted_at: When the provider was asked; later reads win.

    Returns:
        Windows stored; those of this very read that are there already are left out.

    Raises:
        Refusal: if a window is told twice, or two of its rows have the same grain.
        WarehouseLocked: if another process writes to the warehouse.
    """
    warehouse.migrate()
    with warehouse.connect() as connection, transaction(connection):
        return append_windows(connection, windows, extracted_at)


def append_windows(connection: duckdb.DuckDBPyConnection, windows: Sequence[Window], extracted_at: dt.datetime) -> int:
    """As :func:`replace_windows`, within a transaction that is under way."""
    ids = [_window_id(window, extracted_at) for window in windows]
    if len(set(ids)) < len(ids):
        raise Refusal(
            "windows", "name one account's day twice", "Give each account, level and day once, with all its rows."
        )
    for window in windows:
        _require_grain(window)
    known = {row[0] for row in connection.execute("select window_id from raw.channel_windows").fetchall()}
    fresh = [(window, id_) for window, id_ in zip(windows, ids, strict=True) if id_ not in known]
    if not fresh:
        return 0
    connection.register("daily", _table(fresh, extracted_at))
    connection.execute("insert into raw.channel_daily by name select * from daily")
    connection.unregister("daily")
    connection.executemany(
        "insert into raw.channel_windows values (?, ?, ?, ?, ?, ?, ?)",
        [[id_, w.provider, w.account_id, w.level, w.day, len(w.rows), extracted_at] for w, id_ in fresh],
    )
    return len(fresh)


def _window_id(window: Window, extracted_at: dt.datetime) -> str:
    named = "\n".join(
        [window.provider, window.account_id, window.level, window.day.isoformat(), extracted_at.isoformat()]
    )
    return hashlib.sha256(named.encode()).hexdigest()


def _require_grain(window: Window) -> None:
    seen = set()
    for row in window.rows:
        if row.grain in seen:
            raise Refusal(
                f"{window.provider} {window.account_id} {window.level} {window.day}",
                f"has two rows of the grain {row.grain}",
                "Put every breakdown of the report into `breakdown`.",
            )
        seen.add(row.grain)


def _table(windows: Sequence[tuple[Window, str]], extracted_at: dt.datetime) -> pa.Table:
    rows = [(window, id_, row) for window, id_ in windows for row in window.rows]
    columns = {
        name: pa.array([getattr(row, name) for _, _, row in rows], _TYPES.get(name, pa.string())) for name in _COLUMNS
    }
    columns |= {
        "provider": pa.array([window.provider for window, _, _ in rows], pa.string()),
        "account_id": pa.array([window.account_id for window, _, _ in rows], pa.string()),
        "level": pa.array([window.level for window, _, _ in rows], pa.string()),
        "day": pa.array([window.day for window, _, _ in rows], pa.date32()),
        "window_id": pa.array([id_ for _, id_, _ in rows], pa.string()),
        "extracted_at": pa.array([extracted_at] * len(rows), pa.timestamp("us")),
    }
    return pa.table(columns)
