"""What was imported, and imports taken back, which count no more: past experiments, and files of events that are read in place."""

from typing import Any

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse, transaction
from orchestration.errors import Refusal
from orchestration.measure.in_place import forget

_IMPORTS = """select imports.import_id, kind, subject, rows_read, rows_accepted, rows_quarantined, imported_at, withdrawn_at, reason
    from raw.imports left join raw.withdrawals using (import_id)"""


def imported(warehouse: Warehouse) -> list[dict[str, Any]]:
    """One row per import, the newest first; ``withdrawn_at`` and ``reason`` are null unless it was taken back."""
    warehouse.migrate()
    return warehouse.rows(f"{_IMPORTS} order by imported_at desc, subject, import_id")


def withdraw(warehouse: Warehouse, import_id: str, reason: str, clock: Clock) -> dict[str, Any]:
    """Takes past experiments, or events that are read in place, back: from the next build on nothing of them counts.

    Args:
        import_id: The start of it is enough.
        reason: Why, for whoever asks later.

    Returns:
        The import, as :func:`imported` tells it.

    Raises:
        Refusal: if there is none or several of that id, it holds something else, is taken back already, or no reason is given.
        WarehouseLocked: if another process writes to the warehouse.
    """
    if not reason.strip():
        raise Refusal("--reason", "is empty", "Say why the import is taken back.")
    warehouse.migrate()
    found = warehouse.rows(f"{_IMPORTS} where starts_with(import_id, ?) order by import_id", [import_id])
    subject = f"import {import_id}"
    if not import_id or not found:
        raise Refusal(subject, "is not known", "`loop imports list` names what was imported.")
    if len(found) > 1:
        raise Refusal(subject, f"may be one of {len(found)}", "Give more of its id.")
    [row] = found
    if row["withdrawn_at"] is not None:
        raise Refusal(subject, f"was taken back already ({row['reason']})", "Import its file again if it is to count.")
    is_in_place = bool(warehouse.rows("select 1 from raw.event_files where import_id = ?", [row["import_id"]]))
    if row["kind"] != "results" and not is_in_place:
        raise Refusal(
            subject,
            f"holds {row['kind']} that were copied into the warehouse",
            "Only past experiments and files read in place can be taken back; a corrected report or rate replaces the earlier one.",
        )
    told = {"import_id": row["import_id"], "reason": reason.strip(), "withdrawn_at": clock.now()}
    with warehouse.connect() as connection, transaction(connection):
        connection.execute(
            "insert into raw.withdrawals by name select $import_id as import_id, $reason as reason, $withdrawn_at as withdrawn_at",
            told,
        )
        if is_in_place:
            forget(connection, row["import_id"])
    return row | told
