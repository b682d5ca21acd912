"""What is true in a world. Only the sandbox and the benchmarks may know it; nothing that decides may read this."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from orchestration.errors import Refusal
from orchestration.records import Role
from orchestration.sandbox import state
from orchestration.sandbox.chance import Chance
from orchestration.sandbox.familiarity import Familiarity
from orchestration.sandbox.preset import Preset
from orchestration.sandbox.response import Extract, Response
from orchestration.sandbox.world import identity

_UNJUDGED = frozenset({"holdout", "control"})


@dataclass(frozen=True, slots=True)
class SentArm:
    """An arm of one send.

    Attributes:
        people: Exposed people.
        send: Experiment id; None when there was one send. With it, what people had seen before counts.
    """

    segment: str
    text: str
    role: Role
    people: int
    send: str | None = None


@dataclass(frozen=True, slots=True)
class CycleScore:
    """Expected clicks per exposed person.

    Attributes:
        reward: Of what was sent, without holdout and control.
        oracle: Of the best text of each segment and send, control's among them.
        ideal: Of the best tags a generator could have shown, averagely worded and new to everybody.
        baseline: Of the baseline text; None if no send had one.
    """

    reward: float
    oracle: float
    ideal: float
    baseline: float | None


class Truth:
    """The hidden law of one world."""

    def __init__(self, preset: Preset, response: Response, familiarity: Familiarity) -> None:
        self._preset, self._response, self._familiarity = preset, response, familiarity

    @classmethod
    def of(cls, folder: Path, extract: Extract | None = None) -> Self:
        """The truth of the world in a folder, as far as it has come.

        Raises:
            Refusal: if there is no world, or it is damaged.
        """
        preset, seed = identity(folder)
        chance, newest = Chance(seed), state.newest(folder / "world" / "states")
        familiarity = state.load(newest, chance).familiarity if newest else Familiarity()
        return cls(preset, Response(preset, chance, extract), familiarity)

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags the preset speaks of, with and without effect."""
        return tuple(self._preset.effects)

    def click_rate(self, text: str, segment: str, *, send: str | None = None, send_noise: bool = False) -> float:
        """Expected human clicks per exposed person.

        Args:
            send: Experiment in which it was sent; takes off what the text had lost because people knew it.
            send_noise: Whether the common noise of that send counts too.

        Raises:
            Refusal: if the world has no such segment.
        """
        seen = self._familiarity.sends.get(send, {}).get(segment, {}).get(text, 0.0) if send else 0.0
        return self._response.rate(text, segment, send=send if send_noise else None, seen=seen)

    def ideal(self, segment: str, tags: Sequence[str]) -> float:
        """Expected rate of the best combination of these tags, averagely worded: all that help and none that harm."""
        return self._response.rate_with([tag for tag in tags if self.effect(tag, segment) > 0], segment)

    def effect(self, tag: str, segment: str) -> float:
        """Log effect of a tag on the click rate; ``all`` gives the mean over segments by people at the start."""
        if segment != "all":
            return self._response.effect(tag, segment)
        people = {name: part.people for name, part in self._preset.segments.items()}
        return sum(self._response.effect(tag, name) * count for name, count in people.items()) / max(
            1, sum(people.values())
        )

    def contradicts(self, tag: str, segment: str, effect: float) -> bool:
        """Whether a claim is false: the tag has no effect there (``all``: on the whole), or the other sign.

        Args:
            effect: The claimed effect; only its sign counts.
        """
        return self.effect(tag, segment) * effect <= 0

    def score_cycle(self, sent: Sequence[SentArm], tags: Sequence[str] | None = None) -> CycleScore:
        """Scores what was sent in one cycle.

        Args:
            tags: Tags the generator could show; those of the preset unless given.

        Raises:
            Refusal: if nobody was exposed outside holdout and control.
        """
        groups: dict[tuple[str, str | None], list[SentArm]] = defaultdict(list)
        for arm in sent:
            if arm.role != "holdout" and arm.people > 0:
                groups[arm.segment, arm.send].append(arm)
        exposed, reward, oracle, ideal, based, baseline = 0, 0.0, 0.0, 0.0, 0, 0.0
        for (segment, send), arms in groups.items():
            rates = {arm.text: self.click_rate(arm.text, segment, send=send) for arm in arms}
            people = sum(arm.people for arm in arms if arm.role not in _UNJUDGED)
            exposed += people
            reward += sum(rates[arm.text] * arm.people for arm in arms if arm.role not in _UNJUDGED)
            oracle += people * max(rates.values())
            ideal += people * self.ideal(segment, self.tags if tags is None else tags)
            if fixed := [rates[arm.text] for arm in arms if arm.role == "baseline"]:
                baseline += people * math.fsum(fixed) / len(fixed)
                based += people
        if exposed == 0:
            raise Refusal("cycle", "nobody was exposed to a judged arm", "Score a cycle in which something was sent.")
        return CycleScore(reward / exposed, oracle / exposed, ideal / exposed, baseline / based if based else None)
