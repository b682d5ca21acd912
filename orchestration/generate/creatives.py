"""From a plan to screened creatives: writes the texts of one cycle and the rows that remember how they came about."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from orchestration.errors import Refusal
from orchestration.generate.design import PlannedArm, focus_tags, plan_arms
from orchestration.generate.generators import Generator
from orchestration.generate.slots import Slot, fill_slots
from orchestration.learn.policy import policy
from orchestration.learn.proven import Proven
from orchestration.learn.reading import Posterior
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Program
from orchestration.records import Brief, CreativeRequest, Draft, Usage


@dataclass(frozen=True, slots=True)
class PlannedCreative:
    """A creative with its place in the cycle.

    Attributes:
        send: Number of the experiment in the cycle, from 1.
    """

    creative_id: str
    send: int
    segment: str
    arm: PlannedArm
    draft: Draft


def seed_of(*parts: object) -> np.random.Generator:
    """A generator of draws that depends on nothing but the named parts."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


def write_cycle(
    program: Program,
    cycle: int,
    briefs: Mapping[str, Brief],
    posteriors: Sequence[Posterior],
    generator: Generator,
    *,
    used: Iterable[str],
    seed: int,
    proven: Proven | None = None,
) -> list[PlannedCreative]:
    """Plans and writes every creative of one cycle.

    Args:
        briefs: One per segment of the program.
        used: Every text of the program's past; none is written again (but the baseline, which never changes).
        seed: With equal inputs the result is equal, byte for byte.
        proven: Texts that may be sent again, once a cycle each; None where the program sends no text twice.

    Raises:
        Refusal: if the generator left a slot empty.
    """
    written: list[PlannedCreative] = []
    avoid, avoid_again = set(used) | {program.baseline}, {program.baseline}
    for send in range(1, program.experiments.sends_per_cycle + 1):
        count = int(policy()["explore_arms"])
        focus = focus_tags(program.tags, posteriors, count, seed_of(seed, program.program, cycle, send, "focus"))
        for segment in program.segments:
            rng = seed_of(seed, program.program, cycle, send, segment)
            again = _again(program, segment, proven, frozenset(avoid_again), rng)
            avoid_again |= {slot.text for slot in again if slot.text is not None}
            arms = plan_arms(program, segment, posteriors, focus, rng, again)
            drafts = _write_segment(program, cycle, segment, arms, briefs[segment], generator, frozenset(avoid))
            avoid |= {draft.text for draft in drafts}
            written += [
                PlannedCreative(creative_id_of(program, cycle, send, segment, number, draft), send, segment, arm, draft)
                for number, (arm, draft) in enumerate(zip(arms, drafts, strict=True))
            ]
    return written


def _again(
    program: Program, segment: str, proven: Proven | None, taken: frozenset[str], rng: np.random.Generator
) -> list[Slot]:
    if proven is None:
        return []
    waiting = [text for text in proven.by_segment.get(segment, ()) if text not in taken]
    return fill_slots(
        proven.beliefs,
        waiting,
        program.experiments.exploit_arms - 1,
        rng,
        width=proven.width,
        particular_variance=proven.particular_variance,
    )


