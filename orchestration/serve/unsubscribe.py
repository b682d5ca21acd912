"""One-click unsubscribe (RFC 8058): a token names a person and a list, a POST takes the person off it.

The token alone is the proof: mailbox providers send no cookie. It is signed, so nobody can be taken off a list by guessing. A GET shows
a page with a button, because link scanners open every address of a mail. Answers are the same however often the POST comes.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment
from starlette.requests import Request

from orchestration.edges.keys import held_key
from orchestration.serve.answers import Turned
from orchestration.serve.bodies import read_body, require_type

VARIABLE = "LOOP_UNSUBSCRIBE_KEY"
PROMISE = ("List-Unsubscribe", "One-Click")
_MOST_BYTES = 4096
_SIGNED = 16  # bytes of the signature kept: 128 bits, short enough for a mail header
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a token stands for.

    Attributes:
        person: Pseudonym or opaque id, never an address: tokens end up in logs.
        list_id: The list.
        send_id: The message that carried the token; None where there was none.
    """

    person: str
    list_id: str
    send_id: str | None = None


def unsubscribe_key(warehouse: Path) -> bytes:
    """The key that tokens are signed with: ``LOOP_UNSUBSCRIBE_KEY``, else ``<warehouse>/unsubscribe.key``."""
    return held_key(warehouse, "unsubscribe.key", VARIABLE, loss="another key breaks the links of mails already sent")


def token_of(subscription: Subscription, key: bytes) -> str:
    """A signed token, safe in an address."""
    told = [subscription.person, subscription.list_id, subscription.send_id]
    content = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    return f"{_text(content)}.{_text(_signature(content, key))}"


def subscription_of(token: str, key: bytes) -> Subscription | None:
    """What a token stands for, or None if it was not signed with this key."""
    content_text, _, signature_text = token.partition(".")
    try:
        content, signature = _bytes(content_text), _bytes(signature_text)
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(_signature(content, key), signature):
        return None
    person, list_id, send_id = json.loads(content)
    return Subscription(person, list_id, send_id)


def headers_of(public_url: str, token: str) -> dict[str, str]:
    """The two headers of a mail that offers one-click unsubscribe; DKIM must sign both."""
    return {
        "List-Unsubscribe": f"<{public_url.rstrip('/')}/unsubscribe/{quote(token)}>",
        "List-Unsubscribe-Post": "=".join(PROMISE),
    }


async def require_one_click(request: Request) -> None:
    """Makes sure that the POST is the one of RFC 8058, as a form of either kind.

    Raises:
        Turned: 400 if the form does not say so, 413 or 415 if it is no such form.
    """
    require_type(request, *_FORMS)
    body = await read_body(request, _MOST_BYTES)
    name, value = PROMISE

    async def replay() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        form = await Request(request.scope, replay).form(max_fields=10, max_files=0)
    except Exception as error:  # whatever a parser says of a stranger's form, it is the form that is bad
        raise Turned(400, "the body is not a form") from error
    if form.get(name) != value:
        raise Turned(400, f"the form must say {name}={value}")


def record_body(subscription: Subscription) -> bytes:
    """What is kept of an unsubscription."""
    return json.dumps(asdict(subscription), separators=(",", ":")).encode()


def page(*, is_done: bool) -> str:
    """The page for people: a button before, a sentence after; the list's name is the program's own and tells them nothing."""
    return _PAGE.render(is_done=is_done, name=PROMISE[0], value=PROMISE[1])


def _signature(content: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"loop unsubscribe\n" + content, hashlib.sha256)[:_SIGNED]


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


_PAGE = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>Unsubscribe</title>
<style>body{font:1.1rem system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}
button{font:inherit;padding:.6em 1.2em}</style>
{% if is_done %}<h1>You are unsubscribed</h1>
<p>You will get no more of these messages.</p>
{% else %}<h1>Unsubscribe?</h1>
<p>You will get no more of these messages once you confirm.</p>
<form method="post"><input type="hidden" name="{{ name }}" value="{{ value }}"><button>Unsubscribe</button></form>
{% endif %}</html>
"""
)
