"""The played channels keep to what the real ones do: what a naive sender, receiver or client gets wrong is there to be got wrong."""

import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn

from orchestration.edges.clock import FixedClock
from orchestration.edges.spool import Frame, read_spool, spool_folder, spool_key
from orchestration.sandbox.channels import mail, receivers
from orchestration.sandbox.channels.deliveries import SECRETS, TOPIC, amazon, delivery
from orchestration.sandbox.channels.pushing import deliveries_of, one_click, push
from orchestration.sandbox.channels.server import listening, played_channels
from orchestration.sandbox.channels.world import KEYS, ChannelWorld, seeded_world
from orchestration.serve.app import receiver_app
from orchestration.serve.configuration import read_configuration
from orchestration.serve.unsubscribe import Subscription, token_of, unsubscribe_key

NOW = dt.datetime.fromisoformat("2026-11-20T12:00")


@pytest.fixture
def world() -> ChannelWorld:
    return seeded_world(5, NOW)


@pytest.fixture
def address(world: ChannelWorld) -> Iterator[str]:
    with played_channels(world) as found:
        yield found


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """The product's own receiver on loopback, and its warehouse folder."""
    with amazon() as (origin, _):
        for name, value in {**SECRETS, "LOOP_SES_TOPIC_ARN": TOPIC, "LOOP_SNS_ENDPOINT": origin}.items():
            monkeypatch.setenv(name, value)
        heard = listening(0)
        app = receiver_app(tmp_path, read_configuration(), FixedClock(NOW))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([heard],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{heard.getsockname()[1]}", tmp_path
        server.should_exit = True
        thread.join()


def _kept(folder: Path) -> list[Any]:
    key = spool_key(folder)
    stretches = [stretch for path in sorted(spool_folder(folder).glob("*.spool")) for stretch in read_spool(path, key)]
    return [record for stretch in stretches if isinstance(stretch, Frame) for record in stretch.records]


def test_the_same_seed_plays_the_same_world(world: ChannelWorld) -> None:
    again, other = seeded_world(5, NOW), seeded_world(6, NOW)
    first, last = NOW.date() - dt.timedelta(days=20), NOW.date()
    for platform, account in world.ads:
        assert world.told(platform, account, "ad", first, last) == again.told(platform, account, "ad", first, last)
    assert world.told("meta", "1001", "ad", first, last) != other.told("meta", "1001", "ad", first, last)


def test_time_restates_the_past(world: ChannelWorld) -> None:
    first, last = NOW.date() - dt.timedelta(days=4), NOW.date()
    before = world.told("meta", "1001", "ad", first, last)
    world.now += dt.timedelta(days=9)
    after = world.told("meta", "1001", "ad", first, last)
    assert sum(row.conversions for row in after) > sum(row.conversions for row in before)  # they grow
    assert sum(row.clicks for row in after) < sum(row.clicks for row in before)  # and are credited
    assert len(after) < len(before)  # and rows are withdrawn


def test_what_is_pushed_arrives_and_what_is_foreign_does_not(world: ChannelWorld, receiver: tuple[str, Path]) -> None:
    target, folder = receiver
    pushed = push(target, deliveries_of(world))
    refused = [one for one in pushed if not one.is_kept]
    assert [one.provider for one in refused] == ["ses"]  # another topic, signed by Amazon all the same
    kept = _kept(folder)
    by_provider = {
        provider: sum(record.provider == provider for record in kept) for provider in ("sendgrid", "mailgun")
    }
    assert by_provider == {"sendgrid": 5, "mailgun": 3}
    assert len({record.body for record in kept if record.provider == "postmark"}) == 4
    assert all(record.body.endswith(b"\r\n") for record in kept if record.provider == "sendgrid")
    [batch] = [record for record in kept if record.provider == "klaviyo"]
    assert len(json.loads(batch.body)["data"]) == 1000


def test_providers_end_their_retries_each_in_its_way() -> None:
    answers = {"postmark": 403, "mailgun": 500}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        status = answers[scope["path"].rpartition("/")[2]]
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    heard = listening(0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([heard],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        sent = [
            ("postmark", delivery("postmark", {"RecordType": "Open"})),
            ("mailgun", delivery("mailgun", {"event": "delivered"})),
            ("mailgun", delivery("mailgun", {"event": "opened"})),
        ]
        pushed = push(f"http://127.0.0.1:{heard.getsockname()[1]}", iter(sent))
    finally:
        server.should_exit = True
        thread.join()
    assert [len(one.statuses) for one in pushed] == [1, 1, 10]


def test_a_mailbox_unsubscribes_with_a_form_and_twice_is_once(receiver: tuple[str, Path]) -> None:
    target, folder = receiver
    token = token_of(Subscription("person", "email", "news"), unsubscribe_key(folder))
    link = f"{target}/unsubscribe/{token}"
    assert requests.get(link, timeout=5).ok
    assert _kept(folder) == []  # a scanner that follows links unsubscribes nobody
    assert [one_click(link), one_click(link)] == [200, 200]


def test_mail_that_was_accepted_may_never_be_confirmed(world: ChannelWorld, address: str) -> None:
    message = {"personalizations": [{"to": [{"email": "ana@example.test"}]}]}
    key = {"Authorization": f"Bearer {KEYS['sendgrid']}"}
    world.play("sendgrid", "ambiguous", "limited", "")
    with pytest.raises(requests.Timeout):
        requests.post(f"{address}/sendgrid/v3/mail/send", json=message, headers=key, timeout=0.5)
    assert len(mail.accepted(world, "sendgrid")) == 1
    limited = requests.post(f"{address}/sendgrid/v3/mail/send", json=message, headers=key, timeout=5)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "2")
    sent = requests.post(f"{address}/sendgrid/v3/mail/send", json=message, headers=key, timeout=5)
    assert (sent.status_code, sent.content, sent.headers["x-message-id"]) == (202, b"", "mid2")
    tried = message | {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert requests.post(f"{address}/sendgrid/v3/mail/send", json=tried, headers=key, timeout=5).status_code == 200
    assert len(mail.accepted(world, "sendgrid")) == 2


def test_a_batch_is_200_though_a_message_of_it_failed(world: ChannelWorld, address: str) -> None:
    batch = [{"To": "ana@example.test"}, {"To": "ben@suppressed.example.test"}]
    token = {"X-Postmark-Server-Token": KEYS["postmark"]}
    answer = requests.post(f"{address}/postmark/email/batch", json=batch, headers=token, timeout=5)
    assert (answer.status_code, [one["ErrorCode"] for one in answer.json()]) == (200, [0, 406])


def test_a_post_with_the_same_key_is_made_once(world: ChannelWorld, address: str) -> None:
    headers = {"Authorization": f"Bearer {KEYS['mastodon']}", "Idempotency-Key": "k1"}
    url = f"{address}/mastodon/api/v1/statuses"
    first, again = (requests.post(url, json={"status": "Hello"}, headers=headers, timeout=5).json() for _ in range(2))
    other = requests.post(url, json={"status": "Hello"}, headers={**headers, "Idempotency-Key": "k2"}, timeout=5).json()
    assert first["id"] == again["id"] != other["id"]
    found = requests.get(url, params={"id[]": [first["id"], "999999", other["id"]]}, timeout=5).json()
    assert [one["id"] for one in found] == [first["id"], other["id"]]  # gaps are silent


def test_bluesky_refuses_26_and_leaves_out_what_is_gone(world: ChannelWorld, address: str) -> None:
    url = f"{address}/bluesky/xrpc/app.bsky.feed.getPosts"
    uris = [f"at://did:plc:acme/app.bsky.feed.post/{number}" for number in (0, 1, 700)]
    assert len(requests.get(url, params={"uris": uris}, timeout=5).json()["posts"]) == 2
    assert requests.get(url, params={"uris": uris * 9}, timeout=5).status_code == 400


def test_klaviyo_without_a_revision_is_400(world: ChannelWorld, address: str) -> None:
    key = {"Authorization": f"Klaviyo-API-Key {KEYS['klaviyo']}"}
    assert requests.get(f"{address}/klaviyo/api/events", headers=key, timeout=5).status_code == 400


def test_segment_says_200_to_what_it_throws_away(world: ChannelWorld, address: str) -> None:
    event = {"userId": "u1", "event": "Signed Up", "messageId": "m1", "writeKey": "web-key"}
    sent = [
        event,
        event | {"event": "Again"},
        {"event": "Nobody", "writeKey": "web-key"},
        event | {"writeKey": "strange"},
    ]
    answers = [requests.post(f"{address}/segment/v1/track", json=one, timeout=5).status_code for one in sent]
    assert answers == [200] * 4
    assert [one["event"] for one in receivers.kept(world).values()] == ["Signed Up"]
    large = event | {"properties": {"text": "x" * 40_000}}
    assert requests.post(f"{address}/segment/v1/track", json=large, timeout=5).status_code == 400


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("", 200, '"finish_reason": "stop"'),
        ("truncated", 200, '"finish_reason": "length"'),
        ("refused", 200, '"refusal": "I cannot'),
        ("no_json", 200, "Certainly"),
        ("limited", 429, "rate_limit_exceeded"),
        ("no_quota", 429, "insufficient_quota"),
    ],
)
def test_a_model_fails_as_models_do(world: ChannelWorld, address: str, fault: str, status: int, said: str) -> None:
    world.play("model", fault)
    schema = {"type": "object", "properties": {"lines": {"type": "array", "items": {"type": "string"}, "minItems": 2}}}
    body = {"model": "m", "messages": [], "response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}
    answer = requests.post(f"{address}/model/v1/chat/completions", json=body, timeout=5)
    assert answer.status_code == status
    assert said in answer.text
    assert ("usage" in answer.json()) == (status == 200)


def test_the_play_is_directed_over_http(world: ChannelWorld, address: str) -> None:
    requests.post(f"{address}/_play", json={"provider": "bluesky", "faults": ["unavailable"]}, timeout=5)
    url = f"{address}/bluesky/xrpc/app.bsky.feed.getPosts"
    assert [requests.get(url, timeout=5).status_code for _ in range(2)] == [503, 200]
    requests.post(f"{address}/_play", json={"now": "2026-12-01T00:00:00"}, timeout=5)
    assert world.now == dt.datetime.fromisoformat("2026-12-01")
