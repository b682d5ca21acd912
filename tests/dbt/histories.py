"""Random lives of people with a known truth, and the noisy events by which a warehouse hears of them."""

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

START = dt.datetime.fromisoformat("2026-01-07")  # a Wednesday: the first cohort's week has begun without anybody
DAYS = 50
BATCHES = (30, 41, 50)  # days after the start at which the warehouse takes in what has been received
QUIET = dt.date.fromisoformat("2026-01-19")  # Monday of a week in which nobody invites
SEGMENTS = ("new", "regular", "lapsing")
_COLUMNS = {
    "event_id": pa.string(),
    "source": pa.string(),
    "type": pa.string(),
    "event_name": pa.string(),
    "user_id": pa.string(),
    "occurred_at": pa.timestamp("us"),
    "original_at": pa.timestamp("us"),
    "sent_at": pa.timestamp("us"),
    "received_at": pa.timestamp("us"),
    "ingested_at": pa.timestamp("us"),
    "send_id": pa.string(),
    "channel": pa.string(),
    "is_machine": pa.bool_(),
    "value": pa.decimal128(18, 4),
    "currency": pa.string(),
    "properties": pa.string(),
    "context": pa.string(),
    "schema_version": pa.int32(),
    "import_id": pa.string(),
}


@dataclass(frozen=True)
class History:
    """What people did, and what arrived.

    Attributes:
        people: user_id, segment (first told, or "unknown"), invited_by.
        doings: What people really did and the warehouse has heard of: user_id, event_name, at, value.
        batches: What arrives, one table in the shape of ``raw.events`` per batch.
        duplicates: Copies among what arrives.
        as_of: When the last batch was taken in.
    """

    people: pd.DataFrame
    doings: pd.DataFrame
    batches: list[pa.Table]
    duplicates: int
    as_of: dt.datetime


