"""The offline writer: one sentence for each learning, from a template and the warehouse's phrases alone."""

from dataclasses import asdict, dataclass
from functools import cache

from orchestration.edges.prompts import Prompt
from orchestration.learn.phrases import Describer, Phrases, phrases_of
from orchestration.programs.definition import Program
from orchestration.records import Learning


@dataclass(frozen=True, slots=True)
class OfflineWriter:
    """Writes without a model; the same learning gives the same sentence."""

    program: Program
    describer: Describer

    def phrases(self, learning: Learning) -> Phrases:
        """What sentences about a learning are made of."""
        return phrases_of(learning, self.program, self.describer)

    def sentence(self, learning: Learning) -> str:
        """One learning in words."""
        phrases = self.phrases(learning)
        parts = {name: value for name, value in asdict(phrases).items() if name != "direction"}
        status = learning.status
        if status == "active" and not phrases.claim:
            status = "candidate"  # without an estimate there is nothing to claim
        return _template().render(status=status, reason=learning.reason or "nothing is known", **parts)


@cache
def _template() -> Prompt:
    return Prompt.load("learning_sentence")
