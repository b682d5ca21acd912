"""Random lives with bursts of activity, money in three currencies, invites and campaign links, as they reach a warehouse late."""

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

START = dt.datetime.fromisoformat("2026-01-07")
DAYS = 75
BATCHES = (40, 58, 75)  # days after the start at which what has been received is taken in
RATES = [("USD", "2025-12-01", 0.8), ("USD", "2026-02-01", 0.5)]  # into GBP; yen have none
QUIET = dt.date.fromisoformat("2026-01-26")  # Monday of a week in which nobody invites
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Doing:
    """One thing a person really did.

    Attributes:
        value: Amount as the source signs it, in ``currency``.
        said: What the link says of its source, medium and campaign; None where it is no link.
    """

    user: str
    name: str
    at: dt.datetime
    value: float | None = None
    currency: str | None = None
    creative: str | None = None
    said: tuple[str, str, str] | None = None
    inviter: str | None = None


@dataclass(frozen=True)
class Lives:
    """What happened, and what arrived in which batch."""

    doings: list[Doing]
    batches: list[pa.Table]


def random_lives(seed: int, people: int = 120) -> Lives:
    """About ten weeks of some people, every doing known to the warehouse at the end."""
    rng = np.random.default_rng(seed)
    doings = [doing for number in range(people) for doing in _life(rng, f"u{number}", people)]
    rows: list[list[dict[str, Any]]] = [[] for _ in BATCHES]
    for number, doing in enumerate(doings):
        late = dt.timedelta(days=float(rng.uniform(0, 25))) if rng.random() < 0.06 else dt.timedelta(0)
        heard = min(doing.at + late, START + DAYS * DAY - dt.timedelta(seconds=1))
        batch = next(index for index, day in enumerate(BATCHES) if heard < START + day * DAY)
        rows[batch].append(_row(doing, number, heard, START + BATCHES[batch] * DAY))
    return Lives(doings, [pa.Table.from_pylist(batch) for batch in rows])


def _life(rng: np.random.Generator, user: str, people: int) -> list[Doing]:
    since = START + float(rng.uniform(0, DAYS - 20)) * DAY
    inviter = f"u{rng.integers(people)}" if rng.random() < 0.7 else None
    found = [Doing(user, "Signed Up", since, inviter=inviter if inviter != user else None)]
    liveliness, habit = rng.beta(2, 4), str(rng.choice(["GBP", "USD"]))
    for day in np.flatnonzero(rng.random(DAYS - 1) < liveliness):
        at = START + dt.timedelta(days=int(day), hours=float(rng.choice([rng.uniform(0, 24), 23.5])))
        for _ in range(rng.integers(1, 60 if rng.random() < 0.03 else 6)):
            if at >= START + (DAYS - 0.01) * DAY:
                break
            found.append(_doing(rng, user, at, habit))
            at += dt.timedelta(minutes=float(rng.exponential(14)))
    return found


def _doing(rng: np.random.Generator, user: str, at: dt.datetime, habit: str) -> Doing:
    draw = rng.random()
    if draw < 0.25:
        currency = "JPY" if rng.random() < 0.01 and at > START + 45 * DAY else habit
        sign = -1 if draw < 0.01 else 1  # a correction
        return Doing(user, "Order Completed", at, sign * round(float(rng.gamma(2, 20)), 2), currency)
    if draw < 0.3:
        return Doing(user, "Order Refunded", at, round(float(rng.normal(0, 60)), 2), habit)
    if draw < 0.4:
        return Doing(user, "Email Link Clicked", at, creative="c1" if rng.random() < 0.7 else None)
    if draw < 0.5:
        said = [
            ("facebook", "cpc", "spring"),
            ("google", "cpc", "brand"),
            ("google", "organic", "blog"),
            ("letter", "email", "jan"),
        ]
        return Doing(user, "page", at, said=said[rng.integers(4)])
    invites = draw < 0.6 and at.date() - DAY * at.weekday() != QUIET
    return Doing(user, "Invite Sent" if invites else "Product Viewed", at)


def _row(doing: Doing, number: int, heard: dt.datetime, taken: dt.datetime) -> dict[str, Any]:
    context = None
    if doing.said:
        source, medium, campaign = doing.said
        context = json.dumps({"campaign": {"source": source, "medium": medium, "name": campaign}})
    is_page = doing.name == "page"
    return {
        "event_id": f"e{number}",
        "source": "web",
        "type": "page" if is_page else "track",
        "event_name": None if is_page else doing.name,
        "user_id": doing.user,
        "occurred_at": doing.at,
        "received_at": heard,
        "ingested_at": taken,
        "creative_id": doing.creative,
        "channel": "email" if doing.name == "Email Link Clicked" else "web",
        "value": None if doing.value is None else Decimal(str(doing.value)),
        "currency": doing.currency,
        "properties": json.dumps({"invited_by": doing.inviter} if doing.inviter else {}),
        "context": context,
        "schema_version": 1,
        "import_id": "i",
    }
