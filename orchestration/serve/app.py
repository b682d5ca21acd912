"""The receiver: verify, store, answer. It never opens the warehouse."""

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from orchestration.edges.certificates import Certificates, fetch
from orchestration.edges.clock import Clock
from orchestration.edges.spool import Record, spool_folder, spool_key
from orchestration.serve import described, segment, sns, unsubscribe
from orchestration.serve.answers import RETRY_SECONDS, Turned
from orchestration.serve.bodies import read_body, require_plain, require_type
from orchestration.serve.committing import Committer
from orchestration.serve.configuration import SECRETS, WRITE_KEYS, Configuration
from orchestration.serve.webhooks import DOORS, Delivery

LOG = logging.getLogger(__name__)
_QUIET_SECONDS = 60.0  # one line a minute for each kind of refusal: a flood must not fill the log
Handler = Callable[[Request], Awaitable[Response]]


class _Route(APIRoute):
    """A route whose handler is given the request as it came: it asks for nothing that FastAPI would have to work out first."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


@dataclass(slots=True)
class Receiver:
    """What the doors share."""

    configuration: Configuration
    committer: Committer
    clock: Clock
    certificates: Certificates
    signing_key: bytes
    counts: Counter[str] = field(default_factory=Counter)
    last_said: dict[str, float] = field(default_factory=dict)

    async def webhook(self, request: Request, provider: str) -> Response:
        """Takes in one provider's delivery."""
        door = DOORS[provider]
        require_type(request, *door.content_types)
        delivery = await self._delivery(request, provider)
        door.verify(delivery)
        await self._keep(provider, provider, delivery.body, request, door.kept_headers)
        return JSONResponse({"status": "kept"})

    async def ses(self, request: Request) -> Response:
        """Takes in one SNS message, and confirms a subscription once it is kept."""
        require_type(request, *sns.CONTENT_TYPES)
        delivery = await self._delivery(request, "ses")
        if sns.is_greeting(delivery):
            return JSONResponse({"status": "nothing to keep"})
        message = await run_in_threadpool(sns.verify, delivery, self.certificates)
        await self._keep("ses", "ses", delivery.body, request, sns.KEPT_HEADERS)
        confirm = sns.confirmation(message, fetch)
        return JSONResponse({"status": "kept"}, background=BackgroundTask(confirm) if confirm else None)

    async def call(self, request: Request, call: str) -> Response:
        """Takes in one call of the event receiver."""
        if not self.configuration.write_keys:
            raise Turned(503, f"{WRITE_KEYS} is not set")
        received = await segment.receive(request, call, self.configuration)
        kept = Record("segment", f"segment/{received.source}", self.clock.now(), {"call": call}, received.body)
        await self.committer.keep(kept)
        return JSONResponse({"success": True}, headers=segment.CROSS_ORIGIN)

    async def show_button(self, request: Request) -> Response:
        """Shows the button; changes nothing."""
        self._subscription(request)
        return HTMLResponse(unsubscribe.page(is_done=False), headers=described.PAGE_HEADERS)

    async def take_off(self, request: Request) -> Response:
        """Takes a person off a list."""
        subscription = self._subscription(request)
        await unsubscribe.require_one_click(request)
        body = unsubscribe.record_body(subscription)
        await self.committer.keep(Record("one_click", "one_click", self.clock.now(), {}, body))
        return HTMLResponse(unsubscribe.page(is_done=True), headers=described.PAGE_HEADERS)

    async def health(self, _: Request) -> Response:
        """Counts of answers since the start, by door and status."""
        return JSONResponse({"status": "ok", "answers": dict(sorted(self.counts.items()))})

    def answering(self, name: str, handle: Handler) -> Handler:
        """A handler that words what was turned away, counts its answers and tells the operator."""

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except Turned as turned:
                self._say(name, turned)
                headers = {"retry-after": str(RETRY_SECONDS)} if turned.status == 503 else {}
                if turned.status == 401:
                    headers["www-authenticate"] = "Basic"
                if name == "segment":
                    headers |= segment.CROSS_ORIGIN
                response = JSONResponse({"error": turned.reason}, turned.status, headers)
            self.counts[f"{name} {response.status_code}"] += 1
            return response

        return answer

    async def _delivery(self, request: Request, provider: str) -> Delivery:
        secrets = self.configuration.secrets.get(provider, ())
        if not secrets:
            raise Turned(503, f"{SECRETS[provider]} is not set")
        require_plain(request)
        limits, public = self.configuration.limits, self.configuration.public_url
        body = await read_body(request, limits.webhook_max_bytes)

        def url() -> str:
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return public + path if public else str(request.url)

        return Delivery(dict(request.headers), url, body, secrets, self.clock.now(), limits.webhook_tolerance_seconds)

    async def _keep(self, provider: str, source: str, body: bytes, request: Request, headers: tuple[str, ...]) -> None:
        kept = {name: request.headers[name] for name in ("content-type", *headers) if name in request.headers}
        kept |= {"query": request.url.query} if request.scope["query_string"] else {}
        await self.committer.keep(Record(provider, source, self.clock.now(), kept, body))

    def _subscription(self, request: Request) -> unsubscribe.Subscription:
        found = unsubscribe.subscription_of(request.path_params["token"], self.signing_key)
        if found is None:
            raise Turned(404, "this link is not one of ours")
        return found

    def _say(self, name: str, turned: Turned) -> None:
        now, kind = time.monotonic(), f"{name} {turned.status}"
        if now - self.last_said.get(kind, -_QUIET_SECONDS) >= _QUIET_SECONDS:
            self.last_said[kind] = now
            LOG.warning("%s -> answered %d: %s.", name, turned.status, turned.reason)


