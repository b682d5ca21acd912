"""What deploy hands to the channel: Parquet files of messages, each file written once."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.errors import Refusal
from orchestration.sandbox.chance import Chance, Keys
from orchestration.sandbox.instants import Instants

COLUMNS = ("send_id", "experiment_id", "creative_id", "user_id", "subject", "channel", "scheduled_at")
_ADDED = ("program", "elements")  # an older hand-over has neither: its messages are the newsletter's
_SCHEMA = pa.schema([*((name, pa.string()) for name in (*COLUMNS[:-1], *_ADDED)), ("scheduled_at", pa.int64())])


@dataclass(frozen=True, slots=True)
class Messages:
    """Messages as columns of one length.

    Attributes:
        keys: One key per send id, for the message's draws.
        program: Program that sends it; empty where the hand-over does not say.
        elements: Tags that the text does not show, with spaces between them.
        at: When each is sent.
    """

    keys: Keys
    send_id: npt.NDArray[np.object_]
    experiment_id: npt.NDArray[np.object_]
    creative_id: npt.NDArray[np.object_]
    user_id: npt.NDArray[np.object_]
    subject: npt.NDArray[np.object_]
    program: npt.NDArray[np.object_]
    elements: npt.NDArray[np.object_]
    at: Instants

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, which: npt.NDArray[Any]) -> Self:
        """Those messages, given as a mask or as positions."""
        return type(self)(*(getattr(self, field.name)[which] for field in fields(self)))


def collect(
    folder: Path, chance: Chance, done: dict[str, int], now: int, until: int, programs: Collection[str] = ()
) -> tuple[Messages, dict[str, int]]:
    """Messages that are due before ``until`` and were not sent yet, by time and send id.

    Args:
        done: By file, the instant up to which its messages were sent.
        now: Messages that come too late are sent at once.
        programs: Those that may use a channel other than email.

    Returns:
        The messages, and ``done`` as it is when they have been sent.

    Raises:
        Refusal: if a file cannot be read, lacks a column or holds another channel's messages.
    """
    due, seen = [_SCHEMA.empty_table()], dict(done)
    for path in sorted(folder.glob("*.parquet")):
        if done.get(path.name) == -1:
            continue
        table = _read(path, frozenset(programs))
        at = table["scheduled_at"]
        mask = pc.and_(pc.less(at, until), pc.greater_equal(at, done.get(path.name, np.iinfo(np.int64).min)))
        due.append(table.filter(mask))
        seen[path.name] = -1 if pc.all(pc.less(at, until)).as_py() else until
    table = pa.concat_tables(due).sort_by([("scheduled_at", "ascending"), ("send_id", "ascending")])
    names = {name: np.array(table[name].to_pylist(), dtype=object) for name in (*COLUMNS[:5], *_ADDED)}
    at = np.maximum(table["scheduled_at"].to_numpy(), now)
    messages = Messages(chance.of_names(names["send_id"]), **names, at=at)
    return messages.take(np.sort(np.unique(messages.keys, return_index=True)[1])), seen


def _read(path: Path, programs: frozenset[str]) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise Refusal(
            f"outbox file {path.name}", "is not a readable Parquet file", "Remove it and deploy again."
        ) from error
    if missing := [name for name in COLUMNS if name not in table.column_names]:
        raise Refusal(f"outbox file {path.name}", f"lacks the column {missing[0]}", "Deploy again.")
    for name in set(_ADDED) - set(table.column_names):
        table = table.append_column(name, pa.repeat(pa.scalar("", pa.string()), len(table)))
    table = _cast(table.select([*COLUMNS, *_ADDED]), path.name)
    if any(column.null_count for column in table.columns):
        raise Refusal(f"outbox file {path.name}", "has empty fields", "Deploy again.")
    known = pc.is_in(table["program"], pa.array(sorted(programs), pa.string()))
    if set(pc.unique(table.filter(pc.invert(known))["channel"]).to_pylist()) - {"email"}:
        raise Refusal(f"outbox file {path.name}", "is not for the channel email", "Send it through its own channel.")
    return table


def _cast(table: pa.Table, name: str) -> pa.Table:
    times = table.schema.field("scheduled_at").type
    if not pa.types.is_timestamp(times):
        raise Refusal(f"outbox file {name}", f"scheduled_at is {times}, not a time", "Deploy again.")
    at = table["scheduled_at"].cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    texts = [table[column].cast(pa.string()) for column in (*COLUMNS[:-1], *_ADDED)]
    return pa.table([*texts, at], schema=_SCHEMA)
