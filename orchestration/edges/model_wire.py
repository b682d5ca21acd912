"""The two shapes in which OpenAI-compatible servers are asked and answer: chat completions, and responses.

Only what such servers share is relied on: a JSON schema, a reason for the end, token totals. ``create`` is called and not
``parse``, which loses the token count of an answer that was cut off. Servers leave out what the SDK's types promise, so
nothing of an answer is trusted to be there.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import openai
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from orchestration.programs.definition import Model

Outcome = Literal["ok", "refused", "truncated", "invalid"]
_FRAME_TOKENS = 64  # roles and separators that a server adds around a prompt
_INCOMPLETE: Mapping[str, Outcome] = {"max_output_tokens": "truncated", "content_filter": "refused"}


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer held.

    Attributes:
        content: The JSON object of an answer whose outcome is ok, else None.
        tokens: Input and output tokens; None for what the server did not say.
    """

    outcome: Outcome
    content: dict[str, Any] | None
    tokens: tuple[int | None, int | None]
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """The schema of an answer; the name has letters, digits, ``_`` and ``-``, at most 64."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A question in the shape of the model's server.

    Attributes:
        content_key: Digest of everything that decides the answer.
        most_cost_usd: The most it can cost, asked by itself: no tokenizer makes more tokens than there are bytes.
    """

    body: Mapping[str, Any]
    content_key: str
    most_cost_usd: float


def request_of(model: Model, text: str, form: Form, most_tokens: int) -> Request:
    """A question as it is sent, known and counted."""
    body = body_of(model, text, form, most_tokens)
    spelled = json.dumps(body, sort_keys=True)
    key = hashlib.sha256(f"{model.base_url}/{model.api}/{spelled}".encode()).hexdigest()
    return Request(body, key, cost_of(model, len(spelled.encode()) + _FRAME_TOKENS, most_tokens))


def cost_of(model: Model, tokens_in: int, tokens_out: int) -> float:
    """What tokens cost in USD, asked one by one."""
    return (tokens_in * model.usd_per_million_input_tokens + tokens_out * model.usd_per_million_output_tokens) / 1e6


def body_of(model: Model, text: str, form: Form, most_tokens: int) -> dict[str, Any]:
    """The request's body in the shape the model's server speaks."""
    body: dict[str, Any] = {"model": model.name}
    if model.temperature is not None:
        body["temperature"] = model.temperature
    shape = {"name": form.name, "strict": True, "schema": dict(form.schema)}
    if model.api == "responses":
        # Nothing is to be kept by the server.
        return body | {
            "input": text,
            "text": {"format": {"type": "json_schema", **shape}},
            "max_output_tokens": most_tokens,
            "store": False,
        }
    # Compatible servers know the old name of the limit, newer models of OpenAI only the new one.
    limit = "max_completion_tokens" if model.base_url is None else "max_tokens"
    return body | {
        "messages": [{"role": "user", "content": text}],
        "response_format": {"type": "json_schema", "json_schema": shape},
        limit: most_tokens,
    }


def post(client: openai.OpenAI, model: Model, body: Mapping[str, Any], idempotency_key: str) -> Heard:
    """Asks once.

    Args:
        idempotency_key: Sent as a header; servers that know it do not answer, or bill, one request twice.

    Raises:
        openai.OpenAIError, ValueError: as the SDK does.
    """
    headers = {"Idempotency-Key": idempotency_key}
    if model.api == "responses":
        return heard_response(client.responses.create(**body, extra_headers=headers))
    return heard_chat(client.chat.completions.create(**body, extra_headers=headers))


def path_of(model: Model) -> Literal["/v1/responses", "/v1/chat/completions"]:
    """Where a batched request goes, as OpenAI's own paths are."""
    return "/v1/responses" if model.api == "responses" else "/v1/chat/completions"


def heard_body(model: Model, body: object) -> Heard:
    """Reads an answer that came as JSON, in a file."""
    try:
        told = body if isinstance(body, dict) else {}
        return (
            heard_response(Response.construct(**told))
            if model.api == "responses"
            else heard_chat(ChatCompletion.construct(**told))
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        return Heard("invalid", None, (None, None), shortened(f"not a completion ({error})"))


def heard_chat(answer: object) -> Heard:
    """Reads a chat completion."""
    if not isinstance(answer, ChatCompletion):
        return Heard("invalid", None, (None, None), "not a completion")
    tokens = _tokens(answer, "prompt_tokens", "completion_tokens")
    choices: object = getattr(answer, "choices", None)
    first = choices[0] if isinstance(choices, list) and choices else None
    message = getattr(first, "message", None)
    if message is None:
        return Heard("invalid", None, tokens, "no choices")
    if getattr(message, "refusal", None):
        return Heard("refused", None, tokens, shortened(str(message.refusal)))
    finish = getattr(first, "finish_reason", None)
    if finish in {"length", "content_filter"}:
        return Heard("truncated" if finish == "length" else "refused", None, tokens, f"finish reason {finish}")
    return _read(getattr(message, "content", None), tokens)


def heard_response(answer: object) -> Heard:
    """Reads an answer of the Responses API."""
    if not isinstance(answer, Response):
        return Heard("invalid", None, (None, None), "not a response")
    tokens = _tokens(answer, "input_tokens", "output_tokens")
    status = getattr(answer, "status", None)
    if status not in {"completed", None}:
        why = getattr(getattr(answer, "incomplete_details", None), "reason", None)
        outcome = _INCOMPLETE.get(str(why), "invalid")
        return Heard(outcome, None, tokens, f"status {status}" + (f", {why}" if why else ""))
    items: object = getattr(answer, "output", None)
    parts = [
        part for item in (items if isinstance(items, list) else []) for part in (getattr(item, "content", None) or [])
    ]
    refusal = next((part.refusal for part in parts if getattr(part, "refusal", None)), None)
    if refusal:
        return Heard("refused", None, tokens, shortened(str(refusal)))
    texts = [part.text for part in parts if isinstance(getattr(part, "text", None), str)]
    return _read("".join(texts) if texts else None, tokens)


def shortened(text: str, longest: int = 300) -> str:
    """One line of bounded length, for the records."""
    return " ".join(text.split())[:longest]


def _read(text: object, tokens: tuple[int | None, int | None]) -> Heard:
    try:
        content = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return Heard("invalid", None, tokens, "not a JSON object")
    return Heard("ok", content, tokens)


def _tokens(answer: object, *names: str) -> tuple[int | None, int | None]:
    told = getattr(answer, "usage", None)
    first, second = (_count(getattr(told, name, None)) for name in names)
    return first, second


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 and not isinstance(value, bool) else None
