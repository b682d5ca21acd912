"""One plausible body of each provider, and ways to break them."""

import json
import random
from typing import Any

from tests.fakes.senders import AT, envelope

SENDGRID = [
    {
        "email": "ana@example.test",
        "timestamp": AT,
        "smtp-id": "<x1@mta.example.test>",
        "event": "click",
        "category": ["winback"],
        "sg_event_id": "Y2xpY2stMS0x",
        "sg_message_id": "Qh2zA.recvd-7f6-1.0",
        "useragent": "Mozilla/5.0 (X11; Linux x86_64)",
        "ip": "198.51.100.7",
        "url": "https://shop.example.test/p/9?d=dec_42",
        "url_offset": {"index": 1, "type": "html"},
        "decision_id": "dec_42",
        "variant_id": "v3",
    }
]
POSTMARK = {
    "RecordType": "Click",
    "MessageStream": "broadcast",
    "ServerID": 71,
    "MessageID": "6f0c0a3e-0000-4000-8000-000000000042",
    "Recipient": "ana@example.test",
    "Tag": "winback",
    "ReceivedAt": "2026-11-01T10:03:11.1234567Z",
    "ClickLocation": "HTML",
    "OriginalLink": "https://shop.example.test/p/9",
    "Client": {"Name": "Safari"},
    "Geo": {"CountryISOCode": "PT", "City": "Porto", "IP": "198.51.100.7"},
    "Metadata": {"decision_id": "dec_42", "variant_id": "v3"},
}
SES_CLICK = {
    "eventType": "Click",
    "mail": {
        "timestamp": "2026-11-01T10:00:00.000Z",
        "messageId": "ses-1",
        "source": "shop@example.test",
        "destination": ["ana@example.test"],
        "tags": {"send_id": ["s1"], "variant_id": ["v3"]},
    },
    "click": {
        "ipAddress": "198.51.100.7",
        "timestamp": "2026-11-01T10:05:00.000Z",
        "userAgent": "Mozilla/5.0 (X11)",
        "link": "https://shop.example.test/p/9",
    },
}
MAILGUN = {
    "signature": {"timestamp": str(AT), "token": "a" * 50, "signature": "f"},
    "event-data": {
        "event": "failed",
        "severity": "permanent",
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": AT + 0.25,
        "recipient": "ana@example.test",
        "message": {"headers": {"message-id": "20261101.1@example.test", "to": "Ana <ana@example.test>"}},
        "user-variables": {"send_id": "s1"},
        "tags": ["winback"],
        "reason": "bounce",
        "delivery-status": {"code": 550, "message": "no such user ana@example.test", "attempt-no": 1},
        "client-info": {"user-agent": "Mozilla/5.0", "bot": ""},
    },
}
CUSTOMERIO = {
    "metric": "opened",
    "event_id": "01EVT",
    "object_type": "email",
    "timestamp": AT,
    "data": {
        "customer_id": "c-1",
        "identifiers": {"email": "ana@example.test", "id": "c-1"},
        "delivery_id": "d-1",
        "campaign_id": 7,
        "recipient": "ana@example.test",
    },
}
KLAVIYO = {
    "data": [
        {
            "external_id": "evt_1",
            "topic": "event:klaviyo.opened_email",
            "payload": {
                "data": {
                    "attributes": {
                        "timestamp": AT,
                        "datetime": "2026-11-01T02:26:40+00:00",
                        "event_properties": {"$message": "k-1", "Campaign Name": "winback"},
                        "profile": {"email": "ana@example.test"},
                    }
                }
            },
        }
    ]
}
BATCH = {
    "writeKey": "web-key",
    "sentAt": "2026-11-01T10:05:00.000Z",
    "context": {"library": {"name": "analytics-python"}},
    "batch": [
        {
            "type": "track",
            "messageId": "m-1",
            "userId": "ana@example.test",
            "event": "Order Completed",
            "originalTimestamp": "2026-11-01T10:00:00.000Z",
            "properties": {"revenue": 12.5, "currency": "EUR", "products": [{"sku": "a"}]},
            "context": {"ip": "198.51.100.7", "userAgent": "Mozilla/5.0 (X11)"},
        },
        {"type": "identify", "messageId": "m-2", "userId": "ana@example.test", "traits": {"email": "ana@example.test"}},
    ],
}
BODIES: dict[str, Any] = {
    "sendgrid": SENDGRID,
    "postmark": POSTMARK,
    "ses": envelope(SES_CLICK),
    "mailgun": MAILGUN,
    "customerio": CUSTOMERIO,
    "klaviyo": KLAVIYO,
    "segment": BATCH,
    "one_click": {"person": "p", "list_id": "l", "send_id": "s"},
}
STRANGE = (
    None, True, False, 0, -1, 1e308, 10**30, 2**63, "", " ", "null", "é\u0000\u202e", "x" * 5000, "1970-01-01", "99999-12-31T00:00:00Z",
    "9" * 40, "-1", "nan", [], {}, [[]], [None], {"": None}, {"$[0]": '"'}, ["a", {"b": [1]}], "'; drop table raw.inbox; --", "\\", '"',
    "\ud800",
)  # fmt: skip


def mutated(body: Any, chance: random.Random) -> bytes:
    """A body broken in one to three places of its structure, and one time in four in its bytes too."""
    copy = json.loads(json.dumps(body))
    for _ in range(chance.randint(1, 3)):
        copy = _changed(copy, chance)
    content = bytearray(json.dumps(copy).encode())
    if chance.random() < 0.25 and content:
        place = chance.randrange(len(content))
        match chance.randrange(4):
            case 0:
                del content[place:]
            case 1:
                content[place] = chance.randrange(256)
            case 2:
                content[place:place] = bytes(chance.randrange(256) for _ in range(3))
            case _:
                del content[place : place + 5]
    return bytes(content)


def _changed(value: Any, chance: random.Random) -> Any:  # noqa: PLR0911  one return for each way to break it
    """The value with one strange thing somewhere in it."""
    if isinstance(value, str) and value.startswith("{") and chance.random() < 0.8:
        return json.dumps(_changed(json.loads(value), chance))  # the envelope's inner document
    if not isinstance(value, dict | list) or not value or chance.random() < 0.12:
        return chance.choice(STRANGE)
    if isinstance(value, list):
        place = chance.randrange(len(value))
        match chance.randrange(4):
            case 0:
                return value[:place] + value[place + 1 :]
            case 1:
                return [*value, value[place]]
            case _:
                return [*value[:place], _changed(value[place], chance), *value[place + 1 :]]
    name = chance.choice(sorted(value))
    match chance.randrange(6):
        case 0:
            return {key: inner for key, inner in value.items() if key != name}
        case 1:
            return {(key.upper() if key == name else key): inner for key, inner in value.items()}
        case _:
            return {**value, name: _changed(value[name], chance)}
