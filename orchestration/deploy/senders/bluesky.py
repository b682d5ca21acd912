"""Bluesky: a record put under a key that comes from the message, so that putting it twice is one post."""

import datetime as dt
import hashlib
import re
import unicodedata
from collections.abc import Sequence

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import Asker
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller
from orchestration.errors import Refusal

URL = "https://bsky.social"
COLLECTION = "app.bsky.feed.post"
_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_LINK = re.compile(rb"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")
_JOINER = "\u200d"
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC without offset, as everywhere


class BlueskySender:
    """One post per call, in one session per run (sessions are counted)."""

    name = "bluesky"
    most_per_call = 1
    doubt: Doubt = "repeat"
    remembers_seconds = float("inf")  # the key is the post's own

    def __init__(self, handle: str, password: str, clock: Clock, *, base_url: str = URL) -> None:
        self._handle, self._password = handle, password
        self._asker = Asker(
            "bluesky", Caller(base_url, {}), clock, "Check LOOP_BLUESKY_HANDLE and LOOP_BLUESKY_PASSWORD."
        )
        self._session: dict[str, str] | None = None

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Posts each text."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Nothing: putting it again is the question."""
        return UNCLEAR

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _send(self, letter: Letter) -> Outcome:
        if reason := _too_long(letter.subject):
            return Outcome("refused", reason)
        session = self._signed_in()
        if isinstance(session, Outcome):
            return session
        body = {
            "repo": session["did"],
            "collection": COLLECTION,
            "rkey": record_key(letter),
            "record": record_of(letter),
        }
        bearer = {"Authorization": f"Bearer {session['accessJwt']}"}
        reply = self._asker.call("POST", "/xrpc/com.atproto.repo.putRecord", body, bearer)
        if not isinstance(reply, Outcome):
            return Outcome("accepted", reference=reply.json.get("uri"))
        if reply.kind == "refused" and "ExpiredToken" in (reply.detail or ""):
            self._session = None
            return Outcome("deferred", "the session had expired")
        return reply

    def _signed_in(self) -> dict[str, str] | Outcome:
        if self._session is None:
            account = {"identifier": self._handle, "password": self._password}
            reply = self._asker.call("POST", "/xrpc/com.atproto.server.createSession", account)
            if isinstance(reply, Outcome):  # no post was tried, whatever became of the session
                return Outcome("deferred", reply.detail, wait_seconds=max(reply.wait_seconds, 5.0))
            if not {"did", "accessJwt"} <= reply.json.keys():
                raise Refusal("bluesky", "gave no session", "Check LOOP_BLUESKY_URL.")
            self._session = {name: reply.json[name] for name in ("did", "accessJwt")}
        return self._session


def record_of(letter: Letter) -> dict[str, object]:
    """The post; links are marked by where their UTF-8 bytes are, not their characters."""
    text = letter.subject.encode()
    facets = [
        {
            "index": {"byteStart": link.start(), "byteEnd": link.end()},
            "features": [{"$type": "app.bsky.richtext.facet#link", "uri": link[0].decode()}],
        }
        for link in _LINK.finditer(text)
    ]
    record: dict[str, object] = {
        "$type": COLLECTION,
        "text": letter.subject,
        "createdAt": f"{letter.scheduled_at.isoformat(timespec='milliseconds')}Z",
    }
    return {**record, "facets": facets} if facets else record


def record_key(letter: Letter) -> str:
    """A TID made of the message's time and of its id: 53 bits of microseconds, 10 bits of a clock's name."""
    digest = hashlib.sha256(letter.send_id.encode()).digest()
    seconds = int((letter.scheduled_at.replace(microsecond=0) - _EPOCH).total_seconds())
    micros = seconds * 1_000_000 + int.from_bytes(digest[:4]) % 1_000_000
    number = micros << 10 | int.from_bytes(digest[4:6]) % 1024
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


def _too_long(text: str) -> str | None:
    # Combining marks belong to the grapheme before them; of emoji sequences this counts too many, which errs on the safe side.
    graphemes = sum(not unicodedata.combining(character) and character != _JOINER for character in text)
    if graphemes > 300 or len(text.encode()) > 3000:
        return "is longer than 300 characters or 3000 bytes"
    return None
