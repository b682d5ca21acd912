"""What screening saw in each creative of a cycle, as the ledger keeps it and policy judges it."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from orchestration.generate.content import rules_version
from orchestration.generate.creatives import PlannedCreative
from orchestration.generate.elements import text_before
from orchestration.generate.library import Library
from orchestration.generate.screening import Fact, Screen, Written
from orchestration.learn.policy import policy
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Program


def facts_by_creative(
    program: Program, written: Sequence[PlannedCreative], taxonomy: Taxonomy, past: Iterable[str]
) -> dict[str, dict[str, Fact]]:
    """Creative -> its facts, in the names and types that rules of screening and approval ask for.

    Args:
        past: Texts of earlier cycles. A text that is sent again on purpose repeats none of them.
    """
    before = sorted({text_before(text, program.elements) for text in past})
    screen = Screen(program, taxonomy, Library(before, policy()["near_duplicate_similarity"]))
    facts = {}
    for creative in written:
        draft = creative.draft
        text = Written(
            draft.request,
            draft.text,
            draft.generator,
            is_fallback=draft.is_fallback,
            cost_usd=draft.usage.cost_usd,
            # What the endpoint flagged never became a creative.
            moderation=[] if program.model.moderation and draft.generator == "openai" else None,
        )
        facts[creative.creative_id] = screen.facts(text)
        if draft.generator in {"program", "proven"}:
            facts[creative.creative_id]["near_duplicate_of"] = None
    return facts


def fact_rows(facts: dict[str, dict[str, Fact]], taxonomy: Taxonomy, now: dt.datetime) -> list[dict[str, Any]]:
    """Rows of ``ledger.creative_facts``."""
    version = hashlib.sha256(f"{rules_version()}/{taxonomy.version}".encode()).hexdigest()
    return [
        {
            "creative_id": creative_id,
            "facts": json.dumps(found, sort_keys=True),
            "rules_version": version,
            "recorded_at": now,
        }
        for creative_id, found in facts.items()
    ]
