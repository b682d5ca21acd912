"""What was imported, and imports of past experiments taken back: they stay in ``raw`` and count no more."""

from typing import Any

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal

_IMPORTS = """select imports.import_id, kind, subject, rows_read, rows_accepted, rows_quarantined, imported_at, withdrawn_at, reason
    from raw.imports left join raw.withdrawals using (import_id)"""


def imported(warehouse: Warehouse) -> list[dict[str, Any]]:
    """One row per import, the newest first; ``withdrawn_at`` and ``reason`` are null unless it was taken back."""
    warehouse.migrate()
    return warehouse.rows(f"{_IMPORTS} order by imported_at desc, subject, import_id")


def withdraw(warehouse: Warehouse, import_id: str, reason: str, clock: Clock) -> dict[str, Any]:
    """Takes an import of past experiments back: from the next build on nothing of it counts.

    Args:
        import_id: The start of it is enough.
        reason: Why, for whoever asks later.

    Returns:
        The import, as :func:`imported` tells it.

    Raises:
        Refusal: if there is none or several of that id, it holds no past experiments, is taken back already, or no reason is given.
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
    if row["kind"] != "results":
        raise Refusal(
            subject,
            f"holds {row['kind']}, no past experiments",
            "Only these can be taken back; a corrected report or rate replaces the earlier one when it is imported.",
        )
    if row["withdrawn_at"] is not None:
        raise Refusal(subject, f"was taken back already ({row['reason']})", "Import its file again if it is to count.")
    told = {"import_id": row["import_id"], "reason": reason.strip(), "withdrawn_at": clock.now()}
    warehouse.append({"raw.withdrawals": [told]})
    return row | told
