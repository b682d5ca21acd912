"""SendGrid v3 Mail Send: no idempotency key; a doubt is settled by the activity feed of accounts that have one, else by people."""

from collections.abc import Sequence
from urllib.parse import quote

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import Asker
from orchestration.deploy.senders.mail import Origin
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller

URL = "https://api.sendgrid.com"


class SendGridSender:
    """One message per call.

    Args:
        has_activity: Whether the account has the email activity feed, which is sold apart.
    """

    name = "sendgrid"
    most_per_call = 1
    remembers_seconds = 0.0

    def __init__(
        self, key: str, origin: Origin, clock: Clock, *, base_url: str = URL, has_activity: bool = False
    ) -> None:
        self.doubt: Doubt = "ask" if has_activity else "operator"
        self._origin = origin
        caller = Caller(base_url, {"Authorization": f"Bearer {key}"})
        self._asker = Asker("sendgrid", caller, clock, "Check LOOP_SENDGRID_KEY.")

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Sends each letter; the id that SendGrid gives comes back with its events before the first dot."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Looks for the message in the activity feed."""
        query = quote(f"(unique_args['send_id']=\"{send_id}\")", safe="")
        reply = self._asker.call("GET", f"/v3/messages?limit=1&query={query}")
        if isinstance(reply, Outcome) or "messages" not in reply.json:
            return UNCLEAR
        found = reply.json["messages"]
        return Finding("sent", found[0].get("msg_id")) if found else Finding("absent")

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _send(self, letter: Letter) -> Outcome:
        content = [{"type": "text/plain", "value": letter.text}]
        content += [{"type": "text/html", "value": letter.html}] if letter.html is not None else []
        body = {
            "personalizations": [
                {
                    "to": [{"email": letter.address}],
                    "subject": letter.subject,
                    "headers": dict(letter.headers),
                    "custom_args": {**letter.metadata, "send_id": letter.send_id},
                }
            ],
            "from": {"email": self._origin.address, **({"name": self._origin.name} if self._origin.name else {})},
            "content": content,
            # Ours are the only links of unsubscribing: two would be two lists.
            "tracking_settings": {"subscription_tracking": {"enable": False}},
        }
        reply = self._asker.call("POST", "/v3/mail/send", body)
        return reply if isinstance(reply, Outcome) else Outcome("accepted", reference=reply.headers.get("x-message-id"))
