"""Kills the sender at random points and counts what became of everybody.

`python tests/bench/sender_kills.py --kills 200 --recipients 10000`

The whole run is killed, from the reading of the ledger to the copy of the events: a forked process, SIGKILL, and another one. Among the
people are those who unsubscribed and those in the holdout, with messages in the ledger that should never have been there. Prints a line
of JSON for each channel.
"""

import argparse
import datetime as dt
import json
import os
import random
import signal
import ssl
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestration.deploy.assignment import is_held_out
from orchestration.deploy.despatch import despatch, outbox_of
from orchestration.deploy.messages import Sender
from orchestration.deploy.senders.mail import Origin
from orchestration.deploy.senders.postmark import PostmarkSender
from orchestration.deploy.senders.sendgrid import SendGridSender
from orchestration.deploy.senders.smtp import Relay, SmtpSender
from orchestration.deploy.senders.webhook import WebhookSender
from orchestration.deploy.sending import Manner
from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.mover import move_spool
from orchestration.policy.live import LiveRules
from orchestration.programs.definition import FOLDER, read_program
from tests.bench.forks import awaited, begun, forked
from tests.fakes.mail_channels import Channels, mail_channels

PROGRAM = read_program(FOLDER / "subject_lines.yaml").model_copy(update={"dry_run": False})
ORIGIN = Origin("Harbour Goods", "news@example.test")
NOON = dt.datetime.fromisoformat("2026-11-16T12:00:00")
SETTLE_SECONDS = 1.0
CHANNELS = ("smtp", "sendgrid", "postmark", "webhook")


@dataclass(frozen=True)
class Count:
    """What became of everybody."""

    channel: str
    recipients: int
    kills: int
    kills_while_sending: int
    sent: int
    sent_twice: int
    silently_missed: int
    sent_to_suppressed: int
    sent_to_holdout: int
    unknown: int
    events_missing_in_ledger: int
    seconds: float


class NoonClock:
    """The machine's clock, moved so that the run begins at noon: no quiet hours, and time passes."""

    def __init__(self, began: float) -> None:
        self._began = began

    def now(self) -> dt.datetime:
        return NOON + dt.timedelta(seconds=time.time() - self._began)


def run(folder: Path, channel: str, *, kills: int, recipients: int, seed: int) -> Count:
    """One channel, in a folder of its own."""
    began = time.time()
    forked(lambda: prepare(folder, recipients))
    suppressed, held = groups(recipients)
    rng = random.Random(seed)
    os.environ |= {"LOOP_PUBLIC_URL": "https://u.example.test", "LOOP_ADDRESSES": str(folder / "addresses.csv")}
    with mail_channels(folder / "channels", delay_seconds=0.004) as channels:
        expected = recipients - len(suppressed | held)
        targets = sorted(rng.sample(range(expected), kills))
        striking = 0
        for target in targets:
            child = _start(folder, channel, channels, began)
            striking += _kill_at(child, channels, target, rng)
        deadline = time.time() + 120
        while time.time() < deadline:
            time.sleep(SETTLE_SECONDS)
            awaited(_start(folder, channel, channels, began))
            if _is_done(folder, channel):
                break
        taken = Counter(channels.taken())
        return _counted(folder, channel, recipients, kills, striking, taken, suppressed, held, time.time() - began)


def _counted(
    folder: Path,
    channel: str,
    recipients: int,
    kills: int,
    striking: int,
    taken: Counter[str],
    suppressed: set[int],
    held: set[int],
    seconds: float,
) -> Count:
    outbox = outbox_of(Warehouse(folder))
    doubts = {doubt.message.send_id for doubt in outbox.in_doubt()}
    events = sum(1 for _ in outbox.events_after(0))
    outbox.close()
    with Warehouse(folder).connect() as connection:
        row = connection.execute("select count(*), count(distinct sequence) from ledger.send_events").fetchone()
    assert row is not None
    wanted = [send_id(at) for at in range(recipients) if at not in suppressed | held]
    return Count(
        channel=channel,
        recipients=recipients,
        kills=kills,
        kills_while_sending=striking,
        sent=len(taken),
        sent_twice=sum(number > 1 for number in taken.values()),
        silently_missed=sum(one not in taken and one not in doubts for one in wanted),
        sent_to_suppressed=sum(send_id(at) in taken for at in suppressed),
        sent_to_holdout=sum(send_id(at) in taken for at in held),
        unknown=len(doubts),
        events_missing_in_ledger=events - row[1] + (row[0] - row[1]),
        seconds=round(seconds, 1),
    )


def send_id(at: int) -> str:
    """Id of a person's message: 64 hexadecimal digits."""
    return f"{at:064x}"


def groups(recipients: int) -> tuple[set[int], set[int]]:
    """Those who unsubscribed, and those in the holdout: by the hash, by the ledger, or both."""
    share = PROGRAM.experiments.holdout_share
    held = {at for at in range(recipients) if is_held_out(PROGRAM.program, f"u{at}", share) or at % 50 == 7}
    return {at for at in range(recipients) if at % 20 == 3}, held


