"""What each provider signs, and how: pure functions of keys and raw bytes.

A body is verified as it came. Parsed and written anew it is another text: SendGrid's ends in CR LF, and those two bytes are signed.
Comparisons take the same time wherever the difference lies.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

_AS_IT_IS = ("utf-8", "surrogatepass")  # JSON can spell half a surrogate pair; it must fail as a signature, not as text
_SNS_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def sendgrid(public_key: str, timestamp: str, body: bytes, signature: str) -> bool:
    """ECDSA P-256 over timestamp and body; the key is base64 DER, as the provider's console shows it.

    Raises:
        ValueError: if the key is not a P-256 public key.
    """
    key = elliptic_key(public_key)
    try:
        key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + body, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


@cache
def elliptic_key(public_key: str) -> ec.EllipticCurvePublicKey:
    """The key that base64 DER holds.

    Raises:
        ValueError: if it holds none.
    """
    key = load_der_public_key(base64.b64decode(public_key, validate=True))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("not an elliptic curve key")
    return key


def mailgun(key: str, timestamp: str, token: str, signature: str) -> bool:
    """HMAC-SHA256 over timestamp and token; the rest of the body is not covered."""
    return _equal(_hex(key, (timestamp + token).encode(*_AS_IT_IS)), signature)


def klaviyo(key: str, timestamp: str, body: bytes, signature: str) -> bool:
    """HMAC-SHA256 over body and timestamp, the body first."""
    return _equal(_hex(key, body + timestamp.encode()), signature)


def customerio(key: str, timestamp: str, body: bytes, signature: str) -> bool:
    """HMAC-SHA256 over ``v0:timestamp:body``."""
    return _equal(_hex(key, b"v0:" + timestamp.encode() + b":" + body), signature)


def twilio(token: str, url: str, fields: Mapping[str, Sequence[str]], signature: str) -> bool:
    """HMAC-SHA1 over the public URL and every form field, sorted by name, values of one name sorted and taken once."""
    text = url + "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    digest = hmac.digest(token.encode(), text.encode(*_AS_IT_IS), hashlib.sha1)
    return _equal(base64.b64encode(digest).decode(), signature)


def basic(user_and_password: str, header: str) -> bool:
    """HTTP Basic authentication; ``user:password`` against the ``Authorization`` header."""
    scheme, _, encoded = header.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, user_and_password.encode())


def sns_text(message: Mapping[str, str]) -> bytes | None:
    """The text Amazon SNS signs: names and values in turn, a subject only where there is one; None for an unknown type."""
    names = _SNS_FIELDS.get(message.get("Type", ""))
    if names is None or any(name not in message for name in names if name != "Subject"):
        return None
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message).encode(*_AS_IT_IS)


def sns(public_key: rsa.RSAPublicKey, message: Mapping[str, str]) -> bool:
    """RSA PKCS#1 v1.5, with SHA-1 for signature version 1 and SHA-256 for version 2."""
    text = sns_text(message)
    algorithm = {"1": SHA1(), "2": SHA256()}.get(message.get("SignatureVersion", ""))  # noqa: S303  Amazon chooses
    if text is None or algorithm is None:
        return False
    try:
        signature = base64.b64decode(message.get("Signature", ""), validate=True)
        public_key.verify(signature, text, padding.PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _hex(key: str, text: bytes) -> str:
    return hmac.digest(key.encode(), text, hashlib.sha256).hex()


def _equal(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode(*_AS_IT_IS))
