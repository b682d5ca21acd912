"""The generator that asks a model: its lines are checked, and what it cannot write the offline one does."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from orchestration.edges.model_api import ModelApi
from orchestration.edges.prompts import Prompt
from orchestration.generate.generators import Generator
from orchestration.generate.grammar import LONGEST
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Model
from orchestration.records import Brief, CreativeRequest, Draft, ModelCall, Usage

PURPOSE = "subject_line"
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"slot": {"type": "integer"}, "text": {"type": "string"}},
                "required": ["slot", "text"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["lines"],
    "additionalProperties": False,
}
SHORTEST = 10
_TOKENS_PER_LINE, _TOKENS_AROUND = 80, 200
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class _Rejected:
    slot: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Task:
    requests: Sequence[CreativeRequest]
    brief: Brief
    voice: str
    avoid: frozenset[str]


class OpenAIGenerator:
    """Writes with a model behind an OpenAI-compatible endpoint.

    A line counts only if the taxonomy reads exactly the asked tags in it, its length fits and it is new. What fails is
    asked for once more with the reason, and then written by the fallback.

    Args:
        api: Asks within its budget.
        model: What the program says about the model.
        taxonomy: Reads which tags a text has.
        steerable: Tags that requests ask for or exclude.
        fallback: Writes what the model could not; its drafts are marked.
        record: Called with each call's usage before the answer is used.
        prompt: ``subject_line``, unless another with the same inputs is tried.
    """

    name = "openai"

    def __init__(
        self,
        api: ModelApi,
        model: Model,
        taxonomy: Taxonomy,
        steerable: tuple[str, ...],
        fallback: Generator,
        record: Callable[[ModelCall], None],
        prompt: Prompt | None = None,
    ) -> None:
        self._api, self._model_name, self._taxonomy, self._steerable = api, model.name, taxonomy, steerable
        self._fallback, self._record, self._prompt = fallback, record, prompt or Prompt.load("subject_line")

    def write(
        self, requests: Sequence[CreativeRequest], brief: Brief, *, voice: str, avoid: frozenset[str]
    ) -> list[Draft]:
        """Writes one draft for each request, in their order.

        Raises:
            Refusal: if the fallback cannot write what the model could not.
        """
        task = _Task(requests, brief, voice, avoid)
        drafts: dict[int, Draft] = {}
        rejected: list[_Rejected] = []
        for _ in range(_ROUNDS):
            left = [slot for slot in range(len(requests)) if slot not in drafts]
            may_help = bool(left) and self._round(task, left, drafts, rejected)
            if not may_help:
                break
        left = [slot for slot in range(len(requests)) if slot not in drafts]
        taken = avoid | {draft.text for draft in drafts.values()}
        remaining = [requests[slot] for slot in left]
        stand_ins = self._fallback.write(remaining, brief, voice=voice, avoid=taken) if left else []
        drafts |= {slot: replace(draft, is_fallback=True) for slot, draft in zip(left, stand_ins, strict=True)}
        return [drafts[slot] for slot in range(len(requests))]

    def _round(self, task: _Task, slots: list[int], drafts: dict[int, Draft], rejected: list[_Rejected]) -> bool:
        """Asks for some slots; adds to ``drafts`` what is accepted and to ``rejected`` what is not.

        Returns:
            Whether asking for the others again may help.
        """
        rendered = self._rendered(task, slots, rejected)
        answer = self._api.ask(
            rendered,
            purpose=PURPOSE,
            prompt_hash=self._prompt.hash,
            schema=SCHEMA,
            most_tokens=_TOKENS_AROUND + _TOKENS_PER_LINE * len(slots),
            record=self._record,
        )
        if answer.content is None:
            return answer.status in {"truncated", "invalid"}
        texts: dict[int, str] = {}
        used = {*task.avoid, *(draft.text for draft in drafts.values())}
        for slot, text in _lines(answer.content):
            if slot not in slots or slot in texts:
                continue
            fault = self._fault(text, task.requests[slot].tags, used)
            if fault:
                rejected.append(_Rejected(slot, text, fault))
            else:
                texts[slot] = text
                used.add(text)
        for (slot, text), usage in zip(texts.items(), _shared(answer.usage, len(texts)), strict=True):
            drafts[slot] = Draft(
                request=task.requests[slot],
                text=text,
                tags=task.requests[slot].tags,
                generator=self.name,
                model=self._model_name,
                prompt_name=self._prompt.name,
                prompt_hash=self._prompt.hash,
                rendered_prompt=rendered,
                usage=usage,
            )
        return True

    def _rendered(self, task: _Task, slots: list[int], rejected: list[_Rejected]) -> str:
        requests, brief = task.requests, task.brief
        asked = [
            {
                "slot": slot,
                "has": sorted(requests[slot].tags),
                "has_not": [tag for tag in self._steerable if tag not in requests[slot].tags],
                "twin_of": requests[slot].twin_of,
            }
            for slot in slots
        ]
        findings = [
            f"{learning.tag} {'raises' if learning.effect > 0 else 'lowers'} the {learning.metric} rate"
            for learning in brief.known
            if learning.effect
        ]
        return self._prompt.render(
            voice=task.voice or "Friendly and plain.",
            segment=brief.segment,
            meanings=[(tag, self._taxonomy.describe(tag)) for tag in self._steerable],
            known=findings,
            doubtful=sorted({learning.tag for learning in brief.doubtful}),
            slots=asked,
            longest=LONGEST,
            rejected=[line for line in rejected if line.slot in slots],
            turned_down=brief.rejected,
        )

    def _fault(self, text: str, tags: frozenset[str], used: Iterable[str]) -> str | None:
        """Why a line cannot be taken, in words that help to write a better one; None if it can."""
        if not text.isprintable() or not SHORTEST <= len(text) <= LONGEST:
            return f"needs {SHORTEST} to {LONGEST} printable characters on one line"
        if text in used:
            return "was used before"
        found = self._taxonomy.extract(text) & frozenset(self._steerable)
        lacks, has = ", ".join(sorted(tags - found)), ", ".join(sorted(found - tags))
        return (
            " and ".join(part for part in (lacks and f"lacks {lacks}", has and f"must not have {has}") if part) or None
        )


def _lines(content: dict[str, Any]) -> list[tuple[int, str]]:
    """Slots and texts of an answer; anything of another shape is passed over, for weak servers ignore the schema."""
    lines = content.get("lines")
    return [
        (line["slot"], line["text"].strip())
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, dict) and isinstance(line.get("slot"), int) and isinstance(line.get("text"), str)
    ]


def _shared(usage: Usage, drafts: int) -> list[Usage]:
    """A call's usage over the drafts it yielded, so that their sum is the call's."""

    def part(total: int | None, number: int) -> int | None:
        return None if total is None else total // drafts + (number < total % drafts)

    cost = None if usage.cost_usd is None or not drafts else usage.cost_usd / drafts
    return [
        Usage(part(usage.input_tokens, number), part(usage.output_tokens, number), cost) for number in range(drafts)
    ]
