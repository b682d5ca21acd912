"""Candidates are ranked by the program's own closed experiments, once there are enough of them."""

from pathlib import Path

import numpy as np
import pytest

from orchestration.edges.warehouse import Warehouse
from orchestration.generate.ranking import closed_history, ranker_of
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import read_program

PROGRAM = read_program(Path(__file__).parents[2] / "orchestration" / "programs" / "subject_lines.yaml")
TAXONOMY = Taxonomy.load()
GOODS = ("oak boards", "wool throws", "linen sheets", "clay jugs", "rag rugs", "egg cups", "iron hooks", "bread tins")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """Sixteen closed experiments in which questions are clicked twice as often, and one that is not closed."""
    rng = np.random.default_rng(3)
    house = Warehouse(tmp_path)
    with house.connect() as connection:
        connection.execute(
            """
            create schema marts; create schema intermediate;
            create table marts.experiment_statistics (program varchar, experiment_id varchar, segment varchar, creative_id varchar,
                metric varchar, cycle bigint, n bigint, sum_y double, sum_y2 double);
            create table intermediate.int_experiments__comparisons (program varchar, experiment_id varchar, segment varchar,
                metric varchar, entered_in_cycle bigint);
            create table intermediate.int_experiments__arms (program varchar, experiment_id varchar, segment varchar,
                creative_id varchar, role varchar, text varchar);
            """
        )
        for number in range(17):
            cycle, goods = 202601 + number // 4, GOODS[number % len(GOODS)]
            if number < 16:
                connection.execute(
                    "insert into intermediate.int_experiments__comparisons values ('subject_lines', ?, 'new', 'click', ?)",
                    [f"x{number}", cycle + 1],
                )
            for arm, (text, rate) in enumerate({f"Time for new {goods}?": 0.10, f"New {goods} for you": 0.05}.items()):
                clicks = float(rng.binomial(4000, rate))
                connection.execute(
                    "insert into intermediate.int_experiments__arms values ('subject_lines', ?, 'new', ?, 'explore', ?)",
                    [f"x{number}", f"c{number}-{arm}", text],
                )
                connection.execute(
                    "insert into marts.experiment_statistics values ('subject_lines', ?, 'new', ?, 'click', ?, 4000, ?, ?)",
                    [f"x{number}", f"c{number}-{arm}", cycle, clicks, clicks],
                )
    return house


def test_the_history_is_what_was_closed_by_the_cycle(warehouse: Warehouse) -> None:
    assert closed_history(warehouse, PROGRAM, 202610)["experiment_id"].nunique() == 16
    assert closed_history(warehouse, PROGRAM, 202603)["experiment_id"].nunique() == 8


def test_few_experiments_rank_nothing(warehouse: Warehouse) -> None:
    rng = np.random.default_rng(1)
    assert ranker_of(warehouse, PROGRAM, 202603, TAXONOMY, rng, fewest=12) is None
    assert ranker_of(warehouse, PROGRAM, 202601, TAXONOMY, rng, fewest=0) is None


def test_what_experiments_favoured_is_drawn_more_often_and_the_same_chance_draws_the_same(warehouse: Warehouse) -> None:
    texts = ["New walnut trays for you", "Time for new walnut trays?", "New enamel jugs for you"]
    ranker = ranker_of(warehouse, PROGRAM, 202610, TAXONOMY, np.random.default_rng(1), fewest=12)
    again = ranker_of(warehouse, PROGRAM, 202610, TAXONOMY, np.random.default_rng(1), fewest=12)
    assert ranker is not None
    assert again is not None
    drawn = [ranker.best(texts, "new") for _ in range(40)]
    assert drawn.count(1) > 25
    assert [again.best(texts, "new") for _ in range(40)] == drawn
    assert ranker.best(["only one"], "new") == 0
