"""What passes between stages: frozen records, no behaviour that needs a warehouse, a model or a clock."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["baseline", "exploit", "explore", "control", "holdout"]
Status = Literal["candidate", "active", "contested", "retired"]


@dataclass(frozen=True, slots=True)
class Learning:
    """A row of ``marts.learnings``: a claim with its evidence, as of one cycle.

    Attributes:
        evidence_id: Digest of program, metric, tag, segment and cycle.
        segment: Segment name, or ``"all"`` for the claim pooled over segments.
        effect: Shrunken log rate ratio; ``ci_low`` and ``ci_high`` hold at every look.
        log_e_value: Evidence against "this tag does nothing", natural logarithm.
        expected_value: Absolute effect weighted by the people it reaches; ranks the brief.
    """

    evidence_id: str
    program: str
    cycle: int
    metric: str
    segment: str
    tag: str
    status: Status
    grade: str
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    log_e_value: float
    n_experiments: int
    n_creatives: int
    expected_value: float
    reason: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """A text that was not let through, for the writer to learn from; nothing was measured, so it is no learning.

    Attributes:
        code: Why, in one word that can be counted.
    """

    text: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Brief:
    """What one segment's next creatives may assume.

    Attributes:
        known: Active learnings, most valuable first.
        doubtful: Contested and retired learnings: do not assume them.
        open: Tags worth testing next, most informative first.
        rejected: Texts that were turned down before; everybody who writes is told, the control arm's writer too.
    """

    program: str
    cycle: int
    segment: str
    known: tuple[Learning, ...]
    doubtful: tuple[Learning, ...]
    open: tuple[str, ...]
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class CreativeRequest:
    """One slot to fill: who it is for, and exactly which tags its text must and must not carry.

    Attributes:
        tags: Tags the text must show, of the program's taxonomy; every other steerable tag must be absent.
        twin_of: Text of the creative this one should equal but for the differing tags, or None.
    """

    program: str
    cycle: int
    segment: str
    role: Role
    slot: int
    tags: frozenset[str]
    twin_of: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a model call cost. None where the server does not say."""

    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A generated text and what made it; becomes a row of ``ledger.creatives``.

    Attributes:
        tags: Tags the generator says it gave the text (kept apart from extracted ones).
        is_fallback: The configured generator failed and the offline one stood in.
    """

    request: CreativeRequest
    text: str
    tags: frozenset[str]
    generator: str
    model: str | None
    prompt_name: str | None
    prompt_hash: str | None
    rendered_prompt: str | None
    usage: Usage
    is_fallback: bool = False


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model, recorded before its answer is parsed."""

    purpose: str
    model: str
    prompt_hash: str
    usage: Usage
    status: Literal["ok", "refused", "truncated", "invalid", "failed"]
    detail: str | None = None
