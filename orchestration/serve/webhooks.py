"""The doors of the providers: whether a delivery comes from who it says, judged on its raw bytes.

A door answers with nothing or raises ``Turned``. What is verified is kept whatever it says: parsing comes later, in SQL, where a
parser's bug loses nothing. An unverified body is never kept, so a stranger cannot fill the disk.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from orchestration.serve import signatures
from orchestration.serve.answers import Turned
from orchestration.serve.bodies import parsed

JSON = ("application/json",)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What stood at a door.

    Attributes:
        headers: By lower-case name.
        url: Tells the address as the provider knows it, with its query.
        tolerance: Seconds that a signed transport time may be from ``now``.
    """

    headers: Mapping[str, str]
    url: Callable[[], str]
    body: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    now: dt.datetime
    tolerance: int


@dataclass(frozen=True, slots=True)
class Door:
    """How one provider's webhook is taken in.

    Attributes:
        verify: Raises ``Turned`` unless the delivery is the provider's.
        content_types: Those it sends.
        kept_headers: Headers that parsers or operators need.
    """

    verify: Callable[[Delivery], None]
    content_types: tuple[str, ...] = JSON
    kept_headers: tuple[str, ...] = ()


def _sendgrid(delivery: Delivery) -> None:
    name = "x-twilio-email-event-webhook-"
    timestamp, signature = (delivery.headers.get(name + part, "") for part in ("timestamp", "signature"))
    _require(any(signatures.sendgrid(key, timestamp, delivery.body, signature) for key in delivery.secrets))
    _require_fresh(delivery, timestamp)


def _postmark(delivery: Delivery) -> None:
    given = delivery.headers.get("authorization", "")
    _require(any(signatures.basic(known, given) for known in delivery.secrets))


def _mailgun(delivery: Delivery) -> None:
    body = parsed(delivery.body)
    signed = body.get("signature") if isinstance(body, dict) else None
    signed = signed if isinstance(signed, dict) else {}
    timestamp, token, signature = (str(signed.get(part, "")) for part in ("timestamp", "token", "signature"))
    _require(any(signatures.mailgun(key, timestamp, token, signature) for key in delivery.secrets))
    _require_fresh(delivery, timestamp)


def _customerio(delivery: Delivery) -> None:
    timestamp, signature = (delivery.headers.get(f"x-cio-{part}", "") for part in ("timestamp", "signature"))
    _require(any(signatures.customerio(key, timestamp, delivery.body, signature) for key in delivery.secrets))
    _require_fresh(delivery, timestamp)


def _klaviyo(delivery: Delivery) -> None:
    timestamp, signature = (delivery.headers.get(f"klaviyo-{part}", "") for part in ("timestamp", "signature"))
    _require(any(signatures.klaviyo(key, timestamp, delivery.body, signature) for key in delivery.secrets))
    _require_fresh(delivery, timestamp)


def _twilio(delivery: Delivery) -> None:
    """No time is signed; a repeated status is dropped as a duplicate later."""
    try:
        fields = parse_qs(delivery.body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=200)
    except ValueError as error:
        raise Turned(400, "the body is not a form") from error
    given, url = delivery.headers.get("x-twilio-signature", ""), delivery.url()
    _require(any(signatures.twilio(token, url, fields, given) for token in delivery.secrets))


DOORS: dict[str, Door] = {
    "sendgrid": Door(_sendgrid),
    "postmark": Door(_postmark),
    "mailgun": Door(_mailgun),
    "customerio": Door(_customerio),
    "klaviyo": Door(_klaviyo, (*JSON, "application/vnd.api+json"), ("klaviyo-webhook-id",)),
    "twilio": Door(_twilio, ("application/x-www-form-urlencoded",)),
}
"""Every provider whose proof is in the delivery itself; Amazon's needs a certificate and has a module of its own."""


def _require(is_proved: bool) -> None:
    if not is_proved:
        raise Turned(401, "the signature or the credentials are wrong")


def _require_fresh(delivery: Delivery, timestamp: str) -> None:
    """A signature that was seen once stays valid for ever; its time does not. Times of events are not judged: those may be days old."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise Turned(401, "the signed time is no time")
    seconds = delivery.now.replace(tzinfo=dt.UTC).timestamp() - int(timestamp)
    if abs(seconds) > delivery.tolerance:
        raise Turned(401, f"the signed time is more than {delivery.tolerance} seconds from now")
