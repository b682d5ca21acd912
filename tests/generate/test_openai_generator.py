"""The model's lines are taken only when they are what was asked; the offline generator writes the rest."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.model_api import ModelApi
from orchestration.edges.model_book import MemoryBook
from orchestration.edges.prompts import Prompt
from orchestration.generate.generators import OfflineGenerator
from orchestration.generate.openai_generator import OpenAIGenerator
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Model, Program, read_program
from orchestration.records import Brief, CreativeRequest, Draft, Learning, ModelCall, Rejection, Usage
from tests.fakes.adversarial import CREATIVE_POISON, Scripted, creative_answers
from tests.fakes.model_server import FAULTS, Reply, completion, error, lines, model_server

TAXONOMY = Taxonomy.load()
STEERABLE = ("question", "second_person", "discount")
PROGRAM = read_program(Path(__file__).parents[2] / "orchestration" / "programs" / "subject_lines.yaml").model_copy(
    update={"program": "p", "tags": list(STEERABLE)}
)
LEARNING = Learning("e1", "p", 1, "click", "new", "question", "active", "B", 0.1, 0.05, 0.2, 9.0, 12, 30, 1.0, "")
BRIEF = Brief("p", 2, "new", known=(LEARNING,), doubtful=(), open=())
PROMPT = Prompt.load("subject_line")
QUESTION, PLAIN, YOURS = "Is this the mug?", "Oak boards for the kitchen", "Linen sheets for your bedroom"
REQUESTS = [
    CreativeRequest("p", 2, "new", "exploit", 0, frozenset({"question"})),
    CreativeRequest("p", 2, "new", "explore", 1, frozenset(), twin_of="Is this the mug?"),
    CreativeRequest("p", 2, "new", "control", 2, frozenset({"second_person"})),
]


class Backwards:
    """A ranker that prefers what comes last in the alphabet, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Sequence[str]] = []

    def best(self, texts: Sequence[str], segment: str) -> int:
        self.shown.append(tuple(texts))
        return texts.index(max(texts))


def write(
    script: Sequence[Reply],
    avoid: frozenset[str] = frozenset(),
    *,
    program: Program = PROGRAM,
    requests: Sequence[CreativeRequest] = REQUESTS,
    brief: Brief = BRIEF,
    **options: Any,
) -> tuple[list[Draft], list[ModelCall], list[str]]:
    """Drafts, recorded calls and prompts of writing with a server that follows a script."""
    book = MemoryBook()
    with model_server(script) as server:
        model = Model(generator="openai", name="fake-1", base_url=server.base_url, usd_per_million_input_tokens=3.0)
        api = ModelApi(None, model, book, timeout_seconds=1.0, wait=lambda _: None)
        offline = OfflineGenerator(TAXONOMY, STEERABLE, seed=1)
        generator = OpenAIGenerator(api, program, TAXONOMY, offline, **options)
        drafts = generator.write(requests, brief, voice="Plain.", avoid=avoid)
    return drafts, book.calls, [request["messages"][0]["content"] for request in server.requests]


def test_good_lines_are_taken_with_all_that_made_them() -> None:
    drafts, calls, prompts = write([lines({0: QUESTION, 1: f" {PLAIN} ", 2: YOURS})])
    assert [draft.text for draft in drafts] == [QUESTION, PLAIN, YOURS]
    assert [draft.request for draft in drafts] == REQUESTS
    first = drafts[0]
    assert (first.generator, first.model, first.is_fallback) == ("openai", "fake-1", False)
    assert first.tags == {"question"}
    assert (first.prompt_name, first.prompt_hash) == ("subject_line", Prompt.load("subject_line").hash)
    assert first.rendered_prompt == prompts[0]
    assert "question raises the click rate" in prompts[0]
    assert "slot 1: has none; has not question, second_person, discount; stay as close as you can to: Is" in prompts[0]
    assert [call.status for call in calls] == ["ok"]


def test_the_cost_of_a_call_is_shared_by_its_drafts() -> None:
    drafts, _, _ = write([lines({0: QUESTION, 1: PLAIN, 2: YOURS})])
    assert [draft.usage for draft in drafts] == [Usage(334, 34, 0.001), Usage(333, 33, 0.001), Usage(333, 33, 0.001)]


