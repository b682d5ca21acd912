"""What the client makes of everything a model server may do."""

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.model_api import Answer, ModelApi
from orchestration.edges.model_book import LedgerBook, MemoryBook, Question
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.programs.definition import Model
from orchestration.records import ModelCall, Usage
from tests.fakes.model_server import FAULTS, Reply, completion, error, model_server, response

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
PRICES = {"usd_per_million_input_tokens": 2.0, "usd_per_million_output_tokens": 10.0}
PAID = Usage(1000, 100, 0.003)
FREE, UNKNOWN = Usage(0, 0, 0.0), Usage(None, None, None)
OK = completion('{"a": 1}')


def asked(api: ModelApi, text: str = "hello") -> Answer:
    return api.ask(text, purpose="test", prompt_hash="h", schema=SCHEMA, most_tokens=50)


def play(
    script: Sequence[Reply], *, asks: int = 1, budget: float = 1.0, timeout: float = 5.0, api: str = "chat"
) -> tuple[list[Answer], list[ModelCall], list[float], list[dict[str, Any]]]:
    """Answers, recorded calls, waits and requests of asking a server that follows a script."""
    book, waits = MemoryBook(), list[float]()
    with model_server(script) as server:
        model = Model(
            generator="openai", name="fake-1", base_url=server.base_url, budget_usd_per_cycle=budget, api=api, **PRICES
        )
        client = ModelApi(None, model, book, timeout_seconds=timeout, wait=waits.append)
        answers = [asked(client, f"hello {number}") for number in range(asks)]
    return answers, book.calls, waits, server.requests


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


@pytest.mark.parametrize("fault", ["slow first byte", "a byte now and then"])
def test_a_server_that_is_slow_in_any_way_is_given_up_and_may_have_cost(fault: str) -> None:
    started = time.monotonic()
    (answer,), calls, _, requests = play([FAULTS[fault]], timeout=0.3)
    assert (answer.status, answer.detail, answer.usage) == ("failed", "timed out", UNKNOWN)
    assert len(calls) == len(requests) == 1
    assert time.monotonic() - started < 2


def test_a_broken_connection_may_have_cost_and_is_not_asked_again() -> None:
    (answer,), calls, waits, requests = play([FAULTS["cut off"]])
    assert (answer.status, answer.usage) == ("failed", UNKNOWN)
    assert len(calls) == len(requests) == 1
    assert waits == []


def test_nobody_listening_is_named() -> None:
    book = MemoryBook()
    model = Model(generator="openai", name="fake-1", base_url="http://127.0.0.1:9/v1", **PRICES)
    answer = asked(ModelApi("key", model, book, wait=lambda _: None))
    assert answer.status == "failed"
    assert "no connection" in (answer.detail or "")
    assert len(book.calls) == 3
    assert book.spent_usd() == 0


@pytest.mark.parametrize("fault", ["insufficient quota", "429 with retry-after above 120", "401", "500"])
def test_a_server_that_cannot_help_is_not_asked_by_the_next_question(fault: str) -> None:
    answers, calls, _, requests = play([FAULTS[fault]], asks=4)
    assert {answer.status for answer in answers} == {"failed"}
    assert len(requests) == (3 if fault == "500" else 1)
    assert all((call.detail or "").startswith("not sent: the server") for call in calls[len(requests) :])


def test_the_budget_is_asked_before_each_call() -> None:
    answers, calls, _, requests = play([OK], asks=3, budget=0.0085)
    assert [answer.status for answer in answers] == ["ok", "ok", "failed"]
    assert len(requests) == 2
    assert (calls[2].detail or "").startswith("not sent: 0.0060 of 0.0085 USD")


def test_an_untold_cost_counts_as_the_dearest() -> None:
    answers, _, _, requests = play([completion('{"a": 1}', usage=None)], asks=3, budget=0.0035)
    assert [answer.status for answer in answers] == ["ok", "ok", "failed"]
    assert len(requests) == 2


def test_the_same_question_is_not_paid_for_twice() -> None:
    book = MemoryBook()
    with model_server([OK]) as server:
        model = Model(generator="openai", name="fake-1", base_url=server.base_url, **PRICES)
        first, again, other = (asked(ModelApi(None, model, book), text) for text in ("hello", "hello", "bye"))
    assert first.content == again.content == other.content == {"a": 1}
    assert len(server.requests) == 2
    assert [call.status for call in book.calls] == ["ok", "cached", "ok"]
    assert again.usage == FREE


