"""The evidence models against an independent retelling of the same histories, at every look."""

import datetime as dt
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.learn.reading import sent_texts
from tests import references as ref
from tests.dbt.past_experiments import MODELS, Increment, build_evidence, random_program, renamed, told, warehouse_with
from tests.dbt.retelling import ALPHA, RATE, Claim, Retelling

LEARNINGS = "program, metric, segment, tag, cycle"
EFFECTS = {1: 0.0, 2: 0.0, 3: 0.5, 4: -0.6, 5: 0.35, 6: 0.0}
REPLAYED_AT = 8


def _sane(name: str, cycle: int, *, shares: tuple[float, float] = (0.5, 0.5), experiment: str = "e") -> list[Increment]:
    """Two arms, of which the second has the tag and does better; 600 people each, or as the shares say."""
    counts = {"plain": 1200 * shares[0], "asks": 1200 * shares[1]}
    return [
        Increment(
            name, cycle, f"{experiment}{cycle}", arm, "all people", "click", n, round(n * rate) + cycle % 3, None, 0.5,
            arm == "plain", True, f"{arm} {cycle}", [] if arm == "plain" else ["question"], cycle,
        )
        for (arm, n), rate in zip(counts.items(), (0.05, 0.09), strict=True)
    ]  # fmt: skip


def _rows() -> list[Increment]:
    rows = [row for seed, effect in EFFECTS.items() for row in random_program(f"p{seed}", seed, effect=effect)]
    sane = [row for cycle in range(1, 11) for row in _sane("sane", cycle)]
    broken = [row for cycle in (3, 7) for row in _sane("sane", cycle, shares=(0.8, 0.2), experiment="broken")]
    alarm = [row for name in "abc" for row in _sane("alarm", 1, experiment=name)]
    alarm += [row for name in "xy" for row in _sane("alarm", 1, shares=(0.8, 0.2), experiment=name)]
    return [
        *rows,
        *alarm,
        *sane,
        *renamed([*sane, *broken], "with_broken"),
        *_late_metric(renamed([*sane, *broken], "late")),
    ]


def _late_metric(rows: list[Increment]) -> list[Increment]:
    """The same experiments with a second metric that is counted a cycle later, of the same people."""
    closing = [replace(row, closes_in_cycle=row.cycle + 1) for row in rows]
    return [*closing, *(replace(row, metric="account", cycle=row.cycle + 1) for row in closing)]


@pytest.fixture(scope="module")
def rows() -> list[Increment]:
    return _rows()