def test_what_was_wrong_is_asked_for_once_more_with_the_reason() -> None:
    wrong = {0: "Here is the mug", 1: PLAIN, 2: PLAIN}
    drafts, calls, prompts = write([lines(wrong), lines({0: QUESTION, 2: YOURS})])
    assert [draft.text for draft in drafts] == [QUESTION, PLAIN, YOURS]
    assert not any(draft.is_fallback for draft in drafts)
    assert len(calls) == 2
    assert 'slot 0: "Here is the mug" (lacks question)' in prompts[1]
    assert f'slot 2: "{PLAIN}" (lacks second_person)' in prompts[1]
    assert "- slot 1:" not in prompts[1]


def candidates(texts: Sequence[tuple[int, str]]) -> Reply:
    return completion(json.dumps({"lines": [{"slot": slot, "text": text} for slot, text in texts]}))


def test_of_several_candidates_each_role_takes_its_own() -> None:
    ranker = Backwards()
    asked = [
        (0, "Is the jug blue?"), (0, "What makes a jug?"), (0, "Are jugs back?"),
        (1, "Our jugs are blue"), (1, "This is the mug"), (1, "Wool throws"),
        (2, "A jug for your table"), (2, "Your shelf and its jugs"),
    ]  # fmt: skip
    drafts, _, prompts = write([candidates(asked)], ranker=ranker)
    assert "Write 3 different candidates for each slot" in prompts[0]
    # The learned-from arm by the ranker, the twin by its likeness, the control as it comes: it must not profit.
    assert [draft.text for draft in drafts] == ["What makes a jug?", "This is the mug", "A jug for your table"]
    assert ranker.shown == [("Is the jug blue?", "What makes a jug?", "Are jugs back?")]


def test_what_nearly_repeats_a_past_text_is_written_anew() -> None:
    past = frozenset({"Oak boards for a kitchen", "Linen sheets for your bedroom!"})
    drafts, _, prompts = write([lines({0: QUESTION, 1: PLAIN, 2: YOURS})], past)
    assert [draft.is_fallback for draft in drafts] == [False, True, True]
    assert 'nearly repeats "Oak boards for a kitchen"' in prompts[1]


def test_a_twin_may_be_near_the_text_it_is_a_twin_of() -> None:
    request = CreativeRequest("p", 2, "new", "explore", 1, frozenset({"question"}), twin_of=PLAIN)
    drafts, _, _ = write([lines({0: f"{PLAIN}?"})], frozenset({PLAIN}), requests=[request])
    assert (drafts[0].text, drafts[0].is_fallback) == (f"{PLAIN}?", False)


def test_a_figure_counts_only_where_the_program_states_it() -> None:
    request = CreativeRequest("p", 2, "new", "exploit", 0, frozenset({"discount"}))
    told = PROGRAM.model_copy(update={"facts": ["This week 20 % off everything"]})
    for text, program, is_taken in [
        ("20% off our oak boards", told, True), ("30% off our oak boards", told, False), ("20% off our oak boards", PROGRAM, False),
    ]:  # fmt: skip
        drafts, _, prompts = write([lines({0: text})], program=program, requests=[request])
        assert drafts[0].is_fallback != is_taken
    assert "- Nothing. Use no figure" in prompts[0]


def test_a_disclosure_must_be_carried() -> None:
    program = PROGRAM.model_copy(update={"disclosures": ["Ad"]})
    drafts, _, prompts = write([lines({0: QUESTION, 1: f"Ad: {PLAIN}", 2: YOURS})], program=program)
    assert [draft.is_fallback for draft in drafts] == [True, False, True]
    assert "(does not say Ad)" in prompts[1]


def test_what_people_turned_down_is_told() -> None:
    brief = replace(BRIEF, rejected=(Rejection("Buy now", "pushy", "too loud"),))
    _, _, prompts = write([lines({0: QUESTION, 1: PLAIN, 2: YOURS})], brief=brief)
    assert '- "Buy now" (pushy: too loud)' in prompts[0]


def test_what_the_moderation_endpoint_flags_is_not_taken() -> None:
    drafts, _, prompts = write(
        [lines({0: QUESTION, 1: PLAIN, 2: YOURS})],
        moderate=lambda texts: [["hate"] * (text == PLAIN) for text in texts],
    )
    assert [draft.is_fallback for draft in drafts] == [False, True, False]
    assert "(was flagged for hate)" in prompts[1]


