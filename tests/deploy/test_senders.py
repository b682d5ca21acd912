"""Senders against real servers on loopback: what they put on the wire, and what they know afterwards."""

import base64
import datetime as dt
import email
import email.policy
import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.deploy.messages import Finding, Letter
from orchestration.deploy.senders.bluesky import BlueskySender, record_key, record_of
from orchestration.deploy.senders.configured import sender_of
from orchestration.deploy.senders.klaviyo import KlaviyoSender
from orchestration.deploy.senders.mail import Origin, is_address, mime_of
from orchestration.deploy.senders.mastodon import MastodonSender
from orchestration.deploy.senders.meta import AdAccount, MetaSender
from orchestration.deploy.senders.postmark import PostmarkSender
from orchestration.deploy.senders.sendgrid import SendGridSender
from orchestration.deploy.senders.ses import Credentials, SesSender, signature_v4
from orchestration.deploy.senders.smtp import Relay, SmtpSender, relay_of
from orchestration.deploy.senders.webhook import WebhookSender
from orchestration.edges.clock import FixedClock
from orchestration.errors import Refusal
from tests.fakes.mail_channels import Channels, mail_channels

AT = dt.datetime.fromisoformat("2026-11-16T12:00:00")
CLOCK = FixedClock(AT)
ORIGIN = Origin("Harbour Göods", "news@example.test")
LINK = f"<https://u.example.test/unsubscribe/{'t' * 180}.s>"


def letter(number: int = 1, address: str = "ana@example.test", subject: str = "Tea for two, 20 % off: ☕") -> Letter:
    headers = {"List-Unsubscribe": LINK, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    metadata = {"program": "subject_lines", "experiment_id": "e1", "creative_id": "c1", "segment": "new"}
    body = "Hello\n.a line that starts with a dot\nü\n"
    return Letter(f"{number:064x}", address, subject, AT, body, "<p>Hello</p>", headers, metadata)


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channels]:
    with mail_channels(tmp_path_factory.mktemp("channels")) as running:
        yield running


@pytest.fixture
def smtp(channels: Channels) -> Iterator[SmtpSender]:
    context = ssl.create_default_context(cafile=str(channels.certificate))
    sender = SmtpSender(Relay("127.0.0.1", channels.smtp_port, "starttls"), ORIGIN, context=context)
    yield sender
    sender.close()


def last_call(channels: Channels) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((channels.folder / "calls.ndjson").read_text().splitlines()[-1])
    return told


def test_a_mail_arrives_as_it_was_written_and_its_machine_headers_stand_in_one_line(
    channels: Channels, smtp: SmtpSender
) -> None:
    (outcome,) = smtp.send([letter(1)])
    assert outcome.kind == "accepted"
    raw = (channels.folder / f"{1:064x}.eml").read_bytes()
    assert f"List-Unsubscribe: {LINK}\r\n".encode() in raw
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert raw.isascii()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert (mail["Subject"], mail["Message-ID"]) == (letter().subject, f"<{1:064x}@example.test>")
    assert mail["From"].addresses[0].display_name == ORIGIN.name
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == letter().text


def test_smtp_says_what_is_known_at_each_break(channels: Channels, smtp: SmtpSender) -> None:
    kinds = [
        smtp.send([letter(number, address)])[0].kind
        for number, address in enumerate(("gone@x.test", "later@x.test", "cut@x.test", "ana@x.test"), 10)
    ]
    assert kinds == ["refused", "deferred", "unknown", "accepted"]
    assert f"{12:064x}" in channels.taken(), "the doubt was right: it had been taken"


def test_a_server_that_is_not_trusted_or_not_there_gets_nothing(channels: Channels) -> None:
    strict = SmtpSender(Relay("127.0.0.1", channels.smtp_port, "starttls"), ORIGIN)
    assert strict.send([letter(20)])[0].kind == "deferred"
    assert SmtpSender(Relay("127.0.0.1", 1, "starttls"), ORIGIN).send([letter(20)])[0].kind == "deferred"
    assert f"{20:064x}" not in channels.taken()
    with pytest.raises(Refusal, match="without TLS"):
        relay_of("smtp+plain://mail.example.test", "LOOP_SMTP_URL")


def test_a_header_cannot_be_smuggled_in() -> None:
    with pytest.raises(ValueError, match=r"."):
        mime_of(letter(subject="Hello\r\nBcc: all@example.test"), ORIGIN)


def test_postmark_reads_an_error_for_each_message(channels: Channels) -> None:
    sender = PostmarkSender("token", ORIGIN, CLOCK, base_url=channels.http)
    outcomes = sender.send([letter(30), letter(31, "inactive@x.test"), letter(32)])
    assert [outcome.kind for outcome in outcomes] == ["accepted", "refused", "accepted"]
    assert sender.ask(f"{32:064x}") == Finding("sent", outcomes[2].reference)
    assert sender.ask(f"{31:064x}").found == "absent"


@pytest.mark.parametrize(
    ("fault", "kind", "wait"),
    [("429", "deferred", 7.0), ("500", "unknown", 0.0), ("taken-close", "unknown", 0.0), ("400", "refused", 0.0)],
)
def test_sendgrid_under_faults(channels: Channels, fault: str, kind: str, wait: float) -> None:
    channels.script(fault)
    sender = SendGridSender("key", ORIGIN, CLOCK, base_url=channels.http)
    (outcome,) = sender.send([letter(40)])
    assert (outcome.kind, outcome.wait_seconds) == (kind, wait)
    assert sender.send([letter(41)])[0].kind == "accepted", "the next call has a connection of its own"


