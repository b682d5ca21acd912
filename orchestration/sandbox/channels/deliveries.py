"""Deliveries signed as the providers sign them, and Amazon's certificate server on loopback. The keys are the played ones."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

AT = 1793500000
TOPIC = "arn:aws:sns:eu-west-1:111122223333:ses"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"
SUBSCRIBE_URL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
SENDGRID = ec.derive_private_key(0x1234567890ABCDEF1234567890ABCDEF, ec.SECP256R1())
SENDGRID_PUBLIC = base64.b64encode(
    SENDGRID.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
SECRETS = {
    "LOOP_SENDGRID_PUBLIC_KEY": SENDGRID_PUBLIC,
    "LOOP_POSTMARK_CREDENTIALS": "loop:a:pass",
    "LOOP_MAILGUN_SIGNING_KEY": "mg-old-key mg-signing-key-test",
    "LOOP_CUSTOMERIO_SIGNING_KEY": "cio-signing-key",
    "LOOP_KLAVIYO_WEBHOOK_SECRET": "klaviyo-secret-0123456789",
    "LOOP_TWILIO_AUTH_TOKEN": "twilio-auth-token",
    "LOOP_WRITE_KEYS": "web=web-key shop=shop-key",
    "LOOP_PUBLIC_URL": "https://hooks.example.test",
}


@dataclass(frozen=True)
class Sent:
    """One delivery, ready to be posted."""

    path: str
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


def delivery(provider: str, body: Any, at: int = AT) -> Sent:
    """A delivery signed by a provider.

    Args:
        body: JSON content, or bytes to be sent as they are.
        at: The signed time, seconds since 1970.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    match provider:
        case "sendgrid":
            content += b"" if isinstance(body, bytes) else b"\r\n"
            signature = SENDGRID.sign(str(at).encode() + content, ec.ECDSA(SHA256()))
            name = "X-Twilio-Email-Event-Webhook-"
            headers |= {f"{name}Signature": base64.b64encode(signature).decode(), f"{name}Timestamp": str(at)}
        case "postmark":
            headers["Authorization"] = "Basic " + base64.b64encode(b"loop:a:pass").decode()
        case "mailgun":
            token = "a" * 50
            told = {"timestamp": str(at), "token": token, "signature": _hex("mg-signing-key-test", f"{at}{token}")}
            content = json.dumps({"signature": told, "event-data": json.loads(content)}).encode()
        case "customerio":
            signed = f"v0:{at}:".encode() + content
            headers |= {"X-CIO-Timestamp": str(at), "X-CIO-Signature": _hex("cio-signing-key", signed)}
        case "klaviyo":
            signed = content + str(at).encode()
            headers |= {"Klaviyo-Timestamp": str(at), "Klaviyo-Signature": _hex("klaviyo-secret-0123456789", signed)}
    return Sent(f"/webhooks/{provider}", content, headers)


def envelope(message: Any, *, kind: str = "Notification", version: str = "2", **changed: str) -> dict[str, str]:
    """An SNS message, signed after the changes."""
    told = {
        "Type": kind,
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-01T10:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **({"Token": "t", "SubscribeURL": SUBSCRIBE_URL} if kind != "Notification" else {}),
        **changed,
    }
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if kind == "Notification":
        names = [name for name in names if name not in {"SubscribeURL", "Token"}]
    text = "".join(f"{name}\n{told[name]}\n" for name in names if name in told)
    algorithm = SHA256() if version == "2" else SHA1()  # noqa: S303  as Amazon does
    told["Signature"] = base64.b64encode(_amazon().sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return told


def sns(told: dict[str, str]) -> Sent:
    """An SNS message as it is posted: JSON, called plain text."""
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": told["Type"],
        "x-amz-sns-message-id": told["MessageId"],
    }
    return Sent("/webhooks/ses", json.dumps(told).encode(), headers)


@contextmanager
def amazon() -> Iterator[tuple[str, list[str]]]:
    """Amazon's host on loopback: serves the certificate and takes confirmations; yields its origin and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = certificate() if self.path.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@cache
def certificate() -> bytes:
    """Amazon's certificate, made up."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begins = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = x509.CertificateBuilder(name, name, _amazon().public_key(), 1, begins, begins + dt.timedelta(days=3650))
    return made.sign(_amazon(), SHA256()).public_bytes(Encoding.PEM)


@cache
def _amazon() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _hex(key: str, text: bytes | str) -> str:
    return hmac.new(key.encode(), text.encode() if isinstance(text, str) else text, hashlib.sha256).hexdigest()
