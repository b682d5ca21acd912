"""How people stand at the moment of sending: consent as the warehouse knows it, and every one-click that it does not know yet."""

import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.edges.spool import Frame, read_spool, spool_folder

# A one-click of about the time of the last build is honoured twice rather than not at all.
_MARGIN = dt.timedelta(days=1)


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

    A one-click that is in ``raw.inbox`` and in no build yet counts.
    """
    rows = connection.execute(
        """
        with wanted as (select unnest($user_ids) as user_id),
        built as (select coalesce(max(as_of), timestamp '1970-01-01') as as_of from ledger.cycles),
        clicked as (
            select distinct json_extract_string(body, '$.person') as user_id
            from raw.inbox
            where provider = 'one_click' and received_at > (select as_of from built) - $margin
        ),
        held as (
            select user_id, list(experiment_id) as experiments
            from ledger.assignments
            where creative_id = 'holdout' and user_id in (select user_id from wanted)
            group by user_id
        )
        select people.user_id, people.is_subscribed and clicked.user_id is null, people.timezone, coalesce(held.experiments, [])
        from intermediate.int_people as people
        inner join wanted on people.user_id = wanted.user_id
        left join clicked on people.user_id = clicked.user_id
        left join held on people.user_id = held.user_id
        """,
        {"user_ids": list(user_ids), "margin": _MARGIN},
    ).fetchall()
    return {
        user_id: Standing(bool(is_subscribed), zone, frozenset(held)) for user_id, is_subscribed, zone, held in rows
    }


def last_build(connection: duckdb.DuckDBPyConnection) -> dt.datetime | None:
    """The instant up to which the latest cycle knew everything; None if there was none."""
    row = connection.execute("select max(as_of) from ledger.cycles").fetchone()
    return row[0] if row else None


class SpooledUnsubscribes:
    """People whose one-click lies in the spool; every look reads only what has come since the last one.

    Args:
        warehouse: The warehouse folder.
        since: Older ones are the warehouse's to know (a person may have come back since); None counts all.
    """

    def __init__(self, warehouse: Path, key: bytes, since: dt.datetime | None) -> None:
        self._folder, self._key = spool_folder(warehouse), key
        self._since = None if since is None else since - _MARGIN
        self._read: dict[Path, int] = {}
        self._people: set[str] = set()

    def people(self) -> set[str]:
        """Everybody who has clicked so far."""
        for path in sorted(self._folder.glob("*.spool")):
            try:
                if path.stat().st_size > self._read.get(path, 0):
                    self._take(path)
            except FileNotFoundError:  # taken into the warehouse long ago, and cleared away
                continue
        return self._people

    def _take(self, path: Path) -> None:
        for stretch in read_spool(path, self._key, self._read.get(path, 0)):
            if not isinstance(stretch, Frame):
                continue  # the tail of a file that is being written, or a loss that the mover reports
            self._read[path] = stretch.until
            for record in stretch.records:
                if record.provider == "one_click" and (self._since is None or record.received_at > self._since):
                    self._people.add(str(json.loads(record.body)["person"]))
