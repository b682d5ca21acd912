"""Kills the receiver and the mover at random points while events with duplicates arrive, then counts what is in staging.

    python -m tests.bench.intake_kills [--kills 200] [--events 100000] [--seed 0] [--json]

A sender behaves as providers do: what was not answered with 200 is sent again, and one delivery in ten is sent again although it was.
Nothing may be lost, and after staging nothing may be double.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.bench.receiving import ROOT, Server, free_port, post_all, running, sendgrid, start_receiver, track

CONNECTIONS = 32
BATCH = 10  # events of a webhook
MOVE = """
import sys
from pathlib import Path
from orchestration.edges.clock import SystemClock
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.mover import move_spool
house = Warehouse(Path(sys.argv[1]))
house.migrate()
print(move_spool(house, SystemClock(), 7))
"""


@dataclass
class Sender:
    """Sends what is new and what was not answered; counts what was promised."""

    chance: random.Random
    next_id: int = 0
    mails: list[list[int]] = field(default_factory=list)
    tracks: list[int] = field(default_factory=list)
    promised_mails: set[int] = field(default_factory=set)
    promised_tracks: set[int] = field(default_factory=set)
    requests: int = 0

    def prepare(self, events: int) -> None:
        """Makes new events, half of them mail events in webhooks of ten, half product events of their own."""
        ids = list(range(self.next_id, self.next_id + events))
        self.next_id += events
        half = events // 2 // BATCH * BATCH
        self.mails += [ids[start : start + BATCH] for start in range(0, half, BATCH)]
        self.tracks += ids[half:]

    async def send(self, port: int) -> None:
        """Sends everything once; what was answered is promised, the rest stays for the next time."""
        sent: list[tuple[str, list[int]]] = [("mail", batch) for batch in self.mails]
        sent += [("track", [number]) for number in self.tracks]
        repeated = [
            one for one in (("mail", list(self.promised_mails)), ("track", list(self.promised_tracks))) if one[1]
        ]
        sent += [
            (kind, self.chance.sample(ids, min(len(ids), BATCH if kind == "mail" else 1)))
            for kind, ids in repeated
            for _ in range(max(1, len(sent) // 20))
        ]
        self.chance.shuffle(sent)
        bodies = [sendgrid(ids) if kind == "mail" else track(ids[0]) for kind, ids in sent]
        statuses = await post_all(port, bodies, CONNECTIONS)
        self.requests += len(bodies)
        for (kind, ids), status in zip(sent, statuses, strict=True):
            if status == 200:
                (self.promised_mails if kind == "mail" else self.promised_tracks).update(ids)
        self.mails = [batch for batch in self.mails if not set(batch) <= self.promised_mails]
        self.tracks = [number for number in self.tracks if number not in self.promised_tracks]


@dataclass(frozen=True)
class Count:
    """What became of the events."""

    kills: int
    events: int
    requests: int
    lost: int
    double_in_inbox: int
    double_in_staging: int
    copies_set_aside: int


def run(folder: Path, *, kills: int, events: int, seed: int, target: Path | None = None) -> Count:
    """Sends the events through that many kills, one in four of the mover, and counts."""
    chance, port = random.Random(seed), free_port()
    sender = Sender(chance)
    server = start_receiver(folder, port)
    try:
        for number in range(kills):
            sender.prepare(events // kills + (events % kills if number == 0 else 0))
            if number % 4 == 3:
                asyncio.run(_while_moving(sender, server, folder, chance))
            else:
                asyncio.run(_until_killed(sender, server, chance))
                server = start_receiver(folder, port)
        while sender.mails or sender.tracks:
            asyncio.run(sender.send(port))
    finally:
        with running(server):
            pass
    return _counted(folder, sender, kills, target)


async def _until_killed(sender: Sender, server: Server, chance: random.Random) -> None:
    sending = asyncio.create_task(sender.send(server.port))
    await asyncio.sleep(chance.uniform(0, 0.5))
    await asyncio.to_thread(server.kill)
    await sending


async def _while_moving(sender: Sender, server: Server, folder: Path, chance: random.Random) -> None:
    mover = subprocess.Popen([sys.executable, "-c", MOVE, str(folder)], cwd=ROOT, stdout=subprocess.DEVNULL)
    sending = asyncio.create_task(sender.send(server.port))
    await asyncio.sleep(chance.uniform(0.3, 3))
    mover.kill()
    mover.wait()
    await sending


def _counted(folder: Path, sender: Sender, kills: int, target: Path | None) -> Count:
    subprocess.run([sys.executable, "-c", MOVE, str(folder)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    house = Warehouse(folder)
    project = DbtProject(target=target or folder / "target")
    project.build(house, select=["policy", "machine_agents"], command="seed")
    project.build(
        house,
        select=["+int_channels__events", "+stg_intake__unread", "+stg_intake__events"],
        exclude=["resource_type:unit_test"],
    )
    told = house.rows(
        """
        select
            (select count(*) from intermediate.int_channels__events) as mails,
            (select count(distinct event_id) from intermediate.int_channels__events) as mail_ids,
            (select coalesce(sum(duplicates), 0) from intermediate.int_channels__events) as copies,
            (select count(distinct event_id) from staging.stg_intake__events where source = 'segment/bench') as track_ids,
            (select count(*) - count(distinct inbox_id) from raw.inbox) as doubles,
            (select count(*) from raw.quarantine) as quarantined
        """
    )[0]
    expected = len(sender.promised_mails) + len(sender.promised_tracks)
    assert expected == sender.next_id, "the sender is not done"
    return Count(
        kills=kills,
        events=sender.next_id,
        requests=sender.requests,
        lost=expected - int(told["mail_ids"]) - int(told["track_ids"]),
        double_in_inbox=int(told["doubles"]),
        double_in_staging=int(told["mails"]) - int(told["mail_ids"]),
        copies_set_aside=int(told["copies"]),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        count = run(Path(name), kills=chosen.kills, events=chosen.events, seed=chosen.seed)
    print(json.dumps(count.__dict__) if chosen.json else f"{count} in {time.perf_counter() - began:.0f} s")
