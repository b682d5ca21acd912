"""Signature schemes against vectors computed elsewhere, and one change to each that must break it."""

import base64

import pytest

from orchestration.serve import signatures

SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+evkZBR8wQLZIyTQmdknwaUOQtV6"
    "CKEW/+wKKYGdjGVwuvfRKIiQKmoMHWet0QMSPIWatpv46UMck4STDUt+7g=="
)
SENDGRID_SIGNATURE = "MEYCIQDR+jH6AAADumdmi8i9CeeTojGIncK9Q44Fh5wC3VZC5wIhAI1hJKATJCesmET2o6CfZO3PutVaa+PkDxOTEzl4+cMG"
SENDGRID_BODY = (
    b'[{"email":"ana@example.test","event":"open","sg_event_id":"b3BlbjE",'
    b'"sg_machine_open":true,"timestamp":1793500000}]\r\n'
)


def test_sendgrid_signs_the_line_end_too() -> None:
    assert signatures.sendgrid(SENDGRID_KEY, "1793500060", SENDGRID_BODY, SENDGRID_SIGNATURE)
    assert not signatures.sendgrid(SENDGRID_KEY, "1793500060", SENDGRID_BODY.rstrip(), SENDGRID_SIGNATURE)
    assert not signatures.sendgrid(SENDGRID_KEY, "1793500061", SENDGRID_BODY, SENDGRID_SIGNATURE)


@pytest.mark.parametrize("signature", ["", "not base64 !", "AAAA", "é"])
def test_no_signature_is_a_wrong_one(signature: str) -> None:
    assert not signatures.sendgrid(SENDGRID_KEY, "1793500060", SENDGRID_BODY, signature)
    assert not signatures.mailgun("k", "1", "t", signature)


def test_mailgun() -> None:
    signed = "dde572924b06ae48637a9151dd99c144d4aebbaad060e221e8cc37395824d881"
    assert signatures.mailgun("mg-signing-key-test", "1793500000", "a" * 50, signed)
    assert not signatures.mailgun("mg-signing-key-test", "1793500000", "a" * 49, signed)


def test_klaviyo_signs_the_body_first() -> None:
    body = b'{"data":[{"external_id":"evt_1","topic":"event:klaviyo.opened_email"}]}'
    signed = "6e55c9d39044ecebc8f2ef6c7d00cca51bcee0cdab3d47b87775d3ec6a6bd4f5"
    assert signatures.klaviyo("klaviyo-secret-0123456789", "1793500000", body, signed)
    assert not signatures.klaviyo("klaviyo-secret-0123456789", "1793500000", body + b" ", signed)


def test_twilio_signs_the_address_and_the_sorted_fields() -> None:
    fields = {"To": ["+15550100"], "MessageSid": ["SM0001"], "MessageStatus": ["delivered"]}
    url, signed = "https://hooks.example.test/twilio/status", "9XidmuDaN2bMNoSt9cz5/WIqv3g="
    assert signatures.twilio("twilio-auth-token", url, fields, signed)
    assert not signatures.twilio("twilio-auth-token", url.replace("https", "http"), fields, signed)


def test_customerio() -> None:
    body = b'{"metric":"opened","event_id":"01EVT","timestamp":1793500000}'
    signed = "15aea96e7b9ed665e16f84930c7e7aadd2ed7fc4ceee32926b31dcd8d9da7433"
    assert signatures.customerio("cio-signing-key", "1793500000", body, signed)
    assert not signatures.customerio("cio-signing-key", "1793500001", body, signed)


def test_basic_credentials_may_hold_a_colon() -> None:
    def header(text: str) -> str:
        return "Basic " + base64.b64encode(text.encode()).decode()

    assert signatures.basic("user:pass:word", header("user:pass:word"))
    for wrong in (header("user:pass"), header("user:pass:word").replace("Basic", "Bearer"), "Basic ?", ""):
        assert not signatures.basic("user:pass:word", wrong)


def test_the_text_of_sns_leaves_out_an_absent_subject() -> None:
    message = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:ses",
        "Message": '{"eventType":"Open"}',
        "Timestamp": "2026-11-01T10:00:00.000Z",
    }
    text = (
        b'Message\n{"eventType":"Open"}\nMessageId\nm-1\nTimestamp\n2026-11-01T10:00:00.000Z\n'
        b"TopicArn\narn:aws:sns:eu-west-1:111122223333:ses\nType\nNotification\n"
    )
    assert signatures.sns_text(message) == text
    assert signatures.sns_text(message | {"Subject": "s"}) == text.replace(b"Timestamp\n", b"Subject\ns\nTimestamp\n")
    assert signatures.sns_text(message | {"Type": "Other"}) is None
    assert signatures.sns_text({"Type": "Notification"}) is None
