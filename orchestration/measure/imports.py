"""Takes files into ``raw``: one that somebody names, or all that came into a drop folder."""

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestration.edges import yaml_text
from orchestration.edges.clock import Clock
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.measure.drops import OPTIONS, Drop, DroppedFile, open_drop
from orchestration.measure.intake import take
from orchestration.measure.lines import ends_whole
from orchestration.measure.mapping import Mapping
from orchestration.measure.policy import policy_value
from orchestration.measure.reading import is_readable
from orchestration.measure.report import Early, ImportReport, Progress, Unfinished, earlier

__all__ = ["ImportReport", "import_file", "intake_drop", "intake_drops"]


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
    place: Path | str,
    clock: Clock,
    until: dt.datetime | None = None,
    progress: Progress | None = None,
    set_aside: Callable[[Refusal], None] | None = None,
) -> list[ImportReport]:
    """Takes every file of a drop folder into ``raw.events``, in the order of the names.

    The files have the columns of ``raw.events`` (what intake adds excepted). Ids of people become pseudonyms, unless a file
    ``.drop.yaml`` in the folder says ``ids: opaque``. A file is known by its name and content, and is not read again while the
    folder lists it in the same state; bad rows are quarantined, and a file may hold no good ones. Names that begin with a dot,
    other formats and files somebody is still writing are left alone.

    Args:
        place: A folder, or a URL that fsspec reads.
        until: Leave files that hold rows received at or after this instant for a later call.
        progress: Told in one line what is being done.
        set_aside: Told of each file that cannot be read or lacks columns; None refuses for the first one.

    Returns:
        A report for each file, those taken before included; none for those left for later.

    Raises:
        Refusal: if the folder cannot be reached, or, after all the others were taken, if a file cannot be read or lacks columns.
    """
    drop = open_drop(str(place), warehouse.folder)
    mapping = _drop_mapping(drop)
    reports: list[ImportReport] = []
    refusals: list[Refusal] = []
    listed = {file: _state(file, mapping) for file in drop.files() if is_readable(file.name)}
    known = _known_files(warehouse, drop, mapping, listed) if listed else {}
    for file, state in listed.items():
        if report := known.get(file):
            reports.append(report)
            continue
        try:
            with drop.brought(file) as path:
                if path is None or _is_growing(_readable(path), clock):
                    continue
                found = take(
                    warehouse, path, mapping, clock, progress, identity=file.name, may_be_empty=True, until=until
                )
        except (Early, Unfinished):
            continue
        except Refusal as refusal:
            (set_aside or refusals.append)(refusal)
            continue
        reports.append(found)
        if state:
            _remember(warehouse, drop, file.name, state, found.import_id, clock.now())
    _raise_first(refusals)
    return reports


def intake_drops(
    warehouse: Warehouse,
    places: Sequence[Path | str],
    clock: Clock,
    progress: Progress | None = None,
    set_aside: Callable[[Refusal], None] | None = None,
) -> list[ImportReport]:
    """Takes every file of several drop folders; one that cannot be reached holds no other up.

    Args:
        set_aside: As in :func:`intake_drop`.

    Raises:
        Refusal: as :func:`intake_drop`, after all of them.
    """
    reports: list[ImportReport] = []
    refusals: list[Refusal] = []
    for place in places:
        try:
            reports += intake_drop(warehouse, place, clock, progress=progress, set_aside=set_aside)
        except Refusal as refusal:
            refusals.append(refusal)
    _raise_first(refusals)
    return reports


def _raise_first(refusals: Sequence[Refusal]) -> None:
    if refusals:
        first, others = refusals[0], len(refusals) - 1
        more = f" {others} more files are refused." if others else ""
        raise Refusal(first.subject, first.reason, first.remedy + more)


def _drop_mapping(drop: Drop) -> Mapping:
    said = yaml_text.of_text(drop.options(), f"{drop.place}/{OPTIONS}") or {}
    if not isinstance(said, dict) or set(said) - {"ids"} or said.get("ids", "people") not in {"people", "opaque"}:
        raise Refusal(
            f"{drop.place}/{OPTIONS}",
            "says what is not understood",
            "Write `ids: opaque` or `ids: people`, or remove it.",
        )
    return Mapping.of({"kind": "events", "pseudonymise": said.get("ids") != "opaque"})


def _state(file: DroppedFile, mapping: Mapping) -> str:
    """What the listing tells of a file, and how it would be read; '' where nothing tells its state."""
    return hashlib.sha256(f"{file.state}\n{mapping.model_dump_json()}".encode()).hexdigest() if file.state else ""


def _known_files(
    warehouse: Warehouse, drop: Drop, mapping: Mapping, listed: dict[DroppedFile, str]
) -> dict[DroppedFile, ImportReport]:
    """What became of the listed files that were taken in as they are."""
    warehouse.migrate()
    with warehouse.connect() as connection:
        query = "select name, state, import_id from raw.dropped_files where place = ?"
        ids = {(name, state): id_ for name, state, id_ in connection.execute(query, [drop.place]).fetchall()}
        taken = {file: ids[file.name, state] for file, state in listed.items() if (file.name, state) in ids}
        reports = {file: earlier(connection, import_id, mapping.kind) for file, import_id in taken.items()}
    return {file: report for file, report in reports.items() if report is not None}


def _remember(warehouse: Warehouse, drop: Drop, name: str, state: str, import_id: str, now: dt.datetime) -> None:
    row = {"place": drop.place, "name": name, "state": state, "import_id": import_id, "recorded_at": now}
    warehouse.append({"raw.dropped_files": [row]})


def _readable(path: Path) -> Path:
    """The path, if it is a file that can be opened.

    Raises:
        Refusal: if it is not.
    """
    if path.is_dir():
        raise Refusal(path.name, "is a folder, no file", "Drop its files by themselves.")
    try:
        with path.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        remedy = "Check its permissions, or take it away."
        raise Refusal(path.name, f"cannot be read ({error.strerror})", remedy) from error
    return path


def _is_growing(path: Path, clock: Clock) -> bool:
    """Whether a file lacks its last line end and was touched just now: a writer is in the middle of a line."""
    if path.suffix.lower() not in {".ndjson", ".jsonl", ".csv"} or ends_whole(path):
        return False
    age = abs(clock.now().replace(tzinfo=dt.UTC).timestamp() - path.stat().st_mtime)
    return age < policy_value("intake_quiet_seconds")
