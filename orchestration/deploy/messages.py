"""What a sender is: one Protocol for every channel, and what can be said of a message that was handed to it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Kind = Literal["accepted", "refused", "deferred", "unknown"]
Doubt = Literal["repeat", "ask", "operator"]
Found = Literal["sent", "absent", "unclear"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it leaves, with the address that only this moment knows.

    Attributes:
        send_id: The idempotency key: the same message has the same one for ever.
        address: Where it goes; empty for a post or an ad, which go to nobody in particular.
        subject: The creative's text.
        text, html: The body; a channel without bodies uses neither.
        headers: Further headers of a mail, such as those of one-click unsubscribe.
        metadata: Opaque ids that the channel hands back with its events; never an address.
        scheduled_at: When it was meant to leave, UTC; a part of the message, so the same whenever it is tried.
    """

    send_id: str
    address: str = field(repr=False)
    subject: str
    scheduled_at: dt.datetime
    text: str = ""
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known after a call.

    Attributes:
        kind: ``deferred``: surely not sent, may be tried again; ``unknown``: it may or may not have been sent.
        reference: The channel's own id of the message.
        wait_seconds: How long the channel wants to be left alone, all messages included; 0: it does not.
    """

    kind: Kind
    detail: str | None = None
    reference: str | None = None
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a channel says when it is asked for a message; ``absent`` is believed once the message has had time to appear."""

    found: Found
    reference: str | None = None
    detail: str | None = None


UNCLEAR = Finding("unclear")


class Sender(Protocol):
    """Hands messages to one channel.

    Attributes:
        name: Of the channel's service, such as ``postmark``.
        most_per_call: Messages of one call. A kill leaves one call in doubt, so a sender that can neither repeat nor ask has 1.
        doubt: What settles a call that was cut off: ``repeat`` it under the same key, ``ask`` the channel, or the ``operator``.
        remembers_seconds: For how long after the first call the channel knows the key of a repeated one.
    """

    name: str
    most_per_call: int
    doubt: Doubt
    remembers_seconds: float

    def send(self, letters: Sequence[Letter]) -> Sequence[Outcome]:
        """One call; an outcome for each letter, in order.

        Raises:
            Refusal: if nothing of the call was sent and no other call would be (a wrong key, an account that was closed).
        """
        ...

    def ask(self, send_id: str) -> Finding:
        """Whether the channel has the message."""
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...
