"""Learnings as tables for the terminal."""

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from orchestration.learn.briefing import percent


def backtest_table(summary: Sequence[dict[str, Any]]) -> Table:
    """One row per claim that was ever active."""
    title = (
        f"{len(summary)} claims were proved at some look" if summary else "Nothing was proved: no learning at any look"
    )
    table = Table(title=title, title_justify="left")
    names = [name for name in ("program", "metric") if len({row[name] for row in summary}) > 1]
    for column in (*names, "segment", "tag", "first proved", "now", "effect", "between", "experiments"):
        is_number = column in {"effect", "between", "experiments", "first proved"}
        table.add_column(
            column, justify="right" if is_number else "left", no_wrap=column in {"tag", "between", "effect"}
        )
    for row in summary:
        interval = (
            ""
            if _missing(row["ci_low"]) or _missing(row["ci_high"])
            else f"{percent(row['ci_low'])} and {percent(row['ci_high'])}"
        )
        table.add_row(
            *(row[name] for name in names),
            row["segment"],
            row["tag"],
            str(row["first_active"]),
            row["status"],
            percent(row["effect"]),
            interval,
            str(row["n_experiments"]),
        )
    return table


def verdict_table(verdicts: Sequence[dict[str, Any]]) -> Table:
    """One row per arm and metric, at the experiment's last look."""
    table = Table(title="Arms against their baseline", title_justify="left")
    for column in ("experiment", "metric", "arm", "mean", "baseline", "lift", "between", "verdict"):
        table.add_column(column, justify="right" if column in {"mean", "baseline", "lift", "between"} else "left")
    for row in verdicts:
        known = not (_missing(row["lift_low"]) or _missing(row["lift_high"]))
        table.add_row(
            row["experiment_id"],
            row["metric"],
            row["creative_id"],
            *("" if _missing(row[name]) else f"{row[name]:.4f}" for name in ("mean", "baseline_mean")),
            "" if _missing(row["lift"]) else f"{row['lift']:+.1%}",
            f"{row['lift_low']:+.1%} and {row['lift_high']:+.1%}" if known else "",
            f"{row['verdict']}: {row['reason']}",
        )
    return table


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
