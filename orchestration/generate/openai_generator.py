"""The generator that asks a model: its lines are screened and ranked, and what it cannot write the offline one does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from orchestration.edges.model_api import Asks
from orchestration.edges.prompts import Prompt
from orchestration.generate.generators import Generator
from orchestration.generate.library import Library, likeness
from orchestration.generate.ranking import Ranker
from orchestration.generate.screening import Screen, Written
from orchestration.learn.policy import policy
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Program
from orchestration.records import Brief, CreativeRequest, Draft, Usage

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
_TOKENS_PER_CHARACTER, _TOKENS_PER_LINE, _TOKENS_AROUND = 0.6, 30, 200
_ROUNDS = 2
_REJECTED_TOLD = 20  # lines; more would drown the task

Moderate = Callable[[Sequence[str]], list[list[str]]]


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
    screen: Screen
    drafts: dict[int, Draft] = field(default_factory=dict)
    rejected: list[_Rejected] = field(default_factory=list)

    @property
    def left(self) -> list[int]:
        """Slots that nothing was accepted for."""
        return [slot for slot in range(len(self.requests)) if slot not in self.drafts]


class OpenAIGenerator:
    """Writes with a model behind an OpenAI-compatible endpoint.

    Several candidates are asked for each slot. One counts only if screening finds nothing against it: exactly the asked tags, the
    channel's limits, no figure the program does not state, nothing near a past text. What is informed by learnings is taken
    by the ranker's draw, a twin by its likeness, and the control arm's text as it comes. Slots left empty are asked for once more
    with the reasons, and then written by the fallback.

    Args:
        api: Asks within its budget.
        program: What is written, for which channel, with which facts.
        taxonomy: Reads which tags a text has.
        fallback: Writes what the model could not; its drafts are marked.
        ranker: None takes candidates as they come.
        moderate: Texts -> categories an endpoint flagged in each; None where none is configured.
        prompt: ``subject_line``, unless another with the same inputs is tried.
    """

    name = "openai"

    def __init__(
        self,
        api: Asks,
        program: Program,
        taxonomy: Taxonomy,
        fallback: Generator,
        *,
        ranker: Ranker | None = None,
        moderate: Moderate | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self._api, self._program, self._taxonomy, self._fallback = api, program, taxonomy, fallback
        self._ranker, self._moderate = ranker, moderate
        self._prompt = prompt or Prompt.load("subject_line")

    def write(
        self, requests: Sequence[CreativeRequest], brief: Brief, *, voice: str, avoid: frozenset[str]
    ) -> list[Draft]:
        """Writes one draft for each request, in their order.

        Raises:
            Refusal: if the fallback cannot write what the model could not.
        """
        library = Library(sorted(avoid), policy()["near_duplicate_similarity"])
        task = _Task(requests, brief, voice, avoid, Screen(self._program, self._taxonomy, library))
        for _ in range(_ROUNDS):
            if not task.left or not self._round(task):
                break
        left = task.left
        taken = avoid | {draft.text for draft in task.drafts.values()}
        remaining = [requests[slot] for slot in left]
        stand_ins = self._fallback.write(remaining, brief, voice=voice, avoid=taken) if left else []
        drafts = task.drafts | {
            slot: replace(draft, is_fallback=True) for slot, draft in zip(left, stand_ins, strict=True)
        }
        return [drafts[slot] for slot in range(len(requests))]

    def _round(self, task: _Task) -> bool:
        """Asks for the slots that are left; whether asking again for those still left may help."""
        slots, each = task.left, int(policy()["candidates_per_slot"])
        rendered = self._rendered(task, slots, each)
        room = _TOKENS_PER_LINE + _TOKENS_PER_CHARACTER * task.screen.limits.longest
        answer = self._api.ask(
            rendered,
            purpose=PURPOSE,
            prompt_hash=self._prompt.hash,
            schema=SCHEMA,
            most_tokens=round(_TOKENS_AROUND + room * each * len(slots)),
        )
        if answer.content is None:
            return answer.status in {"truncated", "invalid"}
        accepted = self._accepted(task, slots, _lines(answer.content), self._instructions(task))
        chosen: dict[int, str] = {}
        for slot in slots:
            free = [text for text in accepted.get(slot, []) if text not in chosen.values()]
            if free:
                chosen[slot] = free[self._choice(task.requests[slot], free)]
        for (slot, text), usage in zip(chosen.items(), _shared(answer.usage, len(chosen)), strict=True):
            task.drafts[slot] = Draft(
                request=task.requests[slot],
                text=text,
                tags=task.requests[slot].tags,
                generator=self.name,
                model=self._api.name,
                prompt_name=self._prompt.name,
                prompt_hash=self._prompt.hash,
                rendered_prompt=rendered,
                usage=usage,
            )
        return True

    def _accepted(
        self, task: _Task, slots: list[int], lines: list[tuple[int, str]], instructions: str
    ) -> dict[int, list[str]]:
        """Slot -> texts that nothing speaks against; the others are remembered with the reason."""
        asked = [(slot, text) for slot, text in dict.fromkeys(lines) if slot in slots]
        used = task.avoid | {draft.text for draft in task.drafts.values()}
        clean: list[tuple[int, str]] = []
        for slot, text in asked:
            written = Written(task.requests[slot], text, self.name, prompt=instructions)
            fault = "was used before" if text in used else task.screen.fault(task.screen.facts(written))
            if fault:
                task.rejected.append(_Rejected(slot, text, fault))
            else:
                clean.append((slot, text))
        flags = self._moderate([text for _, text in clean]) if self._moderate and clean else [[] for _ in clean]
        accepted: dict[int, list[str]] = {}
        for (slot, text), flagged in zip(clean, flags, strict=True):
            if flagged:
                task.rejected.append(_Rejected(slot, text, f"was flagged for {', '.join(flagged)}"))
            else:
                accepted.setdefault(slot, []).append(text)
        return accepted

    def _choice(self, request: CreativeRequest, texts: list[str]) -> int:
        if request.twin_of is not None:
            alike = [likeness(text, request.twin_of) for text in texts]
            return alike.index(max(alike))
        if self._ranker is None or request.role == "control":  # the control arm must not profit from what was learned
            return 0
        return self._ranker.best(texts, request.segment)

    def _rendered(self, task: _Task, slots: list[int], each: int) -> str:
        asked = [
            {
                "slot": slot,
                "has": sorted(task.requests[slot].tags),
                "has_not": [tag for tag in self._program.text_tags if tag not in task.requests[slot].tags],
                "twin_of": task.requests[slot].twin_of,
            }
            for slot in slots
        ]
        told = [line for line in task.rejected if line.slot in slots][-_REJECTED_TOLD:]
        return self._filled(task, asked, each, told, self._program.facts, task.brief.rejected)

    def _instructions(self, task: _Task) -> str:
        """The prompt without what a good text may share with it."""
        return self._filled(task, [], 1, [], [], ())

    def _filled(
        self, task: _Task, slots: list[Any], each: int, rejected: list[_Rejected], facts: list[str], turned_down: Any
    ) -> str:
        brief, limits, known = task.brief, task.screen.limits, set(self._taxonomy.names)
        findings = [
            f"{learning.tag} {'raises' if learning.effect > 0 else 'lowers'} the {learning.metric} rate"
            for learning in brief.known
            if learning.effect
        ]
        return self._prompt.render(
            kind=limits.kind,
            voice=task.voice or "Friendly and plain.",
            segment=brief.segment,
            meanings=[(tag, self._taxonomy.describe(tag)) for tag in self._program.text_tags if tag in known],
            known=findings,
            doubtful=sorted({learning.tag for learning in brief.doubtful}),
            facts=facts,
            must=self._program.disclosures,
            slots=slots,
            each=each,
            shortest=limits.shortest,
            longest=limits.longest,
            rejected=rejected,
            turned_down=turned_down,
        )


def _lines(content: dict[str, Any]) -> list[tuple[int, str]]:
    """Slots and texts of an answer; a line of any other shape is passed over, for weak servers ignore the schema."""
    lines = content.get("lines") if set(content) == {"lines"} else None
    return [
        (line["slot"], line["text"].strip())
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, dict)
        and set(line) == {"slot", "text"}
        and type(line["slot"]) is int
        and isinstance(line["text"], str)
    ]


def _shared(usage: Usage, drafts: int) -> list[Usage]:
    """A call's usage over the drafts it yielded, so that their sum is the call's."""

    def part(total: int | None, number: int) -> int | None:
        return None if total is None else total // drafts + (number < total % drafts)

    cost = None if usage.cost_usd is None or not drafts else usage.cost_usd / drafts
    return [
        Usage(part(usage.input_tokens, number), part(usage.output_tokens, number), cost) for number in range(drafts)
    ]
