"""Approval: what the rules let through, what waits, and what becomes of a rejected creative before its send is launched."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestration.deploy.channels import HandoverFiles
from orchestration.deploy.experiments import Launch, launch_cycle
from orchestration.edges.model_api import ModelApi
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.generate.approval import approval_rows, decide, facts_of, judged, rejections, waiting
from orchestration.generate.creatives import PlannedCreative
from orchestration.generate.cycle import generate_cycle
from orchestration.generate.design import PlannedArm
from orchestration.generate.generators import OfflineGenerator
from orchestration.generate.openai_generator import OpenAIGenerator
from orchestration.learn.taxonomy import Taxonomy
from orchestration.policy.expressions import plain
from orchestration.policy.facts import CREATIVE
from orchestration.policy.rules import Rules
from orchestration.programs.definition import FOLDER, Model, Program, read_program
from orchestration.records import Brief, CreativeRequest, Draft, Rejection, Usage
from tests.fakes.model_server import completion, model_server

TAXONOMY = Taxonomy.load()
NOW = dt.datetime.fromisoformat("2026-01-05T05:00:00")
CYCLE = 202602
RULES = Rules.load()
SHIPPED = read_program(FOLDER / "subject_lines.yaml")
PROGRAM = SHIPPED.model_copy(
    update={
        "segments": ["new", "regular"],
        "experiments": SHIPPED.experiments.model_copy(update={"sends_per_cycle": 1}),
    }
)


class Writer:
    """The offline generator, that remembers what it was asked; ``marks`` its drafts as stand-ins if asked to."""

    def __init__(self, *, is_fallback: bool = False) -> None:
        self._offline = OfflineGenerator(TAXONOMY, tuple(PROGRAM.tags), 1)
        self._is_fallback = is_fallback
        self.asked: list[tuple[CreativeRequest, Brief]] = []

    def write(self, requests: Any, brief: Brief, *, voice: str, avoid: frozenset[str]) -> list[Draft]:
        self.asked += [(request, brief) for request in requests]
        drafts = self._offline.write(requests, brief, voice=voice, avoid=avoid)
        return [replace(draft, is_fallback=self._is_fallback) for draft in drafts]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    """Held open: opening the file anew for every question would take longer than the questions."""
    made = Warehouse(tmp_path)
    made.migrate()
    with made.connect() as connection:
        connection.execute(
            """
            create schema marts;
            create table marts.tag_posteriors (program varchar, metric varchar, segment varchar, tag varchar, cycle bigint,
                posterior_mean double, posterior_sd double, experiments bigint);
            create table marts.program_audience as
            select 'subject_lines' as program, 'u' || range as user_id, ['new', 'regular'][range % 2 + 1] as segment from range(2000)
            """
        )
        yield made


def generate(
    warehouse: Warehouse, program: Program = PROGRAM, writer: Writer | None = None, hours: int = 0, cycle: int = CYCLE
) -> list[dict[str, Any]]:
    briefs = {segment: Brief(program.program, cycle, segment, (), (), ()) for segment in program.segments}
    now = NOW + dt.timedelta(hours=hours)
    return generate_cycle(warehouse, program, cycle, briefs, writer or Writer(), TAXONOMY, seed=1, now=now, rules=RULES)  # type: ignore[return-value]


def launch(warehouse: Warehouse) -> list[Launch]:
    channel = HandoverFiles(warehouse.folder / "outbox")
    return launch_cycle(warehouse, PROGRAM, CYCLE, NOW.date(), channel, NOW, rules=RULES)


def slots(warehouse: Warehouse) -> list[dict[str, Any]]:
    return warehouse.rows(
        """
        select plans.*, creatives.text, creatives.tags_asked, tags.tags
        from ledger.current_plans as plans join ledger.creatives as creatives using (creative_id)
        left join (select creative_id, list_sort(list(tag)) as tags from ledger.creative_tags where source = 'extractor' group by all)
            as tags using (creative_id)
        order by plans.segment, plans.arm_number
        """
    )


def reject(warehouse: Warehouse, slot: dict[str, Any], hours: int = 1) -> None:
    at = NOW + dt.timedelta(hours=hours)
    decide(warehouse, slot["creative_id"], "rejected", "anna", "sounds like a fairground", at, code="off_tone")


def test_only_the_baseline_passes_unread_unless_the_program_says_so(warehouse: Warehouse) -> None:
    rows = generate(warehouse)
    assert {(row["role"], row["decision"]) for row in rows} == {
        ("baseline", "approved"), ("exploit", "waiting"), ("explore", "waiting"), ("control", "waiting"),
    }  # fmt: skip
    queue = waiting(warehouse)
    assert len(queue) == sum(row["decision"] == "waiting" for row in rows)
    assert {row["waits_because"] for row in queue} == {"default: no rule allows it"}
    judged = warehouse.rows(
        "select rule, rules_version, count(*) as n from ledger.judgements where stage = 'approval' group by all order by rule"
    )
    assert {row["rules_version"] for row in judged} == {RULES.version}
    assert [(row["rule"], row["n"]) for row in judged] == [("default", len(queue)), ("own_text", 2)]
    assert launch(warehouse) == []
    decide(warehouse, "all", "approved", "anna", "read them", NOW, program=PROGRAM.program)
    assert launch(warehouse)[0].people == 2000


def test_a_stand_in_is_read_even_where_approval_is_automatic(warehouse: Warehouse) -> None:
    automatic = PROGRAM.model_copy(update={"approval": "automatic"})
    generate(warehouse, automatic, Writer(is_fallback=True))
    assert {row["waits_because"] for row in waiting(warehouse)} == {
        "stand_in: the offline generator stood in for the configured one"
    }
    assert {row["role"] for row in waiting(warehouse)} == {"exploit", "explore", "control"}


@pytest.mark.parametrize("role", ["exploit", "explore", "control"])
def test_a_rejected_creative_is_written_anew_for_its_slot(warehouse: Warehouse, role: str) -> None:
    generate(warehouse)
    before = slots(warehouse)
    gone = next(slot for slot in before if slot["role"] == role)
    reject(warehouse, gone)
    writer = Writer()
    generate(warehouse, writer=writer, hours=2)
    after = slots(warehouse)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old["creative_id"] != new["creative_id"]]
    ((old, new),) = changed
    assert (old["creative_id"], new["revision"]) == (gone["creative_id"], 1)
    assert new["text"] not in {slot["text"] for slot in before}
    assert (new["tags_asked"], new["planned_share"], new["flipped_tag"]) == tuple(
        old[key] for key in ("tags_asked", "planned_share", "flipped_tag")
    )
    assert [tag for tag in new["tags"] or [] if tag in PROGRAM.tags] == sorted(new["tags_asked"])
    ((request, brief),) = writer.asked
    assert brief.rejected == (Rejection(gone["text"], "off_tone", "sounds like a fairground"),)
    if role == "explore":
        assert request.twin_of == next(slot["text"] for slot in after if slot["role"] == "exploit")
    decide(warehouse, "all", "approved", "anna", "better", NOW + dt.timedelta(hours=3))
    launched = launch(warehouse)
    assert launched[0].people == 2000
    assert gone["creative_id"] not in {
        row["creative_id"] for row in warehouse.rows("select creative_id from ledger.sends")
    }
    assert generate(warehouse, hours=4) == generate(warehouse, hours=5)


def test_a_slot_that_is_rejected_again_and_again_is_dropped_and_the_shares_are_stated_before_the_launch(
    warehouse: Warehouse,
) -> None:
    generate(warehouse)
    first = slots(warehouse)
    for attempt in range(3):  # the first text and two rewrites
        reject(
            warehouse,
            next(slot for slot in slots(warehouse) if slot["segment"] == "new" and slot["arm_number"] == 2),
            attempt,
        )
        generate(warehouse, hours=attempt)
    now = slots(warehouse)
    (empty,) = (slot for slot in now if slot["planned_share"] == 0)
    assert (empty["segment"], empty["arm_number"]) == ("new", 2)
    lost = next(slot for slot in first if (slot["segment"], slot["arm_number"]) == ("new", 2))["planned_share"]
    for old, new in zip(first, now, strict=True):
        if new is not empty:
            assert new["planned_share"] == pytest.approx(
                old["planned_share"] / (1 - lost if old["segment"] == "new" else 1)
            )
    decide(warehouse, "all", "approved", "anna", "fine", NOW)
    launch(warehouse)
    arms = warehouse.rows(
        "select segment, count(*) as arms, sum(planned_share) as share from ledger.arms group by all order by all"
    )
    assert [(row["segment"], row["arms"]) for row in arms] == [
        ("new", len(first) // 2),
        ("regular", len(first) // 2 + 1),
    ]
    assert all(row["share"] == pytest.approx(1) for row in arms)


def test_a_segment_with_nothing_left_to_compare_is_left_out(warehouse: Warehouse) -> None:
    generate(warehouse)
    for attempt in range(3):
        for slot in slots(warehouse):
            if slot["segment"] == "new" and slot["role"] != "baseline":
                reject(warehouse, slot, attempt)
        generate(warehouse, hours=attempt)
    decide(warehouse, "all", "approved", "anna", "fine", NOW)
    assert launch(warehouse)[0].people == 1000
    assert warehouse.rows("select distinct segment from ledger.assignments") == [{"segment": "regular"}]


class Hostile(Writer):
    """Writes honestly but for slots of one role, for which it says what its script has next, and lies about what it was asked for."""

    def __init__(self, role: str, *script: str) -> None:
        super().__init__()
        self._role, self._script = role, list(script)

    def write(self, requests: Any, brief: Brief, *, voice: str, avoid: frozenset[str]) -> list[Draft]:
        drafts = super().write(requests, brief, voice=voice, avoid=avoid)
        return [self._spoilt(draft) if draft.request.role == self._role else draft for draft in drafts]

    def _spoilt(self, draft: Draft) -> Draft:
        if not self._script:
            return draft
        text = self._script.pop(0)
        lied = TAXONOMY.extract(text) & set(PROGRAM.tags)
        return replace(draft, text=text, tags=lied, request=replace(draft.request, tags=lied), generator="openai")


def judged_of(warehouse: Warehouse, text: str) -> dict[str, tuple[str, str]]:
    """What was recorded of a text: stage -> decision and rule; every row names the version of the rules."""
    rows = warehouse.rows(
        """
        select judgements.stage, judgements.decision, judgements.rule, judgements.rules_version, sets.version
        from ledger.judgements as judgements
        join ledger.creatives as creatives on judgements.subject = creatives.creative_id
        left join ledger.rule_sets as sets on judgements.rules_version = sets.version
        where creatives.text = ?
        """,
        [text],
    )
    assert {row["rules_version"] for row in rows} == {row["version"] for row in rows} == {RULES.version}
    return {row["stage"]: (row["decision"], row["rule"]) for row in rows}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Guaranteed results with our risk-free mugs", "banned_claim"),
        ("Write to anna.b@shop.com for mugs", "personal_data"),
        ("As an AI, I write about mugs in JSON", "leakage"),
        ("Mugs at https://shop.example today", "unexpected_link"),
        ("Only 3 mugs are left for 5 pounds each", "banned_claim"),
        ("An urgent and surprising secret, is it? " + "Mugs " * 20, "too_long"),
    ],
)
def test_a_text_for_a_refilled_slot_is_screened_and_judged_as_the_first_one_was(
    warehouse: Warehouse, text: str, rule: str
) -> None:
    generate(warehouse)
    gone = next(slot for slot in slots(warehouse) if slot["role"] == "exploit")
    reject(warehouse, gone)
    generate(warehouse, PROGRAM.model_copy(update={"approval": "automatic"}), Hostile("exploit", text), hours=2)
    assert judged_of(warehouse, text)["screening"] == ("block", rule)
    (row,) = warehouse.rows(
        "select facts, rules_version from ledger.creative_facts join ledger.creatives using (creative_id) where text = ?",
        [text],
    )
    assert row["rules_version"]
    facts = json.loads(row["facts"])
    assert (facts["text"], facts["role"], facts["generator"]) == (text, "exploit", "openai")
    now = next(slot for slot in slots(warehouse) if slot["role"] == "exploit")
    assert now["text"] not in {text, gone["text"]}, "what was blocked was replaced in its turn"
    assert judged_of(warehouse, now["text"])["screening"] == ("allow", "nothing_found")
    assert sorted(now["tags_asked"]) == sorted(gone["tags_asked"])


@pytest.mark.parametrize("role", ["exploit", "explore", "control"])
def test_a_rejected_text_in_another_dress_is_a_repeat(warehouse: Warehouse, role: str) -> None:
    generate(warehouse)
    gone = next(slot for slot in slots(warehouse) if slot["role"] == role)
    reject(warehouse, gone)
    dressed = f"{gone['text'].upper()}!"
    generate(warehouse, PROGRAM.model_copy(update={"approval": "automatic"}), Hostile(role, dressed), hours=2)
    assert judged_of(warehouse, dressed)["screening"][0] == "block"
    (row,) = warehouse.rows(
        "select facts from ledger.creative_facts join ledger.creatives using (creative_id) where text = ?", [dressed]
    )
    assert json.loads(row["facts"])["near_duplicate_of"] == gone["text"]


def test_tags_that_a_writer_claims_of_itself_do_not_count(warehouse: Warehouse) -> None:
    generate(warehouse)
    gone = next(slot for slot in slots(warehouse) if slot["role"] == "control")
    reject(warehouse, gone)
    other = "Is the last mug gone? Hurry" if "urgency" not in gone["tags_asked"] else "Mugs made in Devon by hand"
    generate(warehouse, writer=Hostile("control", other), hours=2)
    assert judged_of(warehouse, other)["screening"] == ("block", "other_tags")


def test_a_writer_that_never_obeys_loses_the_slot_and_holds_nobody_back(warehouse: Warehouse) -> None:
    generate(warehouse)
    gone = next(slot for slot in slots(warehouse) if slot["role"] == "control")
    reject(warehouse, gone)
    script = [f"Guaranteed results, mug of {place}" for place in ("Devon", "Kent", "Wales", "York")]
    generate(warehouse, writer=Hostile("control", *script), hours=2)
    (empty,) = (slot for slot in slots(warehouse) if slot["planned_share"] == 0)
    assert (empty["segment"], empty["arm_number"]) == (gone["segment"], gone["arm_number"])
    assert all(judged_of(warehouse, text)["screening"] == ("block", "banned_claim") for text in script[:2])
    decide(warehouse, "all", "approved", "anna", "fine", NOW + dt.timedelta(hours=3))
    assert launch(warehouse)[0].people == 2000


def test_a_writer_that_repeats_itself_word_for_word_has_no_other_text(warehouse: Warehouse) -> None:
    generate(warehouse)
    gone = next(slot for slot in slots(warehouse) if slot["role"] == "control")
    reject(warehouse, gone)
    generate(warehouse, writer=Hostile("control", gone["text"]), hours=2)
    assert [slot["creative_id"] for slot in slots(warehouse) if slot["planned_share"] == 0] == [gone["creative_id"]]
    assert warehouse.rows("select count(*) as n from ledger.creatives where text = ?", [gone["text"]]) == [{"n": 1}]


def test_a_refilled_slot_takes_the_candidate_that_the_ranker_chooses(warehouse: Warehouse) -> None:
    class Last:
        """Ranks what came last first."""

        def best(self, texts: Any, segment: str) -> int:
            return len(texts) - 1

    generate(warehouse)
    gone = next(slot for slot in slots(warehouse) if slot["role"] == "exploit")
    reject(warehouse, gone)
    tags = frozenset(gone["tags_asked"])
    request = CreativeRequest(PROGRAM.program, CYCLE, gone["segment"], "exploit", 9, tags)
    offline = OfflineGenerator(TAXONOMY, tuple(PROGRAM.tags), 99)
    taken = frozenset(slot["text"] for slot in slots(warehouse))
    brief = Brief(PROGRAM.program, CYCLE, gone["segment"], (), (), ())
    candidates = [draft.text for draft in offline.write([request] * 3, brief, voice="", avoid=taken)]
    informed = PROGRAM.model_copy(update={"facts": candidates})  # so that a figure in them is no invention
    answer = completion(json.dumps({"lines": [{"slot": 0, "text": text} for text in candidates]}))
    with model_server([answer]) as server:
        model = Model(generator="openai", name="fake-1", base_url=server.base_url)
        writer = OpenAIGenerator(ModelApi(None, model), informed, TAXONOMY, offline, ranker=Last())  # type: ignore[arg-type]
        generate(warehouse, informed, writer, hours=2)  # type: ignore[arg-type]
    now = next(slot for slot in slots(warehouse) if slot["role"] == "exploit")
    assert now["text"] == candidates[-1]


def test_a_launched_plan_is_never_revised(warehouse: Warehouse) -> None:
    generate(warehouse)
    decide(warehouse, "all", "approved", "anna", "fine", NOW)
    launch(warehouse)
    before = slots(warehouse)
    for slot in before:
        with pytest.raises(Refusal, match="is being sent already"):
            reject(warehouse, slot)
    generate(warehouse, hours=2)
    assert slots(warehouse) == before


def test_rejections_are_told_to_every_later_writer_the_controls_too_and_are_no_learning(warehouse: Warehouse) -> None:
    generate(warehouse)
    gone = next(slot for slot in slots(warehouse) if slot["role"] == "exploit")
    reject(warehouse, gone)
    writer = Writer()
    generate(warehouse, writer=writer, hours=2, cycle=CYCLE + 1)
    assert {request.role for request, brief in writer.asked if brief.rejected} == {"exploit", "explore", "control"}
    assert all(brief.known == () for _, brief in writer.asked)
    assert [row.text for row in rejections(warehouse, PROGRAM.program)] == [gone["text"]]
    used = warehouse.rows("select list_distinct(flatten(list(learnings_used))) as used from ledger.creatives")
    assert used == [{"used": []}]


@pytest.mark.parametrize(
    ("creative", "decision", "code", "told"),
    [
        ("baseline", "rejected", None, "is its program's own text"),
        ("exploit", "rejected", "ugly", "reason code ugly -> is unknown. Choose one of off_tone, untrue"),
        ("nonsense", "approved", None, "is not a creative of this warehouse"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    warehouse: Warehouse, creative: str, decision: str, code: str | None, told: str
) -> None:
    generate(warehouse)
    ids = {slot["role"]: slot["creative_id"] for slot in slots(warehouse)}
    with pytest.raises(Refusal, match=told):
        decide(warehouse, ids.get(creative, creative), decision, "anna", "no", NOW, code=code)


@pytest.mark.parametrize(
    ("found", "approval", "decision"),
    [
        ({}, "automatic", "approved"),
        ({"banned_claims": ["risk free"]}, "automatic", "rejected"),
        ({"reading_level": 15.0}, "automatic", None),
        ({}, "required", None),
        ({"banned_claims": ["risk free"]}, "required", "rejected"),
    ],
)
def test_the_strictest_of_screening_and_approval_decides(
    found: dict[str, Any], approval: str, decision: str | None
) -> None:
    request = CreativeRequest(PROGRAM.program, CYCLE, "new", "explore", 1, frozenset())
    draft = Draft(request, "A cup", frozenset(), "offline", None, None, None, None, Usage(0, 0, 0.0))
    creative = PlannedCreative("c1", 1, "new", PlannedArm("explore", frozenset(), 0.1), draft)
    screened = {"c1": plain(CREATIVE) | facts_of(PROGRAM, creative) | {"approval": approval} | found}
    program = PROGRAM.model_copy(update={"approval": approval})
    judgements = judged(program, [creative], RULES, screened)
    assert [one.judgement.stage for one in judgements] == ["screening", "approval"]
    assert [row["decision"] for row in approval_rows(judgements, NOW)] == ([decision] if decision else [])
