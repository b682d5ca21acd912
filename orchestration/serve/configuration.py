"""What the receiver is configured to: secrets from the environment, limits from the policy seed.

A secret variable may hold several values, separated by spaces, so that a key can be changed without losing a delivery.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.errors import Refusal
from orchestration.policy.thresholds import whole_number
from orchestration.serve.signatures import elliptic_key

SECRETS = {
    "sendgrid": "LOOP_SENDGRID_PUBLIC_KEY",
    "ses": "LOOP_SES_TOPIC_ARN",
    "postmark": "LOOP_POSTMARK_CREDENTIALS",
    "mailgun": "LOOP_MAILGUN_SIGNING_KEY",
    "customerio": "LOOP_CUSTOMERIO_SIGNING_KEY",
    "klaviyo": "LOOP_KLAVIYO_WEBHOOK_SECRET",
    "twilio": "LOOP_TWILIO_AUTH_TOKEN",
}
WRITE_KEYS = "LOOP_WRITE_KEYS"
PUBLIC_URL = "LOOP_PUBLIC_URL"
_NAMED = re.compile(r"([a-z0-9][a-z0-9_-]{0,31})=(\S+)")


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds of the receiver, from the policy seed.

    Attributes:
        webhook_tolerance_seconds: How far a signed transport time may be from now.
        webhook_max_bytes: Largest webhook body.
        segment_event_bytes: Largest single call of the event receiver.
        segment_batch_bytes: Largest batch of the event receiver.
    """

    webhook_tolerance_seconds: int
    webhook_max_bytes: int
    segment_event_bytes: int
    segment_batch_bytes: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the receiver knows.

    Attributes:
        secrets: Provider -> its keys, topics or credentials; absent where none is set.
        write_keys: Write key -> name of the source.
        public_url: Scheme, host and port under which senders see the receiver; None if not told.
    """

    limits: Limits
    secrets: Mapping[str, tuple[str, ...]] = field(repr=False)
    write_keys: Mapping[str, str] = field(repr=False)
    public_url: str | None


def read_configuration() -> Configuration:
    """Reads the environment and the policy seed.

    Raises:
        Refusal: if a write key has no name, a key is no key, or the address is no address.
    """
    secrets = {
        provider: tuple(os.environ[variable].split())
        for provider, variable in SECRETS.items()
        if os.environ.get(variable, "").strip()
    }
    _require_keys(secrets.get("sendgrid", ()))
    return Configuration(_limits(), secrets, _write_keys(), public_url())


def public_url() -> str | None:
    """Where the receiver is reached from outside (``LOOP_PUBLIC_URL``), without a slash at the end; None if that is not told.

    Raises:
        Refusal: if it is no https address; mailboxes call no other one to unsubscribe (RFC 8058).
    """
    url = os.environ.get(PUBLIC_URL, "").rstrip("/")
    if url and not re.fullmatch(r"https://[^/\s?#]+(/[^\s?#]*)?", url):
        raise Refusal(
            PUBLIC_URL, f"{url!r} is no https address", "Set scheme and host, such as https://hooks.example.com."
        )
    return url or None


def _require_keys(public_keys: tuple[str, ...]) -> None:
    for key in public_keys:
        try:
            elliptic_key(key)
        except ValueError as error:
            raise Refusal(
                SECRETS["sendgrid"], "is no public key", "Copy the verification key as the console shows it."
            ) from error


def _limits() -> Limits:
    return Limits(**{name: whole_number(name) for name in Limits.__dataclass_fields__})


def _write_keys() -> dict[str, str]:
    found = {}
    for pair in os.environ.get(WRITE_KEYS, "").split():
        named = _NAMED.fullmatch(pair)
        if named is None:
            raise Refusal(
                WRITE_KEYS, "holds a key without a source's name", "Write `name=key` pairs, separated by spaces."
            )
        found[named[2]] = named[1]
    return found
