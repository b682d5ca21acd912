"""A signed webhook for every channel that has no sender of its own, in the manner of Standard Webhooks.

    POST <url>
    Idempotency-Key: <send_id>
    webhook-id: <send_id>   webhook-timestamp: <unix seconds>
    webhook-signature: v1,<base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>">

The contract: 2xx means taken, and the same key within a day is the same message. So a doubt is settled by calling again.
"""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Sequence

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import Asker
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller
from orchestration.errors import Refusal


class WebhookSender:
    """One message per call.

    Args:
        secret: Shared with the receiver; ``whsec_`` and base64 as Standard Webhooks writes it, or any text.
    """

    name = "webhook"
    most_per_call = 1
    doubt: Doubt = "repeat"
    remembers_seconds = 86_400.0

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        if not secret:
            raise Refusal("LOOP_WEBHOOK_SECRET", "is empty", "Set the secret that the receiver checks with.")
        self._secret = _bytes_of(secret)
        self._asker = Asker("webhook", Caller(url, {}), clock, "Check LOOP_WEBHOOK_SECRET at both ends.")

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Posts each letter."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Nothing: calling again is the question."""
        return UNCLEAR

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _send(self, letter: Letter) -> Outcome:
        content = {
            "send_id": letter.send_id,
            "address": letter.address,
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
            "headers": dict(letter.headers),
            "metadata": dict(letter.metadata),
            "scheduled_at": letter.scheduled_at.isoformat() + "Z",
        }
        body = json.dumps(content, separators=(",", ":")).encode()
        timestamp = str(int(self._asker.now().replace(tzinfo=dt.UTC).timestamp()))
        signed = hmac.digest(self._secret, f"{letter.send_id}.{timestamp}.".encode() + body, hashlib.sha256)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": letter.send_id,
            "webhook-id": letter.send_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        reply = self._asker.call("POST", "", body, headers)
        return (
            reply
            if isinstance(reply, Outcome)
            else Outcome("accepted", reference=reply.json.get("id") if isinstance(reply.json, dict) else None)
        )


def _bytes_of(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError as error:
            raise Refusal("LOOP_WEBHOOK_SECRET", "is not base64 after whsec_", "Copy it again.") from error
    return secret.encode()
