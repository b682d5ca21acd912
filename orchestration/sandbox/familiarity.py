"""Which texts an audience has met: a wording that much of a segment has seen no longer surprises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

Counts = dict[str, dict[str, int]]  # segment -> text -> messages


@dataclass
class Familiarity:
    """Messages by segment and text.

    Attributes:
        before: Messages up to the end of yesterday, by segment and text; only these make a text familiar.
        today: Messages of the day that is not over.
        sends: By experiment, segment and text: share of the segment that had met the text when it was sent.
    """

    before: Counts = field(default_factory=dict)
    today: Counts = field(default_factory=dict)
    sends: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    @classmethod
    def restore(cls, kept: Mapping[str, Any]) -> Self:
        """The state that ``vars`` of another one gave."""
        return cls(**kept)

    def meet(self, experiment: str, segment: str, text: str, messages: int, people: int) -> float:
        """Counts messages of a send and returns the share of the segment that knew the text before this day."""
        seen = min(1.0, self.before.get(segment, {}).get(text, 0) / max(1, people))
        counts = self.today.setdefault(segment, {})
        counts[text] = counts.get(text, 0) + messages
        return self.sends.setdefault(experiment, {}).setdefault(segment, {}).setdefault(text, seen)

    def close_day(self) -> None:
        """Makes the day's messages part of what people know."""
        for segment, counts in self.today.items():
            known = self.before.setdefault(segment, {})
            for text, messages in counts.items():
                known[text] = known.get(text, 0) + messages
        self.today = {}
