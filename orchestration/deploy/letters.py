"""Messages become letters: the address, the bodies, and the one-click link of the person."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from orchestration.deploy.messages import Letter
from orchestration.deploy.queued import Message
from orchestration.deploy.rendering import Templates
from orchestration.deploy.senders.mail import is_address
from orchestration.serve.unsubscribe import Subscription, headers_of, token_of


@dataclass(frozen=True)
class LetterWriter:
    """Writes letters to people.

    Attributes:
        addresses_of: Ids to addresses; asked once for the messages of a window.
        templates_of: Templates of a program.
        public_url: Where ``loop serve`` is reached from outside.
        unsubscribe_key: Signs the links.
        mailto: An address that takes unsubscriptions by mail as well, or None.
    """

    addresses_of: Callable[[Collection[str]], Mapping[str, str]]
    templates_of: Callable[[str], Templates]
    public_url: str
    unsubscribe_key: bytes = field(repr=False)
    mailto: str | None = None

    def write(self, messages: Sequence[Message]) -> dict[str, Letter]:
        """Letters by send id; a message to nobody, or to somebody without a usable address, gets none."""
        people = {message.user_id for message in messages if message.user_id is not None}
        addresses = self.addresses_of(people)
        return {
            message.send_id: self._letter(message, message.user_id, addresses[message.user_id])
            for message in messages
            if message.user_id is not None and is_address(addresses.get(message.user_id, ""))
        }

    def _letter(self, message: Message, user_id: str, address: str) -> Letter:
        token = token_of(Subscription(user_id, message.program, message.send_id), self.unsubscribe_key)
        headers = headers_of(self.public_url, token)
        if self.mailto is not None:
            headers["List-Unsubscribe"] += f", <mailto:{self.mailto}?subject=unsubscribe%20{quote(token)}>"
        text, html = self.templates_of(message.program).render(
            text=message.text,
            segment=message.segment,
            send_id=message.send_id,
            unsubscribe_url=f"{self.public_url.rstrip('/')}/unsubscribe/{quote(token)}",
        )
        return Letter(
            message.send_id, address, message.text, message.scheduled_at, text, html, headers, metadata_of(message)
        )


def posts_of(messages: Sequence[Message]) -> dict[str, Letter]:
    """Letters of posts and ads, which need neither an address nor a body."""
    return {
        message.send_id: Letter(message.send_id, "", message.text, message.scheduled_at, metadata=metadata_of(message))
        for message in messages
    }


def metadata_of(message: Message) -> dict[str, str]:
    """What a channel hands back with its events: opaque ids alone."""
    return {
        "program": message.program,
        "experiment_id": message.experiment_id,
        "creative_id": message.creative_id,
        "segment": message.segment,
    }
