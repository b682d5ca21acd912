"""SES through SNS: whose certificate, whose topic, and what is confirmed."""

from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.edges.certificates import is_amazon
from tests.fakes.senders import CERTIFICATE_URL, Sent, amazon, envelope, sns
from tests.serve.conftest import Receiver

EVENT = {"eventType": "Open", "mail": {"messageId": "1", "destination": ["ana@example.test"]}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What Amazon's host was asked for."""
    with amazon() as (origin, paths):
        monkeypatch.setenv("LOOP_SNS_ENDPOINT", origin)
        yield paths


def post(receiver: Receiver, sent: Sent, **changed: str) -> Any:
    return receiver.client.post(sent.path, content=sent.content, headers={**sent.headers, **changed})


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_message_of_our_topic_is_kept(receiver: Receiver, asked: list[str], version: str) -> None:
    sent = sns(envelope(EVENT, version=version))
    assert post(receiver, sent).status_code == 200
    assert post(receiver, sent).status_code == 200
    assert [record.body for record in receiver.kept()] == [sent.content] * 2
    assert asked == ["/SimpleNotificationService-0123abcd.pem"], "the certificate is fetched once"


def test_a_foreign_topic_with_a_valid_signature_is_refused(receiver: Receiver, asked: list[str]) -> None:
    foreign = envelope(EVENT, TopicArn="arn:aws:sns:eu-west-1:999900001111:ses")
    assert post(receiver, sns(foreign)).status_code == 401
    assert receiver.kept() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.test/SimpleNotificationService-0123abcd.pem",
        "https://evil.test/sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.test/SimpleNotificationService-0123abcd.pem",
        "https://evil.test#sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com:444/SimpleNotificationService-0123abcd.pem",
        "https://sns.eu-west-1.amazonaws.com/?file=SimpleNotificationService-0123abcd.pem",
        "https://s3.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "https://[::1/x.pem",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_fetched(receiver: Receiver, asked: list[str], url: str) -> None:
    assert post(receiver, sns(envelope(EVENT, SigningCertURL=url))).status_code == 401
    assert asked == []


def test_a_changed_message_is_refused(receiver: Receiver, asked: list[str]) -> None:
    for change in ({"Message": "{}"}, {"Subject": "added"}, {"SignatureVersion": "3"}, {"Signature": "?"}):
        assert post(receiver, sns(envelope(EVENT) | change)).status_code == 401


def test_headers_that_name_another_message_are_refused(receiver: Receiver, asked: list[str]) -> None:
    sent = sns(envelope(EVENT))
    assert post(receiver, sent, **{"x-amz-sns-message-id": "m-2"}).status_code == 401
    assert post(receiver, sent, **{"x-amz-sns-message-type": "SubscriptionConfirmation"}).status_code == 401


def test_a_certificate_out_of_reach_is_our_trouble(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon takes a 4xx as final; the event would be lost."""
    monkeypatch.setenv("LOOP_SNS_ENDPOINT", "http://127.0.0.1:1")
    assert post(receiver, sns(envelope(EVENT))).status_code == 503


def test_a_subscription_to_our_topic_is_confirmed_once_it_is_kept(receiver: Receiver, asked: list[str]) -> None:
    told = envelope("You have chosen to subscribe", kind="SubscriptionConfirmation")
    assert post(receiver, sns(told)).status_code == 200
    assert asked[1:] == ["/?Action=ConfirmSubscription&Token=t"]
    assert len(receiver.kept()) == 1


def test_a_confirmation_link_to_elsewhere_is_never_followed(receiver: Receiver, asked: list[str]) -> None:
    told = envelope("x", kind="SubscriptionConfirmation", SubscribeURL="https://evil.test/")
    assert post(receiver, sns(told)).status_code == 200
    assert len(asked) == 1


def test_the_plain_greeting_is_answered_and_not_kept(receiver: Receiver) -> None:
    greeting = Sent("/webhooks/ses", b"Successfully validated SNS topic for Amazon SES", {"content-type": "text/plain"})
    assert post(receiver, greeting).json() == {"status": "nothing to keep"}
    assert receiver.kept() == []


def test_other_text_is_400(receiver: Receiver) -> None:
    assert post(receiver, Sent("/webhooks/ses", b"hello", {"content-type": "text/plain"})).status_code == 400


def test_amazon_in_china() -> None:
    assert is_amazon("https://sns.cn-north-1.amazonaws.com.cn/x")
    assert is_amazon(CERTIFICATE_URL)
