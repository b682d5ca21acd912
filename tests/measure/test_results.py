"""Past experiments as sums: which rows are accepted, what becomes of the others, against a plain Python oracle."""

import csv
import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.imports import ImportReport, import_file
from orchestration.measure.mapping import Mapping
from orchestration.measure.withdrawals import withdraw

NOW = FixedClock(dt.datetime.fromisoformat("2026-11-20T12:00"))
ROW = {
    "program": "p", "cycle": "1", "experiment_id": "e", "creative_id": "a", "segment": "s", "metric": "m", "n": "10", "sum_y": "2",
}  # fmt: skip


def written(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def taken(warehouse: Warehouse, path: Path, rows: list[dict[str, str]], **options: Any) -> ImportReport:
    return import_file(warehouse, written(path, rows), Mapping.of({"kind": "results", **options}), NOW)


def results(warehouse: Warehouse, columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in warehouse.rows(f"select {columns} from raw.results order by all")]


bad_numbers = ["", "nan", "inf", "x", "-1", "0"]
numbers = st.sampled_from(["1", "2", "2.5", "10", "4e2"]) | st.sampled_from(
    ["1", "2", "2.5", "10", "4e2", *bad_numbers]
)
keys = st.sampled_from(["k", "l", "m", "o"]) | st.sampled_from(["k", "", " ", "NaN"])
cycles = st.sampled_from(["1", "2", "2026-11-20"]) | st.sampled_from(["1", "", "2026-11-21", "2026-W60", "x"])
shares = st.sampled_from(["", "0.25", "1"]) | st.sampled_from(["", "0", "1.5", "nan", "x"])
increments = st.fixed_dictionaries({
    "program": st.just("p"), "cycle": cycles, "experiment_id": keys, "creative_id": keys, "segment": st.just("all"),
    "metric": st.just("m"), "n": numbers, "sum_y": numbers, "sum_y2": st.just("") | numbers, "planned_share": shares,
})  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(rows=st.lists(increments, min_size=20, max_size=100))
def test_rows_are_judged_as_by_the_oracle(rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("oracle")
    good = {"program": "p", "cycle": "3", "experiment_id": "fine", "creative_id": "k", "segment": "all", "metric": "m",
            "n": "1", "sum_y": "0", "sum_y2": "", "planned_share": ""}  # fmt: skip
    warehouse = Warehouse(folder)
    report = taken(warehouse, folder / "x.csv", [*rows, good])
    quarantined = warehouse.rows("select row_number, reason from raw.quarantine order by row_number")
    expected = oracle(rows)
    assert [row["row_number"] for row in quarantined] == list(expected)
    assert all(word in row["reason"] for row, word in zip(quarantined, expected.values(), strict=True))
    assert (report.rows_read, report.rows_quarantined) == (len(rows) + 1, len(expected))
    assert sum(report.reasons.values()) == report.rows_quarantined
    assert len(results(warehouse, "n")) == report.rows_accepted == report.rows_read - report.rows_quarantined


def oracle(rows: list[dict[str, str]]) -> dict[int, str]:
    """Row number -> a word of the reason, for each row that cannot be accepted."""
    refused, seen = {}, dict[tuple[str, ...], tuple[float, ...]]()
    for place, row in enumerate(rows, 1):
        cycle = {"2026-11-20": "20261120"}.get(row["cycle"], row["cycle"])
        key = (cycle, row["experiment_id"], row["creative_id"])
        sums = tuple(as_number(row[name]) for name in ("n", "sum_y", "sum_y2"))
        if word := fault(row, cycle, *sums):
            refused[place] = word
        elif key in seen:
            refused[place] = "duplicated" if str(seen[key]) == str(sums) else "conflicting"
        else:
            seen[key] = sums
    return refused


def fault(row: dict[str, str], cycle: str, n: float, y: float, y2: float) -> str | None:
    for name in ("experiment_id", "creative_id"):
        if row[name].strip().lower() in {"", "nan"}:
            return f"{name}"
    for name in ("cycle", "n", "sum_y"):
        if row[name] in {"", "nan"}:
            return f"{name} is missing"
    share, squares = as_number(row["planned_share"]), row["sum_y2"] != ""
    checks = {
        "no integer, date": cycle in {"x", "2026-W60"},
        "in the future": cycle == "2026-11-21",
        "n is not a finite": not math.isfinite(n),
        "n is negative": n < 0,
        "n is no whole number": n % 1 > 0,
        "sum_y is not a finite": not math.isfinite(y),
        "n is 0, but": n == 0 and (y != 0 or (squares and y2 != 0)),
        "sum_y is negative": not squares and y < 0,
        "clicks above": not squares and y > n,
        "sum_y2 is not a finite": squares and not math.isfinite(y2),
        "sum_y2 is negative": y2 < 0,
        "squared over n": n > 0 and y2 < y * y / n * (1 - 1e-9),
        "planned_share": row["planned_share"] != "" and not 0 < share < math.inf,
    }
    return next((word for word, holds in checks.items() if holds), None)


def as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def test_the_same_increment_again_is_told_from_a_contradiction(warehouse: Warehouse, tmp_path: Path) -> None:
    report = taken(warehouse, tmp_path / "x.csv", [ROW, ROW, ROW | {"sum_y": "3"}])
    assert list(report.reasons) == [
        "conflicting increment: an earlier row has the same key and other numbers",
        "duplicated increment: an earlier row says the same",
    ]
    assert results(warehouse, "n, sum_y") == [(10.0, 2.0)]


def test_repeated_rows_are_added_up_and_share_by_their_number(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = [
        {"exp": "e", "text": "Tea &amp;  more", "n": "10", "sum_y": "1"},
        {"exp": "e", "text": "tea & MORE", "n": "30", "sum_y": "2"},
        {"exp": "e", "text": "Soap", "n": "20", "sum_y": "3"},
    ]
    constants = {name: {"constant": name[0]} for name in ("program", "metric")} | {"cycle": {"constant": 7}}
    taken(warehouse, tmp_path / "x.csv", rows, experiment_id="exp", repeats="sum", **constants)
    found = results(warehouse, "text, n, sum_y, planned_share, segment, is_randomised, closes_in_cycle")
    assert found == [("Soap", 20, 3, 1, "all", True, 7), ("Tea &amp;  more", 40, 3, 2, "all", True, 7)]


def test_without_shares_none_are_invented(warehouse: Warehouse, tmp_path: Path) -> None:
    taken(warehouse, tmp_path / "x.csv", [ROW, ROW | {"creative_id": "b"}])
    assert results(warehouse, "planned_share") == [(None,), (None,)]


def test_shares_are_stored_as_they_are_told(warehouse: Warehouse, tmp_path: Path) -> None:
    told = {"a": "50", "b": "30", "c": "0.2", "d": "inf", "e": "0"}
    rows = [ROW | {"creative_id": arm, "planned_share": share} for arm, share in told.items()]
    report = taken(warehouse, tmp_path / "x.csv", rows)
    assert report.reasons == {"planned_share is not a finite number above 0": 2}
    assert results(warehouse, "creative_id, planned_share") == [("a", 50), ("b", 30), ("c", 0.2)]


def test_shares_told_in_other_units_are_no_contradiction(warehouse: Warehouse, tmp_path: Path) -> None:
    def rows(*shares: str) -> list[dict[str, str]]:
        return [ROW | {"creative_id": arm, "planned_share": share} for arm, share in zip("ab", shares, strict=True)]

    taken(warehouse, tmp_path / "x.csv", rows("75", "25"))
    assert taken(warehouse, tmp_path / "y.csv", rows("0.75", "0.25")).rows_accepted == 0
    with pytest.raises(Refusal, match=r"about 2 increments \(first: planned_share of m, "):
        taken(warehouse, tmp_path / "z.csv", rows("0.7", "0.3"))


def test_rows_of_one_person_each_do_not_plan_themselves(warehouse: Warehouse, tmp_path: Path) -> None:
    people = [ROW | {"creative_id": arm, "n": "1", "sum_y": "0", "planned_share": ""} for arm in "aaab"]
    taken(warehouse, tmp_path / "x.csv", people, repeats="sum")
    told = [
        row | {"experiment_id": "f", "planned_share": "0.75" if row["creative_id"] == "a" else "0.25"} for row in people
    ]
    taken(warehouse, tmp_path / "y.csv", told, repeats="sum")
    found = results(warehouse, "experiment_id, creative_id, n, planned_share")
    assert found == [("e", "a", 3, None), ("e", "b", 1, None), ("f", "a", 3, 0.75), ("f", "b", 1, 0.25)]


def test_cycles_are_integers_dates_or_weeks_and_the_last_one_closes(warehouse: Warehouse, tmp_path: Path) -> None:
    by_day = {"17": 17, "2024-07-12": 20240712, "2024-07-14 23:59:00": 20240714, "-3": -3, "9.0": 9}
    by_week = {"2024-W07": 202407, "2024W52": 202452, "3": 3}
    for program, cycles in (("days", by_day), ("weeks", by_week)):
        taken(warehouse, tmp_path / f"{program}.csv", [ROW | {"program": program, "cycle": cycle} for cycle in cycles])
        read = results(warehouse, f"cycle, closes_in_cycle, program = '{program}' as is_here")
        assert [row[:2] for row in read if row[2]] == [
            (cycle, max(cycles.values())) for cycle in sorted(cycles.values())
        ]


def test_dates_become_weeks_where_the_cadence_is_weekly(warehouse: Warehouse, tmp_path: Path) -> None:
    taken(warehouse, tmp_path / "x.csv", [ROW | {"cycle": "2024-12-30"}], cadence="weekly")
    assert results(warehouse, "cycle") == [(202501,)]


def live_program(warehouse: Warehouse, name: str, cadence: str, cycle: int) -> None:
    at = NOW.now()
    spec = json.dumps({"program": name, "cadence": cadence})
    warehouse.migrate()
    warehouse.append({
        "ledger.programs": [{"program": name, "version": "v", "spec": spec, "recorded_at": at}],
        "ledger.cycles": [{"program": name, "cycle": cycle, "as_of": at, "program_version": "v", "recorded_at": at}],
    })  # fmt: skip


def test_dates_become_cycles_of_a_known_program_unless_the_mapping_says_otherwise(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    live_program(warehouse, "p", "weekly", 202606)
    live_program(warehouse, "q", "daily", 20260201)
    rows = [ROW | {"program": program, "cycle": "2025-03-04", "closes_in_cycle": "2025-03-11"} for program in "pqr"]
    taken(warehouse, tmp_path / "x.csv", rows)
    assert results(warehouse, "program, cycle, closes_in_cycle") == [
        ("p", 202510, 202511), ("q", 20250304, 20250311), ("r", 20250304, 20250311),
    ]  # fmt: skip
    with pytest.raises(
        Refusal,
        match=r"^y.csv -> counts program p by day \(cycle 20250304\) where the loop itself counts it by ISO week \(cycle 202606\)\. ",
    ):
        taken(warehouse, tmp_path / "y.csv", [row | {"experiment_id": "f"} for row in rows], cadence="daily")


def test_days_and_weeks_do_not_meet_in_one_program(warehouse: Warehouse, tmp_path: Path) -> None:
    mixed = [ROW | {"cycle": cycle} for cycle in ("2025-W10", "2025-03-04", "1")]
    with pytest.raises(Refusal, match=r"by day \(cycle 20250304\) where another row of it counts it by ISO week"):
        taken(warehouse, tmp_path / "x.csv", mixed)
    with pytest.raises(Refusal, match=r"by day \(cycle 20250304\) where another row of it counts it by ISO week"):
        taken(warehouse, tmp_path / "x.csv", [mixed[0] | {"closes_in_cycle": "20250304"}])
    first = taken(warehouse, tmp_path / "y.csv", mixed[:1])
    with pytest.raises(Refusal, match=r"by day \(cycle 20250304\) where y.csv counts it by ISO week \(cycle 202510\)"):
        taken(warehouse, tmp_path / "z.csv", mixed[1:])
    withdraw(warehouse, first.import_id, "weeks were meant as days", NOW)
    assert taken(warehouse, tmp_path / "z.csv", mixed[1:]).rows_accepted == 2


def test_tags_may_be_written_in_several_ways(warehouse: Warehouse, tmp_path: Path) -> None:
    forms = {
        '["question","number"]': ["question", "number"],
        "question; number": ["question", "number"],
        "[question, number]": ["question", "number"],
        "question": ["question"],
        "[]": [],
        "": None,
        '["X", " x ", "", null, "Y"]': ["x", "y"],
        "Question;question; ;NUMBER": ["question", "number"],
    }
    taken(warehouse, tmp_path / "x.csv", [ROW | {"tags": told, "cycle": str(at)} for at, told in enumerate(forms)])
    assert results(warehouse, "cycle, tags") == list(enumerate(forms.values()))


def test_a_list_of_tags_is_written_as_the_tags_of_texts_are(warehouse: Warehouse, tmp_path: Path) -> None:
    lists: list[list[str | None] | None] = [["X", " x ", "", None, "y"], ["", None], [], None]
    rows = [ROW | {"tags": tags, "cycle": cycle} for cycle, tags in enumerate(lists)]
    pd.DataFrame(rows).to_parquet(tmp_path / "x.parquet")
    import_file(warehouse, tmp_path / "x.parquet", Mapping.of({"kind": "results"}), NOW)
    assert results(warehouse, "cycle, tags") == [(0, ["x", "y"]), (1, []), (2, []), (3, None)]
    again = Mapping.of({"kind": "results", "segment": {"constant": "s"}})
    assert import_file(warehouse, tmp_path / "x.parquet", again, NOW).rows_accepted == 0


def test_truth_that_is_none_is_quarantined_with_the_row(warehouse: Warehouse, tmp_path: Path) -> None:
    rows = [
        ROW | {"is_baseline": "true", "randomised": ""},
        ROW | {"cycle": "2", "is_baseline": "perhaps", "randomised": ""},
    ]
    taken(warehouse, tmp_path / "x.csv", rows)
    assert results(warehouse, "is_baseline, is_randomised") == [(True, True)]
    found = warehouse.rows("select row_number, reason, payload from raw.quarantine")
    assert [(row["row_number"], row["reason"]) for row in found] == [(2, "is_baseline is neither true nor false")]
    assert json.loads(found[0]["payload"]) == rows[1] | {"randomised": None}


def test_an_arm_that_received_nobody_keeps_its_share(warehouse: Warehouse, tmp_path: Path) -> None:
    nobody = ROW | {"n": "0", "sum_y": "0", "sum_y2": "", "planned_share": "0.2"}
    rows = [nobody | {"creative_id": arm, "sum_y2": squares} for arm, squares in (("a", ""), ("b", "0"))]
    rows += [
        nobody | {"creative_id": arm, "sum_y": y, "sum_y2": squares}
        for arm, y, squares in (("c", "1", ""), ("d", "0", "4"))
    ]
    report = taken(warehouse, tmp_path / "x.csv", rows)
    assert report.reasons == {"n is 0, but sum_y or sum_y2 is not": 2}
    assert results(warehouse, "creative_id, n, sum_y2, planned_share") == [("a", 0, None, 0.2), ("b", 0, 0, 0.2)]


SEGMENTED = [ROW | {"creative_id": arm, "segment": segment} for arm in "ab" for segment in ("x", "y")]
TOTALS = [ROW | {"creative_id": arm, "segment": "all"} for arm in "ab"]
BESIDE = "segment all stands beside other segments of the experiment: the same people would count twice"
PARTS = "the experiment is stored under the segment all already: in a part of it the same people would count twice"


def test_a_total_beside_its_segments_is_set_aside(warehouse: Warehouse, tmp_path: Path) -> None:
    other = [row | {"experiment_id": "f"} for row in TOTALS]
    report = taken(warehouse, tmp_path / "x.csv", [*TOTALS, *SEGMENTED, *other])
    assert report.reasons == {BESIDE: 2}
    assert results(warehouse, "distinct experiment_id, segment") == [("e", "x"), ("e", "y"), ("f", "all")]


def test_a_total_of_segments_that_are_stored_is_set_aside(warehouse: Warehouse, tmp_path: Path) -> None:
    taken(warehouse, tmp_path / "x.csv", SEGMENTED)
    with pytest.raises(Refusal, match=rf"none of its 2 rows can be accepted \(row 1: {BESIDE}\)"):
        taken(warehouse, tmp_path / "y.csv", TOTALS)


def test_segments_of_a_stored_total_wait_until_it_is_taken_back(warehouse: Warehouse, tmp_path: Path) -> None:
    first = taken(warehouse, tmp_path / "x.csv", TOTALS)
    both = taken(warehouse, tmp_path / "y.csv", [*SEGMENTED, *TOTALS])
    assert (both.reasons, both.rows_accepted) == ({PARTS: 4}, 0)
    withdraw(warehouse, first.import_id, "segments came", NOW)
    assert taken(warehouse, tmp_path / "z.csv", SEGMENTED).rows_accepted == 4


def test_every_key_must_be_there_and_every_option_readable(warehouse: Warehouse, tmp_path: Path) -> None:
    full = ROW | {"randomised": "", "planned_share": "", "closes_in_cycle": ""}
    bad = {
        "program": ("", "program is missing"),
        "segment": ("nan", "segment is missing"),
        "metric": (" ", "metric is missing"),
        "sum_y": ("-1", "sum_y is negative"),
        "n": ("1000.5", "n is no whole number of people"),
        "randomised": ("perhaps", "randomised is neither true nor false"),
        "planned_share": ("x", "planned_share is not a number"),
        "closes_in_cycle": ("0", "closes_in_cycle is before cycle"),
    }
    rows = [full | {name: value} for name, (value, _) in bad.items()] + [full | {"closes_in_cycle": "soon"}]
    report = taken(warehouse, tmp_path / "x.csv", [*rows, full | {"closes_in_cycle": "5"}])
    told = {reason: 1 for _, reason in bad.values()} | {"closes_in_cycle is no integer, date or ISO week": 1}
    assert report.reasons == told
    assert results(warehouse, "closes_in_cycle") == [(5,)]


def test_a_file_without_a_good_row_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"^x.csv -> none of its 1 rows can be accepted \(row 1: n is negative\)\. "):
        taken(warehouse, tmp_path / "x.csv", [ROW | {"n": "-1"}])
    assert warehouse.rows("select 1 from raw.imports union all select 1 from raw.quarantine") == []