GOOD = {
    0: ("Is this the mug?", "Is the jug blue?", "What makes a good jug?"),
    1: ("This is the mug", "Oak boards for the kitchen", "Wool throws and linen sheets"),
    2: ("A jug for your table", "Your shelf and its jugs", "Linen sheets for your bedroom"),
}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_no_hostile_line_is_sent_in_two_thousand_answers(seed: int) -> None:
    offline = OfflineGenerator(TAXONOMY, STEERABLE, seed=1)
    for answer in creative_answers(500, seed, [0, 1, 2], GOOD):
        drafts = OpenAIGenerator(Scripted(answer), PROGRAM, TAXONOMY, offline, prompt=PROMPT).write(
            REQUESTS, BRIEF, voice="Plain.", avoid=frozenset()
        )
        for draft in drafts:
            assert TAXONOMY.extract(draft.text) & set(STEERABLE) == draft.request.tags
            assert draft.is_fallback or draft.text in GOOD[draft.request.slot]
            assert draft.text not in CREATIVE_POISON
        if answer.wrong in {"good", "a bad line", "a wrong type", "an extra field"}:
            assert not any(draft.is_fallback for draft in drafts), answer  # what was good in it is kept


@pytest.mark.parametrize("poison", CREATIVE_POISON)
def test_every_poison_is_seen_by_itself(poison: str) -> None:
    request = CreativeRequest("p", 2, "new", "exploit", 0, TAXONOMY.extract(poison) & set(STEERABLE))
    drafts, _, _ = write([lines({0: poison})], requests=[request])
    assert drafts[0].is_fallback


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_whatever_the_server_does_every_slot_is_filled_and_the_stand_ins_are_marked(fault: str) -> None:
    drafts, calls, _ = write([FAULTS[fault]])
    assert all(draft.is_fallback and draft.generator == "offline" for draft in drafts)
    assert [TAXONOMY.extract(draft.text) & set(STEERABLE) for draft in drafts] == [r.tags for r in REQUESTS]
    assert 1 <= len(calls) <= 6


@pytest.mark.parametrize(
    "text",
    [
        "Here is the mug",
        "Is this your mug?",
        "Mug?",
        "Is this the mug?\nReally?",
        f"Is this the mug{' or that' * 9}?",
        "Old one?!",
    ],
)
def test_a_line_that_is_not_what_was_asked_is_never_taken(text: str) -> None:
    drafts, _, _ = write([lines({0: text, 1: PLAIN, 2: YOURS})], avoid=frozenset({"Old one?!"}))
    assert [draft.is_fallback for draft in drafts] == [True, False, False]
    assert drafts[0].generator == "offline"
    assert TAXONOMY.extract(drafts[0].text) & set(STEERABLE) == {"question"}


@pytest.mark.parametrize(
    ("reply", "statuses"),
    [
        (completion('{"lines": [{"sl', finish="length"), ["truncated", "truncated"]),
        (completion("Sure! Here are your lines"), ["invalid", "invalid"]),
        (completion('{"lines": [1, {"slot": "0"}, {"slot": 9, "text": "Is it?"}]}'), ["ok", "cached"]),
        (completion('{"lines": 3}'), ["ok", "cached"]),
        (completion(None, refusal="no"), ["refused"]),
        (error(429, "insufficient_quota"), ["failed"]),
        (error(429, "slow_down", retry_after="600"), ["failed"]),
        (error(500, "oops"), ["failed", "failed", "failed"]),
    ],
)
def test_when_the_model_fails_the_offline_generator_stands_in(reply: Reply, statuses: list[str]) -> None:
    drafts, calls, _ = write([reply])
    assert [call.status for call in calls] == statuses
    assert all(draft.is_fallback and draft.generator == "offline" for draft in drafts)
    assert [TAXONOMY.extract(draft.text) & set(STEERABLE) for draft in drafts] == [r.tags for r in REQUESTS]


def test_an_empty_batch_asks_nobody() -> None:
    drafts, calls, prompts = write([error(500, "oops")], requests=[])
    assert (drafts, calls, prompts) == ([], [], [])
