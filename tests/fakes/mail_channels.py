"""Channels that take mail, on loopback, in a process of their own: SMTP with TLS, and the HTTP of all the others.

Every message that is taken is a line of ``taken.log`` before the answer leaves, so that a sender which dies in between has sent it.
Run as ``python -m tests.fakes.mail_channels FOLDER``; it prints the two ports and ends with its standard input.
"""

import asyncio
import base64
import contextlib
import datetime as dt
import email
import ipaddress
import json
import os
import random
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Channels:
    """Running channels: their ports, the certificate to trust, and the log of what they took."""

    smtp_port: int
    http_port: int
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "channel.pem"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def taken(self) -> list[str]:
        """Ids of the messages taken, in order, copies included."""
        path = self.folder / "taken.log"
        return path.read_text().splitlines() if path.exists() else []

    def script(self, *faults: str) -> None:
        """What the HTTP channels do with the next calls: ``429``, ``500``, ``taken-500``, ``hang`` ..., or ``ok``."""
        (self.folder / "faults.json").write_text(json.dumps(faults))


@contextmanager
def mail_channels(folder: Path, *, delay_seconds: float = 0.0) -> Iterator[Channels]:
    """Starts the channels, and stops them at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.mail_channels", str(folder), str(delay_seconds)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        smtp, http = process.stdout.readline().split()
        yield Channels(int(smtp), int(http), folder)
    finally:
        process.kill()
        process.wait()


class Taken:
    """What the channels took, in memory and on disk."""

    def __init__(self, folder: Path, delay_seconds: float) -> None:
        self.folder, self.delay = folder, delay_seconds
        self.known: dict[str, str] = {}
        self.lock = threading.Lock()
        self.random = random.Random(7)
        self.log = (folder / "taken.log").open("a", buffering=1)

    def take(self, send_id: str, *, once: bool = False) -> str:
        with self.lock:
            if not (once and send_id in self.known):
                self.known[send_id] = f"ref-{len(self.known)}"
                self.log.write(f"{send_id}\n")
            return self.known[send_id]

    def pause(self) -> None:
        if self.delay:
            time.sleep(self.random.random() * self.delay)

    def next_fault(self) -> str:
        path = self.folder / "faults.json"
        with self.lock:
            faults = json.loads(path.read_text()) if path.exists() else []
            if faults:
                path.write_text(json.dumps(faults[1:]))
        return faults[0] if faults else "ok"


class Http(BaseHTTPRequestHandler):
    """SendGrid, Postmark, SES, Mastodon, Bluesky, Meta, Klaviyo and a webhook, by path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    taken: Taken

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        with (self.taken.folder / "calls.ndjson").open("a") as stream:
            told = {"path": self.path, "headers": dict(self.headers), "body": raw.decode()}
            stream.write(json.dumps(told) + "\n")
        self.taken.pause()
        fault = self.taken.next_fault()
        if fault.isdigit():
            self._answer(
                int(fault), {"errors": [{"message": "played"}]}, **({"Retry-After": "7"} if fault == "429" else {})
            )
            return
        status, body, headers = self._take(json.loads(raw))
        self.taken.pause()
        if fault == "taken-hang":
            time.sleep(3)
            self.close_connection = True
            return
        if fault == "taken-close":
            self.close_connection = True
            return
        self._answer(*((500, {}) if fault == "taken-500" else (status, body)), **headers)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query)
        if parts.path == "/v3/messages":
            wanted = re.findall(r'="([0-9a-f]+)"', unquote(asked["query"][0]))[0]
            found = [{"msg_id": self.taken.known[wanted]}] if wanted in self.taken.known else []
            self._answer(200, {"messages": found})
        elif parts.path != "/messages/outbound":
            wanted = re.findall(r"[0-9a-f]{64}", unquote(parts.query))[0]
            self._answer(200, {"data": [{"id": self.taken.known[wanted]}] if wanted in self.taken.known else []})
        else:
            wanted = asked["metadata_send_id"][0]
            found = [{"MessageID": self.taken.known[wanted]}] if wanted in self.taken.known else []
            self._answer(200, {"TotalCount": len(found), "Messages": found})

    def _take(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        if self.path == "/v3/mail/send":
            reference = self.taken.take(body["personalizations"][0]["custom_args"]["send_id"])
            return 202, None, {"X-Message-Id": reference}
        if self.path == "/email/batch":
            return 200, [self._postmark(message) for message in body], {}
        if self.path == "/v2/email/outbound-emails":
            tags = {tag["Name"]: tag["Value"] for tag in body["EmailTags"]}
            assert base64.b64decode(body["Content"]["Raw"]["Data"])
            return 200, {"MessageId": self.taken.take(tags["send_id"])}, {}
        if self.path in {"/api/v1/statuses", "/hook"}:
            reference = self.taken.take(self.headers["Idempotency-Key"], once=True)
            return 200, {"id": reference, "uri": f"https://social.example.test/{reference}"}, {}
        return self._publish(body)

    def _publish(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        """Channels of creatives: Bluesky, Meta, Klaviyo."""
        match self.path.rpartition("/")[2]:
            case "com.atproto.server.createSession":
                return 200, {"did": "did:plc:acme", "accessJwt": "jwt"}, {}
            case "com.atproto.repo.putRecord":
                self.taken.take(body["rkey"], once=True)
                return 200, {"uri": f"at://{body['repo']}/{body['collection']}/{body['rkey']}"}, {}
            case "adcreatives":
                return 200, {"id": "creative-1"}, {}
            case "ads" if body["status"] == "PAUSED" and body["creative"] == {"creative_id": "creative-1"}:
                return 200, {"id": self.taken.take(body["name"].split()[-1])}, {}
            case "campaigns" if self.headers["revision"]:
                return 201, {"data": {"id": self.taken.take(body["data"]["attributes"]["name"].split()[-1])}}, {}
        return 400, {"error": {"message": "not understood"}}, {}

    def _postmark(self, message: dict[str, Any]) -> dict[str, Any]:
        if "inactive" in message["To"]:
            return {"ErrorCode": 406, "Message": "You tried to send to a recipient that has been marked as inactive."}
        return {"ErrorCode": 0, "Message": "OK", "MessageID": self.taken.take(message["Metadata"]["send_id"])}

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a killed sender does not say goodbye
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass


class Mailbox:
    """The SMTP side: refuses ``gone@``, puts ``later@`` off, hangs up after taking ``cut@``; whoever logs in is ``me``, ``secret``."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address.startswith("gone@"):
            return "550 5.1.1 no such person"
        if address.startswith("later@"):
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.content)
        await asyncio.sleep(self._taken.random.random() * self._taken.delay)
        self._taken.take(mail["X-Loop-Send-Id"])
        (self._taken.folder / f"{mail['X-Loop-Send-Id']}.eml").write_bytes(
            envelope.content
        ) if self._taken.delay == 0 else None
        if envelope.rcpt_tos[0].startswith("cut@"):
            server.transport.abort()
        await asyncio.sleep(self._taken.random.random() * self._taken.delay)
        return "250 2.0.0 queued"


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1, and a server's context that uses it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, SHA256())
    )
    (folder / "channel.pem").write_bytes(made.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "channel.key").write_bytes(secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "channel.pem", folder / "channel.key")
    return context


async def _serve(folder: Path, delay_seconds: float) -> None:
    from aiosmtpd.smtp import SMTP, AuthResult

    def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"me", b"secret"))

    taken, context = Taken(folder, delay_seconds), certificate(folder)
    mailbox, loop = Mailbox(taken), asyncio.get_running_loop()
    smtp = await loop.create_server(
        lambda: SMTP(mailbox, tls_context=context, require_starttls=True, enable_SMTPUTF8=True, authenticator=known),
        "127.0.0.1",
        0,
    )
    handler = type("Handler", (Http,), {"taken": taken})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    sys.stdout.write(f"{smtp.sockets[0].getsockname()[1]} {http.server_address[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), float(sys.argv[2])))
