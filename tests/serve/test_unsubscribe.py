"""One-click unsubscribe: only a POST of RFC 8058 takes anybody off, and as often as it likes."""

import json
from typing import Any

import pytest

from orchestration.serve.unsubscribe import Subscription, headers_of, subscription_of, token_of, unsubscribe_key
from tests.serve.conftest import Receiver

ANA = Subscription("pseudonym-of-ana", "news <b>", "send-1")
FORM = {"content-type": "application/x-www-form-urlencoded"}


def path(receiver: Receiver, subscription: Subscription = ANA) -> str:
    header = headers_of("https://u.example.test/", token_of(subscription, unsubscribe_key(receiver.warehouse)))
    assert header["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return header["List-Unsubscribe"].removeprefix("<https://u.example.test").removesuffix(">")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_nothing_but_a_post_changes_anything(receiver: Receiver, method: str) -> None:
    answer = receiver.client.request(method, path(receiver))
    assert answer.status_code == (200 if method == "GET" else 405)
    assert receiver.kept() == []


def test_the_page_has_a_button_and_asks_nobody_else(receiver: Receiver) -> None:
    page = receiver.client.get(path(receiver))
    assert '<form method="post">' in page.text
    assert "news" not in page.text, "the list's name is the house's own"
    assert "://" not in page.text.replace("<!doctype html>", "")
    assert page.headers["cache-control"] == "no-store"


def test_a_post_is_kept_and_answered_the_same_every_time(receiver: Receiver) -> None:
    answers = [
        receiver.client.post(path(receiver), content=b"List-Unsubscribe=One-Click", headers=FORM) for _ in range(3)
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    kept = {record.body for record in receiver.kept()}
    assert [json.loads(body) for body in kept] == [
        {"person": ANA.person, "list_id": ANA.list_id, "send_id": ANA.send_id}
    ]


def test_multipart_is_allowed_by_the_rfc(receiver: Receiver) -> None:
    answer = receiver.client.post(path(receiver), files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.status_code == 200
    assert len(receiver.kept()) == 1


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", FORM, 400),
        (b"List-Unsubscribe=Two-Clicks", FORM, 400),
        (b'{"List-Unsubscribe": "One-Click"}', {"content-type": "application/json"}, 415),
        (b"List-Unsubscribe=One-Click&" + b"x=1&" * 2000, FORM, 413),
        (b"List-Unsubscribe=One-Click&" + b"x=1&" * 500, FORM, 400),
        (b"--b\r\nbroken", {"content-type": "multipart/form-data; boundary=b"}, 400),
        (b"--b\r\nbroken", {"content-type": "multipart/form-data"}, 400),
    ],
)
def test_another_form_is_refused(receiver: Receiver, content: bytes, headers: dict[str, str], status: int) -> None:
    assert receiver.client.post(path(receiver), content=content, headers=headers).status_code == status
    assert receiver.kept() == []


def test_a_token_that_was_not_signed_here_is_404(receiver: Receiver) -> None:
    whole = path(receiver).removeprefix("/unsubscribe/")
    content, _, signature = whole.partition(".")
    other = path(receiver, Subscription("pseudonym-of-bob", "news")).removeprefix("/unsubscribe/").partition(".")[0]
    for token in (
        f"{other}.{signature}",
        content,
        f"{content}.",
        "x",
        "é",
        whole[:-2] + "AA",
        f"{content}.{signature}.x",
    ):
        answer = receiver.client.post(f"/unsubscribe/{token}", content=b"List-Unsubscribe=One-Click", headers=FORM)
        assert answer.status_code == 404, token
    assert receiver.kept() == []


@pytest.mark.parametrize("subscription", [ANA, Subscription("p", "l"), Subscription("ü", "名前", "s")])
def test_a_token_tells_what_it_was_made_of(subscription: Subscription) -> None:
    token = token_of(subscription, b"key")
    assert subscription_of(token, b"key") == subscription
    assert subscription_of(token, b"other") is None
    assert all(character.isalnum() or character in "-_." for character in token)


def test_the_token_needs_no_cookie_and_no_redirect(receiver: Receiver) -> None:
    answer: Any = receiver.client.post(
        path(receiver), content=b"List-Unsubscribe=One-Click", headers=FORM, follow_redirects=False
    )
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
