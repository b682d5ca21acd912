"""A receiver in a process of its own, and a load generator on plain sockets, for the benchmarks and tests of the intake."""

import asyncio
import base64
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ROOT = Path(__file__).parents[2]
WRITE_KEY = "bench-write-key"
SENDGRID_KEY = ec.derive_private_key(0x1234567890ABCDEF1234567890ABCDEF, ec.SECP256R1())
SENDGRID_PUBLIC = base64.b64encode(
    SENDGRID_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


@dataclass
class Server:
    """A running server process."""

    process: subprocess.Popen[bytes]
    port: int

    def kill(self) -> None:
        """Kills it as a power cut would the process: no handler runs."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    """A port nobody listens on, below those that systems hand out: nothing else takes it while a killed receiver is away."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def start(code: str, port: int, environment: Mapping[str, str]) -> Server:
    """Starts a process and waits until its port answers.

    Args:
        code: Python, run with the port as its first argument.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return Server(process, port)
    process.kill()
    raise RuntimeError(f"the server did not start (exit code {process.poll()})")


def start_receiver(warehouse: Path, port: int = 0) -> Server:
    """``loop serve`` on a warehouse folder, with keys for product events and SendGrid."""
    code = "import sys; from orchestration.cli import main; sys.argv = ['loop', 'serve', '--port', sys.argv[1]]; main()"
    keys = {
        "LOOP_WAREHOUSE": str(warehouse),
        "LOOP_WRITE_KEYS": f"bench={WRITE_KEY}",
        "LOOP_SENDGRID_PUBLIC_KEY": SENDGRID_PUBLIC,
    }
    return start(code, port or free_port(), keys)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server, stopped at the end."""
    try:
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


def request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """An HTTP/1.1 request as bytes, on a connection that stays open."""
    told = {"host": "127.0.0.1", "content-type": "application/json", **headers, "content-length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def track(number: int, **more: object) -> bytes:
    """A call of a product event."""
    content = {
        "writeKey": WRITE_KEY,
        "messageId": f"message-{number}",
        "userId": f"person-{number % 1000}",
        "event": "Product Viewed",
        "properties": {"sku": f"sku-{number % 100}", "price": 12.5},
        "context": {
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
            "page": {"url": "https://shop.example.test/"},
        },
        "originalTimestamp": "2026-11-01T10:00:00.000Z",
        **more,
    }
    return request("/v1/track", json.dumps(content).encode(), {})


def sendgrid(numbers: Sequence[int]) -> bytes:
    """A signed webhook of one event for each number."""
    at = int(time.time())
    events = [
        {"email": f"person{number}@example.test", "event": "open", "sg_event_id": f"event-{number}", "timestamp": at}
        for number in numbers
    ]
    body = json.dumps(events).encode() + b"\r\n"
    signature = base64.b64encode(SENDGRID_KEY.sign(str(at).encode() + body, ec.ECDSA(SHA256()))).decode()
    name = "x-twilio-email-event-webhook-"
    return request("/webhooks/sendgrid", body, {f"{name}signature": signature, f"{name}timestamp": str(at)})


async def post_all(port: int, requests: Sequence[bytes], connections: int) -> list[int | None]:
    """Sends requests over some connections at once.

    Returns:
        The status of each, None where no whole answer came.
    """
    statuses: list[int | None] = [None] * len(requests)
    waiting = iter(range(len(requests)))

    async def connection() -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for index in waiting:
                writer.write(requests[index])
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                await reader.readexactly(length)
                statuses[index] = int(head[9:12])
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the server was killed

    await asyncio.gather(*(connection() for _ in range(connections)))
    return statuses
