"""Klaviyo: one draft campaign for each creative and segment, to the list that the segment has there; a person sends it.

Whom a campaign reaches is Klaviyo's list, not an assignment of the loop, so what comes back is read as a report and not as a randomised
experiment. A doubt is settled by looking for a campaign with the message's id in its name.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import Asker
from orchestration.deploy.senders.mail import Origin
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller

URL = "https://a.klaviyo.com"
REVISION = "2026-07-15"
_TYPE = "application/vnd.api+json"


class KlaviyoSender:
    """One draft per call.

    Args:
        lists: Segment -> id of its list in Klaviyo.
    """

    name = "klaviyo"
    most_per_call = 1
    doubt: Doubt = "ask"
    remembers_seconds = 0.0

    def __init__(
        self, key: str, lists: Mapping[str, str], origin: Origin, clock: Clock, *, base_url: str = URL
    ) -> None:
        self._lists, self._origin = lists, origin
        headers = {
            "Authorization": f"Klaviyo-API-Key {key}",
            "revision": REVISION,
            "Accept": _TYPE,
            "Content-Type": _TYPE,
        }
        self._asker = Asker(
            "klaviyo", Caller(base_url, headers), clock, "Check LOOP_KLAVIYO_KEY; it needs campaigns:write."
        )

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Makes each draft."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Looks for the campaign by its name."""
        wanted = quote(f"and(equals(messages.channel,'email'),contains(name,'{send_id}'))", safe="")
        reply = self._asker.call("GET", f"/api/campaigns?filter={wanted}")
        if isinstance(reply, Outcome) or "data" not in reply.json:
            return UNCLEAR
        found = reply.json["data"]
        return Finding("sent", found[0]["id"]) if found else Finding("absent")

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _send(self, letter: Letter) -> Outcome:
        segment = letter.metadata.get("segment", "")
        if segment not in self._lists:
            return Outcome("refused", f"LOOP_KLAVIYO_LISTS names no list for the segment {segment}")
        content = {
            "subject": letter.subject,
            "from_email": self._origin.address,
            "from_label": self._origin.name or self._origin.address,
        }
        message = {
            "type": "campaign-message",
            "attributes": {"definition": {"channel": "email", "label": letter.send_id, "content": content}},
        }
        attributes = {
            "name": f"{letter.metadata.get('creative_id', 'creative')} {letter.send_id}",
            "audiences": {"included": [self._lists[segment]]},
            "campaign-messages": {"data": [message]},
        }
        reply = self._asker.call("POST", "/api/campaigns", {"data": {"type": "campaign", "attributes": attributes}})
        return (
            reply if isinstance(reply, Outcome) else Outcome("accepted", reference=reply.json.get("data", {}).get("id"))
        )
