"""Kills builds of the growth marts at random moments and compares what later builds make of it with builds that nobody killed.

`python -m tests.bench.growth_kills --kills 40`

People's lives arrive in three batches, with copies, ids that turn out to be somebody else's, and clicks of which a later batch says
that a scanner made them. The build of the second batch dies before or after a statement; the third comes before anybody builds again.
Tables are compared row by row but for when a build wrote them. Prints a line of JSON, and a line before it for each difference.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.bench.forks import forked
from tests.bench.same_tables import compared
from tests.dbt.conftest import receive
from tests.dbt.lives import BATCHES, DAY, RATES, START, random_lives

MODELS = ("+path:models/marts/growth", "+attribution", "+conversion_paths")
WITHOUT = ("resource_type:test", "resource_type:unit_test", "resource_type:seed")
MOMENTS = {"SQLQuery", "SQLQueryStatus", "SQLCommit"}
KILLED = 9
PROJECT = DbtProject()


def run(folder: Path, *, kills: int, seed: int) -> dict[str, int | float]:
    """Number of kills, of moments to be killed at, of tables compared, and of kills after which any of them differed."""
    began, draw = time.time(), random.Random(seed)
    batches = told(seed)
    PROJECT.load()
    forked(lambda: prepare(folder / "base", batches[0]))
    shutil.copytree(folder / "base", folder / "calm")
    forked(lambda: take(folder / "calm", batches[1], lambda moments: (folder / "moments").write_text(str(moments))))
    moments = int((folder / "moments").read_text())
    forked(lambda: take(folder / "calm", batches[2]))
    killed, different = folder / "killed", 0
    for target in sorted(draw.sample(range(1, moments + 1), kills)):
        shutil.copytree(folder / "base", killed)
        forked(partial(take, killed, batches[1], kill_at=target), KILLED)
        forked(partial(take, killed, batches[2]))
        forked(lambda: (folder / "found").write_text(json.dumps(compared(folder / "calm", killed))))
        tables, found = json.loads((folder / "found").read_text())
        if found:
            different += 1
            sys.stdout.write(f"killed at {target} of {moments}: {', '.join(found)}\n")
        shutil.rmtree(killed)
    seconds = round(time.time() - began)
    return {"kills": kills, "moments": moments, "tables": tables, "different": different, "seconds": seconds}


def told(seed: int) -> list[pa.Table]:
    """The batches of random lives, and what is told beside them: copies, merges, deliveries of clicks that came a batch before."""
    draw, lives = random.Random(seed), random_lives(seed).batches
    batches: list[pa.Table] = []
    clicked: list[dict[str, Any]] = []
    for number, lived in enumerate(lives):
        rows = lived.to_pylist()
        now = START + BATCHES[number] * DAY
        for row in rows:
            row["send_id"] = f"send {row['event_id']}" if row["event_name"] == "Email Link Clicked" else None
        more = [row | {"ingested_at": now, "received_at": now} for row in draw.sample(rows, 20)]
        for click in draw.sample(clicked, min(30, len(clicked))):
            at = click["occurred_at"] - DAY / 86400
            more.append(_event("Email Delivered", click["user_id"], at, now) | {"send_id": click["send_id"]})
        for who in range(number * 4, number * 4 + 4) if number else ():
            merge = {"type": "alias", "event_name": None, "properties": json.dumps({"previousId": f"u{who}"})}
            more.append(_event("alias", f"u{who + 50}", now - DAY, now) | merge)
        clicked = [row for row in rows if row["send_id"]]
        batches.append(pa.Table.from_pylist([*rows, *more]))
    return batches


def _event(name: str, user: str, at: Any, now: Any) -> dict[str, Any]:
    own = {"event_id": f"{name} {user} {at}", "source": "mail", "type": "track", "event_name": name, "user_id": user}
    times = {"occurred_at": at, "received_at": now, "ingested_at": now}
    return own | times | {"properties": "{}", "schema_version": 1, "import_id": "i"}


def prepare(folder: Path, first: pa.Table) -> None:
    """A warehouse that has built the first batch."""
    warehouse = Warehouse(folder)
    warehouse.migrate()
    PROJECT.build(warehouse, command="seed")
    spec = json.dumps({"activation": {"steps": ["Signed Up", "Invite Sent"], "within_days": 14}})
    with warehouse.connect() as connection:
        connection.execute("update policy.policy set value = 5 where name = 'min_cohort_users'")
        connection.execute("insert into ledger.programs values ('lives', 'v1', ?, timestamp '2026-01-01')", [spec])
        for currency, since, rate in RATES:
            row = [currency, since, rate]
            connection.execute("insert into raw.exchange_rates values ($1, 'GBP', $2::date, $3, '2025-01-01')", row)
    take(folder, first)


def take(folder: Path, batch: pa.Table, tell: Callable[[int], object] | None = None, *, kill_at: int = 0) -> None:
    """Takes a batch in and builds; dies at a moment of the build, if one is given, and tells how many there were."""
    moments = 0

    def pass_by(event: Any) -> None:
        nonlocal moments
        moments += event.info.name in MOMENTS
        if moments == kill_at > 0:
            os._exit(KILLED)

    warehouse = Warehouse(folder)
    receive(warehouse, batch)
    PROJECT.build(warehouse, select=MODELS, exclude=WITHOUT, watch=pass_by)
    if tell:
        tell(moments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(json.dumps(run(Path(place), kills=options.kills, seed=options.seed)) + "\n")
