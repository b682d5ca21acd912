"""Ranks candidates by what the program's own closed experiments say of texts like them. It chooses; it never proves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.learn.predictor import Predictor
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Program

_MOST_TRIALS = 2000  # time grows with their cube


@dataclass(frozen=True, slots=True)
class Ranker:
    """A fitted predictor and the chance it draws with."""

    predictor: Predictor
    rng: np.random.Generator

    def best(self, texts: Sequence[str], segment: str) -> int:
        """The number of the text to take: the best of one Thompson draw, so that what is not known is tried too."""
        if len(texts) < 2:
            return 0
        return int(np.argmax(self.predictor.draw(texts, self.rng, segment=segment)))


def ranker_of(
    warehouse: Warehouse, program: Program, cycle: int, taxonomy: Taxonomy, rng: np.random.Generator, fewest: int
) -> Ranker | None:
    """The ranker of a program, or None while it has fewer closed experiments than that, or they compare nothing."""
    history = closed_history(warehouse, program, cycle)
    if history["experiment_id"].nunique() < fewest:
        return None
    try:
        return Ranker(Predictor.fit(history, taxonomy, most_trials=_MOST_TRIALS), rng)
    except Refusal:
        return None  # no two texts to compare: nothing to rank by


def closed_history(warehouse: Warehouse, program: Program, cycle: int) -> pd.DataFrame:
    """Increments of the program's experiments that had entered the evidence by a cycle, as the predictor reads them."""
    return warehouse.read(
        """
        select statistics.cycle, statistics.experiment_id, statistics.segment, statistics.creative_id, arms.text,
            statistics.n, statistics.sum_y, statistics.sum_y2
        from marts.experiment_statistics as statistics
        inner join intermediate.int_experiments__comparisons as compared
            on statistics.program = compared.program and statistics.experiment_id = compared.experiment_id
            and statistics.segment = compared.segment and statistics.metric = compared.metric
            and statistics.cycle <= compared.entered_in_cycle
        inner join intermediate.int_experiments__arms as arms
            on statistics.program = arms.program and statistics.experiment_id = arms.experiment_id
            and statistics.segment = arms.segment and statistics.creative_id = arms.creative_id
        where statistics.program = $program and statistics.metric = $metric and compared.entered_in_cycle <= $cycle
            and arms.role <> 'holdout' and arms.text is not null
        order by statistics.cycle, statistics.experiment_id, statistics.segment, statistics.creative_id
        """,
        {"program": program.program, "metric": program.objective.name, "cycle": cycle},
    )
