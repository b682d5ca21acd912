"""The rules of sending are asked again while messages leave: what has changed since the launch holds the next batch back."""

import datetime as dt
from pathlib import Path

import pytest

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.generate.approval import decide
from orchestration.policy.live import LiveRules
from orchestration.policy.rules import Rules
from tests.bench.sender_kills import NOON, PROGRAM, send_id
from tests.deploy.played import PEOPLE, WANTED, MovingClock, PlayedChannel, reasons, sent

EXPERIMENT = "subject_lines-202647-1"
LATER = dt.timedelta(minutes=16)


def write_rule(house: Warehouse, then: str = "block", when: str = "people > 0", text: str | None = None) -> Path:
    path = house.folder / "rules" / "own.yaml"
    path.parent.mkdir(exist_ok=True)
    rule = (
        f"  - {{name: hands_off, stage: sending, when: {when!r}, then: {then}, precedence: 5, reason: the stock is counted,\n"
        "     examples: [{given: {people: 0, batch: 0}, holds: false}]}\n"
    )
    path.write_text(text or f"rules:\n{rule}")
    return path


def judgements(house: Warehouse) -> list[tuple[str, str, str]]:
    """Decisions, rules and versions about the first batch, in their order; each version's rules are kept."""
    rows = house.rows(
        """
        select judgements.decision, judgements.rule, judgements.rules_version, sets.version
        from ledger.judgements as judgements left join ledger.rule_sets as sets on judgements.rules_version = sets.version
        where judgements.stage = 'sending' and judgements.subject = $subject order by judgements.recorded_at, judgements.rowid
        """,
        {"subject": f"{EXPERIMENT}/1"},
    )
    assert all(row["version"] == row["rules_version"] for row in rows)
    return [(row["decision"], row["rule"], row["rules_version"]) for row in rows]


def test_the_rule_that_lets_a_batch_leave_is_kept_once(house: Warehouse) -> None:
    channel, clock = PlayedChannel(), MovingClock()
    sent(house, channel, clock)
    clock.time += LATER
    sent(house, channel, clock)
    assert judgements(house) == [("allow", "everything_approved", Rules.load().version)]


def test_a_rule_that_changes_stops_the_next_call_and_says_so(house: Warehouse) -> None:
    channel, clock = PlayedChannel(), MovingClock()

    def change() -> None:
        if len(channel.taken) == 4:
            write_rule(house)

    channel.before_call = change
    done = sent(house, channel, clock)
    new = LiveRules(house.folder / "rules").current().version
    assert len(channel.taken) == 5
    assert done.tally.ended is None
    (told,) = reasons(done, "deferred")
    assert told == f"held back: {EXPERIMENT}, batch 1: rule hands_off of rules {new[:8]}: the stock is counted"
    assert {reason: number for _, reason, number in done.reasons}[told] == len(WANTED) - 5
    old = Rules.load().version
    assert judgements(house) == [("allow", "everything_approved", old), ("block", "hands_off", new)]
    channel.before_call = lambda: None
    clock.time += LATER
    assert sent(house, channel, clock).tally.tried == 0, "the rule still holds"
    (house.folder / "rules" / "own.yaml").unlink()
    clock.time += LATER
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)
    assert [version for *_, version in judgements(house)] == [old, new, old]


def test_a_rehearsal_is_held_back_too_and_leaves_no_judgement(house: Warehouse) -> None:
    write_rule(house)
    done = sent(house, PlayedChannel(), live=False)
    assert done.tally.accepted == 0
    assert any("the stock is counted" in reason for reason in reasons(done, "deferred"))
    assert judgements(house) == []


def test_what_needs_approval_leaves_once_somebody_approved_the_experiment(house: Warehouse) -> None:
    write_rule(house, "require_approval")
    channel, clock = PlayedChannel(), MovingClock()
    done = sent(house, channel, clock)
    assert channel.taken == []
    assert any(reason.endswith("(`loop approve` takes the experiment's id)") for reason in reasons(done, "deferred"))
    decide(house, EXPERIMENT, "approved", "anna", "counted", clock.now())
    clock.time += LATER
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_a_guardrail_that_is_harmed_after_the_launch_holds_what_has_not_left(house: Warehouse) -> None:
    channel = PlayedChannel()
    with house.connect() as connection:
        connection.execute(
            "insert into marts.experiment_health values ('subject_lines', ?, 202648, 'unhealthy', 'sample ratio mismatch')",
            [EXPERIMENT],
        )
    done = sent(house, channel)
    assert channel.taken == []
    assert any(": rule harmed of rules " in reason for reason in reasons(done, "deferred"))


