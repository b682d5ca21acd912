"""Safe launches: ramps, guardrails, switches, rollback, rules of sending, exclusion groups and the holdout of everybody."""

import datetime as dt
from pathlib import Path

import pytest
from pydantic import ValidationError
from scipy import stats

from orchestration.deploy.assignment import is_held_out, unit_number
from orchestration.deploy.experiments import starts_of
from orchestration.deploy.switches import EVERYTHING, state_in, throw
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.generate.approval import decide
from orchestration.policy.rules import Rule, Rules

from .world import MONDAY, RULES, SHARES, WEEK, judge, launch, plan, program_of, warehouse_in

NEWS = program_of()


def people_of(warehouse: Warehouse, where: str = "true") -> set[str]:
    return {row["user_id"] for row in warehouse.rows(f"select user_id from ledger.assignments where {where}")}


def stop(warehouse: Warehouse, scope: str, state: str, after: dt.timedelta = dt.timedelta(0)) -> None:
    throw(warehouse.folder, scope, state, "anna", "because", MONDAY + after)  # type: ignore[arg-type]  # a state


def test_a_ramp_rises_by_one_level_a_cycle_while_its_guardrails_are_healthy(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(ramp=[0.05, 0.25])
    reached = []
    for week in range(4):
        plan(warehouse, program, week)
        done = launch(warehouse, program, week)
        assert launch(warehouse, program, week).reach == done.reach, "decided once a cycle"
        reached.append(people_of(warehouse, f"experiment_id = '{done.launches[0].experiment_id}'"))
        judge(warehouse, program, week, "pass")
    shares = [len(people) / 6000 for people in reached]
    assert shares == pytest.approx([0.05, 0.25, 1, 1], abs=0.02)
    assert reached[0] < reached[1] < reached[2] == reached[3], "always the same people first"
    assert reached[0] == {f"u{number}" for number in range(6000) if unit_number("news/ramp", f"u{number}") < 0.05}


@pytest.mark.parametrize(
    ("verdict", "arms", "harmful", "told"),
    [("pass", 0, 0, "no arm has enough people"), ("pass", 4, 1, "1 of 4 judged arms harm leave")],
)
def test_a_ramp_waits_where_nothing_is_known_and_where_an_arm_harms(
    tmp_path: Path, verdict: str, arms: int, harmful: int, told: str
) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(ramp=[0.05])
    plan(warehouse, program, 0)
    launch(warehouse, program, 0)
    judge(warehouse, program, 0, verdict, arms=arms, harmful=harmful)
    plan(warehouse, program, 1)
    assert launch(warehouse, program, 1).reach.ramp_share == 0.05
    assert told in warehouse.rows("select reason from ledger.ramps order by cycle desc limit 1")[0]["reason"]


def test_a_ramp_without_a_guardrail_or_that_falls_is_refused() -> None:
    with pytest.raises(ValidationError, match="the levels of a ramp rise"):
        program_of(ramp=[0.5, 0.2])
    spec = program_of(ramp=[0.5]).model_dump(mode="json")
    spec["metrics"] = spec["metrics"][:1]
    with pytest.raises(ValidationError, match="a ramp needs a guardrail"):
        type(NEWS).model_validate(spec)


@pytest.mark.parametrize(("harmful", "health"), [(2, "healthy"), (0, "unhealthy")])
def test_harm_and_broken_randomisation_stop_the_program_by_themselves_until_it_is_resumed(
    tmp_path: Path, harmful: int, health: str
) -> None:
    warehouse = warehouse_in(tmp_path)
    for week in range(3):
        plan(warehouse, NEWS, week)
    launch(warehouse, NEWS, 0)
    judge(warehouse, NEWS, 0, "pass", harmful=harmful, health=health)
    stopped = launch(warehouse, NEWS, 1)
    assert (stopped.state, stopped.launches) == ("stopped", ())
    kept = warehouse.rows("select scope, state, actor from ledger.switches")
    assert kept == [{"scope": "news", "state": "stopped", "actor": "guardrails"}]
    stop(warehouse, "news", "running", WEEK)
    resumed = launch(warehouse, NEWS, 2)
    assert (resumed.state, len(resumed.launches)) == ("running", 1)
    assert resumed.guard.status == "unknown", "what was launched before was looked at by whoever resumed"


def test_one_harmful_arm_is_its_own_fault(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    for week in range(2):
        plan(warehouse, NEWS, week)
    launch(warehouse, NEWS, 0)
    judge(warehouse, NEWS, 0, "pass", harmful=1)
    assert len(launch(warehouse, NEWS, 1).launches) == 1


@pytest.mark.parametrize("scope", ["news", EVERYTHING])
def test_a_stopped_program_launches_nothing_and_no_later_batch(tmp_path: Path, scope: str) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(batches=2, batch_hours=12)
    plan(warehouse, program)
    launch(warehouse, program)
    before = people_of(warehouse)
    stop(warehouse, scope, "stopped")
    assert launch(warehouse, program, hours=30).launches == ()
    assert people_of(warehouse) == before
    stop(warehouse, scope, "running")
    # The next batch needs what dbt made of the first one; here there is nothing yet.
    with warehouse.connect() as connection:
        _batch_models(connection)
    assert launch(warehouse, program, hours=30).launches[0].is_new
    assert len(people_of(warehouse)) == 6000


def _batch_models(connection) -> None:  # type: ignore[no-untyped-def]
    connection.execute(
        """
        create schema intermediate;
        create table intermediate.int_experiments__batch_progress (experiment_id varchar, segment varchar, metric varchar,
            batch integer, creative_id varchar, n double, sum_y double, sum_y2 double);
        create table intermediate.int_experiments__stopped_arms (experiment_id varchar, segment varchar, creative_id varchar,
            metric varchar);
        create table marts.tag_posteriors (program varchar, metric varchar, segment varchar, tag varchar, cycle bigint,
            posterior_mean double, posterior_sd double);
        """
    )


def test_a_rollback_sends_the_baseline_alone_from_the_next_batch_on(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(batches=2, batch_hours=12)
    plan(warehouse, program)
    launch(warehouse, program)
    with warehouse.connect() as connection:
        _batch_models(connection)
    stop(warehouse, "news", "baseline")
    launch(warehouse, program, hours=30)
    plan(warehouse, program, 1, decided=False)  # nobody need approve what is not sent
    launch(warehouse, program, 1)
    roles = "select distinct role from ledger.assignments join ledger.arms using (experiment_id, segment, creative_id) where "
    second = warehouse.rows(
        f"{roles} batch = 2 and cast(experiment_id as varchar) like '%-1' and assigned_at < '2026-02-08' order by role"
    )
    later = warehouse.rows(f"{roles} assigned_at > '2026-02-08' order by role")
    assert [row["role"] for row in second] == ["baseline", "holdout"] == [row["role"] for row in later]
    sums = warehouse.rows("select sum(probability) as p from ledger.allocations group by experiment_id, segment, batch")
    assert all(row["p"] == pytest.approx(1) for row in sums)


def test_a_send_that_began_as_the_baseline_alone_goes_on_so_after_the_program_is_resumed(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path), program_of(batches=2, batch_hours=12)
    plan(warehouse, program)
    stop(warehouse, "news", "baseline")
    launch(warehouse, program)
    with warehouse.connect() as connection:
        _batch_models(connection)
    stop(warehouse, "news", "running", dt.timedelta(hours=1))
    assert launch(warehouse, program, hours=30).launches[0].is_new
    dealt = warehouse.rows(
        """
        select assignments.batch, arms.role, count(*) as people from ledger.assignments as assignments
        left join ledger.arms as arms using (experiment_id, segment, creative_id) group by all order by all
        """
    )
    assert [(row["batch"], row["role"]) for row in dealt] == [
        (1, "baseline"), (1, "holdout"), (2, "baseline"), (2, "holdout"),
    ]  # fmt: skip
    assert sum(row["people"] for row in dealt) == 6000


def test_a_rollback_waits_for_the_baseline_to_be_approved_where_a_rule_wants_it_read(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    plan(warehouse, NEWS)
    with warehouse.connect() as connection:
        connection.execute("delete from ledger.approvals where creative_id like '%new-baseline'")
    stop(warehouse, "news", "baseline")
    assert launch(warehouse, NEWS).launches == ()
    decide(warehouse, "news-202606-new-baseline", "approved", "anna", "read it", MONDAY)
    assert launch(warehouse, NEWS).launches[0].is_new


def test_the_rules_of_sending_are_asked_before_every_launch_and_kept(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    plan(warehouse, NEWS)
    cautious = Rule.model_validate(
        {
            "name": "first_launch", "stage": "sending", "when": "weeks_needed == null && people > 1000", "precedence": 1,
            "then": "require_approval", "reason": "nobody knows how long a proof takes",
            "examples": [{"given": {"people": 2000}, "holds": True}],
        }
    )  # fmt: skip
    rules = Rules([*RULES.rules, cautious])
    for _ in range(2):
        assert launch(warehouse, NEWS, rules=rules).launches == ()
    kept = warehouse.rows("select subject, decision, rule, rules_version from ledger.judgements")
    assert [(row["subject"], row["decision"], row["rule"]) for row in kept] == [
        ("news-202606-1/1", "require_approval", "first_launch")
    ]
    assert warehouse.rows("select version from ledger.rule_sets") == [{"version": rules.version}]
    for nothing in ("%", "news-20260_-1", "news-202606-", ""):
        with pytest.raises(Refusal, match="is not a creative"):
            decide(warehouse, nothing, "approved", "anna", "I know", MONDAY)
    decide(warehouse, "news-202606-1", "approved", "anna", "I know", MONDAY)
    assert launch(warehouse, NEWS, rules=rules).launches[0].is_new


def test_programs_of_a_group_never_share_a_person_and_share_them_out_anew_each_week(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    first, second, third = (program_of(name, exclusion_group="mail") for name in ("news", "winback", "late"))
    for week in range(2):
        for program in (first, second):
            plan(warehouse, program, week)
            launch(warehouse, program, week, among=(first, second))
    plan(warehouse, third, 1)
    assert launch(warehouse, third, 1, among=(first, second, third)).launches[0].people == 0, (
        "it waits for the next week"
    )
    weeks = ["experiment_id like '%-202606-1'", "experiment_id like '%-202607-1'"]
    parts = [
        [people_of(warehouse, f"{week} and experiment_id like '{name}%'") for name in ("news", "winback")]
        for week in weeks
    ]
    for mine, theirs in parts:
        assert not mine & theirs
        assert len(mine | theirs) == 6000
        assert stats.binomtest(len(mine), 6000, 0.5).pvalue > 1e-4
    kept = len(parts[0][0] & parts[1][0])
    assert stats.binomtest(kept, len(parts[0][0]), 0.5).pvalue > 1e-4, "the weeks are independent"


def test_a_send_that_is_pushed_into_the_next_week_keeps_to_the_parts_of_that_week(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    late, other = (program_of(name, exclusion_group="mail", sends_per_cycle=3) for name in ("news", "winback"))
    for send in (1, 2, 3):
        plan(warehouse, late, send=send)
        plan(warehouse, other, 1, send=send)
    launch(
        warehouse, late, among=(late, other), hours=6 * 24 + 7
    )  # on Sunday at noon: its other sends go out next week
    launch(warehouse, other, 1, among=(late, other))
    weeks = warehouse.rows(
        """
        select yearweek(scheduled_at) as week, user_id, count(distinct split_part(experiment_id, '-', 1)) as programs
        from ledger.sends group by all
        """
    )
    assert {row["week"] for row in weeks} == {202606, 202607}
    assert {row["programs"] for row in weeks} == {1}
    assert warehouse.rows("select distinct week from ledger.layers order by week") == [
        {"week": 202606},
        {"week": 202607},
    ]


def test_a_group_is_independent_of_the_arms_within_each_segment(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path, people=40_000)
    first, second = (program_of(name, exclusion_group="mail") for name in ("news", "winback"))
    for program in (first, second):
        plan(warehouse, program)
        launch(warehouse, program, among=(first, second))
    counts = warehouse.rows(
        """
        select experiment_id, segment, role, count(*) as n from ledger.assignments
        join ledger.arms using (experiment_id, segment, creative_id) group by all
        """
    )
    for experiment, segment in {(row["experiment_id"], row["segment"]) for row in counts}:
        found = {
            row["role"]: row["n"] for row in counts if (row["experiment_id"], row["segment"]) == (experiment, segment)
        }
        planned = {"holdout": 0.1} | {role: 0.9 * share for role, share in SHARES.items()}
        total = sum(found.values())
        expected = [planned[role] * total for role in found]
        assert stats.chisquare(list(found.values()), expected).pvalue > 1e-4


def test_nobody_of_the_holdout_of_everybody_gets_anything_from_any_program(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    with warehouse.connect() as connection:
        connection.execute("update policy.policy set value = 0.05 where name = 'global_holdout_share'")
    for program in (program_of("news"), program_of("winback")):
        plan(warehouse, program)
        launch(warehouse, program)
    held = {f"u{number}" for number in range(6000) if unit_number("*/holdout", f"u{number}") < 0.05}
    sent = {row["user_id"] for row in warehouse.rows("select user_id from ledger.sends")}
    assert held
    assert not held & sent
    out = people_of(warehouse, "creative_id = 'holdout' and experiment_id like 'news%'")
    assert out == held | {f"u{number}" for number in range(6000) if is_held_out("news", f"u{number}", 0.1)}
    shares = warehouse.rows("select distinct probability as p from ledger.assignments where creative_id = 'holdout'")
    assert [row["p"] for row in shares] == [pytest.approx(1 - 0.95 * 0.9)]
    for table in ("arms", "allocations"):
        column = "planned_share" if table == "arms" else "probability"
        sums = warehouse.rows(f"select sum({column}) as p from ledger.{table} group by experiment_id, segment")
        assert all(row["p"] == pytest.approx(1) for row in sums)


def test_a_switch_thrown_between_two_runs_is_copied_to_the_ledger(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    stop(warehouse, "news", "stopped")
    launch(warehouse, NEWS)
    assert warehouse.rows("select count(*) as n from ledger.switches") == [{"n": 1}]
    assert state_in(warehouse.folder, "news") == "stopped"


def test_a_send_that_is_launched_late_starts_when_it_is_launched(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    planned, late = MONDAY.replace(hour=10), MONDAY + dt.timedelta(days=5)
    for week, hours in ((0, 0), (1, 5 * 24)):
        plan(warehouse, NEWS, week)
        launch(warehouse, NEWS, week, hours=hours)
        launch(warehouse, NEWS, week, hours=hours + 1)  # a repeated run moves nothing
    told = warehouse.rows(
        """
        select experiments.starts_at, min(assigned_at) as first_at, max(assigned_at) as last_at, min(sends.scheduled_at) as due_at
        from ledger.experiments as experiments
        join ledger.assignments as assignments using (experiment_id) join ledger.sends as sends using (experiment_id, user_id)
        group by experiments.experiment_id, experiments.starts_at order by experiments.starts_at
        """
    )
    assert [set(row.values()) for row in told] == [{planned}, {late + WEEK}]


def starts(warehouse: Warehouse) -> list[str]:
    rows = warehouse.rows("select strftime(starts_at, '%a %d %H:%M') as at from ledger.experiments order by starts_at")
    return [row["at"] for row in rows]


def test_sends_that_are_launched_late_keep_their_distance(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path, people=20), program_of(sends_per_cycle=3)
    for send in (1, 2, 3):
        plan(warehouse, program, send=send)
        plan(warehouse, program, 1, send=send)
    for _ in range(2):
        launch(warehouse, program, hours=6 * 24 + 7)  # on Sunday at noon
        assert starts(warehouse) == ["Sun 08 12:00", "Mon 09 12:00", "Tue 10 12:00"]
    told = "select distinct strftime(scheduled_at, '%a %d %H:%M') as at from ledger.sends order by scheduled_at"
    assert [row["at"] for row in warehouse.rows(told)] == starts(warehouse), "what files and outbox go by"
    launch(warehouse, program, 1)
    assert starts(warehouse)[3:] == ["Wed 11 12:00", "Thu 12 12:00", "Fri 13 12:00"], "nor do two weeks meet"


def test_sends_that_are_approved_one_by_one_keep_their_distance(tmp_path: Path) -> None:
    warehouse, program = warehouse_in(tmp_path, people=20), program_of(sends_per_cycle=4)
    for send in (2, 4, 1, 3):
        plan(warehouse, program, send=send)
        launch(warehouse, program, hours=30 + send)
    rows = warehouse.rows(
        "select send_number, strftime(starts_at, '%a %H:%M') as at from ledger.experiments order by 1"
    )
    # Planned for Mon 10:00, Tue 10:00, Wed 10:00 and Mon 14:00.
    assert [row["at"] for row in rows] == ["Wed 13:00", "Tue 13:00", "Thu 13:00", "Wed 09:00"]


def test_the_sends_of_a_daily_program_lie_within_their_day() -> None:
    program = program_of(sends_per_cycle=2).model_copy(update={"cadence": "daily"})
    days = [MONDAY.date() + dt.timedelta(days=number) for number in range(2)]
    planned = [start for day in days for start in starts_of(program, day).values()]
    assert [f"{start:%a %H:%M}" for start in planned] == ["Mon 10:00", "Mon 15:00", "Tue 10:00", "Tue 15:00"]
