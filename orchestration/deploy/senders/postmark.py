"""Postmark's batch: 200 says nothing of its messages, each has an ErrorCode of its own; a doubt is settled by a search by metadata."""

from collections.abc import Sequence

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import LIMITED_SECONDS, Asker
from orchestration.deploy.senders.mail import Origin
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller

URL = "https://api.postmarkapp.com"
_LATER = frozenset({100, 429})  # maintenance, rate limit: of the whole account, and surely not sent


class PostmarkSender:
    """Up to 500 messages per call, in a stream for broadcasts."""

    name = "postmark"
    most_per_call = 500
    doubt: Doubt = "ask"
    remembers_seconds = 0.0

    def __init__(
        self, token: str, origin: Origin, clock: Clock, *, stream: str = "broadcast", base_url: str = URL
    ) -> None:
        self._origin, self._stream = origin, stream
        caller = Caller(base_url, {"X-Postmark-Server-Token": token, "Accept": "application/json"})
        self._asker = Asker("postmark", caller, clock, "Check LOOP_POSTMARK_TOKEN.")

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Sends a batch."""
        reply = self._asker.call("POST", "/email/batch", [self._message(letter) for letter in letters])
        if isinstance(reply, Outcome):
            return [reply] * len(letters)
        answers = reply.json
        if not isinstance(answers, list) or len(answers) != len(letters):
            return [Outcome("unknown", f"answered for {_size(answers)} of {len(letters)} messages")] * len(letters)
        return [_outcome(answer) for answer in answers]

    def ask(self, send_id: str) -> Finding:
        """Looks for the message among those sent, of the last 45 days."""
        reply = self._asker.call("GET", f"/messages/outbound?count=1&offset=0&metadata_send_id={send_id}")
        if isinstance(reply, Outcome) or "TotalCount" not in reply.json:
            return UNCLEAR
        if not reply.json["TotalCount"]:
            return Finding("absent")
        return Finding("sent", reply.json["Messages"][0].get("MessageID"))

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _message(self, letter: Letter) -> dict[str, object]:
        message: dict[str, object] = {
            "From": self._origin.header,
            "To": letter.address,
            "Subject": letter.subject,
            "TextBody": letter.text,
            "MessageStream": self._stream,
            "Metadata": {**letter.metadata, "send_id": letter.send_id},
            "Headers": [{"Name": name, "Value": value} for name, value in letter.headers.items()],
        }
        if letter.html is not None:
            message["HtmlBody"] = letter.html
        return message


def _outcome(answer: dict[str, object]) -> Outcome:
    code = answer.get("ErrorCode")
    if code == 0:
        return Outcome("accepted", reference=str(answer.get("MessageID")))
    detail = f"{code} {answer.get('Message', '')}"[:200]
    return Outcome("deferred", detail, wait_seconds=LIMITED_SECONDS) if code in _LATER else Outcome("refused", detail)


def _size(answers: object) -> int:
    return len(answers) if isinstance(answers, list) else 0