def test_messages_of_a_creative_over_the_complaint_limit_are_withheld_between_two_windows(house: Warehouse) -> None:
    told = "3 of 40 people called it spam (7.500 %, the limit is 0.100 %)"
    arms = house.rows("select distinct creative_id from ledger.sends")
    assert len(arms) == 1
    with house.connect() as connection:
        connection.execute(
            "insert into marts.experiment_complaints values ('subject_lines', ?, ?, 'exploit', 202647, 40, 0.075, true, ?)",
            [EXPERIMENT, arms[0]["creative_id"], told],
        )
        connection.execute("insert into policy.policy values ('harm_stop_arms', 2), ('harm_stop_share', 0.2)")
    channel = PlayedChannel()
    done = sent(house, channel)
    assert channel.taken == []
    assert f"its creative was stopped: {told}" in reasons(done, "withheld")


def test_a_batch_is_judged_by_its_own_number(house: Warehouse) -> None:
    second = [number for number in range(PEOPLE) if number % 2]
    with house.connect() as connection:
        connection.execute(
            "update ledger.assignments set batch = 2 where user_id in (select 'u' || unnest($people))",
            {"people": second},
        )
    write_rule(house, when="batch > 1")
    channel = PlayedChannel()
    done = sent(house, channel)
    assert sorted(channel.ids()) == sorted(set(WANTED) - {send_id(number) for number in second})
    assert any(f"{EXPERIMENT}, batch 2: rule hands_off" in reason for reason in reasons(done, "deferred"))


@pytest.mark.parametrize("text", ["rules: [", "rules:\n  - {name: x, stage: sending, when: 'peple > 0'}\n"])
def test_rules_that_cannot_be_read_send_nothing_more_and_lose_nothing(house: Warehouse, text: str) -> None:
    channel, clock = PlayedChannel(), MovingClock()

    def spoil() -> None:
        if len(channel.taken) == 4:
            write_rule(house, text=text)

    channel.before_call = spoil
    with pytest.raises(Refusal, match=r"own\.yaml"):
        sent(house, channel, clock)
    assert len(channel.taken) == 5
    channel.before_call = lambda: None
    (house.folder / "rules" / "own.yaml").unlink()
    clock.time += LATER
    assert sent(house, channel, clock).counts.get("unknown", 0) == 0
    assert sorted(channel.ids()) == sorted(WANTED)


def test_a_program_that_is_gone_has_no_rules_to_ask_and_sends_nothing(house: Warehouse) -> None:
    channel = PlayedChannel()
    done = sent(house, channel, programs=[])
    assert channel.taken == []
    assert any("is not configured" in reason for reason in reasons(done, "deferred"))


def test_a_program_that_is_a_dry_run_again_sends_nothing_that_was_dealt_before(house: Warehouse) -> None:
    channel, clock = PlayedChannel(), MovingClock()
    done = sent(house, channel, clock, programs=[PROGRAM.model_copy(update={"dry_run": True})])
    assert channel.taken == []
    assert reasons(done, "deferred") == {"held back: program subject_lines says dry_run: true"}
    clock.time += LATER
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_what_was_dealt_as_a_dry_run_never_leaves(house: Warehouse) -> None:
    with house.connect() as connection:
        connection.execute("update ledger.sends set is_dry_run = true")
    assert sent(house, PlayedChannel()).queued == 0


def test_marts_that_were_never_built_are_named(house: Warehouse) -> None:
    with house.connect() as connection:
        connection.execute("drop schema marts cascade")
    with pytest.raises(Refusal, match=r"marts that were never built\. `loop build`"):
        sent(house, PlayedChannel(), MovingClock(NOON))
