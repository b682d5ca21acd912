"""Past experiments as randomised people: the sums of each arm against plain Python."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.imports import ImportReport, import_file
from orchestration.measure.mapping import Mapping

NOW = FixedClock(dt.datetime.fromisoformat("2026-11-20"))
MAPPING: dict[str, Any] = {
    "kind": "units", "program": {"constant": "p"}, "cycle": {"constant": 1}, "experiment_id": {"constant": "e"},
    "arm": "arm", "unit": "who", "metrics": {"visit": "visit", "spend": "spend"}, "baseline": "none",
}  # fmt: skip
PEOPLE = [
    ("u1", "none", True, 0.0), ("u2", "none", False, 2.5), ("u3", "mail", True, 4.0), ("u4", "mail", True, 0.0),
    ("u5", "mail", False, 1.0),
]  # fmt: skip


def taken(warehouse: Warehouse, path: Path, people: list[tuple[Any, ...]], **options: Any) -> ImportReport:
    pd.DataFrame(people, columns=["who", "arm", "visit", "spend"]).to_parquet(path)
    return import_file(warehouse, path, Mapping.of(MAPPING | options), NOW)


def sums(warehouse: Warehouse) -> dict[tuple[str, str], tuple[Any, ...]]:
    rows = warehouse.rows("select creative_id, metric, n, sum_y, sum_y2, is_baseline from raw.results")
    return {(row["creative_id"], row["metric"]): tuple(row.values())[2:] for row in rows}


def test_people_are_added_up_by_arm(warehouse: Warehouse, tmp_path: Path) -> None:
    report = taken(warehouse, tmp_path / "x.parquet", PEOPLE)
    assert sums(warehouse) == {
        ("none", "visit"): (2, 1, None, True),
        ("none", "spend"): (2, 2.5, 6.25, True),
        ("mail", "visit"): (3, 2, None, False),
        ("mail", "spend"): (3, 5.0, 17.0, False),
    }
    assert (report.kind, report.rows_read, report.rows_accepted) == ("units", 5, 5)


def test_bad_people_are_set_aside(warehouse: Warehouse, tmp_path: Path) -> None:
    bad = [("u3", "mail", True, 9.0), ("u6", None, True, 0.0), ("u7", "mail", None, 0.0), ("u8", "mail", True, -1.0)]
    report = taken(warehouse, tmp_path / "x.parquet", [*PEOPLE, *bad, (None, "mail", True, 0.0)])
    assert report.reasons == {
        "the person is in the experiment already": 1,
        "the arm is missing": 1,
        "visit is missing or not a finite number": 1,
        "spend is negative": 1,
        "unit is missing": 1,
    }
    assert sums(warehouse)["mail", "visit"] == (3, 2, None, False)


def test_who_is_in_two_arms_counts_in_neither(warehouse: Warehouse, tmp_path: Path) -> None:
    report = taken(warehouse, tmp_path / "x.parquet", [*PEOPLE, ("u1", "mail", True, 9.0), ("u1", "none", True, 0.0)])
    assert report.reasons == {"the person is in two arms of the experiment or more": 3}
    assert sums(warehouse)["none", "visit"] == (1, 0, None, True)
    assert sums(warehouse)["mail", "visit"] == (3, 2, None, False)


def test_a_net_metric_may_be_negative(warehouse: Warehouse, tmp_path: Path) -> None:
    taken(warehouse, tmp_path / "x.parquet", [*PEOPLE, ("u9", "mail", False, -3.0)], may_be_negative=["spend"])
    assert sums(warehouse)["mail", "spend"] == (4, 2.0, 26.0, False)


def test_segments_and_planned_shares(warehouse: Warehouse, tmp_path: Path) -> None:
    shares = {"none": 0.2, "mail": 0.6}
    taken(warehouse, tmp_path / "x.parquet", PEOPLE, segment="visit", planned_shares=shares)
    rows = warehouse.rows("select distinct segment, creative_id, planned_share from raw.results order by all")
    assert [(row["segment"], row["creative_id"]) for row in rows] == [
        ("false", "mail"), ("false", "none"), ("true", "mail"), ("true", "none"),
    ]  # fmt: skip
    assert [row["planned_share"] for row in rows] == [0.6, 0.2] * 2


def test_people_of_the_segment_all_beside_other_segments_are_set_aside(warehouse: Warehouse, tmp_path: Path) -> None:
    frame = pd.DataFrame(PEOPLE, columns=["who", "arm", "visit", "spend"])
    frame["part"] = ["x", "x", "x", "x", "all"]
    frame.to_parquet(tmp_path / "x.parquet")
    report = import_file(warehouse, tmp_path / "x.parquet", Mapping.of(MAPPING | {"segment": "part"}), NOW)
    told = "segment all stands beside other segments of the experiment: the same people would count twice"
    assert report.reasons == {told: 1}
    assert sums(warehouse)["mail", "visit"] == (2, 2, None, False)


def test_people_of_a_weekly_program_are_counted_by_week(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.migrate()
    spec = {"program": "p", "version": "v", "spec": '{"cadence": "weekly"}', "recorded_at": NOW.now()}
    warehouse.append({"ledger.programs": [spec]})
    taken(warehouse, tmp_path / "x.parquet", PEOPLE, cycle={"constant": "2025-03-04"})
    assert warehouse.rows("select distinct cycle from raw.results") == [{"cycle": 202510}]


def test_the_baseline_must_be_an_arm(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"^baseline control -> is no arm of the file\. Choose one of mail, none\.$"):
        taken(warehouse, tmp_path / "x.parquet", PEOPLE, baseline="control")


def test_a_metric_without_its_column_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"has no column 'spent'\. Did you mean 'spend'\? Its columns are: who, arm"):
        taken(warehouse, tmp_path / "x.parquet", PEOPLE, metrics={"spend": "spent"})
