"""How people stand at the moment of sending: consent as the warehouse knows it, and every one-click that lies in the spool."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.deploy.refusals import refused_in
from orchestration.edges.spool import Frame, read_spool, spool_folder


@dataclass(frozen=True, slots=True)
class Standing:
    """What matters of a person; ``experiments_held_out`` are those in which the person gets nothing."""

    is_subscribed: bool
    timezone: str | None
    experiments_held_out: frozenset[str] = frozenset()


NOBODY = Standing(False, None)

StandingOf = Callable[[Collection[str]], Mapping[str, Standing]]


def standing_in(connection: duckdb.DuckDBPyConnection, user_ids: Collection[str]) -> dict[str, Standing]:
    """How people stand in the warehouse; who was never seen is not in the answer.

    Words of refusal count that no build has seen, see :mod:`orchestration.deploy.refusals`.

    Raises:
        Refusal: if the models were never built.
    """
    rows = connection.execute(
        """
        with wanted as (select unnest($user_ids) as user_id),
        held as (
            select user_id, list(experiment_id) as experiments
            from ledger.assignments
            where creative_id = 'holdout' and user_id in (select user_id from wanted)
            group by user_id
        )
        select people.user_id, people.is_subscribed, people.timezone, coalesce(held.experiments, [])
        from intermediate.int_people as people
        inner join wanted on people.user_id = wanted.user_id
        left join held on people.user_id = held.user_id
        """,
        {"user_ids": list(user_ids)},
    ).fetchall()
    refused = refused_in(connection, user_ids)
    return {
        user_id: Standing(bool(is_subscribed) and user_id not in refused, zone, frozenset(held))
        for user_id, is_subscribed, zone, held in rows
    }


def spool_positions(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Spool file -> up to where the warehouse has it."""
    rows = connection.execute(
        "select spool_file, max(until_offset) from raw.spool_positions group by spool_file"
    ).fetchall()
    return {name: int(until) for name, until in rows}


class SpooledUnsubscribes:
    """People whose one-click lies in the spool; every look reads only what has come since the last one.

    Args:
        warehouse: The warehouse folder.
        taken: Spool file -> up to where the warehouse has it. That is the warehouse's to know: a person may have come back since.
    """

    def __init__(self, warehouse: Path, key: bytes, taken: Mapping[str, int]) -> None:
        self._folder, self._key = spool_folder(warehouse), key
        self._read = dict(taken)
        self._people: set[str] = set()

    def people(self) -> set[str]:
        """Everybody who has clicked so far."""
        for path in sorted(self._folder.glob("*.spool")):
            try:
                if path.stat().st_size > self._read.get(path.name, 0):
                    self._take(path)
            except FileNotFoundError:  # taken into the warehouse long ago, and cleared away
                continue
        return self._people

    def _take(self, path: Path) -> None:
        for stretch in read_spool(path, self._key, self._read.get(path.name, 0)):
            if not isinstance(stretch, Frame):
                continue  # the tail of a file that is being written, or a loss that the mover reports
            self._read[path.name] = stretch.until
            for record in stretch.records:
                if record.provider == "one_click":
                    self._people.add(str(json.loads(record.body)["person"]))
