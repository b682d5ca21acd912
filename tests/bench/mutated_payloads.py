"""Broken payloads of every provider through the mover and the parsers: none may crash them, none may vanish.

    python -m tests.bench.mutated_payloads [--payloads 100000] [--seed 0]

Every payload must end in quarantine or in the inbox, and every element of the inbox as an event, a copy, or unread with a reason;
an event has a name that is known or labelled unknown, and a time that is told or a reason why not.
"""

import argparse
import datetime as dt
import json
import random
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestration.edges.clock import FixedClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.spool import Record, SpoolFile, spool_folder, spool_key
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.mover import move_spool
from tests.fakes.payloads import BODIES, mutated

AT = dt.datetime.fromisoformat("2026-11-01T12:00")


@dataclass(frozen=True)
class Fate:
    """Where the payloads ended; ``unaccounted`` and ``unlabelled`` must be 0."""

    payloads: int
    quarantined: int
    inbox: int
    unread: int
    events: int
    copies: int
    product_events: int
    unaccounted: int
    unlabelled: int


def run(folder: Path, project: DbtProject, *, payloads: int, seed: int) -> Fate:
    """Breaks payloads, moves and parses them, and counts.

    Raises:
        Refusal: if a model or one of its tests fails.
    """
    chance, house = random.Random(seed), Warehouse(folder)
    house.migrate()
    file = SpoolFile(spool_folder(folder), spool_key(folder), AT)
    providers = sorted(BODIES)
    for start in range(0, payloads, 500):
        records = []
        for _ in range(start, min(start + 500, payloads)):
            provider = chance.choice(providers)
            headers = {"call": chance.choice(["batch", "import", "track"])} if provider == "segment" else {}
            records.append(Record(provider, provider, AT, headers, mutated(BODIES[provider], chance)).packed())
        file.append(records)
    file.close()
    moved = move_spool(house, FixedClock(AT), 7)
    project.build(house, select=["policy", "machine_agents"], command="seed")
    models = ["+int_channels__consents", "+int_channels__outcomes", "+stg_intake__unread", "+stg_intake__events"]
    project.build(house, select=models, exclude=["resource_type:unit_test"])
    staged = " union all ".join(f"select inbox_id from staging.stg_{provider}__events" for provider in providers)
    told = house.rows(
        f"""
        select
            (select count(*) from raw.inbox) as inbox,
            (select count(*) from staging.stg_intake__unread) as unread,
            (select count(*) from intermediate.int_channels__events) as events,
            (select coalesce(sum(duplicates), 0) from intermediate.int_channels__events) as copies,
            (select count(*) from staging.stg_segment__events where unread_reason is null) as product_events,
            (select count(*) from raw.inbox where inbox_id not in ({staged})) as unaccounted,
            (
                select count(*) from intermediate.int_channels__events
                where event_type is null or provider_event is null or occurred_at is null
                    or occurred_at > received_at + interval 1 day
            ) as unlabelled
        """
    )[0]
    assert moved.records + moved.quarantined == payloads
    return Fate(payloads=payloads, quarantined=moved.quarantined, **{name: int(value) for name, value in told.items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--payloads", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(
            json.dumps(
                asdict(
                    run(folder / "w", DbtProject(target=folder / "target"), payloads=chosen.payloads, seed=chosen.seed)
                )
            )
        )
