"""Mastodon: a status under an Idempotency-Key, which a server knows for an hour."""

from collections.abc import Sequence

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import Asker
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller


class MastodonSender:
    """One status per call; the server says if a text is too long for it."""

    name = "mastodon"
    most_per_call = 1
    doubt: Doubt = "repeat"
    remembers_seconds = 3_300.0  # an hour, less what the clocks of two machines may differ

    def __init__(self, base_url: str, token: str, clock: Clock, *, visibility: str = "public") -> None:
        self._visibility = visibility
        caller = Caller(base_url, {"Authorization": f"Bearer {token}"})
        self._asker = Asker("mastodon", caller, clock, "Check LOOP_MASTODON_TOKEN; it needs write:statuses.")

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Posts each text."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Nothing: calling again within the hour is the question."""
        return UNCLEAR

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _send(self, letter: Letter) -> Outcome:
        body = {"status": letter.subject, "visibility": self._visibility}
        reply = self._asker.call("POST", "/api/v1/statuses", body, {"Idempotency-Key": letter.send_id})
        return reply if isinstance(reply, Outcome) else Outcome("accepted", reference=reply.json.get("uri"))
