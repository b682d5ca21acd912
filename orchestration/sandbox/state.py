"""What a world remembers between two steps: one folder per instant, moved into place whole, so no kill leaves half."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.errors import Refusal
from orchestration.sandbox.chance import Chance
from orchestration.sandbox.crowd import Crowd
from orchestration.sandbox.eventlog import COLUMNS
from orchestration.sandbox.familiarity import Familiarity
from orchestration.sandbox.instants import DAY, micros
from orchestration.sandbox.preset import Preset

EVENTS = "events.parquet"


@dataclass(frozen=True, slots=True)
class State:
    """A world at one instant.

    Attributes:
        now: Everything before this instant is simulated, microseconds UTC.
        lived: Last day (since 1970) whose organic life is done.
        outbox: By outbox file, the instant up to which it was sent; -1 when all of it was.
        pending: Events that happened and are not received yet.
    """

    now: int
    lived: int
    outbox: dict[str, int]
    familiarity: Familiarity
    crowd: Crowd
    pending: pa.Table

    @classmethod
    def first(cls, preset: Preset, chance: Chance) -> Self:
        """The state in which a world begins."""
        start = micros(preset.starts_at)
        crowd = Crowd.first(preset, chance, start)
        return cls(start, start // DAY - 1, {}, Familiarity(), crowd, COLUMNS.empty_table())


def save(folder: Path, state: State, events: pa.Table) -> Path:
    """Writes the state and the events of its step beside their final place; :func:`commit` makes them hold."""
    draft = folder / f".{_name(state.now)}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    pq.write_table(state.pending, draft / "pending.parquet")
    pq.write_table(events, draft / EVENTS)
    np.savez(draft / "crowd.npz", allow_pickle=False, **state.crowd.columns())
    memory = {"now": state.now, "lived": state.lived, "outbox": state.outbox, "familiarity": vars(state.familiarity)}
    (draft / "memory.json").write_text(json.dumps(memory), encoding="utf-8")
    return draft


def commit(draft: Path) -> Path:
    """Makes a saved state the one that holds and forgets the others; returns where it is now."""
    final = draft.with_name(draft.name.removeprefix(".").removesuffix(".part"))
    draft.rename(final)
    for old in final.parent.iterdir():
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    return final


def newest(folder: Path) -> Path | None:
    """The folder of the state that holds, or None before the first step."""
    return max((path for path in folder.glob("[0-9]*") if path.is_dir()), default=None)


def load(path: Path, chance: Chance) -> State:
    """Reads a state.

    Raises:
        Refusal: if its files are damaged.
    """
    try:
        memory = json.loads((path / "memory.json").read_text(encoding="utf-8"))
        with np.load(path / "crowd.npz", allow_pickle=False) as columns:
            crowd = Crowd.restore(chance, columns)
        pending = pq.read_table(path / "pending.parquet", schema=COLUMNS)
        familiarity = Familiarity.restore(memory["familiarity"])
        return State(memory["now"], memory["lived"], memory["outbox"], familiarity, crowd, pending)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refusal(f"world state {path.name}", "is damaged", "Remove the world's folder and begin again.") from error


def _name(now: int) -> str:
    return f"{now:020d}"
