"""Three sends of a live program and a platform's daily numbers, so that no mart of experiments or channels is empty."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from orchestration.edges.warehouse import Warehouse
from orchestration.measure.aggregates import DailyRow, Window, replace_windows
from tests.dbt.histories import START

ARMS = {"plain": ("baseline", 0.3), "asks": ("exploit", 0.3), "tells": ("control", 0.3), "holdout": ("holdout", 0.1)}
METRIC = {
    "name": "order",
    "event": "Order Completed",
    "within_days": 3,
    "value": "sum",
    "cap": 90,
    "harm": None,
    "margin": None,
}
GUARD = {
    "name": "leave",
    "event": "Unsubscribed",
    "within_days": 3,
    "value": "any",
    "cap": None,
    "harm": "up",
    "margin": 0.02,
}
SPEC = {
    "metrics": [{**METRIC, "role": "objective"}, {**GUARD, "role": "guardrail"}],
    "tags": ["question", "number"],
    "segments": ["new", "regular"],
    "activation": {"steps": ["Signed Up", "Product Viewed", "Order Completed"], "within_days": 10},
}
FORMER = SPEC | {"activation": {"steps": ["Signed Up", "Lesson Finished"], "within_days": 10}}
RATES = [("USD", "2025-12-01", 0.8), ("USD", "2026-02-01", 0.5)]
Row = dict[str, Any]


def launch(warehouse: Warehouse, as_of: dt.datetime, seed: int = 11, people: int = 1000) -> None:
    """Fills ledger and raw with two sends whose windows have passed by the second cycle's as-of time."""
    rng = np.random.default_rng(seed)
    fixed = {"program": "news", "recorded_at": START}
    looks = {202603: START + dt.timedelta(days=14), 202607: as_of}
    tables: dict[str, list[Row]] = {
        "ledger.programs": [{**fixed, "version": "v1", "spec": json.dumps(FORMER)}],
        "ledger.cycles": [{**fixed, "cycle": c, "as_of": at, "program_version": "v1"} for c, at in looks.items()],
        "ledger.creative_tags": [
            {"creative_id": "asks", "tag": "question", "source": "extractor", "taxonomy_version": "t"},
            {"creative_id": "tells", "tag": "number", "source": "extractor", "taxonomy_version": "t"},
        ],
        **{f"ledger.{name}": [] for name in ("experiments", "arms", "assignments", "sends")},
        "raw.events": [],
    }
    for number, experiment in enumerate(("e1", "e2")):
        _send(rng, tables, experiment, START + dt.timedelta(days=3 + 7 * number), people)
    _write(warehouse, tables)


def go_on(warehouse: Warehouse, as_of: dt.datetime, seed: int = 12, people: int = 1000) -> None:
    """A third send, of which complaints are still counted, and other steps of the activation: nobody needs those of before any more."""
    now = START + dt.timedelta(minutes=1)
    program = {"program": "news", "version": "v2", "spec": json.dumps(SPEC), "recorded_at": now}
    tables: dict[str, list[Row]] = {
        "ledger.programs": [program],
        **{f"ledger.{name}": [] for name in ("experiments", "arms", "assignments", "sends")},
        "raw.events": [],
    }
    _send(np.random.default_rng(seed), tables, "e3", as_of - dt.timedelta(days=9), people)
    _write(warehouse, tables)


def _write(warehouse: Warehouse, tables: dict[str, list[Row]]) -> None:
    with warehouse.connect() as connection:
        for table, rows in tables.items():
            names = {name for name, *_ in connection.execute(f"select * from {table} limit 0").description}
            frame = pd.DataFrame(rows)
            connection.register("told", frame[[name for name in frame.columns if name in names]])
            connection.execute(f"insert into {table} by name select * from told")
            connection.unregister("told")


