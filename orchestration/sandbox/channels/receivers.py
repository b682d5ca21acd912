"""Segment's receiver, which says 200 to nearly everything: only what is too large or no JSON is refused."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import ChannelWorld

_EVENT_BYTES, _BATCH_BYTES = 32 * 1024, 500 * 1024


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses; the one of the other region takes everything and keeps nothing."""
    return [
        route(world, "segment", "/v1/{call}", _take, "POST"),
        route(world, "segment-eu", "/v1/{call}", _take, "POST"),
    ]


def kept(world: ChannelWorld) -> dict[str, Any]:
    """Events that Segment kept, by messageId; the first told holds."""
    found: dict[str, Any] = world.kept.setdefault("segment events", {})
    return found


def _take(asked: Asked) -> Response:
    is_batch = asked.path["call"] == "batch"
    if len(asked.body) > (_BATCH_BYTES if is_batch else _EVENT_BYTES) or not isinstance(asked.json, dict):
        return told({"success": False, "message": "malformed JSON or too large"}, 400)
    events = asked.json.get("batch", []) if is_batch else [asked.json | {"type": asked.path["call"]}]
    key = asked.json.get("writeKey") or asked.header("authorization")
    for event in events:
        named = isinstance(event, dict) and (event.get("userId") or event.get("anonymousId"))
        if named and key == "web-key":
            number = asked.world.count("segment ids")
            kept(asked.world).setdefault(event.get("messageId") or f"made-{number}", event)
    # Told of success whatever became of it: an event without a person, a strange key, another region's data.
    return told({"success": True})