def test_a_key_that_is_not_accepted_ends_the_run(channels: Channels) -> None:
    channels.script("401")
    with pytest.raises(Refusal, match="does not accept the key"):
        SendGridSender("key", ORIGIN, CLOCK, base_url=channels.http).send([letter(42)])
    with pytest.raises(Refusal, match="without encryption"):
        SendGridSender("key", ORIGIN, CLOCK, base_url="http://api.example.test")


def test_a_webhook_is_signed_and_the_same_key_is_one_message(channels: Channels) -> None:
    sender = WebhookSender(f"{channels.http}/hook", "secret", CLOCK)
    first, second = sender.send([letter(50)])[0], sender.send([letter(50)])[0]
    assert (first.kind, first.reference) == ("accepted", second.reference)
    told = last_call(channels)
    headers = {name.lower(): value for name, value in told["headers"].items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{told['body']}".encode()
    expected = base64.b64encode(hmac.new(b"secret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["idempotency-key"] == f"{50:064x}"


def test_ses_sends_a_signed_raw_mail(channels: Channels) -> None:
    sender = SesSender(Credentials("AK", "secret"), "eu-west-1", "loop", ORIGIN, CLOCK, base_url=channels.http)
    assert sender.send([letter(60)])[0].kind == "accepted"
    told = last_call(channels)
    headers = {name.lower(): value for name, value in told["headers"].items()}
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AK/20261116/eu-west-1/ses/aws4_request, ")
    assert json.loads(told["body"])["ConfigurationSetName"] == "loop"


def test_the_signature_is_that_of_the_published_suite() -> None:
    """get-vanilla of the Signature Version 4 test suite."""
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    made = signature_v4(
        "GET",
        "/",
        {"Host": "example.amazonaws.com"},
        b"",
        credentials,
        "us-east-1",
        "service",
        dt.datetime.fromisoformat("2015-08-30T12:36:00"),
    )
    assert made["Authorization"].endswith("Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")


def test_a_bluesky_post_has_one_key_for_ever_and_counts_bytes() -> None:
    post = letter(70, subject="Café ☕ https://shop.example.test/é?a=1, now")
    key = record_key(post)
    assert key == record_key(letter(70, subject=post.subject))
    assert key != record_key(letter(71))
    assert len(key) == 13
    assert key[0] in "234567abcdefghij", "the first bit of a TID is 0"
    (facet,) = record_of(post)["facets"]  # type: ignore[misc]  # a list of the record
    index = facet["index"]
    assert post.subject.encode()[index["byteStart"] : index["byteEnd"]].decode() == "https://shop.example.test/é?a=1"


def test_posts_go_out_once_however_often_they_are_tried(channels: Channels) -> None:
    mastodon = MastodonSender(channels.http, "token", CLOCK)
    first, second = mastodon.send([letter(80)])[0], mastodon.send([letter(80)])[0]
    assert (first.kind, first.reference) == ("accepted", second.reference)
    bluesky = BlueskySender("acme.example.test", "app-password", CLOCK, base_url=channels.http)
    first, second = bluesky.send([letter(81)])[0], bluesky.send([letter(81)])[0]
    assert (first.kind, first.reference) == ("accepted", second.reference)
    assert first.reference == f"at://did:plc:acme/app.bsky.feed.post/{record_key(letter(81))}"
    assert bluesky.send([letter(82, subject="x" * 301)])[0].kind == "refused"


def test_meta_gets_a_paused_ad_and_klaviyo_a_draft_and_both_can_be_asked(channels: Channels) -> None:
    meta = MetaSender("token", AdAccount("1", "2", "3", "https://shop.example.test"), CLOCK, base_url=channels.http)
    klaviyo = KlaviyoSender("key", {"new": "L1"}, ORIGIN, CLOCK, base_url=channels.http)
    for sender, number in ((meta, 90), (klaviyo, 91)):
        assert sender.ask(f"{number:064x}").found == "absent"
        (outcome,) = sender.send([letter(number)])
        assert outcome.kind == "accepted"
        assert sender.ask(f"{number:064x}") == Finding("sent", outcome.reference)
    assert json.loads(last_call(channels)["body"])["data"]["attributes"]["audiences"] == {"included": ["L1"]}
    channels.script("taken-close")
    assert meta.send([letter(92)])[0].kind == "deferred", "a creative without its ad is shown to nobody"


def test_a_channel_names_its_sender_and_what_that_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sender_of("email", CLOCK) is None
    monkeypatch.setenv("LOOP_SENDER_EMAIL", "mastodon")
    with pytest.raises(Refusal, match="sends no email"):
        sender_of("email", CLOCK)
    monkeypatch.setenv("LOOP_SENDER_EMAIL", "smtp")
    with pytest.raises(Refusal, match="LOOP_SMTP_URL -> is not set"):
        sender_of("email", CLOCK)
    monkeypatch.setenv("LOOP_SMTP_URL", "smtps://me:p%40ss@mail.example.test")
    monkeypatch.setenv("LOOP_MAIL_FROM", "Harbour Goods <news@example.test>")
    sender = sender_of("email", CLOCK)
    assert sender is not None
    assert (sender.name, sender.most_per_call) == ("smtp", 1)
    assert relay_of("smtps://me:p%40ss@mail.example.test", "X") == Relay(
        "mail.example.test", 465, "implicit", "me", "p@ss"
    )


def test_nothing_is_sent_to_what_is_no_address() -> None:
    assert [
        text for text in ("a@b.c", "a@b.c\nBcc: d@e.f", "a b@c.d", "ab", "@b", "a@b, c@d", "<a@b>") if is_address(text)
    ] == ["a@b.c"]
