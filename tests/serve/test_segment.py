"""The event receiver as Segment's libraries know the original."""

import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from orchestration.serve.segment import CALLS
from tests.serve.conftest import Receiver

TRACK = {"userId": "u", "event": "Signed Up", "messageId": "m"}


def post(receiver: Receiver, call: str, body: Any, key: str | None = "web-key", **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if key:
        headers["authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
    return receiver.client.post(f"/v1/{call}", content=content, headers={"content-type": "application/json", **headers})


@pytest.mark.parametrize("call", CALLS)
def test_every_call_is_kept_under_its_source(receiver: Receiver, call: str) -> None:
    answer = post(receiver, call, TRACK)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (record,) = receiver.kept()
    assert (record.source, record.headers["call"], json.loads(record.body)) == ("segment/web", call, TRACK)


def test_the_write_key_may_stand_in_the_body(receiver: Receiver) -> None:
    assert post(receiver, "track", TRACK | {"writeKey": "shop-key"}, key=None).status_code == 200
    assert receiver.kept()[0].source == "segment/shop"


@pytest.mark.parametrize("key", ["other", "web-ke", "web-key2", "", "\ud800"])
def test_an_unknown_write_key_is_401(receiver: Receiver, key: str) -> None:
    assert post(receiver, "track", TRACK | {"writeKey": key}, key=None).status_code == 401
    assert receiver.kept() == []


@pytest.mark.parametrize("event", [{}, {"userId": "u"}, {"event": 5, "properties": "no object"}, {"batch": "none"}])
def test_a_bad_event_is_answered_200_and_kept_to_be_labelled(receiver: Receiver, event: dict[str, Any]) -> None:
    assert post(receiver, "track", event).status_code == 200
    assert len(receiver.kept()) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"{\xff}", b'{"a": NaN}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_object_is_400(receiver: Receiver, body: bytes) -> None:
    assert post(receiver, "batch", body).status_code == 400
    assert receiver.kept() == []


def test_too_large_is_400_as_the_libraries_expect(receiver: Receiver) -> None:
    assert post(receiver, "track", {"x": "y" * 32_768}).status_code == 400
    assert post(receiver, "batch", {"batch": ["y" * 32_768]}).status_code == 200
    assert post(receiver, "batch", {"batch": ["y" * 512_000]}).status_code == 400


def test_gzip_is_opened(receiver: Receiver) -> None:
    answer = post(
        receiver, "batch", gzip.compress(json.dumps({"batch": [TRACK]}).encode()), **{"content-encoding": "gzip"}
    )
    assert answer.status_code == 200
    assert json.loads(receiver.kept()[0].body) == {"batch": [TRACK]}


def test_a_bomb_is_opened_no_further_than_the_limit(receiver: Receiver) -> None:
    """One gigabyte of spaces in one megabyte of gzip: a naive decompress would need the gigabyte."""
    import tracemalloc

    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * 2**20
    bomb = b"".join(squeezer.compress(block) for _ in range(400)) + squeezer.flush()
    assert len(bomb) < 512_000
    tracemalloc.start()
    answer = post(receiver, "batch", bomb, **{"content-encoding": "gzip"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 400
    assert peak < 20 * 2**20


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") * 2],
    ids=["of something else", "cut off", "twice"],
)
def test_broken_gzip_is_400(receiver: Receiver, body: bytes) -> None:
    assert post(receiver, "track", body, **{"content-encoding": "gzip"}).status_code == 400


def test_other_types_and_encodings_are_415(receiver: Receiver) -> None:
    assert post(receiver, "track", TRACK, **{"content-encoding": "br"}).status_code == 415
    assert post(receiver, "track", TRACK, **{"content-type": "application/xml"}).status_code == 415
    assert post(receiver, "track", TRACK, **{"content-type": "text/plain"}).status_code == 200, "browsers' beacons"


def test_browsers_of_other_sites_may_send(receiver: Receiver) -> None:
    preflight = receiver.client.options("/v1/track", headers={"origin": "https://shop.example.test"})
    assert preflight.status_code == 204
    for answer in (preflight, post(receiver, "track", TRACK), post(receiver, "track", TRACK, key="no")):
        assert answer.headers["access-control-allow-origin"] == "*"
