"""The doors: what is kept, byte for byte, and which status each provider is given, since it takes it as an order."""

import gzip
import json
from typing import Any

import pytest

from orchestration.serve.webhooks import DOORS
from tests.fakes.senders import AT, Sent, delivery
from tests.serve.conftest import Receiver

OPEN = [{"email": "ana@example.test", "event": "open", "sg_event_id": "1", "timestamp": AT}]
SIGNED = ["sendgrid", "mailgun", "customerio", "klaviyo"]
PROVIDERS = [*SIGNED, "postmark"]


def post(receiver: Receiver, sent: Sent, **changed: str) -> Any:
    return receiver.client.post(sent.path, content=sent.content, headers={**sent.headers, **changed})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_verified_is_kept_as_it_came(receiver: Receiver, provider: str) -> None:
    sent = delivery(provider, OPEN if provider == "sendgrid" else {"event": "opened"})
    assert post(receiver, sent).status_code == 200
    (record,) = receiver.kept()
    assert (record.provider, record.body) == (provider, sent.content)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wrong_proof_is_401_and_nothing_is_kept(receiver: Receiver, provider: str) -> None:
    """403 would end Postmark's retries and 406 Mailgun's: a wrong key of ours must not lose events for ever."""
    sent = delivery(provider, {"event": "opened"})
    tampered = Sent(sent.path, sent.content.replace(b"a" * 50, b"b" * 50).replace(b"opened", b"clicked"), sent.headers)
    if provider == "postmark":
        tampered = Sent(sent.path, sent.content, sent.headers | {"Authorization": "Basic bG9vcDph"})
    assert post(receiver, tampered).status_code == 401
    assert receiver.kept() == []


@pytest.mark.parametrize("provider", ["sendgrid", "postmark", "customerio", "klaviyo"])
def test_without_any_proof(receiver: Receiver, provider: str) -> None:
    sent = Sent(f"/webhooks/{provider}", b"{}", {"content-type": "application/json"})
    assert post(receiver, sent).status_code == 401


@pytest.mark.parametrize("provider", SIGNED)
@pytest.mark.parametrize(
    ("at", "status"), [(AT + 60 - 300, 200), (AT + 60 + 300, 200), (AT + 60 - 301, 401), (AT + 361, 401)]
)
def test_a_signed_time_may_be_five_minutes_off(receiver: Receiver, provider: str, at: int, status: int) -> None:
    assert post(receiver, delivery(provider, {"event": "opened"}, at)).status_code == status


def test_the_time_of_an_event_may_be_days_old(receiver: Receiver) -> None:
    assert post(receiver, delivery("sendgrid", [{**OPEN[0], "timestamp": AT - 9 * 86400}])).status_code == 200


def test_sendgrid_with_its_line_end_stripped_is_refused(receiver: Receiver) -> None:
    sent = delivery("sendgrid", OPEN)
    assert sent.content.endswith(b"\r\n")
    assert post(receiver, Sent(sent.path, sent.content.rstrip(), sent.headers)).status_code == 401


def test_a_key_can_be_changed_without_losing_a_delivery(receiver: Receiver) -> None:
    """Two Mailgun keys are configured; the fake signs with the second."""
    assert post(receiver, delivery("mailgun", {"event": "opened"})).status_code == 200


def test_twilio_is_verified_under_the_public_address(receiver: Receiver) -> None:
    import base64
    import hashlib
    import hmac

    url = "https://hooks.example.test/webhooks/twilio?send_id=s1"
    signed = hmac.new(
        b"twilio-auth-token", f"{url}MessageSidSM1MessageStatusdeliveredTo+15550100".encode(), hashlib.sha1
    )
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": base64.b64encode(signed.digest()).decode(),
    }
    sent = Sent("/webhooks/twilio?send_id=s1", b"To=%2B15550100&MessageSid=SM1&MessageStatus=delivered", headers)
    assert post(receiver, sent).status_code == 200
    assert receiver.kept()[0].headers["query"] == "send_id=s1"
    assert post(receiver, Sent("/webhooks/twilio?send_id=s2", sent.content, headers)).status_code == 401


@pytest.mark.parametrize("provider", sorted(set(DOORS) - {"twilio"}))
def test_a_body_beyond_the_limit_is_413_before_it_is_read(receiver: Receiver, provider: str) -> None:
    sent = delivery(provider, OPEN)
    assert post(receiver, Sent(sent.path, b"[" + b" " * 5_242_880, sent.headers)).status_code == 413


def test_a_length_that_lies_is_413_all_the_same(receiver: Receiver) -> None:
    """A chunked body announces nothing; a naive limit looks at the header alone."""
    sent = delivery("sendgrid", OPEN)
    answer = receiver.client.post(sent.path, content=(b" " * 65536 for _ in range(81)), headers=sent.headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("content-type", "text/html"),
        ("content-type", "application/json; charset=utf-16"),
        ("content-encoding", "gzip"),
        ("content-encoding", "br"),
    ],
)
def test_another_type_or_encoding_is_415(receiver: Receiver, header: str, value: str) -> None:
    sent = delivery("sendgrid", gzip.compress(json.dumps(OPEN).encode()))
    answer = receiver.client.post(sent.path, content=sent.content, headers={**sent.headers, header: value})
    assert answer.status_code == 415


def test_a_door_without_a_key_asks_to_come_back(
    receiver: Receiver, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusing for good would lose what is sent between a deployment and its configuration."""
    from starlette.testclient import TestClient

    from orchestration.edges.clock import SystemClock
    from orchestration.serve.app import receiver_app
    from orchestration.serve.configuration import read_configuration

    monkeypatch.delenv("LOOP_POSTMARK_CREDENTIALS")
    with TestClient(receiver_app(tmp_path / "other", read_configuration(), SystemClock())) as client:
        sent = delivery("postmark", {})
        answer = client.post(sent.path, content=sent.content, headers=sent.headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.json() == {"error": "LOOP_POSTMARK_CREDENTIALS is not set"}


def test_unknown_events_and_broken_json_of_a_verified_sender_are_kept(receiver: Receiver) -> None:
    for body in ([{"event": "invented"}], b"{half a"):
        assert post(receiver, delivery("sendgrid", body)).status_code == 200
    assert len(receiver.kept()) == 2


def test_no_secret_reaches_the_spool(receiver: Receiver) -> None:
    for provider in PROVIDERS:
        post(receiver, delivery(provider, {}))
    for record in receiver.kept():
        assert set(record.headers) <= {"content-type", "klaviyo-webhook-id", "query"}


def test_health_counts_answers(receiver: Receiver) -> None:
    post(receiver, delivery("postmark", {}))
    post(receiver, Sent("/webhooks/postmark", b"{}", {"content-type": "application/json"}))
    assert receiver.client.get("/health").json()["answers"] == {"postmark 200": 1, "postmark 401": 1}
