"""What the client makes of everything a model server may do."""

from collections.abc import Sequence
from typing import Any

import pytest

from orchestration.edges.model_api import Answer, ModelApi
from orchestration.errors import Refusal
from orchestration.programs.definition import Model
from orchestration.records import ModelCall, Usage
from tests.fakes.model_server import Reply, completion, error, model_server

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
PRICES = {"usd_per_million_input_tokens": 2.0, "usd_per_million_output_tokens": 10.0}
PAID = Usage(1000, 100, 0.003)
FREE, UNKNOWN = Usage(0, 0, 0.0), Usage(None, None, None)
OK = completion('{"a": 1}')


def play(
    script: Sequence[Reply], *, asks: int = 1, budget: float = 1.0, timeout: float = 5.0
) -> tuple[list[Answer], list[ModelCall], list[float], list[dict[str, Any]]]:
    """Answers, recorded calls, waits and requests of asking a server that follows a script."""
    calls: list[ModelCall] = []
    waits: list[float] = []
    with model_server(script) as server:
        model = Model(
            generator="openai", name="fake-1", base_url=server.base_url, budget_usd_per_cycle=budget, **PRICES
        )
        api = ModelApi(None, model, timeout_seconds=timeout, wait=waits.append)
        answers = [
            api.ask("hello", purpose="test", prompt_hash="h", schema=SCHEMA, most_tokens=50, record=calls.append)
            for _ in range(asks)
        ]
    return answers, calls, waits, server.requests


def test_an_answer_is_read_and_paid() -> None:
    (answer,), calls, _, (request,) = play([OK])
    assert answer == Answer("ok", {"a": 1}, PAID)
    assert calls == [ModelCall("test", "fake-1", "h", PAID, "ok")]
    assert request["path"] == "/v1/chat/completions"
    assert request["response_format"]["json_schema"] == {"name": "test", "strict": True, "schema": SCHEMA}
    assert request["max_tokens"] == 50
    assert "temperature" not in request


@pytest.mark.parametrize(
    ("reply", "status", "usage"),
    [
        (completion('{"a": ', finish="length"), "truncated", PAID),
        (completion(None, refusal="I cannot help with that"), "refused", PAID),
        (completion("", finish="content_filter"), "refused", PAID),
        (completion("Sure! Here you go"), "invalid", PAID),
        (completion("[1]"), "invalid", PAID),
        (completion(None), "invalid", PAID),
        (completion('{"a": 1}', usage=None), "ok", UNKNOWN),
        (completion('{"a": 1}', usage={"prompt_tokens": None}), "ok", UNKNOWN),
        (Reply({"id": "x", "object": "chat.completion", "usage": None}), "invalid", UNKNOWN),
        (Reply({"id": "x", "object": "chat.completion", "choices": []}), "invalid", UNKNOWN),
        (Reply("<html>proxy</html>"), "invalid", UNKNOWN),
        (Reply("<html>proxy</html>", headers={"content-type": "application/json"}), "invalid", UNKNOWN),
        (error(400, "bad_schema"), "failed", FREE),
        (error(401, "invalid_api_key"), "failed", FREE),
        (error(429, "insufficient_quota"), "failed", FREE),
        (error(429, "rate_limited", retry_after="600"), "failed", FREE),
    ],
)
def test_a_fault_is_named_recorded_and_not_repeated(reply: Reply, status: str, usage: Usage) -> None:
    (answer,), calls, waits, requests = play([reply])
    assert (answer.status, answer.usage) == (status, usage)
    assert (answer.content is None) == (status != "ok")
    assert [(call.status, call.usage) for call in calls] == [(status, usage)]
    assert len(requests) == 1
    assert waits == []


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (error(500, "oops"), 0.5),
        (error(429, "rate_limited", retry_after="7"), 7.0),
        (error(503, "busy", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), 0.5),
    ],
)
def test_what_passes_by_itself_is_asked_again(reply: Reply, wait: float) -> None:
    (answer,), calls, waits, _ = play([reply, OK])
    assert answer.content == {"a": 1}
    assert [call.status for call in calls] == ["failed", "ok"]
    assert waits == [wait]


def test_patience_ends() -> None:
    (answer,), calls, waits, _ = play([error(500, "oops")])
    assert answer.status == "failed"
    assert len(calls) == 3
    assert waits == [0.5, 1.0]


def test_a_slow_first_byte_is_given_up_once_and_may_have_cost() -> None:
    (answer,), calls, _, requests = play([Reply(OK.body, delay_seconds=0.6)], timeout=0.2)
    assert (answer.status, answer.detail, answer.usage) == ("failed", "timed out", UNKNOWN)
    assert len(calls) == len(requests) == 1


def test_nobody_listening_is_named() -> None:
    calls: list[ModelCall] = []
    model = Model(generator="openai", name="fake-1", base_url="http://127.0.0.1:9/v1")
    api = ModelApi("key", model, wait=lambda _: None)
    answer = api.ask("hello", purpose="test", prompt_hash="h", schema=SCHEMA, most_tokens=5, record=calls.append)
    assert answer.status == "failed"
    assert "no connection" in (answer.detail or "")
    assert len(calls) == 3


def test_the_budget_is_asked_before_each_call() -> None:
    answers, calls, _, requests = play([OK], asks=3, budget=0.0065)
    assert [answer.status for answer in answers] == ["ok", "ok", "failed"]
    assert len(requests) == 2
    assert (calls[2].detail or "").startswith("not sent: 0.0060 of 0.0065 USD")


def test_an_untold_cost_counts_as_the_dearest() -> None:
    answers, _, _, requests = play([completion('{"a": 1}', usage=None)], asks=3, budget=0.0015)
    assert [answer.status for answer in answers] == ["ok", "ok", "failed"]
    assert len(requests) == 2


@pytest.mark.parametrize(("model", "reason"), [(Model(name="gpt"), "no API key"), (Model(), "has no name")])
def test_a_model_that_cannot_be_asked_is_refused(model: Model, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        ModelApi(None, model)
