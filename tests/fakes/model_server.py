"""A model server on loopback that plays a script: real HTTP, and the shapes and faults of OpenAI-compatible servers."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


@dataclass(frozen=True)
class Reply:
    """One answer of the script."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0


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


def lines(texts: Mapping[int, str], **options: Any) -> Reply:
    """A completion that answers slots with texts."""
    return completion(json.dumps({"lines": [{"slot": slot, "text": text} for slot, text in texts.items()]}), **options)


def error(status: int, code: str, **headers: str) -> Reply:
    """An error in the shape of the API; ``retry_after`` becomes the header of that name."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": f"{code} happened", "type": code, "param": None, "code": code}}, status, named)


@dataclass
class ModelServer:
    """A running server: where it is, and what it was asked."""

    base_url: str
    requests: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def model_server(script: Sequence[Reply]) -> Iterator[ModelServer]:
    """Serves the replies in their order; the last one repeats."""
    replies = list(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            reply = replies[min(len(server.requests), len(replies) - 1)]
            server.requests.append({"path": self.path, **json.loads(body)})
            time.sleep(reply.delay_seconds)
            is_text = isinstance(reply.body, str)
            content = (reply.body if is_text else json.dumps(reply.body)).encode()
            try:
                self.send_response(reply.status)
                headers = {"content-type": "text/html" if is_text else "application/json", **reply.headers}
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                pass  # the client gave up waiting

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = ModelServer(f"http://127.0.0.1:{http.server_address[1]}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
