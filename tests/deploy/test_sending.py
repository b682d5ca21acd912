"""Whole runs of sending: a real warehouse, outbox and spool, and a channel that plays what it is told."""

import datetime as dt
import json
import os
import sqlite3
from pathlib import Path

import pytest

from orchestration.deploy import posting
from orchestration.deploy.despatch import outbox_of
from orchestration.deploy.messages import Outcome
from orchestration.deploy.outbox import Outbox
from orchestration.deploy.queued import Event, Message
from orchestration.deploy.switches import JOURNAL, record_switches, throw
from orchestration.edges.spool import Record, SpoolFile, spool_folder, spool_key
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import LoopError, Refusal
from orchestration.serve.unsubscribe import subscription_of, unsubscribe_key
from tests.bench.sender_kills import CHANNELS, NOON, run, send_id
from tests.deploy.played import PEOPLE, WANTED, MovingClock, PlayedChannel, reasons, sent


def test_everybody_who_may_gets_one_and_nobody_else(house: Warehouse) -> None:
    channel = PlayedChannel()
    done = sent(house, channel)
    assert sorted(channel.ids()) == sorted(WANTED)
    assert done.tally.accepted == len(WANTED)
    assert reasons(done, "withheld") == {
        "no consent: unsubscribed, suppressed or not in the audience",
        "in the holdout",
    }
    assert sent(house, channel).tally.tried == 0, "a second run has nothing to do"
    rows = house.rows("select state, count(*) as number from ledger.send_events group by state order by state")
    assert {row["state"]: row["number"] for row in rows}["accepted"] == len(WANTED)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_every_event_reaches_the_ledger_however_many_are_copied_at_once(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(posting, "_BATCH", size)
    sent(house, PlayedChannel())
    outbox = outbox_of(house)
    events = [event[0] for event in outbox.events_after(0)]
    outbox.close()
    rows = house.rows("select sequence from ledger.send_events order by sequence")
    assert [row["sequence"] for row in rows] == events


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is not set"),
        ("u.example.test", "'u.example.test' is no https address"),
        ("http://u.example.test", "'http://u.example.test' is no https address"),
    ],
)
def test_without_an_address_to_unsubscribe_nothing_is_sent(
    house: Warehouse, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    channel = PlayedChannel()
    monkeypatch.setenv("LOOP_PUBLIC_URL", url)
    with pytest.raises(Refusal, match=f"LOOP_PUBLIC_URL -> {reason}"):
        sent(house, channel)
    assert channel.ids() == []


def test_the_link_in_a_mail_is_the_person_s_own(house: Warehouse) -> None:
    channel = PlayedChannel()
    sent(house, channel)
    letter = next(letter for letter in channel.taken if letter.address == "u1@example.test")
    token = letter.headers["List-Unsubscribe"].rpartition("/")[2].rstrip(">")
    found = subscription_of(token, unsubscribe_key(house.folder))
    assert found is not None
    assert (found.person, found.list_id, found.send_id) == ("u1", "subject_lines", send_id(1))
    assert token in letter.text
    assert letter.html is not None
    assert token in letter.html


def test_a_dry_run_leaves_no_trace(house: Warehouse) -> None:
    channel = PlayedChannel()
    done = sent(house, channel, live=False)
    assert (done.tally.accepted, channel.taken) == (len(WANTED), [])
    assert done.sample is not None
    outbox = outbox_of(house)
    assert (outbox.counts(), list(outbox.events_after(0))) == ({}, [])
    outbox.close()


def test_a_one_click_of_a_moment_ago_counts(house: Warehouse) -> None:
    channel, clock = PlayedChannel(), MovingClock()
    file = SpoolFile(spool_folder(house.folder), spool_key(house.folder), clock.now())
    leaving = [number for number in range(PEOPLE) if send_id(number) in WANTED][-10:]

    def leave() -> None:
        if len(channel.taken) == 5 and file.records == 0:
            file.append(
                [
                    Record(
                        "one_click", "one_click", clock.now(), {}, json.dumps({"person": f"u{number}"}).encode()
                    ).packed()
                    for number in leaving
                ]
            )

    channel.before_call = leave
    sent(house, channel)
    assert len(channel.taken) == len(WANTED) - 10
    assert not {send_id(number) for number in leaving} & set(channel.ids())


def test_a_stop_holds_within_one_call_and_can_be_lifted(house: Warehouse) -> None:
    channel, clock = PlayedChannel(), MovingClock()

    def stop() -> None:
        if len(channel.taken) == 4:
            throw(house.folder, "subject_lines", "stopped", "test", "enough", clock.now())

    channel.before_call = stop
    done = sent(house, channel, clock)
    assert len(channel.taken) == 5
    assert done.counts["queued"] > 0
    channel.before_call = lambda: None
    throw(house.folder, "subject_lines", "running", "test", "go on", clock.now())
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_a_stop_holds_where_its_journal_is_lost(house: Warehouse) -> None:
    throw(house.folder, "subject_lines", "stopped", "test", "enough", NOON)
    record_switches(house)
    (house.folder / JOURNAL).rename(house.folder / "elsewhere")
    channel = PlayedChannel()
    sent(house, channel)
    assert channel.taken == []
    throw(house.folder, "subject_lines", "running", "test", "go on", NOON)
    sent(house, channel)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_nobody_is_written_to_at_night_nor_days_later(house: Warehouse) -> None:
    with house.connect() as connection:
        connection.execute(
            "update intermediate.int_people set timezone = 'Pacific/Auckland'"
        )  # 01:00 there at noon UTC
    channel, clock = PlayedChannel(), MovingClock()
    assert reasons(sent(house, channel, clock), "deferred") == {"quiet hours"}
    assert channel.taken == []
    clock.time = NOON + dt.timedelta(hours=6, minutes=59)
    sent(house, channel, clock)
    assert channel.taken == []
    clock.time = NOON + dt.timedelta(hours=7)
    assert sent(house, channel, clock).tally.accepted == len(WANTED)


@pytest.mark.parametrize(
    ("days", "free_at"), [(1, dt.timedelta(hours=20)), (0.125, dt.timedelta(hours=3))], ids=["another day", "same day"]
)
def test_of_two_sends_that_are_due_at_once_the_second_waits(
    house: Warehouse, days: float, free_at: dt.timedelta
) -> None:
    earlier = dt.timedelta(days=days)
    outbox = outbox_of(house)
    before = Message(
        "before",
        "subject_lines",
        "subject_lines-202647-0",
        "c",
        "baseline",
        "u1",
        "new",
        "email",
        "Hello",
        NOON - earlier,
    )
    outbox.add([before], NOON - earlier)
    outbox.note([Event("before", "attempted"), Event("before", "accepted", sender="played")], NOON)
    outbox.close()
    channel, clock = PlayedChannel(), MovingClock()
    assert reasons(sent(house, channel, clock), "deferred") == {"a send of the program just before"}
    assert sorted(channel.ids()) == sorted(set(WANTED) - {send_id(1)})
    clock.time = NOON + free_at - dt.timedelta(minutes=1)
    assert sent(house, channel, clock).tally.tried == 0
    clock.time = NOON + free_at
    assert sent(house, channel, clock).tally.accepted == 1


def test_what_is_late_is_not_sent(house: Warehouse) -> None:
    channel, clock = PlayedChannel(Outcome("deferred", "busy")), MovingClock()
    sent(house, channel, clock)
    clock.time = NOON + dt.timedelta(hours=48)
    assert "too late: its time has passed" in reasons(sent(house, channel, clock), "withheld")
    assert len(channel.taken) == len(WANTED) - 1


def test_the_cap_counts_every_program(house: Warehouse) -> None:
    outbox = outbox_of(house)
    others = [
        Message(f"other {number}", "winback", "e", "c", "baseline", "u1", "new", "in_app", "Hello", NOON)
        for number in range(5)
    ]
    outbox.add(others, NOON)
    outbox.note([Event(message.send_id, "accepted", sender="played") for message in others], NOON)
    outbox.close()
    channel = PlayedChannel()
    assert "frequency cap of all programs together" in reasons(sent(house, channel), "withheld")
    assert sorted(channel.ids()) == sorted(set(WANTED) - {send_id(1)})


@pytest.mark.parametrize("was_taken", [True, False])
def test_a_doubt_is_asked_and_not_sent_again_at_once(house: Warehouse, was_taken: bool) -> None:
    detail = "taken all the same" if was_taken else "no answer"
    channel, clock = PlayedChannel(Outcome("unknown", detail)), MovingClock()
    sent(house, channel, clock)
    clock.time = NOON + dt.timedelta(minutes=30)
    done = sent(house, channel, clock)
    assert done.counts.get("unknown", 0) == (0 if was_taken else 1), "absent is not believed yet"
    clock.time = NOON + dt.timedelta(minutes=61)
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_a_key_that_the_channel_has_forgotten_is_not_repeated(house: Warehouse) -> None:
    channel, clock = PlayedChannel(Outcome("unknown", "taken all the same"), doubt="repeat"), MovingClock()
    sent(house, channel, clock)
    clock.time = NOON + dt.timedelta(minutes=31)
    assert sent(house, channel, clock).counts["unknown"] == 1
    assert len(channel.ids()) == len(WANTED)


def test_the_operator_settles_what_nobody_can_tell(house: Warehouse) -> None:
    channel, clock = PlayedChannel(Outcome("unknown", "no answer"), doubt="operator"), MovingClock()
    sent(house, channel, clock)
    outbox = outbox_of(house)
    (doubt,) = outbox.in_doubt()
    outbox.resolve(doubt.message.send_id, "again", "the mailbox is empty", clock.now())
    with pytest.raises(Refusal, match="is not in doubt"):
        outbox.resolve(doubt.message.send_id, "sent", "twice", clock.now())
    outbox.close()
    sent(house, channel, clock)
    assert sorted(channel.ids()) == sorted(WANTED)


def test_a_channel_that_goes_silent_ends_the_run(house: Warehouse) -> None:
    channel = PlayedChannel(*[Outcome("unknown", "no answer")] * 50)
    done = sent(house, channel)
    assert (done.tally.unknown, done.counts["unknown"]) == (3, 3)
    assert done.tally.ended is not None


def test_a_lost_outbox_sends_nothing_twice(house: Warehouse) -> None:
    channel = PlayedChannel()
    sent(house, channel)
    for path in house.folder.glob("outbox.sqlite*"):
        path.unlink()
    assert sent(house, channel).tally.tried == 0


def test_files_that_were_handed_over_are_not_sent_as_well(house: Warehouse) -> None:
    (house.folder / "outbox").mkdir()
    (house.folder / "outbox" / "subject_lines-202647-1.parquet").touch()
    done = sent(house, PlayedChannel())
    assert (done.queued, done.handed_over) == (0, sum(number % 50 != 7 for number in range(PEOPLE)))


def test_events_stay_and_one_process_sends(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.add([Message("m", "p", "e", "c", "baseline", "u", "s", "email", "Hello", NOON)], NOON)
    with sqlite3.connect(outbox.path) as other, pytest.raises(sqlite3.IntegrityError, match="never changed"):
        other.execute("update events set state = 'accepted'")
    with outbox.sending(), pytest.raises(LoopError, match=rf"process {os.getpid()} is sending"), outbox.sending():
        pass
    assert oct(outbox.path.stat().st_mode)[-3:] == "600"
    (tmp_path / "text").write_text("no outbox, only text that is long enough to be looked at" * 20)
    with pytest.raises(Refusal, match="is no outbox"):
        Outbox(tmp_path / "text")


@pytest.mark.slow
@pytest.mark.parametrize("channel", CHANNELS)
def test_kills_send_nothing_twice_and_forget_nobody(tmp_path: Path, channel: str) -> None:
    count = run(tmp_path, channel, kills=4, recipients=200, seed=7)
    assert (count.sent_twice, count.silently_missed, count.sent_to_suppressed, count.sent_to_holdout) == (0, 0, 0, 0)
    assert count.unknown <= (count.kills if channel == "smtp" else 0)
    assert count.events_missing_in_ledger == 0
    assert count.kills_while_sending > 0
