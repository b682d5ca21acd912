"""Sends in batches: unbiased under adaptive chances where plain means are not, healthy against each batch's chances, and live."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from orchestration.deploy.channels import HandoverFiles
from orchestration.deploy.experiments import Launch, launch_cycle
from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.programs.definition import Program
from tests.dbt.conftest import SEEDS

STARTS = dt.datetime.fromisoformat("2026-02-02T10:00:00")
SENDS, BATCHES, PEOPLE = 1000, 3, 300
ARMS = ("plain", "one", "two")
MEASURED = 0.3  # share of the baseline, the same in every batch
LEVELS = (0.1, 0.3, 0.2)  # rate of everybody in each batch: a good day must not pass for a good arm


def fill(warehouse: Warehouse, tables: dict[str, pd.DataFrame]) -> None:
    with warehouse.connect() as connection:
        for table, frame in tables.items():
            connection.register("told", frame)
            connection.execute(f"insert into {table} by name select * from told")
            connection.unregister("told")


@dataclass(frozen=True)
class Simulated:
    """Sends without any true difference whose chances followed the leader: people and clicks, shape (sends, batches, arms)."""

    people: np.ndarray
    clicks: np.ndarray
    warehouse: Warehouse


@pytest.fixture(scope="module")
def followed(project: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    rng = np.random.default_rng(5)
    people, clicks = np.zeros((2, SENDS, BATCHES, len(ARMS)))
    chances = np.zeros((SENDS, BATCHES, len(ARMS)))
    for send in range(SENDS):
        for batch, level in enumerate(LEVELS):
            rate = clicks[send].sum(axis=0)[1:] / np.maximum(people[send].sum(axis=0)[1:], 1)
            lead = 0.5 if rate[0] == rate[1] else (0.9 if rate[0] > rate[1] else 0.1)
            chances[send, batch] = [MEASURED, (1 - MEASURED) * lead, (1 - MEASURED) * (1 - lead)]
            people[send, batch] = rng.multinomial(PEOPLE, chances[send, batch])
            clicks[send, batch] = rng.binomial(people[send, batch].astype(int), level)
    warehouse = Warehouse(tmp_path_factory.mktemp("followed"))
    warehouse.migrate()
    names = [f"e{send}" for send in range(SENDS)]
    cells = pd.DataFrame(
        [(name, b + 1, arm) for name in names for b in range(BATCHES) for arm in ARMS],
        columns=["experiment_id", "batch", "creative_id"],
    ).assign(probability=chances.ravel(), n=people.ravel().astype(int), sum_y=clicks.ravel().astype(int))
    arms = cells[cells.batch == 1].assign(
        segment="all people", planned_share=lambda of: of.probability, recorded_at=STARTS, arm_number=0,
        role=lambda of: np.where(of.creative_id == "plain", "baseline", "exploit"),
    )  # fmt: skip
    sends = pd.DataFrame({"experiment_id": names}).assign(
        program="news", cycle=202606, send_number=1, starts_at=STARTS, salt="", tags_by_design=True, recorded_at=STARTS
    )
    program = pd.DataFrame(
        [{"program": "news", "version": "v1", "spec": json.dumps({"metrics": [], "tags": []}), "recorded_at": STARTS}]
    )
    fill(
        warehouse,
        {
            "ledger.programs": program,
            "ledger.experiments": sends,
            "ledger.arms": arms.drop(columns=["batch", "probability", "n", "sum_y"]),
            "ledger.allocations": cells.drop(columns=["n", "sum_y"]).assign(
                segment="all people", units_seen=0.0, sum_seen=0.0, reason="adapted", recorded_at=STARTS
            ),
        },
    )
    with warehouse.connect() as connection:  # a person's outcomes, as int_experiments__unit_outcomes leaves them
        connection.execute("create schema intermediate")
        connection.register("cells", cells)
        connection.execute(
            """
            create table intermediate.int_experiments__unit_outcomes as
            select 'news' as program, experiment_id, experiment_id || '/' || batch || creative_id || number as user_id,
                'all people' as segment, creative_id, 'click' as metric, cast(202607 as bigint) as counted_in_cycle,
                date '2026-02-02' as assigned_on, true as is_exposed, cast(number < sum_y as double) as outcome,
                0.0::double as covariate, cast(batch as integer) as batch
            from (select *, unnest(generate_series(0, n - 1)) as number from cells)
            """
        )
    project.build(warehouse, select=list(SEEDS), command="seed")
    wanted = ["+experiment_health", "+int_experiments__arm_totals", "+int_experiments__reweighted"]
    upstream = ["+int_experiments__unit_outcomes"]
    project.build(
        warehouse, select=["path:models/staging/imports", "path:models/staging/ledger", "int_policy"], command="run"
    )
    project.build(warehouse, select=wanted, exclude=upstream, command="run")
    return Simulated(people, clicks, warehouse)


def contrasts(followed: Simulated) -> tuple[np.ndarray, np.ndarray]:
    """Difference of each adaptive arm to the baseline and its standard error, from the sums that everything reads."""
    totals = followed.warehouse.rows(
        "select * from intermediate.int_experiments__arm_totals order by experiment_id, creative_id"
    )
    by_send: dict[str, dict[str, dict[str, Any]]] = {}
    for row in totals:
        by_send.setdefault(row["experiment_id"], {})[row["creative_id"]] = row
    differences, errors = [], []
    for rows in by_send.values():
        mean = {arm: rows[arm]["sum_y"] / rows[arm]["n"] for arm in ARMS}
        variance = {arm: mean[arm] * (1 - mean[arm]) / rows[arm]["n"] for arm in ARMS}
        for arm in ARMS[1:]:
            differences.append(mean[arm] - mean["plain"])
            errors.append(np.sqrt(variance[arm] + variance["plain"]))
    return np.array(differences), np.array(errors)


def test_without_a_difference_none_is_found_though_the_plain_means_find_one(followed: Simulated) -> None:
    differences, _ = contrasts(followed)
    pooled = followed.clicks.sum(axis=1) / followed.people.sum(axis=1)
    plain = (pooled[:, 1:] - pooled[:, :1]).ravel()

    def z(values: np.ndarray) -> float:
        per_send = values.reshape(SENDS, 2).mean(axis=1)
        return float(per_send.mean() / (per_send.std(ddof=1) / np.sqrt(SENDS)))

    assert abs(z(differences)) < 3
    assert z(plain) < -5


def test_intervals_hold_their_level(followed: Simulated) -> None:
    differences, errors = contrasts(followed)
    assert np.mean(np.abs(differences / errors) < 1.96) == pytest.approx(0.95, abs=0.02)
    assert np.std(differences / errors) == pytest.approx(1.0, abs=0.08)


def test_the_sums_are_those_of_a_plain_retelling(followed: Simulated) -> None:
    rows = followed.warehouse.rows("select * from intermediate.int_experiments__reweighted")
    assert len(rows) == SENDS * (len(ARMS) + 2)  # arms, and the roles baseline and exploit
    for row in rows:
        send = int(row["experiment_id"][1:])
        members = {
            "baseline": [0], "exploit": [1, 2], "plain": [0], "one": [1], "two": [2],
        }[row["subject"]]  # fmt: skip
        people = followed.people[send][:, members].sum(axis=1)
        clicks = followed.clicks[send][:, members].sum(axis=1)
        own = people > 0
        everybody = followed.people[send].sum(axis=1)[own]
        rate = followed.clicks[send].sum(axis=1)[own] / everybody
        share = everybody / everybody.sum()
        relative = rate * (1 - rate) / ((share @ rate) * (1 - share @ rate))
        effective = 1 / (share**2 * relative / people[own]).sum()
        assert row["n"] == pytest.approx(effective, rel=1e-9)
        assert row["sum_y"] / row["n"] == pytest.approx((share * clicks[own] / people[own]).sum(), rel=1e-9, abs=1e-12)
        assert row["is_in_every_batch"] == own.all()
        assert row["people"] == people.sum()


def test_adaptive_sends_are_healthy_against_the_chances_of_each_batch(followed: Simulated) -> None:
    health = followed.warehouse.rows("select status, count(*) as sends from marts.experiment_health group by status")
    assert health == [{"status": "healthy", "sends": SENDS}]


# Live: three batches of one send through launch_cycle, real models between them.

PROGRAM = Program.model_validate(
    {
        "program": "news",
        "description": "A send in three batches.",
        "segments": ["all people"],
        "metrics": [
            {"name": "click", "event": "Email Link Clicked", "within_days": 2, "role": "objective"},
            {
                "name": "leave", "event": "Unsubscribed", "within_days": 2,
                "role": "guardrail", "harm": "up", "margin": 0.01,
            },
        ],
        "tags": ["question"],
        "baseline": "The letter",
        "experiments": {"sends_per_cycle": 1, "batches": 3, "batch_hours": 12, "holdout_share": 0.1},
        "first_cycle": "2026-01-05",
        "approval": "automatic",
        "dry_run": False,
    }
)  # fmt: skip
ROLES = {
    "plain": ("baseline", 0.2), "good": ("exploit", 0.3), "weak": ("explore", 0.2), "rude": ("exploit", 0.2), "loud": ("exploit", 0.1),
}  # fmt: skip
RATES = {"plain": 0.05, "good": 0.25, "weak": 0.02, "rude": 0.05, "loud": 0.3}
CYCLE, MONDAY = 202606, dt.datetime.fromisoformat("2026-02-02T05:00:00")


def launch(warehouse: Warehouse, now: dt.datetime) -> Launch:
    channel = HandoverFiles(warehouse.folder / "outbox")
    (done,) = launch_cycle(warehouse, PROGRAM, CYCLE, MONDAY.date(), channel, now, seed=3)
    return done


def answer(warehouse: Warehouse, batch: int, at: dt.datetime) -> None:
    """People of a batch click as their arm makes them; a third of the rude one's leave, four of the loud one's complain."""
    rng = np.random.default_rng(batch)
    got = warehouse.rows(
        "select user_id, creative_id from ledger.assignments where batch = ? and creative_id <> 'holdout' order by user_id",
        [batch],
    )
    happened = [(row["user_id"], "Email Link Clicked") for row in got if rng.random() < RATES[row["creative_id"]]]
    happened += [(row["user_id"], "Unsubscribed") for row in got if row["creative_id"] == "rude" and rng.random() < 0.3]
    loud = [row["user_id"] for row in got if row["creative_id"] == "loud"]
    happened += [(user, "Email Marked as Spam") for user in loud[:4]]
    events = [
        {
            "event_id": f"{batch}/{number}", "source": "mail", "type": "track", "event_name": name, "user_id": user,
            "occurred_at": at, "received_at": at, "ingested_at": at, "experiment_id": "news-202606-1", "import_id": "i",
            "schema_version": 1,
        }
        for number, (user, name) in enumerate(happened)
    ]  # fmt: skip
    fill(warehouse, {"raw.events": pd.DataFrame(events)})


@pytest.fixture(scope="module")
def live(project: DbtProject, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    warehouse = Warehouse(tmp_path_factory.mktemp("batches"))
    warehouse.migrate()
    project.build(warehouse, select=list(SEEDS), command="seed")
    plans = pd.DataFrame(
        [
            {"creative_id": name, "role": role, "planned_share": share, "arm_number": number}
            for number, (name, (role, share)) in enumerate(ROLES.items())
        ]
    ).assign(program="news", cycle=CYCLE, send_number=1, segment="all people", recorded_at=MONDAY)
    creatives = plans[["creative_id", "role", "program", "cycle", "segment", "recorded_at"]].assign(
        text=plans.creative_id,
        tags_asked=[[]] * len(ROLES),
        generator="offline",
        learnings_used=[[]] * len(ROLES),
        is_fallback=False,
    )
    approvals = plans[["creative_id", "recorded_at"]].assign(decision="approved", actor="test", reason="fine")
    program = pd.DataFrame(
        [{"program": "news", "version": "v1", "spec": PROGRAM.canonical_json(), "recorded_at": MONDAY}]
    )
    look = pd.DataFrame(
        [{"program": "news", "cycle": CYCLE, "as_of": MONDAY, "program_version": "v1", "recorded_at": MONDAY}]
    )
    fill(
        warehouse,
        {
            "ledger.plans": plans, "ledger.creatives": creatives, "ledger.approvals": approvals,
            "ledger.programs": program, "ledger.cycles": look,
        },
    )  # fmt: skip
    with warehouse.connect() as connection:
        connection.execute("create schema marts")
        connection.execute(
            """
            create table marts.program_audience as
            select 'news' as program, 'u' || range as user_id, 'all people' as segment from range(6000)
            """
        )
        connection.execute(
            """
            create table marts.tag_posteriors (program varchar, metric varchar, segment varchar, tag varchar, cycle bigint,
                posterior_mean double, posterior_sd double)
            """
        )
    models = ["+int_experiments__batch_progress", "+int_experiments__stopped_arms", "+experiment_complaints"]
    for batch in (1, 2, 3):
        due = MONDAY if batch == 1 else STARTS + dt.timedelta(hours=12 * (batch - 1))
        assert launch(warehouse, due).is_new
        assert not launch(warehouse, due + dt.timedelta(minutes=1)).is_new, "a repeated run sends nothing twice"
        answer(warehouse, batch, max(due, STARTS) + dt.timedelta(hours=2))
        project.build(warehouse, select=models, command="run")
    return warehouse


def chances(live: Warehouse, batch: int) -> dict[str, float]:
    rows = live.rows("select creative_id, probability from ledger.allocations where batch = ?", [batch])
    return {row["creative_id"]: row["probability"] for row in rows}


def test_everybody_is_assigned_once_with_the_chance_that_was_fixed_before(live: Warehouse) -> None:
    assert live.rows("select count(*) as n, count(distinct user_id) as people from ledger.assignments") == [
        {"n": 6000, "people": 6000}
    ]
    wrong = live.rows(
        """
        select count(*) as people from ledger.assignments as assignments
        left join ledger.allocations as allocations
            on assignments.creative_id = allocations.creative_id and assignments.batch = allocations.batch
        where assignments.probability is distinct from allocations.probability
        """
    )
    assert wrong == [{"people": 0}]
    assert all(sum(chances(live, batch).values()) == pytest.approx(1) for batch in (1, 2, 3))


def test_the_first_batch_follows_the_plan_and_later_ones_the_leader(live: Warehouse) -> None:
    assert chances(live, 1) == pytest.approx({arm: 0.9 * share for arm, (_, share) in ROLES.items()} | {"holdout": 0.1})
    later = chances(live, 3)
    assert later["good"] > 0.9 * 0.7
    assert later["plain"] == pytest.approx(0.9 * 0.2)
    assert later["weak"] >= 0.9 * 0.05 - 1e-9
    assert later["holdout"] == pytest.approx(0.1)


def test_an_arm_that_harms_gets_nothing_more(live: Warehouse) -> None:
    assert chances(live, 1)["rude"] > 0
    assert chances(live, 2)["rude"] == chances(live, 3)["rude"] == 0
    reasons = live.rows("select batch, reason from ledger.allocations where creative_id = 'rude' order by batch")
    assert [row["reason"] for row in reasons] == ["planned", "stopped: harmed leave", "stopped: harmed leave"]


def test_an_arm_over_the_complaint_limit_gets_nothing_more_though_it_leads(live: Warehouse) -> None:
    assert chances(live, 1)["loud"] > 0
    assert chances(live, 2)["loud"] == chances(live, 3)["loud"] == 0
    people = live.rows("select count(*) as n from ledger.assignments where creative_id = 'loud'")[0]["n"]
    told = f"stopped: 4 of {people} people called it spam ({100 * 4 / people:.3f} %, the limit is 0.100 %)"
    reasons = live.rows("select batch, reason from ledger.allocations where creative_id = 'loud' order by batch")
    assert [row["reason"] for row in reasons] == ["planned", told, told]


def test_each_batch_is_handed_over_in_a_file_of_its_own(live: Warehouse) -> None:
    files = sorted(file.name for file in (live.folder / "outbox").glob("*.parquet"))
    assert files == ["news-202606-1-2.parquet", "news-202606-1-3.parquet", "news-202606-1.parquet"]
    messages = sum(len(pd.read_parquet(live.folder / "outbox" / file)) for file in files)
    assert live.rows("select count(*) as messages from ledger.sends") == [{"messages": messages}]


def test_nothing_goes_out_once_the_cycle_is_over(live: Warehouse, tmp_path: Path) -> None:
    with live.connect() as connection:
        connection.execute("delete from ledger.allocations where batch = 3")
    assert not launch(live, MONDAY + dt.timedelta(days=7)).is_new
