"""A/A self-audit: does this installation learn from noise, and how soon does it learn what is true, at the user's own sizes?

Simulated programs go through the real models (import, dbt, learnings); nothing is computed beside them.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orchestration.edges.clock import Clock
from orchestration.edges.dbt import DbtProject
from orchestration.learn.backtest import backtest
from orchestration.learn.taxonomy import Taxonomy
from orchestration.measure.mapping import Mapping
from orchestration.programs.definition import Thresholds

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """A program to simulate: each cycle is one experiment of a baseline and one arm per tag.

    Attributes:
        units: People per arm and segment.
        rate: Expected conversions per person of the baseline.
        effects: Log effect of each tag; zeros make a null program.
        creative_sd: Log standard deviation between creatives for reasons that are not tags, shared by the segments.
        skewed: Whether that noise is exponential instead of normal.
        smaller: People in each arm but the baseline, as a part of ``units``: arms that explore, or were favoured less.
        value_sd: Log standard deviation of what a conversion is worth (1 on average), as orders are; None where each counts 1.
    """

    programs: int
    cycles: int
    segments: int
    units: int
    rate: float
    effects: tuple[float, ...]
    creative_sd: float = 0.0
    skewed: bool = False
    smaller: float = 1.0
    value_sd: float | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """What a simulation showed.

    Attributes:
        ever_false: Share of programs in which a tag without effect, or with the other sign, was ever active.
        false_share: Mean share of false ones among the claims active at the last cycle (programs without claims count as 0).
        found: Share of true tags active at some cycle; None without true tags.
        median_cycle: Median cycle in which a true tag first was active (one never found counts as later than all), or None where
            fewer than half ever were.
        boast: Mean reported effect of active true tags over their true effect at the last cycle, or None.
    """

    setting: Setting
    ever_false: float
    false_share: float
    found: float | None
    median_cycle: float | None
    boast: float | None


def simulate(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    """Results of simulated programs, in the columns of ``loop backtest``: one row per program, cycle, arm and segment."""
    tags = len(setting.effects)
    shape = (setting.programs, setting.cycles, tags + 1, 1)
    noise = rng.exponential(size=shape) - 1 if setting.skewed else rng.normal(size=shape)
    effects = np.array([0.0, *setting.effects]).reshape(1, 1, -1, 1)
    rates = np.clip(setting.rate * np.exp(effects + setting.creative_sd * noise), 0, 1) * np.ones(setting.segments)
    people = np.full(tags + 1, max(round(setting.units * setting.smaller), 1))
    people[0] = setting.units
    conversions = rng.binomial(people.reshape(1, 1, -1, 1), rates)
    outcomes = (
        {"sum_y": conversions.ravel()} if setting.value_sd is None else _worth(conversions, setting.value_sd, rng)
    )
    program, cycle, arm, segment = (index.ravel() for index in np.indices(conversions.shape))
    names: list[list[str]] = [[]] + [[f"tag_{number}"] for number in range(1, tags + 1)]
    return pd.DataFrame(
        {
            "program": np.array([f"p{number:05d}" for number in range(setting.programs)], dtype=object)[program],
            "cycle": cycle + 1,
            "experiment_id": np.array([f"e{number + 1}" for number in range(setting.cycles)], dtype=object)[cycle],
            "creative_id": np.array([f"c{number}" for number in range(tags + 1)], dtype=object)[arm],
            "segment": np.array([f"s{number + 1}" for number in range(setting.segments)], dtype=object)[segment],
            "metric": "conversion",
            "n": people[arm],
            **outcomes,
            "planned_share": (people / people.sum())[arm],
            "is_baseline": arm == 0,
            "tags": pd.Series(names, dtype=object).to_numpy()[arm],
        }
    )


def _worth(conversions: Counts, log_sd: float, rng: np.random.Generator) -> dict[str, Floats]:
    """Sum and sum of squares of lognormal values of mean 1, one for each conversion of a row. [program, ...] -> [row]"""
    sums, squares = [], []
    for counts in conversions.reshape(
        len(conversions), -1
    ):  # a program at a time: all values at once could be billions
        row = np.repeat(np.arange(counts.size), counts)
        values = np.exp(rng.normal(-(log_sd**2) / 2, log_sd, row.size))
        sums.append(np.bincount(row, values, counts.size))
        squares.append(np.bincount(row, values**2, counts.size))
    return {"sum_y": np.concatenate(sums), "sum_y2": np.concatenate(squares)}


def audit(
    setting: Setting,
    *,
    seed: int,
    dbt: DbtProject,
    clock: Clock,
    thresholds: Thresholds | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> Audit:
    """Simulates programs, runs them through the real models and counts what was claimed.

    Args:
        thresholds: By which they are judged; the policy's where None, or where it has none of its own.
    """
    with tempfile.TemporaryDirectory(prefix="loop-audit-") as scratch:
        folder = Path(scratch)
        progress(f"simulating {setting.programs} programs of {setting.cycles} cycles")
        results = folder / "results.parquet"
        simulate(setting, np.random.default_rng(seed)).to_parquet(results, index=False)
        done = backtest(
            results,
            folder / "out",
            Mapping.of({"kind": "results"}),
            clock,
            dbt=dbt,
            taxonomy=Taxonomy.load(),
            thresholds=thresholds,
            progress=progress,
        )
        return judge(setting, done.learnings)


def judge(setting: Setting, learnings: Path) -> Audit:
    """Counts false and true claims of a simulated setting in its ``learnings.parquet``."""
    truth = pd.DataFrame(
        {"tag": [f"tag_{number}" for number in range(1, len(setting.effects) + 1)], "truth": list(setting.effects)}
    )
    with duckdb.connect() as connection:
        connection.register("truth", truth)
        active = connection.execute(
            f"""
            select program, cycle, tag, segment, effect, truth, effect * truth <= 0 as is_false
            from '{learnings}' inner join truth using (tag)
            where status = 'active'
            """
        ).df()
    ever_false = active[active.is_false].program.nunique() / setting.programs
    last = active[active.cycle == setting.cycles]
    false_share = last.groupby("program").is_false.mean().sum() / setting.programs
    true_tags = sum(effect != 0 for effect in setting.effects)
    if not true_tags:
        return Audit(setting, ever_false, float(false_share), None, None, None)
    pooled = active[(active.segment == "all") & ~active.is_false]
    first = pooled.groupby(["program", "tag"]).cycle.min()
    claims = setting.programs * true_tags
    waits = np.concatenate([first.to_numpy(float), np.full(claims - len(first), np.inf)])
    finished = pooled[pooled.cycle == setting.cycles]
    boast = float((finished.effect / finished.truth).mean()) if len(finished) else None
    median = float(np.median(waits))
    return Audit(
        setting, ever_false, float(false_share), len(first) / claims, median if np.isfinite(median) else None, boast
    )
