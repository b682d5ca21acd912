"""The client of an OpenAI-compatible endpoint: one question, one JSON answer, every call on record, never over budget."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx2
import openai

from orchestration.edges.deadline import within
from orchestration.edges.model_book import Book, MemoryBook, Question
from orchestration.edges.model_wire import Form, Heard, cost_of, post, request_of, shortened
from orchestration.errors import Refusal
from orchestration.programs.definition import NO_PRICES, Model
from orchestration.records import ModelCall, Usage

_RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
_HOPELESS = frozenset({401, 403, 404})
# Raised before a request has left: nothing can have been billed.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_TIMEOUTS = 2  # after as many a server is not waited for again
_FREE, _UNTOLD = Usage(0, 0, 0.0), Usage(None, None, None)

Status = Literal["ok", "refused", "truncated", "invalid", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``content`` is the JSON object of an answer whose status is ok, and None otherwise."""

    status: Status
    content: dict[str, Any] | None
    usage: Usage
    detail: str | None = None


class Asks(Protocol):
    """What writers need of a model."""

    name: str

    def ask(self, text: str, *, purpose: str, prompt_hash: str, schema: Mapping[str, Any], most_tokens: int) -> Answer:
        """One answer; see ``ModelApi.ask``."""
        ...


class ModelApi:
    """Asks a model within its budget.

    A server that cannot help (no account, an exhausted quota, a wait longer than ours, errors at every attempt) is not
    asked again by this object, so that a cycle with many questions ends as soon as one with a single question.

    Args:
        api_key: None is fine for a server of one's own (``base_url`` set).
        model: Which model, where, its prices, and the budget of a cycle.
        book: Remembers requests, costs and answers; what it says was spent counts against the budget.
        timeout_seconds: For one attempt as a whole, however slowly its bytes come.
        attempts: Tries for errors that pass by themselves.
        longest_wait_seconds: A server that asks to wait longer is given up on.
        wait: Sleeps between attempts.

    Raises:
        Refusal: if the model has no name, or OpenAI's own server is meant and there is no key, or are no prices.
    """

    def __init__(
        self,
        api_key: str | None,
        model: Model,
        book: Book | None = None,
        *,
        timeout_seconds: float = 60.0,
        attempts: int = 3,
        longest_wait_seconds: float = 30.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if not model.name:
            raise Refusal("model", "has no name", "Name it in the program, or choose `generator: offline`.")
        if not api_key and model.base_url is None:
            remedy = "Set OPENAI_API_KEY, or choose `generator: offline`."
            raise Refusal(f"model {model.name}", "no API key is set", remedy)
        if model.lacks_prices:
            raise Refusal(f"model {model.name}", NO_PRICES, "Write what the server takes; a price of 0 is one too.")
        self.name: str = model.name
        self._model, self._wait = model, wait
        self._book: Book = MemoryBook() if book is None else book
        self._timeout, self._attempts, self._longest_wait = timeout_seconds, attempts, longest_wait_seconds
        self._dearest_seen = 0.0
        self._timeouts = 0
        self._given_up: str | None = None
        # Retries are ours: the SDK would also retry an exhausted quota.
        self._client = openai.OpenAI(
            api_key=api_key or "none", base_url=model.base_url, timeout=timeout_seconds, max_retries=0
        )

    def ask(self, text: str, *, purpose: str, prompt_hash: str, schema: Mapping[str, Any], most_tokens: int) -> Answer:
        """Asks once, and again only where that may help; never raises for anything a server does.

        The same question in the same cycle is answered from the book and costs nothing.

        Args:
            text: The whole prompt.
            purpose: What the call is for; letters, digits, ``_`` and ``-``, at most 64, for it also names the schema.
            prompt_hash: Version of the prompt.
            schema: JSON schema of the answer, an object.
            most_tokens: Longest answer that is paid for.
        """
        request = request_of(self._model, text, Form(purpose, schema), most_tokens)
        known = self._book.remembered(request.content_key)
        if known is not None:
            self._book.answered(None, ModelCall(purpose, self.name, prompt_hash, _FREE, "cached", "asked before"))
            return Answer("ok", known, _FREE, "asked before")
        dearest = request.most_cost_usd
        question = Question(purpose, self.name, request.content_key, dearest)
        answer = Answer("failed", None, _FREE, "no attempt was allowed")
        for attempt in range(1, self._attempts + 1):
            request_id = None
            pause: float | None = None
            unsent = self._why_not(max(dearest, self._dearest_seen))
            if unsent:
                answer = Answer("failed", None, _FREE, f"not sent: {unsent}")
            else:
                request_id = self._book.sending(question)
                answer, pause = self._attempt(request.body, request_id, 0.5 * 2 ** (attempt - 1))
            self._book.answered(
                request_id, ModelCall(purpose, self.name, prompt_hash, answer.usage, answer.status, answer.detail)
            )
            if pause is None:
                break
            if attempt == self._attempts:
                self._given_up = f"the server failed {attempt} times in a row"
                break
            self._wait(pause)
        if answer.content is not None:
            self._book.remember(request.content_key, answer.content)
        return answer

    def _why_not(self, dearest: float) -> str | None:
        if self._given_up:
            return self._given_up
        spent, budget = self._book.spent_usd(), self._model.budget_usd_per_cycle
        if budget == 0:
            return "the budget is 0"
        if spent + dearest > budget:
            return f"{spent:.4f} of {budget:.4f} USD are spent, the call may cost {dearest:.4f}"
        return None

    def _attempt(self, body: Mapping[str, Any], request_id: str, backoff: float) -> tuple[Answer, float | None]:
        """One request: the answer, and the seconds to wait before another, or None when another would not help."""
        try:
            heard = within(self._timeout, lambda: post(self._client, self._model, body, request_id))
        except openai.APIStatusError as error:
            # An error answer is not billed.
            return Answer("failed", None, _FREE, shortened(f"{error.status_code} {error.message}")), self._pause(
                error, backoff
            )
        except (openai.APITimeoutError, TimeoutError):
            # Not asked again: the server may have answered and billed.
            self._timeouts += 1
            if self._timeouts == _TIMEOUTS:
                self._given_up = f"the server timed out {_TIMEOUTS} times"
            return Answer("failed", None, _UNTOLD, "timed out"), None
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, _NOT_SENT):
                return Answer("failed", None, _FREE, shortened(f"no connection ({error.__cause__})")), backoff
            detail = shortened(f"the connection broke ({error.__cause__})")
            return Answer("failed", None, _UNTOLD, detail), None  # as after a timeout
        except (openai.OpenAIError, ValueError, TypeError, AttributeError, RecursionError) as error:
            # The SDK stumbles in many ways over what is no JSON, or JSON of another shape.
            return Answer("invalid", None, _UNTOLD, shortened(f"not a completion ({error})")), None
        return self._priced(heard), None

    def _pause(self, error: openai.APIStatusError, backoff: float) -> float | None:
        if error.code == "insufficient_quota" or error.status_code in _HOPELESS:
            self._given_up = f"the server answered {error.status_code} {error.code or ''}".strip()
            return None
        if error.status_code not in _RETRIED:
            return None
        asked = _asked_wait(error, backoff)
        if asked > self._longest_wait:
            self._given_up = f"the server asks to wait {asked:.0f} seconds"
            return None
        return asked

    def _priced(self, heard: Heard) -> Answer:
        tokens_in, tokens_out = heard.tokens
        known = tokens_in is not None and tokens_out is not None
        cost = cost_of(self._model, tokens_in or 0, tokens_out or 0) if known else None
        # A server that bills more than a call should be able to cost will do so again.
        self._dearest_seen = max(self._dearest_seen, cost or 0.0)
        return Answer(heard.outcome, heard.content, Usage(tokens_in, tokens_out, cost), heard.detail)


def _asked_wait(error: openai.APIStatusError, backoff: float) -> float:
    """Seconds the server asks to wait; our own backoff where it does not say, or says it as a date."""
    headers = error.response.headers
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            asked = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if 0 <= asked < float("inf"):
            return asked
    return backoff
