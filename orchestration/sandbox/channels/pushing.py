"""Providers that push: a seeded day of deliveries with their usual oddities, sent at an address as each provider sends and retries."""

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from orchestration.sandbox.channels.deliveries import Sent, delivery, envelope, sns
from orchestration.sandbox.channels.world import ChannelWorld, draw

# What each takes for an answer that ends its retries besides success; Mailgun never retries a delivered event.
_ENDS = {"postmark": 403, "mailgun": 406}
_TRIES = 10  # Postmark's; the pauses between them, up to six hours, are left out
_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of one delivery.

    Attributes:
        statuses: The answers, in order; 0 where none came.
    """

    provider: str
    statuses: tuple[int, ...]

    @property
    def is_kept(self) -> bool:
        """Whether the provider believes that it arrived."""
        return bool(self.statuses) and 200 <= self.statuses[-1] < 300


def deliveries_of(world: ChannelWorld) -> Iterator[tuple[str, Sent]]:
    """(provider, delivery) of a day: duplicates, batches out of order, machine opens and names that collide among them."""
    at = int(world.now.replace(tzinfo=dt.UTC).timestamp())
    opens, delivered, clicks = (_sendgrid(world, kind, at) for kind in ("open", "delivered", "click"))
    yield "sendgrid", delivery("sendgrid", opens, at)  # the opens of mail that is told as delivered later
    yield "sendgrid", delivery("sendgrid", delivered, at)
    for _ in range(3):  # copies are normal
        yield "sendgrid", delivery("sendgrid", clicks, at)
    yield "ses", sns(envelope("Successfully validated SNS topic for Amazon SES event publishing."))
    for number, kind in enumerate(("Delivery", "Open", "Complaint", "Rendering Failure")):
        yield "ses", sns(envelope(_ses(world, kind, number), MessageId=f"m-{number}"))
    yield "ses", sns(envelope(_ses(world, "Open", 9), TopicArn="arn:aws:sns:eu-west-1:999999999999:other"))
    for number in range(4):
        yield "postmark", delivery("postmark", _postmark(world, number), at)
    for event in ("delivered", "opened", "failed"):
        yield "mailgun", delivery("mailgun", _mailgun(world, event, at), at)
    yield "klaviyo", delivery("klaviyo", {"data": [_klaviyo(world, number, at) for number in range(1000)]}, at)


def push(target: str, deliveries: Iterator[tuple[str, Sent]]) -> list[Pushed]:
    """Sends deliveries one after another, again where the provider would, without its pauses.

    Args:
        target: Address of the receiver, without a path.
    """
    with requests.Session() as session:
        session.trust_env = False
        return [_push(session, target.rstrip("/"), provider, sent) for provider, sent in deliveries]


def wait_for(target: str) -> None:
    """Returns when a receiver answers there, whatever it answers."""
    while True:
        try:
            requests.get(target, timeout=_TIMEOUT, allow_redirects=False)
        except requests.RequestException:
            time.sleep(0.5)
        else:
            return


def one_click(link: str) -> int:
    """Unsubscribes as a mailbox provider does (RFC 8058): a form, no cookies, no redirect followed; returns the status."""
    answer = requests.post(
        link, data={"List-Unsubscribe": "One-Click"}, allow_redirects=False, timeout=_TIMEOUT, headers={"Cookie": ""}
    )
    return answer.status_code


def _push(session: requests.Session, target: str, provider: str, sent: Sent) -> Pushed:
    statuses: list[int] = []
    while len(statuses) < _TRIES:
        try:
            answer = session.post(
                target + sent.path, data=sent.content, headers=sent.headers, timeout=_TIMEOUT, allow_redirects=False
            )
            statuses.append(answer.status_code)
        except requests.RequestException:
            statuses.append(0)
        is_taken = statuses[-1] == 200 if provider == "postmark" else 200 <= statuses[-1] < 300
        if is_taken or statuses[-1] == _ENDS.get(provider):
            break
        if provider == "mailgun" and b'"event": "delivered"' in sent.content:
            break
    return Pushed(provider, tuple(statuses))


def _sendgrid(world: ChannelWorld, kind: str, at: int) -> list[dict[str, Any]]:
    found = []
    for number in range(5):
        luck = draw(world.seed, "sendgrid", number)
        event: dict[str, Any] = {
            "email": f"person{number}@example.test", "timestamp": at - 3600 + number, "event": kind,
            "sg_event_id": f"{kind}-{luck}", "sg_message_id": f"x{luck % 97}.recvd-1", "smtp-id": f"<{luck}@mta.example.test>",
            "category": ["winback", "spring"] if number % 2 else "winback",
            "decision_id": f"dec_{number}", "variant_id": f"v{luck % 3}",
            "reason": "a custom argument of a reserved name",
        }  # fmt: skip
        if kind == "open":
            event["sg_machine_open"] = number % 3 == 0
        if kind == "click":
            event |= {"url": f"https://shop.example.test/p/{number}", "url_offset": {"index": number, "type": "html"}}
        found.append(event)
    if kind == "delivered":
        found.append(found[0] | {"event": "bounce", "type": "blocked", "sg_event_id": f"bounce-{world.seed}"})
    return found


def _ses(world: ChannelWorld, kind: str, number: int) -> dict[str, Any]:
    told = f"{world.now.isoformat()}Z"
    mail = {
        "messageId": f"ses-{number}",
        "timestamp": told,
        "destination": ["ana@example.test"],
        "tags": {"send_id": ["s1"]},
    }
    if kind == "Complaint":
        # Everybody at the domain is named, and this one in the older shape.
        people = [{"emailAddress": f"{name}@example.test"} for name in ("ana", "ben")]
        return {
            "notificationType": kind,
            "mail": mail,
            "complaint": {"complainedRecipients": people, "timestamp": told, "feedbackId": "f1"},
        }
    name = {"Rendering Failure": "failure"}.get(kind, kind.lower())
    return {"eventType": kind, "mail": mail, name: {"timestamp": told, "recipients": ["ana@example.test"]}}


def _postmark(world: ChannelWorld, number: int) -> dict[str, Any]:
    # Seven digits of a second, and repeated clicks that only they tell apart.
    return {
        "RecordType": "Click", "MessageStream": "broadcast", "MessageID": "6f0c0a3e-0000-4000-8000-000000000042",
        "Recipient": "ana@example.test", "ReceivedAt": f"{world.now:%Y-%m-%dT%H:%M:%S}.123456{number}Z",
        "OriginalLink": "https://shop.example.test/p/9", "Metadata": {"decision_id": "dec_42"},
    }  # fmt: skip


def _mailgun(world: ChannelWorld, event: str, at: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "event": event, "id": f"mg-{event}-{world.seed}", "timestamp": at - 30.5, "recipient": "ana@example.test",
        "message": {"headers": {"message-id": "m1@mg.example.test"}}, "user-variables": {"decision_id": "dec_42"},
    }  # fmt: skip
    if event == "failed":
        found |= {"severity": "temporary", "delivery-status": {"code": 452, "message": "mailbox full"}}
    return found


def _klaviyo(world: ChannelWorld, number: int, at: int) -> dict[str, Any]:
    return {
        "external_id": f"kl-{world.seed}-{number}",
        "topic": "event:klaviyo.opened_email",
        "payload": {"data": {"attributes": {"timestamp": at - number, "event_properties": {"$message": "m1"}}}},
    }
