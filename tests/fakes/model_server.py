"""A model server on loopback that plays a script: real HTTP, and the shapes and faults of OpenAI-compatible servers."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


@dataclass(frozen=True)
class Reply:
    """One answer of the script.

    Attributes:
        delay_seconds: Wait before the first byte.
        drip_seconds: Wait between any two bytes of the body.
        cut_after: Bytes of the body after which the connection is dropped; None sends it whole.
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    cut_after: int | None = None


def completion(content: str | None, *, finish: str = "stop", refusal: str | None = None, usage: Any = USAGE) -> Reply:
    """A chat completion as servers send it; ``usage`` None leaves the field out."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1793500000,
        "model": "fake-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return Reply(body if usage is None else {**body, "usage": usage})


def response(
    content: str | None, *, status: str = "completed", why: str | None = None, refusal: str | None = None
) -> Reply:
    """An answer of the Responses API."""
    part = {"type": "refusal", "refusal": refusal} if refusal else {"type": "output_text", "text": content}
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1793500000,
        "status": status,
        "incomplete_details": {"reason": why} if why else None,
        "model": "fake-1",
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": [part]}],
        "usage": {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100, "input_tokens_details": None},
    }
    return Reply(body)


def lines(texts: Mapping[int, str], **options: Any) -> Reply:
    """A completion that answers slots with texts."""
    return completion(json.dumps({"lines": [{"slot": slot, "text": text} for slot, text in texts.items()]}), **options)


def error(status: int, code: str, **headers: str) -> Reply:
    """An error in the shape of the API; ``retry_after`` becomes the header of that name."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": f"{code} happened", "type": code, "param": None, "code": code}}, status, named)


def moderation(*flags: Sequence[str]) -> Reply:
    """Results of the moderation endpoint, one for each text: the categories that hold."""
    names = ("harassment", "hate", "violence", "self-harm/intent")
    results = [
        {
            "flagged": bool(held),
            "categories": {name: name in held for name in names},
            "category_scores": dict.fromkeys(names, 0.1),
            "category_applied_input_types": {name: ["text"] for name in names},
        }
        for held in flags
    ]
    return Reply({"id": "modr-1", "model": "omni-moderation-latest", "results": results})


FAULTS: Mapping[str, Reply] = {
    "429 without retry-after": error(429, "rate_limited"),
    "429 with retry-after": error(429, "rate_limited", retry_after="1"),
    "429 with a date": error(429, "rate_limited", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
    "429 with retry-after above 120": error(429, "rate_limited", retry_after="600"),
    "insufficient quota": error(429, "insufficient_quota"),
    "500": error(500, "server_error"),
    "502 as a page": Reply("<html>bad gateway</html>", 502),
    "503 with retry-after": error(503, "overloaded", retry_after="2"),
    "504": error(504, "timeout"),
    "401": error(401, "invalid_api_key"),
    "400": error(400, "unsupported_parameter"),
    "hang": replace(completion("{}"), delay_seconds=1.5),
    "slow first byte": replace(completion("{}"), delay_seconds=0.6),
    "a byte now and then": replace(completion("{}"), drip_seconds=0.02),
    "cut off": replace(completion("{}"), cut_after=40),
    "cut off at once": replace(completion("{}"), cut_after=0),
    "not json": Reply("Sure! Here you go", headers={"content-type": "application/json"}),
    "json of another shape": Reply([1, 2, 3]),
    "json that is null": Reply(None),
    "choices that are no list": Reply({"id": "x", "object": "chat.completion", "choices": {"a": 1}}),
    "no choices": Reply({"id": "x", "object": "chat.completion", "choices": []}),
    "missing usage": completion('{"lines": []}', usage=None),
    "usage of text": completion('{"lines": []}', usage={"prompt_tokens": "many", "completion_tokens": -3}),
    "truncated": completion('{"lines": [{"sl', finish="length"),
    "refused": completion(None, refusal="I cannot help with that"),
    "filtered": completion("", finish="content_filter"),
    "empty": completion(""),
    "deep json": completion("[" * 5000),
}


@dataclass
class ModelServer:
    """A running server: where it is, and what it was asked."""

    base_url: str
    requests: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def model_server(
    script: Sequence[Reply | Callable[[Any], Reply]], batches: Callable[[str, str, bytes], Reply] | None = None
) -> Iterator[ModelServer]:
    """Serves the replies in their order; the last one repeats. One that is a function answers what was asked.

    Args:
        batches: Answers method, path and body of what goes to ``/v1/files`` and ``/v1/batches``.
    """
    replies = list(script)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if batches and self.path.startswith(("/v1/files", "/v1/batches")):
                self._answer(batches("POST", self.path, body))
                return
            with lock:
                planned = replies[min(len(server.requests), len(replies) - 1)]
                reply = planned(json.loads(body)) if callable(planned) else planned
                key = self.headers.get("idempotency-key")
                server.requests.append({"path": self.path, "idempotency_key": key, **json.loads(body)})
            self._answer(reply)

        def do_GET(self) -> None:
            self._answer(batches("GET", self.path, b"") if batches else error(404, "not_found"))

        def _answer(self, reply: Reply) -> None:
            time.sleep(reply.delay_seconds)
            is_text = isinstance(reply.body, str)
            content = (reply.body if is_text else json.dumps(reply.body)).encode()
            try:
                self.send_response(reply.status)
                headers = {"content-type": "text/html" if is_text else "application/json", **reply.headers}
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self._send(reply, content)
            except ConnectionError:
                pass  # the client gave up waiting

        def _send(self, reply: Reply, content: bytes) -> None:
            if reply.drip_seconds:
                for at in range(len(content)):
                    self.wfile.write(content[at : at + 1])
                    self.wfile.flush()
                    time.sleep(reply.drip_seconds)
                return
            self.wfile.write(content[: reply.cut_after])
            if reply.cut_after is not None:
                self.close_connection = True
                self.connection.close()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # a reply that drips may outlive its test

    http = Server(("127.0.0.1", 0), Handler)
    server = ModelServer(f"http://127.0.0.1:{http.server_address[1]}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
