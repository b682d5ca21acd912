"""The person is taken out of every provider's JSON, wherever an address hides, and nothing else is."""

import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.measure.redaction import FIELDS, Redactor, Unreadable

REDACTOR = Redactor(b"key")
PROVIDERS = re.findall(r"^(\w+):", FIELDS.read_text(encoding="utf-8"), re.MULTILINE)


def told(provider: str, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.loads(REDACTOR.redacted(provider, headers, content))


def digest(text: str) -> str:
    return hmac.new(b"key", text.encode(), hashlib.sha256).hexdigest()


def test_a_person_is_the_same_in_every_case_and_everywhere() -> None:
    assert told("sendgrid", [{"email": "Ana@Example.test "}]) == [{"email": digest("ana@example.test")}]
    assert told("postmark", {"Recipient": "ANA@example.test"}) == {"Recipient": digest("ana@example.test")}
    assert told("segment", {"userId": "User-7", "n": 1}) == {"userId": digest("User-7"), "n": 1}, "ids keep their case"


def test_who_invited_somebody_is_the_person_who_did_it() -> None:
    joined = {"userId": "alice", "event": "Signed Up", "properties": {"invited_by": "bob"}}
    assert told("segment", joined)["properties"] == {"invited_by": told("segment", {"userId": "bob"})["userId"]}


def test_ids_of_messages_are_kept_though_they_look_like_addresses() -> None:
    assert told("sendgrid", [{"smtp-id": "<x1@mta.example.test>"}]) == [{"smtp-id": "<x1@mta.example.test>"}]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("550 5.1.1 <ana@example.test> unknown", "550 5.1.1 <#> unknown"),
        ("line\nana@example.test", "line\n#"),
        ("\x00ana@example.test\t", "\x00#\t"),
        (r"C:\new\ana@example.test", r"C:\new\#"),
        ("https://x.test/?e=ana%40example.test&b=1", "https://x.test/?e=#&b=1"),
        ("https://x.test/?e=ana@example.test&b=1", "https://x.test/?e=#&b=1"),
        ("<Ana@EXAMPLE.test>", "<#>"),
        ("5 @ 3 and @name and a@b", "5 @ 3 and @name and a@b"),
    ],
)
def test_an_address_in_a_text_is_replaced(text: str, redacted: str) -> None:
    assert told("postmark", {"Details": text}) == {"Details": redacted.replace("#", digest("ana@example.test"))}


def test_a_return_path_that_codes_an_address_is_replaced_whole() -> None:
    assert "ana" not in told("postmark", {"Details": "<bounce+ana=example.test@mta.test>"})["Details"]


def test_an_envelope_is_opened() -> None:
    inner = {
        "mail": {"destination": ["ana@example.test"], "headers": [{"name": "To", "value": "Ana"}]},
        "eventType": "Send",
    }
    body = {"Type": "Notification", "Message": json.dumps(inner), "Signature": "s", "Token": "secret"}
    message = {"mail": {"destination": [digest("ana@example.test")]}, "eventType": "Send"}
    assert told("ses", body) == {"Type": "Notification", "Message": message}
    assert told("ses", {"Message": "for ana@example.test"}) == {"Message": f"for {digest('ana@example.test')}"}


def test_a_user_agent_becomes_what_machine_it_names() -> None:
    def marks(agent: str) -> list[str]:
        (event,) = told("sendgrid", [{"useragent": agent}])
        assert event["useragent"]["pseudonym"] == digest(agent)
        return list(event["useragent"]["marks"])

    assert marks("Mozilla/5.0") == ["apple_privacy"]
    assert marks("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)") == []
    assert marks("Mozilla/5.0 (Linux; CUBOT X9)") == []
    assert marks("Mozilla/5.0 (compatible; ExampleBot/2.1)") == ["robot"]
    assert marks("Mozilla/5.0 (Windows NT 5.1) (via ggpht.com GoogleImageProxy)") == ["google_proxy"]


def test_a_form_becomes_json() -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = b"To=%2B15550100&MessageSid=SM1&Body=hello"
    assert json.loads(REDACTOR.redacted("twilio", form, body)) == {"To": digest("+15550100"), "MessageSid": "SM1"}


def test_secrets_and_names_are_left_out() -> None:
    event = {"writeKey": "k", "traits": {"name": "Ana", "plan": "pro"}, "properties": {"name": "Shoe"}}
    assert told("segment", event) == {"traits": {"plan": "pro"}, "properties": {"name": "Shoe"}}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}', b"[" * 100_000, b"9" * 5000]
)
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        REDACTOR.redacted("sendgrid", {}, body)


ADDRESS = "ana.b+x@example.test"
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
HIDDEN = st.tuples(
    st.text(st.characters(categories=["Zs", "Cc", "Po", "Sm"], exclude_characters=".%+@=")), st.just(" ")
).map(lambda around: f"{around[0]}{around[1]}{ADDRESS}{around[1]}{around[0]}")
DOCUMENTS = st.recursive(
    LEAVES | HIDDEN, lambda inner: st.lists(inner) | st.dictionaries(st.text() | HIDDEN, inner), max_leaves=12
)


@given(st.sampled_from(PROVIDERS), DOCUMENTS)
def test_no_address_survives_and_the_rest_does(provider: str, document: Any) -> None:
    redacted = REDACTOR.redacted(provider, {}, json.dumps(document).encode())
    assert ADDRESS not in redacted
    if ADDRESS not in json.dumps(document) and not isinstance(document, dict | list):
        assert json.loads(redacted) == document
