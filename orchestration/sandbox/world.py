"""The simulated world: takes messages from an outbox, lets time pass, and drops events into an inbox."""

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from orchestration.errors import Refusal
from orchestration.sandbox import organic, state
from orchestration.sandbox.campaigning import Campaigning
from orchestration.sandbox.chance import Chance
from orchestration.sandbox.crowd import WINDOW, Crowd
from orchestration.sandbox.eventlog import EventLog
from orchestration.sandbox.familiarity import Familiarity
from orchestration.sandbox.instants import DAY, micros, moment
from orchestration.sandbox.mailing import Mailing
from orchestration.sandbox.outbox import Messages, collect
from orchestration.sandbox.preset import Preset, read_preset
from orchestration.sandbox.response import Extract, Response


class World:
    """An audience and an e-mail channel in a folder.

    Everything that happens is a function of preset, seed and the messages; the steps in which time advances only decide
    which file an event comes in. Of a message that comes too late, the time is the instant the world had reached.

    Attributes:
        outbox: Folder that deploy writes ``<experiment_id>.parquet`` to.
        inbox: Folder that the measure stage reads; ``raw.events`` without what intake adds, in the order of arrival.
    """

    def __init__(self, folder: Path, preset: Preset, seed: int, extract: Extract | None = None) -> None:
        self.folder, self.preset, self.seed = folder, preset, seed
        self.outbox, self.inbox, self._states = folder / "outbox", folder / "inbox", folder / "world" / "states"
        self._chance, self._extract = Chance(seed), extract
        for path in (self.outbox, self.inbox, self._states):
            path.mkdir(parents=True, exist_ok=True)
        (self.inbox / ".drop.yaml").write_text("ids: opaque\n", encoding="utf-8")

    @classmethod
    def create(cls, folder: Path, preset: str, seed: int, extract: Extract | None = None) -> Self:
        """Begins a world, or opens the one that is there when it is the same one.

        Args:
            preset: Name of a preset, or path of a YAML file.
            extract: Tags of a text; the product's taxonomy unless given.

        Raises:
            Refusal: if the preset is not fit, or the folder holds another world.
        """
        rules = read_preset(preset)
        if _identity(folder).is_file():
            there = cls.open(folder, extract)
            if (there.preset, there.seed) != (rules, seed):
                reason = f"already holds the world {there.preset.preset} with seed {there.seed}"
                if there.preset.preset == rules.preset and there.seed == seed:
                    reason += ", with other figures in its preset"
                raise Refusal(str(folder), reason, "Choose another folder, or begin anew with `loop demo --fresh`.")
            return there
        world = cls(folder, rules, seed, extract)
        draft = _identity(folder).with_suffix(".part")
        draft.write_text(json.dumps({"preset": rules.model_dump(mode="json"), "seed": seed}), encoding="utf-8")
        draft.rename(_identity(folder))
        return world

    @classmethod
    def open(cls, folder: Path, extract: Extract | None = None) -> Self:
        """Opens a world that was begun before.

        Raises:
            Refusal: if there is none, or its identity is damaged.
        """
        preset, seed = identity(folder)
        return cls(folder, preset, seed, extract)

    @property
    def now(self) -> dt.datetime:
        """The instant up to which the world is simulated, UTC without offset."""
        newest = state.newest(self._states)
        if newest is None:
            return self.preset.starts_at
        return moment(int(newest.name))

    def advance(self, until: dt.datetime) -> Path | None:
        """Lets time pass; a second call with the same instant, or one after a kill, changes nothing.

        Args:
            until: End of the step, exclusive; UTC.

        Returns:
            The inbox file of the step: the events received before ``until`` that no earlier step brought. None if the
            world is past that instant.

        Raises:
            Refusal: if the outbox holds what is no message or the state is damaged; nothing is changed then.
        """
        end, newest = micros(until), state.newest(self._states)
        before = state.load(newest, self._chance) if newest else state.State.first(self.preset, self._chance)
        if newest:
            self._drop(newest)  # a kill may have come between
        if end > before.now:
            after, events = self._step(before, end)
            newest = state.commit(state.save(self._states, after, events))
            self._drop(newest)
        return self._file(newest) if newest and end == int(newest.name) else None

    def _file(self, step: Path) -> Path:
        return self.inbox / moment(int(step.name)).strftime("events-%Y%m%dT%H%M%S%f.parquet")

    def _drop(self, step: Path) -> None:
        """Puts the events of a step into the inbox: after the step is the state that holds, so that no file is ahead of the world."""
        target = self._file(step)
        if not target.exists():
            draft = target.with_name(f".{target.name}.part")
            shutil.copyfile(step / state.EVENTS, draft)
            draft.rename(target)

    def _step(self, before: state.State, end: int) -> tuple[state.State, pa.Table]:
        messages, outbox = collect(
            self.outbox, self._chance, before.outbox, before.now, end, self.preset.campaigns.keys()
        )
        log = EventLog(f"sandbox/{self.preset.preset}", self._chance, self.preset.delivery, before.pending)
        crowd, familiarity, lived = before.crowd, before.familiarity, before.lived
        first = micros(self.preset.starts_at) // DAY
        response = Response(self.preset, self._chance, self._extract)
        mailing = Mailing(self.preset, self._chance, response, familiarity, log)
        campaigns = {
            program: Campaigning(self.preset, campaign, self._chance, response, log)
            for program, campaign in self.preset.campaigns.items()
        }
        if lived < first:
            organic.introduce(self.preset, crowd, log, before.now)
        days = messages.at // DAY
        for day in range(before.now // DAY, (end - 1) // DAY + 1):
            if day > lived:
                crowd, lived = self._dawn(crowd, familiarity, log, day), day
            crowd = self._address(crowd, mailing, campaigns, messages.take(days == day))
        events, pending = log.split(end)
        return replace(before, now=end, lived=lived, outbox=outbox, crowd=crowd, pending=pending), events

    def _dawn(self, crowd: Crowd, familiarity: Familiarity, log: EventLog, day: int) -> Crowd:
        familiarity.close_day()
        mailed = crowd.mailed.copy()
        mailed[:, day % (WINDOW + 1)] = 0
        return organic.live(self.preset, replace(crowd, mailed=mailed), log, day, micros(self.preset.starts_at) // DAY)

    def _address(
        self, crowd: Crowd, mailing: Mailing, campaigns: Mapping[str, Campaigning], messages: Messages
    ) -> Crowd:
        for experiment in dict.fromkeys(messages.experiment_id):
            batch = messages.take(np.asarray(messages.experiment_id == experiment))
            crowd = campaigns.get(str(batch.program[0]), mailing).deliver(crowd, batch)
        return crowd


def identity(folder: Path) -> tuple[Preset, int]:
    """Preset and seed of the world in a folder.

    Raises:
        Refusal: if there is none, or its identity is damaged.
    """
    try:
        content = json.loads(_identity(folder).read_text(encoding="utf-8"))
        return Preset.model_validate(content["preset"]), int(content["seed"])
    except OSError as error:
        raise Refusal(str(folder), "holds no world", "Create one first.") from error
    except (ValueError, KeyError, ValidationError) as error:
        raise Refusal(str(folder), "holds a damaged world", "Remove the folder and begin again.") from error


def _identity(folder: Path) -> Path:
    return folder / "world" / "world.json"
