"""What could not be read: looked into, and judged again after a fix. A quarantined row is never changed; a replay appends."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal
from orchestration.measure import documents
from orchestration.measure.contracts import read_contract
from orchestration.measure.deliveries import Delivery, retake
from orchestration.measure.privacy import Seal
from orchestration.measure.pseudonyms import hold_key, pseudonym_key
from orchestration.measure.redaction import Redactor
from orchestration.measure.report import record

_OPEN = """select quarantine.import_id, quarantine.row_number, quarantine.reason, quarantine.payload,
        quarantine.quarantined_at, imports.subject
    from raw.quarantine as quarantine
    left join raw.imports as imports using (import_id)
    anti join raw.quarantine_replays as replays
        on replays.import_id = quarantine.import_id and replays.row_number = quarantine.row_number"""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay brought; judged = accepted + duplicates + still_refused.

    Attributes:
        not_replayable: Rows of mapped files, which are read by columns.
        lost: Stretches of the spool that were damaged; only their senders can send them again.
        deliveries: Of those judged, what is no event but a whole delivery for the inbox.
    """

    judged: int
    accepted: int
    duplicates: int
    still_refused: int
    not_replayable: int
    lost: int = 0
    deliveries: int = 0


def waiting(warehouse: Warehouse) -> list[dict[str, Any]]:
    """One row per source and reason: rows that no replay has taken in, the newest first."""
    warehouse.migrate()
    return warehouse.rows(
        f"""select import_id, any_value(subject) as subject, reason, count(*) as rows, min(row_number) as first_row,
            max(quarantined_at) as quarantined_at
        from ({_OPEN}) group by import_id, reason order by quarantined_at desc, rows desc, reason"""
    )


def show(warehouse: Warehouse, import_id: str, row_number: int) -> dict[str, Any]:
    """One quarantined row; ``original`` is opened with the key where it was sealed.

    Args:
        import_id: The start of it is enough.

    Raises:
        Refusal: if there is no such row, or the key is another one.
    """
    warehouse.migrate()
    found = warehouse.rows(
        """select import_id, row_number, reason, cast(payload as varchar) as payload, quarantined_at from raw.quarantine
        where starts_with(import_id, ?) and row_number = ? order by quarantined_at limit 1""",
        [import_id, row_number],
    )
    if not found:
        raise Refusal(f"row {row_number} of {import_id}", "is not in quarantine", "`loop quarantine list` names rows.")
    row = found[0]
    payload = json.loads(row.pop("payload"))
    return row | {"original": _original(payload, Seal(pseudonym_key(warehouse.folder)))}


def _original(payload: Any, seal: Seal) -> str:
    if not isinstance(payload, dict) or "sealed" not in payload:
        return json.dumps(payload)
    if "spool_file" in payload:
        return Delivery.of_payload(payload, seal).record.body.decode("utf-8", "replace")
    return seal.open(payload["sealed"]).decode("utf-8", "replace")


def replay(
    warehouse: Warehouse, clock: Clock, *, import_id: str = "", reason: str = "", is_opaque: bool = False
) -> Replayed:
    """Judges quarantined events and deliveries again, by what holds now; what can be taken goes in exactly once.

    Args:
        import_id: Only rows whose import begins with this; of a delivery it is the spool file.
        reason: Only rows whose reason has this in it.
        is_opaque: The ids of people are pseudonyms already.

    Raises:
        Refusal: if a row was sealed under another key.
    """
    warehouse.migrate()
    now, key = clock.now(), pseudonym_key(warehouse.folder)
    with warehouse.connect() as connection:
        hold_key(connection, key)
        with transaction(connection):
            rows = [
                (import_, number, json.loads(payload), subject)
                for import_, number, payload, subject in connection.execute(
                    f"""select import_id, row_number, cast(payload as varchar), subject from ({_OPEN})
                    where starts_with(import_id, $import) and contains(reason, $reason) order by import_id, row_number""",
                    {"import": import_id, "reason": reason},
                ).fetchall()
            ]
            sealed = [row[:3] for row in rows if isinstance(row[2], dict) and "sealed" in row[2]]
            events = [row for row in sealed if "spool_file" not in row[2]]
            deliveries = [row for row in sealed if "spool_file" in row[2]]
            lost = sum(isinstance(row[2], dict) and "until_offset" in row[2] for row in rows)
            judged = _replay_events(connection, events, Seal(key), now, is_opaque=is_opaque)
            again = retake(connection, deliveries, Redactor(key), Seal(key), now)
            _mark(connection, again.outcomes, _replay_id(deliveries, now), now)
    outcomes = list(again.outcomes.values())
    return Replayed(
        judged.read + len(deliveries),
        judged.accepted + outcomes.count("accepted"),
        judged.duplicates + outcomes.count("duplicate"),
        len(judged.refused) + again.still_refused,
        len(rows) - len(sealed) - lost,
        lost,
        len(deliveries),
    )


_Row = tuple[str, int, dict[str, Any]]


def _replay_events(
    connection: duckdb.DuckDBPyConnection, rows: list[_Row], seal: Seal, now: dt.datetime, *, is_opaque: bool
) -> documents.Judged:
    if not rows:
        return documents.Judged(0, 0, 0, [])
    texts = [seal.open(payload["sealed"]).decode("utf-8", "replace") for _, _, payload in rows]
    connection.register("originals", pa.table({"text": pa.array(texts, pa.string())}))
    contract = read_contract("event")
    source = "select case when json_valid(text) then cast(text as json) end as json from originals"
    documents.stage(connection, source, contract, now, is_opaque=is_opaque)
    connection.unregister("originals")
    replay_id = _replay_id(rows, now)
    judged = documents.append(connection, contract, replay_id, now, is_opaque=is_opaque)
    double = connection.execute("select duplicate - (select min(rowid) from staged) from duplicates").fetchall()
    duplicates, refused = {place for (place,) in double}, {place for place, _ in judged.refused}
    outcomes = {
        row[:2]: "duplicate" if place in duplicates else "accepted"
        for place, row in enumerate(rows)
        if place not in refused
    }
    _mark(connection, outcomes, replay_id, now)
    if outcomes:
        counts = {"read": len(outcomes), "accepted": judged.accepted, "quarantined": 0}
        record(connection, replay_id, "events", "replay", now, **counts)
    return judged


def _replay_id(rows: list[_Row], now: dt.datetime) -> str:
    told = f"{now.isoformat()} {rows[0][:2] if rows else ''} {len(rows)}"
    return "replay:" + hashlib.sha256(told.encode()).hexdigest()


def _mark(
    connection: duckdb.DuckDBPyConnection, outcomes: dict[tuple[str, int], str], replay_id: str, now: dt.datetime
) -> None:
    marks = [(import_id, number, outcome, replay_id, now) for (import_id, number), outcome in outcomes.items()]
    if marks:
        connection.executemany("insert into raw.quarantine_replays values (?, ?, ?, ?, ?)", marks)
