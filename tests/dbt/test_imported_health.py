"""Health and entry of past experiments that come as files, through the import and the models alike."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.imports import import_file
from orchestration.measure.mapping import Mapping
from tests.dbt.conftest import SEEDS

Row = dict[str, Any]
MODELS = ("+experiment_verdicts", "+growth_by_arm", "+int_experiments__comparisons")
TESTED = (
    "stg_imports__results", "int_experiments__arms", "int_experiments__allocations", "int_experiments__closings",
    "int_experiments__comparisons", "int_experiments__mismatched_metrics", "experiment_statistics", "experiment_health",
    "experiment_verdicts", "growth_by_arm",
)  # fmt: skip
UNBUILT = ("int_experiments__increments_unique_as_the_mart_is", "resource_type:unit_test")
FIRST_DAY = dt.datetime.fromisoformat("2026-01-05")
MISMATCH = "sample ratio mismatch: people did not reach the arms in the planned shares"


def arm(program: str, creative: str, n: float, share: float | None = None, **told: Any) -> Row:
    """A row of a file: one arm of experiment e in cycle 1, of whom one in ten clicked."""
    return {
        "program": program, "cycle": 1, "experiment_id": "e", "creative_id": creative, "segment": "s", "metric": "click", "n": n,
        "sum_y": n // 10, "planned_share": share, "is_baseline": creative == "a", "closes_in_cycle": None,
    } | told  # fmt: skip


FOUR = [
    arm("four", "a", 2000, 0.4),
    arm("four", "b", 2000, 0.4),
    arm("four", "c", 500, 0.1),
    arm("four", "d", 500, 0.1),
]
FILES: Sequence[list[Row]] = [
    [arm("nobody", "a", 1000, 0.4), arm("nobody", "b", 1000, 0.4), arm("nobody", "c", 0, 0.2)],
    [row | {"program": "one"} for row in FOUR],
    FOUR[:1],
    FOUR[1:2],
    FOUR[2:3],
    FOUR[3:],
    [
        *(arm("metrics", creative, 5000, metric="sent") for creative in "ab"),
        *(arm("metrics", creative, n, metric="seen", cycle=2) for creative, n in (("a", 4500), ("b", 1500))),
        *(arm("metrics", creative, 500, metric="sent", cycle=3) for creative in "ab"),
        *(arm("metrics", creative, n, metric=metric, experiment_id="both") for metric, counts in (
            ("bought", (4500, 1500)), ("sent", (5000, 5000)), ("clicked", (5000, 5000))
        ) for creative, n in zip("ab", counts, strict=True)),
        *(arm("metrics", creative, 5000, metric="sent", experiment_id="even") for creative in "ab"),
        *(arm("metrics", creative, 4900 + 100 * (creative == "a"), metric="seen", experiment_id="even") for creative in "ab"),
        arm("metrics", "a", 4900, metric="told_of_one_arm", experiment_id="even"),
    ],
    [arm("some", "a", 900, 0.75), arm("some", "b", 300)],
    [arm("untold", "a", 900), arm("untold", "b", 300)],
    [arm("closing", creative, 500, cycle=cycle, experiment_id=f"e{cycle}", closes_in_cycle=closes)
        for cycle, closes in ((10, 15), (20, 20), (30, 35)) for creative in "ab"],
    [arm("first", creative, 500, cycle=3) for creative in "abc"],
    [arm("first", creative, 300, cycle=cycle) for cycle in (1, 2) for creative in "abd"],
    [arm("first", creative, 300, cycle=4) for creative in "ae"],
]  # fmt: skip


@pytest.fixture(scope="module")
def built(project: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Every file taken in, an hour apart, and the models built with their tests."""
    folder = tmp_path_factory.mktemp("imported")
    warehouse = Warehouse(folder / "warehouse")
    for place, rows in enumerate(FILES):
        path = folder / f"{place}.parquet"
        pd.DataFrame(rows).to_parquet(path)
        clock = FixedClock(FIRST_DAY + dt.timedelta(hours=place))
        assert import_file(warehouse, path, Mapping.of({"kind": "results"}), clock).reasons == {}
    project.build(warehouse, select=list(SEEDS), command="seed")
    project.build(warehouse, select=list(MODELS), exclude=["resource_type:test", "resource_type:unit_test"])
    project.build(warehouse, select=list(TESTED), exclude=list(UNBUILT), command="test")
    return warehouse