def prepare(folder: Path, recipients: int) -> None:
    warehouse = Warehouse(folder)
    warehouse.migrate()
    lines = "".join(f"u{at},u{at}@example.test\n" for at in range(recipients))
    (folder / "addresses.csv").write_text("user_id,address\n" + lines)
    with warehouse.connect() as connection:
        connection.execute(
            f"""
            create schema if not exists intermediate;
            create schema if not exists marts;
            create schema if not exists policy;
            create table policy.policy (name varchar, value double);
            create table marts.experiment_health (program varchar, experiment_id varchar, cycle bigint, status varchar, reason varchar);
            create table marts.experiment_verdicts (program varchar, metric varchar, experiment_id varchar, segment varchar,
                creative_id varchar, cycle bigint, metric_role varchar, verdict varchar, difference_low double,
                difference double, n double, baseline_n double);
            create table marts.experiment_complaints (program varchar, experiment_id varchar, creative_id varchar, role varchar,
                launched_in_cycle bigint, people bigint, complaint_rate double, is_stopped boolean, stopped_reason varchar);
            create table marts.program_audience as
                select 'subject_lines' as program, 'u' || number as user_id, 'new' as segment
                from range({recipients}) as people (number) where number % 20 <> 3;
            create table intermediate.int_people as
                select 'u' || number as user_id, 'new' as segment, 'UTC' as timezone, true as is_subscribed,
                    timestamp '{NOON}' - interval 2 hour as built_through, {recipients} as received_events
                from range({recipients}) as people (number) where number % 20 <> 3;
            create schema if not exists staging;
            create table staging.stg_events__aliases (user_id varchar, person_id varchar);
            create view staging.stg_segment__events as
                select *, cast(null as varchar) as unread_reason from raw.events where source like 'segment/%';
            create view staging.stg_one_click__events as
                select 'unsubscribed' as event_type, body ->> '$.person' as recipient, body ->> '$.send_id' as send_id,
                    cast(null as varchar) as creative_id, cast(null as boolean) as is_permanent, received_at as occurred_at,
                    cast(null as varchar) as unread_reason, received_at, ingested_at
                from raw.inbox where provider = 'one_click';
            insert into ledger.experiments values
                ('subject_lines-202647-1', 'subject_lines', 202647, 1, timestamp '{NOON}', 's', true, timestamp '{NOON}');
            insert into ledger.arms values ('subject_lines-202647-1', 'new', 'c1', 0, 'baseline', 1.0, timestamp '{NOON}');
            insert into ledger.creatives by name
                select 'c1' as creative_id, 'subject_lines' as program, 202647 as cycle, 'new' as segment, 'baseline' as role,
                    'The weekly newsletter' as text, [] as tags_asked, 'offline' as generator, [] as learnings_used,
                    false as is_fallback, timestamp '{NOON}' as recorded_at;
            insert into ledger.sends
                select lpad(lower(hex(number)), 64, '0'), 'subject_lines-202647-1', 'u' || number, 'c1', 'email', false,
                    timestamp '{NOON}', timestamp '{NOON}'
                from range({recipients}) as people (number);
            insert into ledger.assignments by name
                select 'subject_lines-202647-1' as experiment_id, 'u' || number as user_id, 'new' as segment,
                    case when number % 50 = 7 then 'holdout' else 'c1' end as creative_id, 1.0 as probability,
                    timestamp '{NOON}' as assigned_at, 1 as batch
                from range({recipients}) as people (number);
            """
        )


def sender_for(channel: str, channels: Channels, clock: Clock) -> Sender:
    """A sender that knows where the played channel is."""
    match channel:
        case "smtp":
            context = ssl.create_default_context(cafile=str(channels.certificate))
            return SmtpSender(Relay("127.0.0.1", channels.smtp_port, "starttls"), ORIGIN, context=context)
        case "sendgrid":
            return SendGridSender("key", ORIGIN, clock, base_url=channels.http, has_activity=True)
        case "postmark":
            sender = PostmarkSender("token", ORIGIN, clock, base_url=channels.http)
            sender.most_per_call = 50
            return sender
        case _:
            return WebhookSender(f"{channels.http}/hook", "secret", clock)


def _start(folder: Path, channel: str, channels: Channels, began: float) -> int:
    clock = NoonClock(began)
    return begun(
        lambda: despatch(
            Warehouse(folder),
            "email",
            sender_for(channel, channels, clock),
            [PROGRAM],
            LiveRules(),
            clock,
            pseudonym_key=None,
            is_live=True,
            take_in=lambda: move_spool(Warehouse(folder), clock, 30),
            manner=Manner(["email"], SETTLE_SECONDS, 1.0),
        )
    )


def _kill_at(child: int, channels: Channels, target: int, rng: random.Random) -> bool:
    """Kills when the channel has taken so many messages and a moment has passed; returns whether it was sending then."""
    log = channels.folder / "taken.log"
    while not log.exists() or log.stat().st_size < (target + 1) * 65:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.0005)
    time.sleep(rng.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _is_done(folder: Path, channel: str) -> bool:
    outbox = outbox_of(Warehouse(folder))
    counts = outbox.counts()
    outbox.close()
    waiting = counts.get("queued", 0) + counts.get("deferred", 0)
    return waiting == 0 and (channel == "smtp" or counts.get("unknown", 0) == 0)


def main() -> None:
    """The measured run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--recipients", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--channel", choices=CHANNELS, action="append")
    arguments = parser.parse_args()
    for channel in arguments.channel or CHANNELS:
        with tempfile.TemporaryDirectory() as folder:
            count = run(
                Path(folder), channel, kills=arguments.kills, recipients=arguments.recipients, seed=arguments.seed
            )
        print(json.dumps(asdict(count)), flush=True)


if __name__ == "__main__":
    main()
