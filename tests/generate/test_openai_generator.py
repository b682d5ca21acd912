"""The model's lines are taken only when they are what was asked; the offline generator writes the rest."""

from collections.abc import Sequence

import pytest

from orchestration.edges.model_api import ModelApi
from orchestration.edges.prompts import Prompt
from orchestration.generate.generators import OfflineGenerator
from orchestration.generate.openai_generator import OpenAIGenerator
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Model
from orchestration.records import Brief, CreativeRequest, Draft, Learning, ModelCall, Usage
from tests.fakes.model_server import Reply, completion, error, lines, model_server

TAXONOMY = Taxonomy.load()
STEERABLE = ("question", "second_person", "discount")
LEARNING = Learning("e1", "p", 1, "click", "new", "question", "active", "B", 0.1, 0.05, 0.2, 9.0, 12, 30, 1.0, "")
BRIEF = Brief("p", 2, "new", known=(LEARNING,), doubtful=(), open=())
QUESTION, PLAIN, YOURS = "Is this the mug?", "Oak boards for the kitchen", "Oak boards for your kitchen"
REQUESTS = [
    CreativeRequest("p", 2, "new", "exploit", 0, frozenset({"question"})),
    CreativeRequest("p", 2, "new", "explore", 1, frozenset(), twin_of="Is this the mug?"),
    CreativeRequest("p", 2, "new", "explore", 2, frozenset({"second_person"})),
]


def write(
    script: Sequence[Reply], avoid: frozenset[str] = frozenset()
) -> tuple[list[Draft], list[ModelCall], list[str]]:
    """Drafts, recorded calls and prompts of writing with a server that follows a script."""
    calls: list[ModelCall] = []
    with model_server(script) as server:
        model = Model(generator="openai", name="fake-1", base_url=server.base_url, usd_per_million_input_tokens=3.0)
        api = ModelApi(None, model, wait=lambda _: None)
        offline = OfflineGenerator(TAXONOMY, STEERABLE, seed=1)
        generator = OpenAIGenerator(api, model, TAXONOMY, STEERABLE, offline, calls.append)
        drafts = generator.write(REQUESTS, BRIEF, voice="Plain.", avoid=avoid)
    return drafts, calls, [request["messages"][0]["content"] for request in server.requests]


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
    assert f'slot 2: "{PLAIN}" (was used before)' in prompts[1]
    assert "- slot 1:" not in prompts[1]


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
        (completion('{"lines": [1, {"slot": "0"}, {"slot": 9, "text": "Is it?"}]}'), ["ok", "ok"]),
        (completion('{"lines": 3}'), ["ok", "ok"]),
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
    with model_server([error(500, "oops")]) as server:
        model = Model(generator="openai", name="fake-1", base_url=server.base_url)
        offline = OfflineGenerator(TAXONOMY, STEERABLE, seed=1)
        generator = OpenAIGenerator(ModelApi(None, model), model, TAXONOMY, STEERABLE, offline, lambda _: None)
        assert generator.write([], BRIEF, voice="", avoid=frozenset()) == []
    assert server.requests == []
