"""Meta: one paused ad for each creative, in an ad set that people made; nothing is spent until a person activates it.

Two calls, a creative and an ad with its id. Both carry the message's id in their name, so that a doubt is settled by looking for the
ad; a creative left without its ad costs nothing and is never shown.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import Asker
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller, Reply
from orchestration.errors import Refusal

URL = "https://graph.facebook.com/v25.0"
_LIMITS = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
_LIMITED_SECONDS = 300.0  # the score of an account decays over five minutes


@dataclass(frozen=True, slots=True)
class AdAccount:
    """Where ads go: account (digits), ad set and page by their ids, and the address that they lead to."""

    account: str
    ad_set: str
    page: str
    link: str


class MetaSender:
    """One ad per call, status PAUSED."""

    name = "meta"
    most_per_call = 1
    doubt: Doubt = "ask"
    remembers_seconds = 0.0

    def __init__(self, token: str, account: AdAccount, clock: Clock, *, base_url: str = URL) -> None:
        self._account = account
        caller = Caller(base_url, {"Authorization": f"Bearer {token}"})
        self._asker = _MetaAsker("meta", caller, clock, "Check LOOP_META_ADS_TOKEN; it needs ads_management.")

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Makes each ad."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Looks for the ad by its name."""
        wanted = quote(json.dumps([{"field": "name", "operator": "CONTAIN", "value": send_id}]), safe="")
        reply = self._asker.call("GET", f"/act_{self._account.account}/ads?fields=id,name&limit=1&filtering={wanted}")
        if isinstance(reply, Outcome) or "data" not in reply.json:
            return UNCLEAR
        found = reply.json["data"]
        return Finding("sent", found[0]["id"]) if found else Finding("absent")

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _send(self, letter: Letter) -> Outcome:
        place, name = (
            f"/act_{self._account.account}",
            f"{letter.metadata.get('creative_id', 'creative')} {letter.send_id}",
        )
        story = {
            "page_id": self._account.page,
            "link_data": {"link": self._account.link, "message": letter.subject},
        }
        creative = self._asker.call("POST", f"{place}/adcreatives", {"name": name, "object_story_spec": story})
        if isinstance(creative, Outcome):
            if creative.kind == "unknown":  # a creative alone is shown to nobody
                return Outcome("deferred", creative.detail, wait_seconds=5.0)
            return creative
        body = {
            "name": name,
            "adset_id": self._account.ad_set,
            "creative": {"creative_id": creative.json.get("id")},
            "status": "PAUSED",
        }
        reply = self._asker.call("POST", f"{place}/ads", body)
        return reply if isinstance(reply, Outcome) else Outcome("accepted", reference=str(reply.json.get("id")))


class _MetaAsker(Asker):
    """Meta says everything by the code in the body; the status is mostly 400."""

    def failed(self, reply: Reply) -> Outcome:
        told = reply.json if isinstance(reply.json, dict) else {}
        error: dict[str, Any] = told.get("error") or {}
        code = error.get("code")
        if code == 190:
            raise Refusal("meta", f"does not accept the token ({error.get('message', '')})", self._remedy)
        if code in _LIMITS:
            return Outcome("deferred", reply.brief(), wait_seconds=reply.wait_seconds(self.now(), _LIMITED_SECONDS))
        return super().failed(reply)
