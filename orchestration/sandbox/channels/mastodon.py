"""Mastodon: pages by Link header, batches with gaps, limits whose reset is an instant, posts made once per Idempotency-Key."""

import datetime as dt
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, ChannelWorld, Post

_PAGE = 40


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [
        route(world, "mastodon", "/api/v1/accounts/{account}/statuses", _statuses),
        route(world, "mastodon", "/api/v1/statuses", _batch_or_post, "GET", "POST"),
    ]


def _statuses(asked: Asked) -> Response:
    if asked.fault == "limited":
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0"}
        headers["X-RateLimit-Reset"] = (now + dt.timedelta(seconds=90)).isoformat().replace("+00:00", ".000000Z")
        return Response('{"error":"Too many requests"}', 429, headers, "application/json")
    key = ("mastodon", asked.path["account"])
    if key not in asked.world.posts:
        return told({"error": "Record not found"}, 404)
    posts = sorted(asked.world.posts[key], key=lambda post: post.created_at, reverse=True)
    limit = min(int(asked.query.get("limit", "20")), _PAGE)
    begin = int(asked.query.get("max_id", "0"))
    headers = {}
    if begin + limit < len(posts):
        path = f"/mastodon/api/v1/accounts/{key[1]}/statuses?limit={limit}&exclude_reblogs=true&max_id={begin + limit}"
        headers["Link"] = f'<{asked.here(path)}>; rel="next"'
    return told([_status(key[1], post) for post in posts[begin : begin + limit]], 200, **headers)


def _batch_or_post(asked: Asked) -> Response:
    if asked.request.method == "GET":
        known = {str(post.number): (account, post) for account, post in _all(asked.world)}
        wanted = asked.request.query_params.getlist("id[]")
        return told([_status(*known[number]) for number in wanted if number in known])
    if asked.header("authorization") != f"Bearer {KEYS['mastodon']}":
        return told({"error": "The access token is invalid"}, 401)
    text = asked.form.get("status") or (asked.json or {}).get("status", "")
    if len(text) > 500:
        return told({"error": "Validation failed: Text character limit of 500 exceeded"}, 422)
    name = f"mastodon made {asked.header('idempotency-key')}"
    if asked.header("idempotency-key") and name in asked.world.kept:
        return told(asked.world.kept[name])
    post = Post(asked.world.count("posts made") + 10_000, text, asked.world.now, 0, 0, 0, 0)
    asked.world.posts.setdefault(("mastodon", "7"), []).append(post)
    asked.world.kept[name] = _status("7", post)
    return told(asked.world.kept[name])


def _all(world: ChannelWorld) -> list[tuple[str, Post]]:
    return [
        (account, post) for (network, account), posts in world.posts.items() if network == "mastodon" for post in posts
    ]


def _status(account: str, post: Post) -> dict[str, Any]:
    return {
        "id": str(post.number),
        "uri": f"https://social.example.test/users/{account}/statuses/{post.number}",
        "url": f"https://social.example.test/@acme/{post.number}",
        "created_at": post.created_at.isoformat() + ".000Z",
        "visibility": "public",
        "content": f"<p>{post.text}</p>",
        "account": {"id": account, "acct": "acme"},
        "favourites_count": post.likes,
        "reblogs_count": post.reposts,
        "replies_count": post.replies,
        "quotes_count": post.quotes,
    }