def _write_segment(
    program: Program,
    cycle: int,
    segment: str,
    arms: Sequence[PlannedArm],
    brief: Brief,
    generator: Generator,
    avoid: frozenset[str],
) -> list[Draft]:
    """Writes the exploit arm first: its twins are asked to equal it but for one tag."""
    drafts: dict[int, Draft] = {0: baseline_draft(program, cycle, segment)}
    blind = without_learnings(brief)
    for number, arm in enumerate(arms):
        if arm.text is not None:
            request = CreativeRequest(program.program, cycle, segment, arm.role, number, arm.tags)
            usage = Usage(None, None, None)
            drafts[number] = Draft(request, arm.text, arm.tags, "proven", None, None, None, None, usage)
    groups = {
        "exploit": [number for number, arm in enumerate(arms) if arm.role == "exploit" and arm.text is None],
        "explore": [number for number, arm in enumerate(arms) if arm.role == "explore"],
        "control": [number for number, arm in enumerate(arms) if arm.role == "control"],
    }
    for role, numbers in groups.items():
        if not numbers:
            continue
        twin = drafts[groups["exploit"][0]].text if role == "explore" else None
        requests = [
            CreativeRequest(program.program, cycle, segment, arms[number].role, number, arms[number].tags, twin)
            for number in numbers
        ]
        known = blind if role == "control" else brief
        taken = avoid | {draft.text for draft in drafts.values()}
        answers = generator.write(requests, known, voice=program.voice, avoid=frozenset(taken))
        if len(answers) != len(requests):
            raise Refusal(
                f"generator of {program.program}",
                f"wrote {len(answers)} of {len(requests)} {role} creatives",
                "Check the model's settings, or use the offline generator.",
            )
        drafts |= dict(zip(numbers, answers, strict=True))
    return [drafts[number] for number in range(len(arms))]


def without_learnings(brief: Brief) -> Brief:
    """What the writer of the control arm may know: nothing that was learned, but what was turned down."""
    return replace(brief, known=(), doubtful=(), open=())


def baseline_draft(program: Program, cycle: int, segment: str) -> Draft:
    """The fixed text as a draft, so that it is remembered like any other creative."""
    request = CreativeRequest(program.program, cycle, segment, "baseline", 0, frozenset())
    return Draft(request, program.baseline, frozenset(), "program", None, None, None, None, Usage(None, None, None))


def creative_rows(
    written: Sequence[PlannedCreative], briefs: Mapping[str, Brief], recorded_at: dt.datetime
) -> list[dict[str, Any]]:
    """Rows of ``ledger.creatives``."""
    return [
        {
            "creative_id": creative.creative_id,
            "program": creative.draft.request.program,
            "cycle": creative.draft.request.cycle,
            "segment": creative.segment,
            "role": creative.arm.role,
            "text": creative.draft.text,
            "tags_asked": sorted(creative.draft.request.tags),
            "generator": creative.draft.generator,
            "model": creative.draft.model,
            "prompt_name": creative.draft.prompt_name,
            "prompt_hash": creative.draft.prompt_hash,
            "rendered_prompt": creative.draft.rendered_prompt,
            "learnings_used": [row.evidence_id for row in briefs[creative.segment].known]
            if creative.arm.role in {"exploit", "explore"}
            else [],
            "input_tokens": creative.draft.usage.input_tokens,
            "output_tokens": creative.draft.usage.output_tokens,
            "cost_usd": creative.draft.usage.cost_usd,
            "is_fallback": creative.draft.is_fallback,
            "recorded_at": recorded_at,
        }
        for creative in written
    ]


def tag_rows(
    written: Sequence[PlannedCreative], taxonomy: Taxonomy, elements: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """Rows of ``ledger.creative_tags``: what the extractors find and, apart from it, what the generator says it gave and the elements.

    Args:
        elements: Tags that no text shows; of those the design itself is the source.
    """
    rows = []
    for creative in written:
        given = creative.draft.tags
        sources = {
            "extractor": taxonomy.extract(creative.draft.text) - elements,
            "generator": given - elements,
            "design": given & elements,
        }
        rows += [
            {"creative_id": creative.creative_id, "tag": tag, "source": source, "taxonomy_version": taxonomy.version}
            for source, tags in sources.items()
            for tag in sorted(tags)
        ]
    return rows


def creative_id_of(program: Program, cycle: int, send: int, segment: str, number: int, draft: Draft) -> str:
    """Names a creative's place and its text: a slot that is filled anew gets another id."""
    digest = hashlib.sha256(f"{program.program}/{cycle}/{send}/{segment}/{number}/{draft.text}".encode()).hexdigest()
    return f"{program.program}-{cycle}-{send}-{segment}-{number}-{digest[:8]}"