def _send(
    rng: np.random.Generator, tables: dict[str, list[Row]], experiment: str, at: dt.datetime, people: int
) -> None:
    fixed = {"experiment_id": experiment, "program": "news", "cycle": 202602, "recorded_at": at}
    tables["ledger.experiments"].append(
        {**fixed, "send_number": 1, "starts_at": at, "salt": "", "tags_by_design": True}
    )
    for segment in ("new", "regular"):
        tables["ledger.arms"] += [
            {**fixed, "segment": segment, "creative_id": arm, "arm_number": place, "role": role, "planned_share": share}
            for place, (arm, (role, share)) in enumerate(ARMS.items())
        ]
    for number, arm in enumerate(rng.choice(list(ARMS), size=people, p=[share for _, share in ARMS.values()])):
        segment = "new" if number % 3 else "regular"
        person = {"experiment_id": experiment, "user_id": f"{segment}-{number}", "creative_id": str(arm)}
        tables["ledger.assignments"].append(
            {**person, "segment": segment, "probability": ARMS[arm][1], "assigned_at": at}
        )
        if arm != "holdout":
            send = {**person, "send_id": f"{experiment}-{number}", "channel": "email", "is_dry_run": False}
            tables["ledger.sends"].append({**send, "scheduled_at": at, "recorded_at": at})
            tables["raw.events"] += _responses(rng, send, at)
        if rng.random() < 0.1 + 0.04 * (arm == "asks"):
            value = {"value": round(float(rng.gamma(2, 30)), 2), "currency": "GBP"}
            bought = at + dt.timedelta(hours=float(rng.uniform(1, 70)))
            tables["raw.events"].append(_event({"user_id": person["user_id"]}, "Order Completed", bought, rng) | value)


def _responses(rng: np.random.Generator, send: Row, at: dt.datetime) -> list[Row]:
    told = [("Email Delivered", at)] if rng.random() < 0.97 else [("Email Bounced", at)]
    for name, chance, minutes in (
        ("Email Opened", 0.6, 1), ("Email Link Clicked", 0.1, 0.05), ("Email Link Clicked", 0.2, 90),
        ("Unsubscribed", 0.02, 100), ("Email Marked as Spam", 0.005, 110),
    ):  # fmt: skip
        if rng.random() < chance:
            told.append((name, at + dt.timedelta(minutes=minutes)))
    return [_event(send, name, moment, rng) | {"is_machine": name == "Email Opened"} for name, moment in told]


def _event(about: Row, name: str, at: dt.datetime, rng: np.random.Generator) -> Row:
    row = {"event_id": f"{rng.integers(1 << 60)}", "source": "shop", "type": "track", "event_name": name}
    times = {"occurred_at": at, "received_at": at, "ingested_at": at + dt.timedelta(minutes=5)}
    return {**about, **row, **times, "import_id": "i", "schema_version": 1, "channel": about.get("channel")}


def report(warehouse: Warehouse, seed: int = 12) -> None:
    """A platform's days as read twice, account and campaigns apart, and two exchange rates."""
    rng = np.random.default_rng(seed)
    for read in range(2):
        windows = []
        for number in range(10):
            day = (START + dt.timedelta(days=number)).date()
            shown = [int(rng.integers(900, 5000)) for _ in range(3)]
            campaigns = [_report(rng, count, f"c{place}") for place, count in enumerate(shown[:2])]
            windows.append(Window("meta", "a", "account", day, [_report(rng, sum(shown), None)]))
            windows.append(Window("meta", "a", "campaign", day, campaigns[: 2 - read]))
        replace_windows(warehouse, windows, START + dt.timedelta(days=30 + read))
    with warehouse.connect() as connection:
        connection.executemany(
            "insert into raw.exchange_rates by name"
            " select ? as currency, cast(? as date) as valid_from, ? as rate, 'GBP' as reporting_currency,"
            " timestamp '2026-01-01' as recorded_at",
            RATES,
        )


def _report(rng: np.random.Generator, shown: int, campaign: str | None) -> DailyRow:
    cost = Decimal(str(round(float(rng.gamma(2, 5)), 2)))
    told = {"campaign_id": campaign, "campaign_name": campaign, "currency": "GBP", "cost": cost}
    return DailyRow(
        **told, impressions=shown, clicks=int(rng.integers(shown // 2)), conversions_claimed=float(rng.integers(9))
    )
