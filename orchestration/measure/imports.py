"""Takes files into ``raw``: one that somebody names, or all that came into a drop folder."""

import datetime as dt
from pathlib import Path

import yaml

from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.intake import take
from orchestration.measure.lines import ends_whole
from orchestration.measure.mapping import Mapping
from orchestration.measure.policy import policy_value
from orchestration.measure.reading import is_readable
from orchestration.measure.report import Early, ImportReport, Progress, Unfinished

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
    warehouse: Warehouse,
    folder: Path,
    clock: Clock,
    until: dt.datetime | None = None,
    progress: Progress | None = None,
) -> list[ImportReport]:
    """Takes every file of a drop folder into ``raw.events``, in the order of the names.

    The files have the columns of ``raw.events`` (what intake adds excepted). Ids of people become pseudonyms, unless a file
    ``.drop.yaml`` in the folder says ``ids: opaque``. A file is known by its name and content; bad rows are quarantined, and a
    file may hold no good ones. Names that begin with a dot, other formats and files somebody is still writing are left alone.

    Args:
        until: Leave files that hold rows received at or after this instant for a later call.
        progress: Told in one line what is being done.

    Returns:
        A report for each file, those taken before included; none for those left for later.

    Raises:
        Refusal: if a file cannot be read or lacks columns, after all the others were taken.
    """
    mapping = _drop_mapping(folder)
    reports: list[ImportReport] = []
    refusals: list[Refusal] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or not path.is_file() or not is_readable(path) or _is_growing(path, clock):
            continue
        try:
            reports.append(
                take(warehouse, path, mapping, clock, progress, identity=path.name, may_be_empty=True, until=until)
            )
        except (Early, Unfinished):
            continue
        except Refusal as refusal:
            refusals.append(refusal)
    if refusals:
        first, others = refusals[0], len(refusals) - 1
        raise Refusal(
            first.subject, first.reason, first.remedy + (f" {others} more files are refused." if others else "")
        )
    return reports


def _drop_mapping(folder: Path) -> Mapping:
    options = folder / ".drop.yaml"
    said = yaml.safe_load(options.read_text(encoding="utf-8")) if options.exists() else {}
    if not isinstance(said, dict) or set(said) - {"ids"} or said.get("ids", "people") not in {"people", "opaque"}:
        raise Refusal(
            str(options), "says what is not understood", "Write `ids: opaque` or `ids: people`, or remove it."
        )
    return Mapping.of({"kind": "events", "pseudonymise": said.get("ids") != "opaque"})


def _is_growing(path: Path, clock: Clock) -> bool:
    """Whether a file lacks its last line end and was touched just now: a writer is in the middle of a line."""
    if path.suffix.lower() not in {".ndjson", ".jsonl", ".csv"} or ends_whole(path):
        return False
    age = abs(clock.now().replace(tzinfo=dt.UTC).timestamp() - path.stat().st_mtime)
    return age < policy_value("intake_quiet_seconds")
