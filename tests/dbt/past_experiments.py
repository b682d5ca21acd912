"""Random histories of past experiments, as rows of ``raw.results``: everything an honest or a careless file may hold."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.dbt.conftest import SEEDS

TAGS = ("question", "number", "urgency", "emoji")
PRICES = (1.0, 2.5, 4.25)
IMPORTED_AT = dt.datetime.fromisoformat("2026-01-05")
MODELS = ("+learnings", "+tag_posteriors", "+experiment_verdicts", "+experiment_complaints", "+loop_value")


@dataclass(frozen=True)
class Increment:
    """A row of ``raw.results``: what one arm of one segment gained in one cycle."""

    program: str
    cycle: int
    experiment_id: str
    creative_id: str
    segment: str
    metric: str
    n: float
    sum_y: float
    sum_y2: float | None
    planned_share: float | None
    is_baseline: bool | None
    is_randomised: bool
    text: str | None
    tags: list[str] | None
    closes_in_cycle: int
    import_id: str = "file"
    imported_at: dt.datetime = IMPORTED_AT


def random_program(name: str, seed: int, *, cycles: int = 12, effect: float = 0.0) -> list[Increment]:
    """A program with one to three experiments a cycle, some over two cycles.

    Args:
        effect: True log effect of the first tag; big ones make learnings.
    """
    rng = np.random.default_rng(seed)
    rows: list[Increment] = []
    for cycle in range(1, cycles + 1):
        for number in range(int(rng.integers(1, 4))):
            rows += _experiment(rng, name, f"{cycle}-{number}", cycle, effect)
    return rows


def _experiment(
    rng: np.random.Generator, program: str, experiment: str, cycle: int, effect: float
) -> Iterable[Increment]:
    arms = 1 if rng.random() < 0.05 else int(rng.integers(2, 6))
    tags = _tags(rng, arms)
    is_repeated = rng.random() < 0.2
    texts = [f" Text {rng.integers(6)}" if is_repeated else f"{program} {experiment} {arm}" for arm in range(arms)]
    lasts = int(rng.random() < 0.3)
    shares = None if rng.random() < 0.3 else rng.dirichlet(np.full(arms, 50.0))
    got = (
        rng.dirichlet(np.full(arms, 3.0)) if rng.random() < 0.08 else shares
    )  # broken: people do not arrive as planned
    has_baseline, is_randomised = rng.random() < 0.85, rng.random() < 0.9
    metrics = ("click", "spend") if cycle > 4 else ("click",)  # a metric that appears late
    rate = {metric: 0.0 if rng.random() < 0.04 else float(rng.uniform(0.03, 0.12)) for metric in metrics}
    for segment in rng.permutation(["new", "old", "lost"])[: rng.integers(1, 4)]:
        units = int(rng.choice([40 * arms, 400 * arms, 1500 * arms], p=[0.1, 0.5, 0.4]))
        for step in range(lasts + 1):
            counts = rng.multinomial(units, got if got is not None else np.full(arms, 1 / arms))
            for arm in range(arms):
                for metric in metrics:
                    lift = np.exp(effect * (TAGS[0] in tags[arm]) + rng.normal(0, 0.05))
                    yield Increment(
                        program, cycle + step, experiment, f"c{arm}", str(segment), metric, float(counts[arm]),
                        *_outcomes(rng, int(counts[arm]), rate[metric] * lift, metric),
                        None if shares is None else float(shares[arm]),
                        has_baseline and arm == 0, is_randomised, texts[arm], tags[arm], cycle + lasts,
                    )  # fmt: skip


def _tags(rng: np.random.Generator, arms: int) -> list[list[str]]:
    """By design (a plain arm and one with a single tag more each) or as somebody wrote them."""
    if rng.random() < 0.5:
        return [[], *([tag] for tag in rng.permutation(TAGS)[: arms - 1].tolist())][:arms]
    return [[tag for tag in TAGS if rng.random() < 0.4] for _ in range(arms)]


def _outcomes(rng: np.random.Generator, n: int, rate: float, metric: str) -> tuple[float, float | None]:
    converted = int(rng.binomial(n, min(rate, 1.0)))
    if metric == "click":
        return float(converted), None
    prices = rng.choice(PRICES, size=converted)
    return float(prices.sum()), float((prices**2).sum())


def renamed(rows: Iterable[Increment], program: str) -> list[Increment]:
    """The same history under another program's name."""
    return [replace(row, program=program) for row in rows]


def warehouse_with(folder: Path, rows: Iterable[Increment]) -> Warehouse:
    """A migrated warehouse that holds these rows, in this order."""
    warehouse = Warehouse(folder)
    warehouse.migrate()
    frame = pd.DataFrame([asdict(row) for row in rows])
    with warehouse.connect() as connection:
        connection.register("told", frame)
        names = ", ".join(field.name for field in fields(Increment))
        connection.execute(f"insert into raw.results ({names}) select {names} from told")
    return warehouse


def build_evidence(project: DbtProject, warehouse: Warehouse) -> Warehouse:
    """Builds the evidence models without their tests, as often as one likes."""
    project.build(warehouse, select=list(SEEDS), command="seed")
    project.build(warehouse, select=list(MODELS), command="run")
    return warehouse


def told(warehouse: Warehouse, table: str, order: str) -> list[dict[str, Any]]:
    """The rows of a table in an order that names its key."""
    return warehouse.rows(f"select * from {table} order by {order}")
