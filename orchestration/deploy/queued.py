"""What the outbox holds: messages, what happened to them, and those of which that is not known."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

State = Literal["queued", "attempted", "deferred", "accepted", "refused", "withheld", "unknown", "resolved"]
Resolution = Literal["sent", "not_sent", "again"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was queued; ``user_id`` is None for a post or an ad."""

    send_id: str
    program: str
    experiment_id: str
    creative_id: str
    role: str
    user_id: str | None
    segment: str
    channel: str
    text: str
    scheduled_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a message.

    Attributes:
        due_at: When a deferred or queued message may be tried; not kept as part of the event.
    """

    send_id: str
    state: State
    detail: str | None = None
    sender: str | None = None
    reference: str | None = None
    due_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a person got, or may have got: of which program, when, and when it was meant to."""

    program: str
    at: dt.datetime
    scheduled_at: dt.datetime


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A message that may or may not have been sent.

    Attributes:
        attempted_at: When it was last tried.
        first_attempted_at: When it was first tried since it was last known for sure not to have been sent.
    """

    message: Message
    attempted_at: dt.datetime
    first_attempted_at: dt.datetime
    sender: str | None
    detail: str | None