def test_a_repeated_request_has_its_own_key_for_servers_that_know_it() -> None:
    _, _, _, requests = play([error(500, "oops"), OK], asks=1)
    keys = [request["idempotency_key"] for request in requests]
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    ("reply", "status", "content"),
    [
        (response('{"a": 1}'), "ok", {"a": 1}),
        (response('{"a": ', status="incomplete", why="max_output_tokens"), "truncated", None),
        (response("", status="incomplete", why="content_filter"), "refused", None),
        (response("", status="failed"), "invalid", None),
        (response(None, refusal="no"), "refused", None),
        (response("Sure!"), "invalid", None),
    ],
)
def test_the_responses_interface_is_spoken_where_the_program_says_so(
    reply: Reply, status: str, content: dict[str, Any] | None
) -> None:
    (answer,), _, _, (request,) = play([reply], api="responses")
    assert (answer.status, answer.content, answer.usage) == (status, content, PAID)
    assert request["path"] == "/v1/responses"
    assert request["text"]["format"] == {"type": "json_schema", "name": "test", "strict": True, "schema": SCHEMA}
    assert (request["store"], request["max_output_tokens"]) == (False, 50)


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_no_fault_raises_or_overdraws(fault: str, api: str) -> None:
    answers, calls, waits, requests = play([FAULTS[fault]], asks=3, budget=0.0085, timeout=0.3, api=api)
    assert len(answers) == 3
    assert sum(call.usage.cost_usd or 0 for call in calls) <= 0.0085
    assert len(requests) <= 9
    assert sum(waits) < 30
    assert all(answer.content is None or answer.status == "ok" for answer in answers)


@pytest.mark.parametrize("prices", [{}, PRICES])
def test_with_a_budget_of_nothing_nobody_is_asked(prices: dict[str, float]) -> None:
    with model_server([OK]) as server:
        model = Model(generator="openai", name="m", base_url=server.base_url, budget_usd_per_cycle=0, **prices)
        answer = asked(ModelApi(None, model))
    assert (answer.status, answer.detail, server.requests) == ("failed", "not sent: the budget is 0", [])


def test_a_server_that_bills_is_not_asked_until_its_prices_are_told() -> None:
    zero = {"usd_per_million_input_tokens": 0.0, "usd_per_million_output_tokens": 0.0}
    for url in (None, "https://api.openai.com/v1"):
        unpriced = Model(generator="openai", name="m", base_url=url, budget_usd_per_cycle=0.01)
        with pytest.raises(Refusal, match="its budget would not bind"):
            ModelApi("key", unpriced)
        for told in (zero, PRICES):
            ModelApi("key", Model(generator="openai", name="m", base_url=url, **told))
    with model_server([OK]) as server:
        own = Model(generator="openai", name="m", base_url=server.base_url, budget_usd_per_cycle=0.01)
        assert asked(ModelApi(None, own)).status == "ok", "a server of one's own needs no prices"


def test_a_killed_cycle_knows_what_it_has_spent(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    warehouse.migrate()
    now = dt.datetime(2026, 1, 5, tzinfo=dt.UTC).replace(tzinfo=None)
    with model_server([OK]) as server:
        model = Model(
            generator="openai", name="fake-1", base_url=server.base_url, budget_usd_per_cycle=0.0065, **PRICES
        )
        before = ModelApi(None, model, LedgerBook(warehouse, "p", 202602, now))
        assert asked(before).status == "ok"
        book = LedgerBook(warehouse, "p", 202602, now)
        book.sending(Question("test", "fake-1", "k", 0.003))  # and the process dies before the answer
        after = ModelApi(None, model, LedgerBook(warehouse, "p", 202602, now))
        assert asked(after).content == {"a": 1}  # from the ledger
        refused = asked(after, "another")
        assert (refused.detail or "").startswith("not sent: 0.0060 of 0.0065")
        assert (
            asked(ModelApi(None, model, LedgerBook(warehouse, "p", 202603, now))).status == "ok"
        )  # a cycle of its own
    assert len(server.requests) == 2
    assert warehouse.rows("select count(*) as n, count(distinct call_id) as ids from ledger.model_calls") == [
        {"n": 4, "ids": 4}
    ]


@pytest.mark.parametrize(("model", "reason"), [(Model(name="gpt"), "no API key"), (Model(), "has no name")])
def test_a_model_that_cannot_be_asked_is_refused(model: Model, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        ModelApi(None, model)
