"""The thin client of an OpenAI-compatible chat endpoint: one question, one JSON answer, every call on record.

Only what such servers share is relied on: chat completions, a JSON schema, finish reasons, token totals. ``create`` is
called and not ``parse``, which loses the token count of an answer that was cut off.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import openai
from openai.types.chat import ChatCompletion

from orchestration.errors import Refusal
from orchestration.programs.definition import Model
from orchestration.records import ModelCall, Usage

_RETRIED = frozenset({408, 409, 429, 500, 502, 503, 504})
_BYTES_PER_TOKEN = 3  # cautious: English has about four
_LONGEST_DETAIL = 300

Status = Literal["ok", "refused", "truncated", "invalid", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``content`` is the JSON object of an answer whose status is ok, and None otherwise."""

    status: Status
    content: dict[str, Any] | None
    usage: Usage
    detail: str | None = None


class ModelApi:
    """Asks a model within its budget.

    Args:
        api_key: None is fine for a server of one's own (``base_url`` set).
        model: Which model, where, its prices, and the budget that all calls of this object share.
        timeout_seconds: For one attempt; the SDK's own default of ten minutes would stall a cycle.
        attempts: Tries for errors that pass by themselves.
        longest_wait_seconds: A server that asks to wait longer is given up on.
        wait: Sleeps between attempts.

    Raises:
        Refusal: if the model has no name, or OpenAI's own server is meant and there is no key.
    """

    def __init__(
        self,
        api_key: str | None,
        model: Model,
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
        self.name: str = model.name
        self.spent_usd = 0.0
        self._model, self._wait = model, wait
        self._attempts, self._longest_wait_seconds = attempts, longest_wait_seconds
        # Retries are ours: the SDK would also retry an exhausted quota.
        self._client = openai.OpenAI(
            api_key=api_key or "none", base_url=model.base_url, timeout=timeout_seconds, max_retries=0
        )

    def ask(
        self,
        text: str,
        *,
        purpose: str,
        prompt_hash: str,
        schema: Mapping[str, Any],
        most_tokens: int,
        record: Callable[[ModelCall], None],
    ) -> Answer:
        """Asks once, and again only where that may help; never raises for anything a server does.

        Args:
            text: The whole prompt.
            purpose: What the call is for; letters, digits, ``_`` and ``-``, at most 64, for it also names the schema.
            prompt_hash: Version of the prompt.
            schema: JSON schema of the answer, an object.
            most_tokens: Longest answer that is paid for.
            record: Called once for each attempt, before its answer is used.
        """
        answer = Answer("failed", None, Usage(0, 0, 0.0), "no attempt was allowed")
        dearest = self._cost((len(text.encode()) + len(json.dumps(dict(schema)))) // _BYTES_PER_TOKEN, most_tokens)
        for attempt in range(1, self._attempts + 1):
            if self.spent_usd + dearest > self._model.budget_usd_per_cycle:
                spent = f"{self.spent_usd:.4f} of {self._model.budget_usd_per_cycle:.4f} USD are spent"
                answer = Answer("failed", None, Usage(0, 0, 0.0), f"not sent: {spent}, the call may cost {dearest:.4f}")
                pause = None
            else:
                answer, pause = self._attempt(text, purpose, schema, most_tokens, 0.5 * 2 ** (attempt - 1))
                # A cost nobody told counts as the dearest one, so that silence cannot overdraw the budget.
                self.spent_usd += dearest if answer.usage.cost_usd is None else answer.usage.cost_usd
            record(ModelCall(purpose, self.name, prompt_hash, answer.usage, answer.status, answer.detail))
            if pause is None or attempt == self._attempts:
                break
            self._wait(pause)
        return answer

    def _attempt(
        self, text: str, schema_name: str, schema: Mapping[str, Any], most_tokens: int, backoff: float
    ) -> tuple[Answer, float | None]:
        """One request: the answer, and the seconds to wait before another, or None when another would not help."""
        # Compatible servers know the old name of the limit, newer models of OpenAI only the new one.
        limit = "max_completion_tokens" if self._model.base_url is None else "max_tokens"
        body: dict[str, Any] = {limit: most_tokens}
        if self._model.temperature is not None:
            body["temperature"] = self._model.temperature
        try:
            response = self._client.chat.completions.create(
                model=self.name,
                messages=[{"role": "user", "content": text}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": schema_name, "strict": True, "schema": dict(schema)},
                },
                **body,
            )
        except openai.APIStatusError as error:
            free = Usage(0, 0, 0.0)  # an error answer is not billed
            return Answer("failed", None, free, _shortened(f"{error.status_code} {error.message}")), self._pause(
                error, backoff
            )
        except openai.APITimeoutError:
            # Not asked again: the server may have answered and billed.
            return Answer("failed", None, Usage(None, None, None), "timed out"), None
        except openai.APIConnectionError as error:
            return Answer("failed", None, Usage(0, 0, 0.0), _shortened(f"no connection ({error.__cause__})")), backoff
        except (openai.OpenAIError, ValueError) as error:
            return Answer("invalid", None, Usage(None, None, None), _shortened(f"not a completion ({error})")), None
        return self._read(response), None

    def _pause(self, error: openai.APIStatusError, backoff: float) -> float | None:
        if error.code == "insufficient_quota" or error.status_code not in _RETRIED:
            return None
        try:
            asked = float(error.response.headers.get("retry-after", backoff))
        except ValueError:
            asked = backoff
        return max(asked, 0.0) if asked <= self._longest_wait_seconds else None

    def _read(self, response: object) -> Answer:
        """Takes the usage first; servers leave out what the SDK's types promise, so nothing is trusted to be there."""
        if not isinstance(response, ChatCompletion):
            return Answer("invalid", None, Usage(None, None, None), "not a completion")
        usage = self._usage(response)
        choices: list[Any] = getattr(response, "choices", None) or []
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            return Answer("invalid", None, usage, "no choices")
        if getattr(message, "refusal", None):
            return Answer("refused", None, usage, _shortened(str(message.refusal)))
        finish = getattr(choices[0], "finish_reason", None)
        if finish in {"length", "content_filter"}:
            return Answer("truncated" if finish == "length" else "refused", None, usage, f"finish reason {finish}")
        content = _object(getattr(message, "content", None))
        return (
            Answer("ok", content, usage) if content is not None else Answer("invalid", None, usage, "not a JSON object")
        )

    def _usage(self, response: ChatCompletion) -> Usage:
        told = getattr(response, "usage", None)
        tokens_in, tokens_out = (_count(getattr(told, name, None)) for name in ("prompt_tokens", "completion_tokens"))
        known = tokens_in is not None and tokens_out is not None
        return Usage(tokens_in, tokens_out, self._cost(tokens_in or 0, tokens_out or 0) if known else None)

    def _cost(self, tokens_in: int, tokens_out: int) -> float:
        prices = self._model.usd_per_million_input_tokens, self._model.usd_per_million_output_tokens
        return (tokens_in * prices[0] + tokens_out * prices[1]) / 1e6


def _object(text: object) -> dict[str, Any] | None:
    try:
        content = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _shortened(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_DETAIL]
