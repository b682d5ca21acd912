"""What could not be read: looked into, and judged again after a fix. A quarantined row is never changed; a replay appends."""

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
from orchestration.measure.privacy import Seal
from orchestration.measure.pseudonyms import hold_key, pseudonym_key
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
        deliveries: Of the inbox, which no parser could read; only their sender can send them again.
    """

    judged: int
    accepted: int
    duplicates: int
    still_refused: int
    not_replayable: int
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
    sealed = payload.get("sealed") if isinstance(payload, dict) else None
    original = Seal(pseudonym_key(warehouse.folder)).open(sealed).decode("utf-8", "replace") if sealed else None
    return row | {"original": original if original is not None else json.dumps(payload)}


def replay(
    warehouse: Warehouse, clock: Clock, *, import_id: str = "", reason: str = "", is_opaque: bool = False
) -> Replayed:
    """Judges quarantined events again, by the contract and the clock of now; what holds goes in exactly once.

    Args:
        import_id: Only rows whose import begins with this.
        reason: Only rows whose reason has this in it.
        is_opaque: The ids of people are pseudonyms already.

    Raises:
        Refusal: if a row was sealed under another key.
    """
    warehouse.migrate()
    now, seal = clock.now(), Seal(pseudonym_key(warehouse.folder))
    with warehouse.connect() as connection:
        hold_key(connection, pseudonym_key(warehouse.folder))
        with transaction(connection):
            rows = connection.execute(
                f"""select import_id, row_number, json_extract_string(payload, '$.sealed') as sealed, subject from ({_OPEN})
                where starts_with(import_id, $import) and contains(reason, $reason) order by import_id, row_number""",
                {"import": import_id, "reason": reason},
            ).fetchall()
            sealed = [row for row in rows if row[2] is not None]
            deliveries = sum(row[2] is None and row[3] is None for row in rows)  # no import brought them
            others = len(rows) - len(sealed) - deliveries
            if not sealed:
                return Replayed(0, 0, 0, 0, others, deliveries)
            texts = [seal.open(row[2]).decode("utf-8", "replace") for row in sealed]
            connection.register("originals", pa.table({"text": pa.array(texts, pa.string())}))
            contract = read_contract("event")
            source = "select case when json_valid(text) then cast(text as json) end as json from originals"
            documents.stage(connection, source, contract, now, is_opaque=is_opaque)
            connection.unregister("originals")
            replay_id = (
                "replay:" + hashlib.sha256(f"{now.isoformat()} {sealed[0][:2]} {len(sealed)}".encode()).hexdigest()
            )
            judged = documents.append(connection, contract, replay_id, now)
            _mark(connection, sealed, {place for place, _ in judged.refused}, replay_id, now)
            taken = judged.accepted + judged.duplicates
            if taken:
                record(
                    connection, replay_id, "events", "replay", now, read=taken, accepted=judged.accepted, quarantined=0
                )
    return Replayed(judged.read, judged.accepted, judged.duplicates, len(judged.refused), others, deliveries)


def _mark(
    connection: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]], refused: set[int], replay_id: str, now: Any
) -> None:
    double = connection.execute("select duplicate - (select min(rowid) from staged) from duplicates").fetchall()
    duplicates = {place for (place,) in double}
    marks = [
        (row[0], row[1], "duplicate" if place in duplicates else "accepted", replay_id, now)
        for place, row in enumerate(rows)
        if place not in refused
    ]
    if marks:
        connection.executemany("insert into raw.quarantine_replays values (?, ?, ?, ?, ?)", marks)
