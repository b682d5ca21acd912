"""Takes files into ``raw``: one that somebody names, or all that came into a drop folder."""

import datetime as dt
from pathlib import Path

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.intake import take
from orchestration.measure.mapping import Mapping
from orchestration.measure.reading import is_readable
from orchestration.measure.report import Early, ImportReport, Progress

__all__ = ["ImportReport", "import_file", "intake_drop"]


def import_file(
    warehouse: Warehouse, path: Path, mapping: Mapping, clock: Clock, progress: Progress | None = None
) -> ImportReport:
    """Takes a file of past experiments or events into ``raw``; the same file under the same mapping only once.

    Rows that cannot be accepted go to ``raw.quarantine`` with their number (1 is the first row of data), a reason and
    themselves. Killed half-way it leaves nothing.

    Args:
        clock: Time of the import, and what counts as the future.
        progress: Told in one line what is being done.

    Raises:
        Refusal: if the file is missing, unreadable or empty, the mapping names absent columns, or no row is accepted.
        WarehouseLocked: if another process writes to the warehouse.
    """
    return take(warehouse, path, mapping, clock, progress, identity="", may_be_empty=False)


def intake_drop(
    warehouse: Warehouse, folder: Path, clock: Clock, until: dt.datetime | None = None
) -> list[ImportReport]:
    """Takes every file of a drop folder into ``raw.events``, in the order of the names.

    The files have the columns of ``raw.events`` (what intake adds excepted) and ids that are opaque already. A file is
    known by its name and content; bad rows are quarantined, and a file may hold no good ones. Names that begin with
    a dot and other formats are left alone: somebody may still be writing.

    Args:
        until: Leave files that hold rows received at or after this instant for a later call.

    Returns:
        A report for each file, those taken before included; none for those left for later.

    Raises:
        Refusal: if a file cannot be read or lacks columns; the files before it stay taken.
    """
    mapping = Mapping.named("events")
    reports = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or not path.is_file() or not is_readable(path):
            continue
        try:
            reports.append(
                take(warehouse, path, mapping, clock, None, identity=path.name, may_be_empty=True, until=until)
            )
        except Early:
            continue
    return reports