@pytest.fixture(scope="module")
def built(project: DbtProject, rows: list[Increment], tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The histories, built once, with every dbt test of the evidence models passing on them."""
    warehouse = warehouse_with(tmp_path_factory.mktemp("evidence"), rows)
    project.build(
        warehouse,
        select=list(MODELS),
        exclude=[
            "every_element_is_accounted_for_int_channels__events_",
            "user_days_hold_every_activity",
            "growth_by_arm",
            "program_audience",
        ],
    )
    return warehouse


@pytest.fixture(scope="module")
def retold(rows: list[Increment]) -> dict[str, Retelling]:
    by_program = defaultdict(list)
    for row in rows:
        by_program[row.program].append(row)
    return {program: Retelling(of) for program, of in by_program.items()}


def test_health_equals_the_reference_at_every_look(built: Warehouse, retold: dict[str, Retelling]) -> None:
    health = told(built, "marts.experiment_health", "program, experiment_id, cycle")
    keys = {(row["program"], row["experiment_id"], row["cycle"]): row for row in health}
    expected = {(p, e, c): value for p, of in retold.items() for (e, c), value in of.srm.items()}
    assert keys.keys() == expected.keys()
    for key, row in keys.items():
        assert row["log_srm_e_value"] == pytest.approx(expected[key], rel=1e-9, abs=1e-9)
        assert row["status"] == retold[key[0]].status[key[1:]]
    assert {row["status"] for row in health} == {"healthy", "unhealthy", "suspect", "not_comparable"}


def test_contrasts_of_tags_equal_the_reference(built: Warehouse, retold: dict[str, Retelling]) -> None:
    found = built.rows("select * from intermediate.int_learnings__tag_contrasts")
    expected = {
        (program, claim, experiment): replicate
        for program, of in retold.items()
        for claim, replicates in of.replicates.items()
        for experiment, replicate in replicates.items()
    }
    keys = {(r["program"], Claim(r["metric"], r["segment"], r["tag"]), r["experiment_id"]): r for r in found}
    assert keys.keys() == expected.keys()
    for key, row in keys.items():
        contrast = expected[key].contrast
        theirs = [row[name] for name in ("contrast", "contrast_error", "arms_with", "arms_without", "noise_variance")]
        ours = [contrast.value, contrast.error, contrast.arms_with, contrast.arms_without, contrast.tau2]
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9, err_msg=str(key))
        assert (row["is_matched"], row["entered_in_cycle"]) == (contrast.is_matched, expected[key].cycle)


def test_evidence_equals_the_reference_at_every_look(built: Warehouse, retold: dict[str, Retelling]) -> None:
    learnings = {_look(row): row for row in told(built, "marts.learnings", LEARNINGS)}
    rows = {_look(row): row for row in told(built, "marts.tag_evidence", LEARNINGS)}
    seen = 0
    for program, cycle in sorted({(look[0], look[-1]) for look in rows}):
        for claim, expected in retold[program].evidence(cycle).items():
            row = rows[program, *claim, cycle]
            learning = learnings[program, *claim, cycle]
            theirs = [row[name] for name in ("experiments", "creatives", "log_e_value", "log_e_value_robust")]
            theirs.append(learning["recent_z"])
            ours = [expected.experiments, expected.creatives, expected.log_e, expected.log_e_robust, expected.recent_z]
            np.testing.assert_allclose(
                np.array(theirs, dtype=float),
                np.array(ours, dtype=float),
                rtol=1e-9,
                atol=1e-9,
                err_msg=f"{program} {claim} {cycle}",
            )
            assert row["is_significant"] == expected.is_significant
            if expected.interval:
                np.testing.assert_allclose(
                    [learning["ci_low"], learning["ci_high"]], expected.interval, rtol=1e-9, atol=1e-9
                )
            seen += 1
    assert seen == len(rows)
    assert any(row["is_supported"] for row in rows.values())


def test_arms_are_compared_as_the_reference_does(built: Warehouse) -> None:
    contrasts = built.rows("select * from marts.experiment_contrasts where standard_error > 0 and lift is not null")
    assert contrasts
    for row in contrasts:
        units = row["n"] + row["baseline_n"]
        width = ref.half_width(row["standard_error"], units, RATE, ALPHA)
        assert row["difference_high"] - row["difference"] == pytest.approx(width, rel=1e-9)
        assert row["difference"] - row["difference_low"] == pytest.approx(width, rel=1e-9)
        log_e = ref.log_e_mean(row["difference"] / row["standard_error"], units, RATE)
        assert row["log_e_value"] == pytest.approx(log_e, rel=1e-9, abs=1e-9)


def test_an_unhealthy_experiment_leaves_no_trace(built: Warehouse) -> None:
    def learned(program: str) -> list[dict[str, object]]:
        query = "select * exclude (program, evidence_id) from marts.learnings where program = ? order by segment, cycle"
        return built.rows(query, [program])

    assert repr(learned("with_broken")) == repr(learned("sane"))
    assert learned("sane")[-1]["status"] == "active"
    broken = "select distinct verdict from marts.experiment_verdicts where experiment_id like 'broken%'"
    assert built.rows(broken) == [{"verdict": "unhealthy"}]


def test_health_found_earlier_holds_for_a_metric_counted_later(built: Warehouse) -> None:
    query = "select distinct verdict from marts.experiment_verdicts where metric = 'account' and experiment_id like ?"
    assert built.rows(query, ["broken%"]) == [{"verdict": "unhealthy"}]
    assert {"verdict": "unhealthy"} not in built.rows(query, ["e%"])


def test_replaying_a_past_cycle_gives_the_same_bytes(
    project: DbtProject, built: Warehouse, rows: list[Increment], tmp_path: Path
) -> None:
    past = build_evidence(project, warehouse_with(tmp_path, [row for row in rows if row.cycle <= REPLAYED_AT]))
    for table, key in _MARTS.items():
        then, now = (
            [row for row in told(warehouse, table, key) if row["cycle"] <= REPLAYED_AT] for warehouse in (past, built)
        )
        assert then
        assert repr(then) == repr(now), table


def test_order_of_rows_and_threads_do_not_move_a_byte(
    project: DbtProject, built: Warehouse, rows: list[Increment], tmp_path: Path
) -> None:
    shuffled = [rows[place] for place in np.random.default_rng(5).permutation(len(rows))]
    warehouse = warehouse_with(tmp_path, shuffled)
    with (
        warehouse.connect() as connection
    ):  # an open connection shares its instance, and so its threads, with the build
        connection.execute("set global threads = 1")
        build_evidence(project, warehouse)
    for table, key in _MARTS.items():
        assert repr(told(warehouse, table, key)) == repr(told(built, table, key)), table


def _careless(experiment: str, arms: list[dict[str, Any]], metric: str = "click") -> list[Increment]:
    plain = {"n": 1000.0, "sum_y": 50.0, "sum_y2": None, "planned_share": None, "is_baseline": None}
    return [
        Increment(
            "careless", 1, experiment, f"c{arm}", "all people", metric, **{**plain, **told}, is_randomised=True,
            text=None, tags=[f"t{arm}"], closes_in_cycle=1,
        )
        for arm, told in enumerate(arms)
    ]  # fmt: skip


def test_careless_files_end_in_a_reason_not_in_a_crash(project: DbtProject, tmp_path: Path) -> None:
    price = 19.99
    rows = [
        *_careless("constant", [{"sum_y": 1000 * price, "sum_y2": 1000 * price**2}] * 2, "spend"),
        *_careless("nothing", [{"sum_y": 0.0, "is_baseline": True}, {"sum_y": 0.0}]),
        *_careless("everybody", [{"n": 2e7, "sum_y": 2e7, "is_baseline": True}, {"n": 2e7, "sum_y": 2e7}]),
        *_careless(
            "nobody_buys_in_one_arm", [{"sum_y": 90.0, "sum_y2": 900.0}, {"sum_y": 0.0, "sum_y2": 0.0}], "spend"
        ),
        *_careless("shares_in_percent", [{"planned_share": 50.0}, {"planned_share": 50.0}]),
        *_careless("a_share_of_nothing", [{"planned_share": 0.0}, {"planned_share": 1.0}]),
        *_careless("two_baselines", [{"is_baseline": True}, {"is_baseline": True}, {}]),
        *_careless("alone", [{}]),
        *_careless("alone_as_baseline", [{"is_baseline": True}]),
        *_careless("without_people", [{"n": 0.0, "sum_y": 0.0, "is_baseline": True}, {"n": 0.0, "sum_y": 0.0}]),
    ]
    warehouse = build_evidence(project, warehouse_with(tmp_path, rows))
    health = warehouse.rows("select distinct status from marts.experiment_health order by all")
    assert health == [{"status": "healthy"}, {"status": "not_comparable"}]
    verdicts = warehouse.rows("select experiment_id, count(*) as arms, verdict, min(reason) as reason, max(reason) as last_reason "
        "from marts.experiment_verdicts group by experiment_id, verdict order by experiment_id")  # fmt: skip
    assert all(row["reason"] == row.pop("last_reason") for row in verdicts)
    assert [tuple(row.values()) for row in verdicts] == [
        ("a_share_of_nothing", 2, "withheld", NO_BASELINE),
        ("alone", 1, "withheld", ALONE),
        ("alone_as_baseline", 1, "withheld", ALONE),
        ("constant", 2, "withheld", NO_BASELINE),
        ("everybody", 1, "not_enough_data", "the outcome does not vary: nothing can be compared"),
        ("nobody_buys_in_one_arm", 2, "withheld", NO_BASELINE),
        ("nothing", 1, "not_enough_data", "5 more conversions are needed in the smaller arm"),
        ("shares_in_percent", 2, "withheld", NO_BASELINE),
        ("two_baselines", 2, "withheld", "the interval still holds no difference"),
        ("without_people", 1, "withheld", "nobody is counted in the arm and in its baseline yet"),
    ]
    compared = warehouse.rows(
        "select distinct experiment_id from intermediate.int_learnings__tag_contrasts order by all"
    )
    assert [row["experiment_id"] for row in compared] == ["a_share_of_nothing", "shares_in_percent", "two_baselines"]
    numbers = warehouse.rows("select log_e_value, log_e_value_robust, effect, e_value from marts.learnings")
    assert np.isfinite([list(row.values()) for row in numbers]).all()


NO_BASELINE = "no baseline: the experiment does not say which arm the others are compared with"
ALONE = "one arm only: there is nothing to compare it with"
_MARTS = {
    "marts.learnings": LEARNINGS,
    "marts.tag_evidence": LEARNINGS,
    "marts.tag_posteriors": LEARNINGS,
    "marts.experiment_health": "program, experiment_id, cycle",
    "marts.experiment_verdicts": "program, metric, experiment_id, segment, creative_id, cycle",
}


def test_every_arm_has_a_verdict_at_every_look(built: Warehouse, rows: list[Increment]) -> None:
    arms: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    baselines, looks, first = set(), defaultdict(set), {}
    for row in rows:
        arms[row.program, row.experiment_id, row.segment].add(row.creative_id)
        looks[row.program, row.experiment_id].add(row.cycle)
        metric = (row.program, row.experiment_id, row.metric)
        first[metric] = min(row.cycle, first.get(metric, row.cycle))
        if row.is_baseline:
            baselines.add((row.program, row.experiment_id, row.segment, row.creative_id))
    expected = {
        (program, metric, experiment, segment, arm, cycle)
        for (program, experiment, segment), those in arms.items()
        for arm in those
        if len(those) == 1 or (program, experiment, segment, arm) not in baselines
        for metric in ("click", "spend", "account")
        for cycle in looks[program, experiment]
        if first.get((program, experiment, metric), cycle + 1) <= cycle
    }
    found = told(built, "marts.experiment_verdicts", "all")
    names = ("program", "metric", "experiment_id", "segment", "creative_id", "cycle")
    assert {tuple(row[name] for name in names) for row in found} == expected
    assert {row["reason"] for row in found} >= {NO_BASELINE, ALONE}


def test_a_claim_that_was_doubted_does_not_say_it_never_was(built: Warehouse) -> None:
    doubted: dict[tuple[Any, ...], bool] = {}
    said = set()
    for row in told(built, "marts.learnings", LEARNINGS):
        claim = _look(row)[:-1]
        if row["status"] == "active":
            words = "proved again after doubts" if doubted.get(claim) else "proved at every look since the first"
            assert row["reason"] == f"{words}, by {row['n_experiments']} experiments"
            said.add(words)
            doubted.setdefault(claim, False)
        elif claim in doubted or row["status"] != "candidate":
            doubted[claim] = True
    assert said


def _look(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["program"], *_claim(row), row["cycle"])


def _claim(row: dict[str, object]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("metric", "segment", "tag"))


def test_sent_texts_are_the_closed_arms_of_the_last_cycles(built: Warehouse) -> None:
    sent = sent_texts(built, "p3", "click", 99, cycles=4)
    closed = built.rows(
        """
        select comparisons.entered_in_cycle as cycle, closed.log_rate
        from intermediate.int_experiments__closed_arms as closed
        inner join intermediate.int_experiments__comparisons as comparisons using (comparison_key)
        inner join intermediate.int_experiments__arms as arms using (arm_key)
        where comparisons.program = 'p3' and comparisons.metric = 'click' and arms.text is not null
        """
    )
    cycles = built.rows(
        """
        select distinct entered_in_cycle as cycle from intermediate.int_experiments__comparisons
        where program = 'p3' and metric = 'click'
        """
    )
    last = sorted(row["cycle"] for row in cycles)[-4:]
    assert sorted(row.log_rate for row in sent) == sorted(row["log_rate"] for row in closed if row["cycle"] in last)
    assert {tag for row in sent for tag in row.tags}
    assert not any(row.did_harm for row in sent)


def test_sent_texts_that_were_stopped_are_told(built: Warehouse) -> None:
    [one, *_] = built.rows(
        """
        select arms.experiment_id, arms.segment, arms.creative_id, arms.text
        from intermediate.int_experiments__closed_arms as closed
        inner join intermediate.int_experiments__comparisons as comparisons using (comparison_key)
        inner join intermediate.int_experiments__arms as arms using (arm_key)
        where comparisons.program = 'p3' and comparisons.metric = 'click' and arms.text is not null
        order by all desc
        """
    )
    text = one.pop("text")
    counted = {
        "batch": 2,
        "probability": 0.0,
        "units_seen": 9.0,
        "sum_seen": 1.0,
        "reason": "stopped: harmed complaint",
    }
    at = dt.datetime.fromisoformat("2026-01-01")
    built.append({"ledger.allocations": [{**one, **counted, "recorded_at": at}]})
    try:
        sent = sent_texts(built, "p3", "click", 99, cycles=1000)
    finally:
        with built.connect() as connection:
            connection.execute("delete from ledger.allocations")
    assert {row.text for row in sent if row.did_harm} == {text}