class _Wire:
    """Turns what happened into events: skewed clocks, delays, copies, machines."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.rows: list[dict[str, Any]] = []
        self.duplicates = 0

    def add(self, at: dt.datetime, late_share: float = 0.08, **values: Any) -> bool:
        """Adds an event; False where it arrives after the last batch."""
        rng = self._rng
        queued = dt.timedelta(seconds=float(rng.exponential(20)))
        if rng.random() < late_share:
            queued = dt.timedelta(days=float(rng.uniform(0, 15)))
        skew = dt.timedelta(hours=float(rng.normal(0, 5)))
        row = {"event_id": f"e{len(self.rows)}", "source": "web", "type": "track", "received_at": at + queued, **values}
        if rng.random() < 0.5:
            row |= {"original_at": at + skew, "sent_at": at + skew + queued}
        else:
            row["occurred_at"] = at
        if not self._take(row):
            return False
        if rng.random() < 0.1:
            again = row["received_at"] + dt.timedelta(hours=float(rng.exponential(30)))
            self.duplicates += self._take({**row, "received_at": again, "value": Decimal("999"), "occurred_at": again})
        return True

    def _take(self, row: dict[str, Any]) -> bool:
        taken = [
            START + dt.timedelta(days=day) for day in BATCHES if row["received_at"] < START + dt.timedelta(days=day)
        ]
        if taken:
            self.rows.append({"import_id": "i", "schema_version": 1, **row, "ingested_at": taken[0]})
        return bool(taken)

    def batches(self) -> list[pa.Table]:
        """One table per batch, in a random order of rows."""
        shuffled = [self.rows[index] for index in self._rng.permutation(len(self.rows))]
        tables = []
        for day in BATCHES:
            rows = [row for row in shuffled if row["ingested_at"] == START + dt.timedelta(days=day)]
            tables.append(
                pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in _COLUMNS.items()})
            )
        return tables


def random_history(seed: int, people: int = 260, late_deliveries: float = 0.5) -> History:
    """A few hundred people over seven weeks; those without a sign-up were there before.

    Args:
        late_deliveries: Share of deliveries that are told days after the click on them; without any, nothing old is ever changed.
    """
    rng = np.random.default_rng(seed)
    wire = _Wire(rng)
    known: list[dict[str, Any]] = []
    doings: list[tuple[str, str, dt.datetime, float]] = []

    def does(user: str, name: str, at: dt.datetime, value: float | None = None, **properties: str) -> None:
        money = {} if value is None else {"value": Decimal(str(value)), "currency": "GBP"}
        if wire.add(at, user_id=user, event_name=name, channel="web", properties=json.dumps(properties), **money):
            doings.append((user, name, at, value or 0.0))

    for number in range(people):
        user, segment = f"u{number}", str(rng.choice(SEGMENTS)) if rng.random() < 0.9 else None
        since = START + dt.timedelta(days=float(rng.uniform(0, DAYS - 3)))
        inviter = f"u{rng.integers(number)}" if number and rng.random() < 0.5 else None
        if rng.random() < 0.85:
            does(user, "Signed Up", since, **({"invited_by": inviter} if inviter else {}))
        first_told = str(rng.choice(SEGMENTS)) if segment else "unknown"
        if segment:
            _tell(wire, user, since, (first_told, segment))
        known.append({"user_id": user, "segment": first_told, "invited_by": inviter})
        for day in np.flatnonzero(rng.random(DAYS) < rng.beta(1, 6)):
            at = START + dt.timedelta(days=float(day + rng.random()))
            for name, chance in (
                ("Product Viewed", 0.8),
                ("Order Completed", 0.3),
                ("Lesson Finished", 0.1),
                ("Invite Sent", 0.15),
            ):
                if rng.random() < chance:
                    is_quiet = at.date() - dt.timedelta(days=at.weekday()) == QUIET
                    did = "Product Viewed" if name == "Invite Sent" and is_quiet else name
                    does(user, did, at, round(float(rng.gamma(2, 20)), 2) if name == "Order Completed" else None)
                    at += dt.timedelta(minutes=float(rng.exponential(30)))
            if (click := _machines(wire, rng, user, at, late_deliveries)) is not None:
                doings.append((user, "Email Link Clicked", click, 0.0))
    frame = pd.DataFrame(doings, columns=["user_id", "event_name", "at", "value"])
    return History(pd.DataFrame(known), frame, wire.batches(), wire.duplicates, START + dt.timedelta(days=BATCHES[-1]))


def _tell(wire: _Wire, user: str, since: dt.datetime, segments: tuple[str, str]) -> None:
    """Two identify events; the later one holds for mailing, the earlier one for the growth marts, whichever arrives first."""
    for days, told in zip((0.0, 2.0), segments, strict=True):
        traits = json.dumps({"segment": told, "consent": True})
        wire.add(since + dt.timedelta(days=days), 0.0, user_id=user, type="identify", channel="web", properties=traits)


def _machines(
    wire: _Wire, rng: np.random.Generator, user: str, at: dt.datetime, late_deliveries: float
) -> dt.datetime | None:
    """Mail the person never saw; returns when a click passes for the person's, its delivery not being known."""
    send = {"user_id": user, "channel": "email", "send_id": f"{user}-{at.isoformat()}"}
    scanner = json.dumps({"userAgent": "LinkSentry/2.3 (mail security scanner)"})
    delivered = at + dt.timedelta(days=1)
    is_delivery_known = wire.add(delivered, late_deliveries, event_name="Email Delivered", **send)
    clicked = delivered + dt.timedelta(seconds=3)
    is_click_known = wire.add(clicked, 0.0, event_name="Email Link Clicked", **send)
    wire.add(delivered + dt.timedelta(hours=3), event_name="Email Link Clicked", context=scanner, **send)
    wire.add(delivered, event_name="Email Opened", is_machine=True, **send)
    if rng.random() < 0.2:
        wire.add(delivered, user_id=user, event_name="Order Completed", value=Decimal(5), context='{"test": true}')
    return clicked if is_click_known and not is_delivery_known else None
