"""What really makes people click: the hidden law that the world obeys and that only its truth may state."""

import math
from collections.abc import Callable, Iterable

from orchestration.errors import Refusal
from orchestration.sandbox.chance import Chance
from orchestration.sandbox.preset import Preset

Extract = Callable[[str], frozenset[str]]


class Response:
    """The click law of one world: base rate x tags x wording x send, in logarithms.

    Args:
        extract: Tags of a text; the product's taxonomy unless given.
    """

    def __init__(self, preset: Preset, chance: Chance, extract: Extract | None = None) -> None:
        self._preset, self._chance = preset, chance
        self._extract = extract or _taxonomy()
        self._tags: dict[str, frozenset[str]] = {}
        self._wording: dict[str, float] = {}

    def tags(self, text: str) -> frozenset[str]:
        """Tags of a text."""
        if text not in self._tags:
            self._tags[text] = self._extract(text)
        return self._tags[text]

    def effect(self, tag: str, segment: str) -> float:
        """Log effect of a tag on the click rate in a segment; 0 for a tag the preset does not name.

        Raises:
            Refusal: if the world has no such segment.
        """
        self._base(segment)
        effect = self._preset.effects.get(tag, 0.0)
        return math.log1p(effect.get(segment, 0.0) if isinstance(effect, dict) else effect)

    def rate(self, text: str, segment: str, *, send: str | None = None, seen: float = 0.0) -> float:
        """Chance of a click of an average person.

        Args:
            send: Experiment whose common noise applies; None for none.
            seen: Share of the segment that met the text before this day; a familiar wording loses effect, good or bad.
        """
        wording = sum(self.effect(tag, segment) for tag in self.tags(text)) + self._noise_of_wording(text)
        wording *= 1 - self._preset.noise.novelty_lost * min(1.0, seen)
        return min(0.95, self._base(segment) * math.exp(wording + (self._noise_of_send(send) if send else 0.0)))

    def rate_with(self, tags: Iterable[str], segment: str) -> float:
        """Chance of a click of a new text that shows exactly these tags and is worded neither well nor badly."""
        return min(0.95, self._base(segment) * math.exp(sum(self.effect(tag, segment) for tag in tags)))

    def noise(self, text: str, send: str | None) -> float:
        """Log change of a rate that is owed to no tag: to the wording, and to the send where there is one."""
        return self._noise_of_wording(text) + (self._noise_of_send(send) if send else 0.0)

    def annoyance(self, text: str) -> float:
        """Log growth of the chance to unsubscribe or complain that the text brings about."""
        return sum(growth for tag, growth in self._preset.annoyance.tags.items() if tag in self.tags(text))

    def _base(self, segment: str) -> float:
        if segment not in self._preset.segments:
            known = ", ".join(self._preset.segments)
            raise Refusal(
                f"segment {segment}", f"is unknown to the world {self._preset.preset}", f"Use one of {known}."
            )
        return self._preset.segments[segment].click_rate

    def _noise_of_wording(self, text: str) -> float:
        if text not in self._wording:
            draw = self._chance.normal(self._chance.of_names([text]), "wording")[0]
            self._wording[text] = float(draw) * self._preset.noise.creative
        return self._wording[text]

    def _noise_of_send(self, send: str) -> float:
        return float(self._chance.normal(self._chance.of_names([send]), "send")[0]) * self._preset.noise.send


def _taxonomy() -> Extract:
    from orchestration.learn.taxonomy import Taxonomy  # only worlds without their own extractor need it

    return Taxonomy.load().extract