def health(warehouse: Warehouse, program: str) -> list[tuple[Any, ...]]:
    """(experiment, cycle, status, reason) of a program."""
    query = "select experiment_id, cycle, status, reason from marts.experiment_health where program = ? order by all"
    return [tuple(row.values()) for row in warehouse.rows(query, [program])]


def test_an_arm_that_received_nobody_is_the_loudest_mismatch(built: Warehouse) -> None:
    assert health(built, "nobody") == [("e", 1, "unhealthy", MISMATCH)]
    people = built.rows(
        "select segment, people, mean from marts.growth_by_arm where program = 'nobody' and creative_id = 'c' order by all"
    )
    assert people == [{"segment": segment, "people": 0, "mean": None} for segment in ("all", "s")]


def test_one_file_and_several_tell_the_same_shares(built: Warehouse) -> None:
    columns = "experiment_id, cycle, arms, units, log_srm_e_value, status, reason"
    one, four = (
        built.rows(f"select {columns} from marts.experiment_health where program = ?", [program])
        for program in ("one", "four")
    )
    assert one == four
    assert one[0]["status"] == "healthy"


def test_an_experiment_enters_at_the_first_look_after_it_closes(built: Warehouse) -> None:
    query = "select experiment_id, entered_in_cycle from intermediate.int_experiments__comparisons where program = ? order by all"
    entered = [tuple(row.values()) for row in built.rows(query, ["closing"])]
    assert entered == [("e10", 20), ("e20", 20)]  # nobody has looked in cycle 35 or later
    waits = built.rows("select distinct verdict, reason from marts.experiment_verdicts where experiment_id = 'e30'")
    assert waits == [{"verdict": "not_mature", "reason": "not every window has passed yet"}]


def test_the_file_taken_in_first_says_once_and_for_all_when_its_experiment_enters(built: Warehouse) -> None:
    entered = built.rows("select entered_in_cycle from intermediate.int_experiments__closings where program = 'first'")
    assert entered == [{"entered_in_cycle": 3}]
    arms = built.rows(
        "select creative_id, is_late from intermediate.int_experiments__arms where program = 'first' order by all"
    )
    assert [tuple(row.values()) for row in arms] == [
        ("a", False),
        ("b", False),
        ("c", False),
        ("d", False),
        ("e", True),
    ]


def test_without_every_share_nothing_is_tested_and_the_row_says_so(built: Warehouse) -> None:
    untested = "not tested for sample ratio mismatch: the planned shares are not all told"
    assert health(built, "some") == [("e", 1, "healthy", untested)]
    assert built.rows("select srm_e_value, units from marts.experiment_health where program = 'some'") == [
        {"srm_e_value": None, "units": 1200}
    ]
    assert health(built, "untold") == [("e", 1, "unhealthy", MISMATCH)]  # shares nobody tells are equal ones


def test_every_metric_of_a_past_experiment_is_judged_by_its_own_people(built: Warehouse) -> None:
    reason = "sample ratio mismatch: people counted for {} did not reach the arms in the planned shares"
    assert health(built, "metrics") == [
        ("both", 1, "unhealthy", reason.format("bought")),
        ("e", 1, "healthy", None),
        ("e", 2, "unhealthy", reason.format("seen")),
        ("e", 3, "unhealthy", reason.format("seen")),
        ("even", 1, "healthy", None),
    ]
    verdicts = (
        "select distinct verdict from marts.experiment_verdicts where program = 'metrics' and experiment_id = 'both'"
    )
    assert built.rows(verdicts) == [{"verdict": "unhealthy"}]