def receiver_app(warehouse: Path, configuration: Configuration, clock: Clock) -> FastAPI:
    """The application.

    Args:
        warehouse: The warehouse folder; only its spool and keys are touched.

    Raises:
        Refusal: if a key cannot be read or made.
    """
    committer = Committer(spool_folder(warehouse), spool_key(warehouse), clock)
    receiver = Receiver(
        configuration, committer, clock, Certificates(fetch, clock), unsubscribe.unsubscribe_key(warehouse)
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        committer.start()
        yield
        await committer.stop()

    app = FastAPI(title="Loopwright receiver", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.router.route_class = _Route
    for provider in DOORS:
        _route(
            app, receiver, provider, f"/webhooks/{provider}", _webhook(receiver, provider), described.webhook(provider)
        )
    _route(app, receiver, "ses", "/webhooks/ses", receiver.ses, described.webhook("ses"))
    for call in segment.CALLS:
        _route(app, receiver, "segment", f"/v1/{call}", _segment(receiver, call), described.segment(call))
    app.router.add_route("/v1/{call}", _preflight, methods=["OPTIONS"], include_in_schema=False)
    _route(app, receiver, "unsubscribe", "/unsubscribe/{token}", receiver.take_off, described.UNSUBSCRIBE)
    _route(app, receiver, "page", "/unsubscribe/{token}", receiver.show_button, described.PAGE, "GET")
    _route(app, receiver, "health", "/health", receiver.health, described.HEALTH, "GET")
    app.openapi_schema = described.completed(app.openapi())
    return app


def _route(
    app: FastAPI,
    receiver: Receiver,
    name: str,
    path: str,
    handle: Handler,
    description: dict[str, Any],
    method: str = "POST",
) -> None:
    # response_model=None and a bare Request: no body is parsed before it is verified.
    app.add_api_route(
        path,
        receiver.answering(name, handle),
        methods=[method],
        response_model=None,
        summary=description["summary"],
        responses=description["responses"],
        openapi_extra=description.get("extra"),
        name=f"{name} {method} {path}",
    )


def _webhook(receiver: Receiver, provider: str) -> Handler:
    async def handle(request: Request) -> Response:
        return await receiver.webhook(request, provider)

    return handle


def _segment(receiver: Receiver, call: str) -> Handler:
    async def handle(request: Request) -> Response:
        return await receiver.call(request, call)

    return handle


async def _preflight(_: Request) -> Response:
    return Response(status_code=204, headers=segment.CROSS_ORIGIN)
