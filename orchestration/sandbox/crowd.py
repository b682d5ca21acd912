"""The audience: who there is, in which segment, since when, and who may still be mailed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from orchestration.sandbox.chance import Chance, Floats, Keys
from orchestration.sandbox.instants import DAY, NEVER, Instants
from orchestration.sandbox.preset import Preset

WINDOW = 7  # days in which mail annoys
_PLACES = (
    ("GB", "Europe/London"),
    ("GB", "Europe/London"),
    ("GB", "Europe/London"),
    ("IE", "Europe/Dublin"),
    ("FR", "Europe/Paris"),
)


@dataclass(frozen=True)
class Crowd:
    """People as columns, one entry per person in the order of arrival; never changed in place.

    Attributes:
        keys: One key per person, for the person's draws.
        ids: Opaque user ids.
        segment: Index into the preset's segments.
        since: When the person came.
        consent: Whether the person agreed to be mailed on arrival.
        left_at: When the person unsubscribed or complained, or NEVER.
        mailed: Shape (people, WINDOW + 1): messages by day, day number modulo WINDOW + 1.
    """

    chance: Chance
    keys: Keys
    ids: npt.NDArray[np.object_]
    segment: npt.NDArray[np.int8]
    since: Instants
    consent: npt.NDArray[np.bool_]
    left_at: Instants
    mailed: npt.NDArray[np.uint8]

    @classmethod
    def first(cls, preset: Preset, chance: Chance, now: int) -> Self:
        """The people of the preset's segments as the world begins."""
        nobody, none = np.empty(0, dtype=np.int64), np.empty(0, dtype=bool)
        mailed = np.empty((0, WINDOW + 1), dtype=np.uint8)
        crowd = cls.restore(
            chance,
            {"segment": nobody.astype(np.int8), "since": nobody, "consent": none, "left_at": nobody, "mailed": mailed},
        )
        for number, segment in enumerate(preset.segments.values()):
            keys, _ = _names(chance, len(crowd), segment.people)
            youngest, oldest = segment.age_days
            age = youngest + (oldest - youngest) * chance.uniform(keys, "age")
            crowd = crowd.joined_by(preset, now - (age * DAY).astype(np.int64), number)
        return crowd

    @classmethod
    def restore(cls, chance: Chance, columns: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The crowd that :meth:`columns` came from."""
        keys, ids = _names(chance, 0, len(columns["segment"]))
        return cls(chance, keys, ids, **columns)

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """What must be kept of the crowd; the rest follows from the seed."""
        return {name: getattr(self, name) for name in ("segment", "since", "consent", "left_at", "mailed")}

    def joined_by(self, preset: Preset, since: Instants, segment: int) -> Self:
        """The crowd with new people of one segment behind the others.

        Args:
            since: When each of them came.
        """
        count = len(since)
        keys, ids = _names(self.chance, len(self), count)
        return type(self)(
            self.chance,
            np.concatenate([self.keys, keys]),
            np.concatenate([self.ids, ids]),
            np.concatenate([self.segment, np.full(count, segment, dtype=np.int8)]),
            np.concatenate([self.since, since]),
            np.concatenate([self.consent, self.chance.happens(keys, "consent", preset.mail.consent)]),
            np.concatenate([self.left_at, np.full(count, NEVER)]),
            np.concatenate([self.mailed, np.zeros((count, WINDOW + 1), dtype=np.uint8)]),
        )

    def __len__(self) -> int:
        return len(self.segment)

    def propensity(self, spread: float) -> Floats:
        """How active each person is by nature; log-normal with mean 1."""
        return np.asarray(np.exp(spread * self.chance.normal(self.keys, "propensity") - spread**2 / 2))

    def traits(self, who: npt.NDArray[np.int64], at: Instants, preset: Preset) -> list[str]:
        """What an identify event says of each of these people at these times, as JSON."""
        names = list(preset.segments)
        place = (self.chance.uniform(self.keys[who], "place") * len(_PLACES)).astype(int)
        consent = self.consent[who] & (self.left_at[who] > at)
        wording = {
            (s, p, c): json.dumps({"segment": name, "timezone": zone, "country": country, "consent": c})
            for s, name in enumerate(names)
            for p, (country, zone) in enumerate(_PLACES)
            for c in (False, True)
        }
        return [wording[key] for key in zip(self.segment[who].tolist(), place.tolist(), consent.tolist(), strict=True)]


def _names(chance: Chance, first: int, count: int) -> tuple[Keys, npt.NDArray[np.object_]]:
    keys = chance.of_numbers("person", np.arange(first, first + count))
    return keys, np.array([f"u{key:016x}" for key in keys.tolist()], dtype=object)
