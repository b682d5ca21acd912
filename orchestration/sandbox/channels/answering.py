"""What every played provider shares: a request is noted, a fault is played, a key is asked for, and then the provider answers."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.world import Call, ChannelWorld


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        fault: What to play, '' for nothing.
    """

    world: ChannelWorld
    request: Request
    body: bytes
    fault: str

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the address."""
        return self.request.query_params

    @property
    def path(self) -> Mapping[str, str]:
        """Parameters of the path."""
        return self.request.path_params

    @property
    def form(self) -> dict[str, str]:
        """Fields of a form."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def json(self) -> Any:
        """The JSON of the body; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def header(self, name: str) -> str:
        """A header, '' where it is missing."""
        return self.request.headers.get(name, "")

    def here(self, path: str) -> str:
        """An address on this server."""
        return f"{str(self.request.base_url).rstrip('/')}{path}"


Answer = Callable[[Asked], Response]


def told(content: Any, status: int = 200, **headers: str) -> Response:
    """JSON; underscores in the names of headers are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(content), status, named, "application/json")


def route(world: ChannelWorld, provider: str, path: str, answer: Answer, *methods: str) -> Route:
    """A route under the provider's name that plays what every provider may: unavailable, revoked, half an answer."""

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        world.calls.append(
            Call(provider, request.method, request.url.path, request.url.query, dict(request.headers), body)
        )
        fault = world.next_fault(provider)
        if fault == "unavailable":
            return told({"error": "unavailable"}, 503)
        if fault == "revoked":
            return told({"error": "invalid token"}, 401)
        answered = answer(Asked(world, request, body, fault))
        if fault == "half":
            return Response(bytes(answered.body)[: len(answered.body) // 2], media_type="application/json")
        return answered

    handler: Callable[[Request], Awaitable[Response]] = endpoint
    return Route(f"/{provider}{path}", handler, methods=list(methods) or ["GET"])
