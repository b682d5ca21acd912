"""A model server that fails as they fail: half a text, a refusal, no usage, limits of two kinds, text that is no JSON, slowness."""

import json
import time
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import ChannelWorld, draw

_SLOW_SECONDS = 1.5
_WORDS = ("A quiet start", "Made for mornings", "Ready when you are", "Less to carry", "See what is new")


def routes(world: ChannelWorld) -> list[Route]:
    """Its address."""
    return [route(world, "model", "/v1/chat/completions", _complete, "POST")]


def _complete(asked: Asked) -> Response:
    if asked.fault == "limited":
        return _error("rate_limit_exceeded", Retry_After="600")  # longer than clients wait
    if asked.fault == "no_quota":
        return _error("insufficient_quota")
    if asked.fault == "slow":
        time.sleep(_SLOW_SECONDS)
    schema = asked.json.get("response_format", {}).get("json_schema", {}).get("schema", {})
    content = json.dumps(_filled(schema, asked.world.seed))
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    finish = "stop"
    if asked.fault == "truncated":
        message["content"], finish = content[: len(content) // 2], "length"
    elif asked.fault == "refused":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif asked.fault == "no_json":
        message["content"] = "Certainly! Here are your lines."
    found: dict[str, Any] = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1793500000, "model": "played",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }  # fmt: skip
    if asked.fault != "no_usage":
        found["usage"] = {"prompt_tokens": 400, "completion_tokens": 60, "total_tokens": 460}
    return told(found)


def _filled(schema: dict[str, Any], seed: int, path: str = "") -> Any:
    """Something that fits a flat schema."""
    match schema.get("type"):
        case "object":
            return {name: _filled(inner, seed, f"{path}.{name}") for name, inner in schema["properties"].items()}
        case "array":
            return [_filled(schema["items"], seed, f"{path}[{number}]") for number in range(schema.get("minItems", 1))]
        case "integer" | "number":
            return draw(seed, path) % 5
        case "boolean":
            return False
    return schema["enum"][0] if "enum" in schema else _WORDS[draw(seed, path) % len(_WORDS)]


def _error(code: str, **headers: str) -> Response:
    return told({"error": {"message": code, "type": code, "param": None, "code": code}}, 429, **headers)
