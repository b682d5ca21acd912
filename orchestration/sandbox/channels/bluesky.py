"""Bluesky: a feed by cursor, 25 posts at a time, posts that are silently gone, counts that fall; and posting."""

import datetime as dt
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import ChannelWorld, Post

_MOST_URIS, _PAGE = 25, 20


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [
        route(world, "bluesky", "/xrpc/app.bsky.feed.getPosts", _posts),
        route(world, "bluesky", "/xrpc/app.bsky.feed.getAuthorFeed", _feed),
        route(world, "bluesky", "/xrpc/com.atproto.server.createSession", _session, "POST"),
        route(world, "bluesky", "/xrpc/com.atproto.repo.createRecord", _create, "POST"),
    ]


def _posts(asked: Asked) -> Response:
    uris = asked.request.query_params.getlist("uris")
    if len(uris) > _MOST_URIS:
        return told({"error": "InvalidRequest", "message": "uris must not have more than 25 elements"}, 400)
    known = {_uri(account, post): (account, post) for account, post in _all(asked.world)}
    # Those that are gone are left out without a word.
    return told({"posts": [_view(*known[uri]) for uri in uris if uri in known]})


def _feed(asked: Asked) -> Response:
    account = asked.query["actor"]
    if ("bluesky", account) not in asked.world.posts:
        return told({"error": "InvalidRequest", "message": "Profile not found"}, 400)
    posts = sorted(asked.world.posts["bluesky", account], key=lambda post: post.created_at, reverse=True)
    begin = int(asked.query.get("cursor", "0"))
    found: dict[str, Any] = {"feed": [{"post": _view(account, post)} for post in posts[begin : begin + _PAGE]]}
    if begin == 0 and posts:
        strange = _view("did:plc:other", posts[0])
        found["feed"].append({"post": strange, "reason": {"$type": "app.bsky.feed.defs#reasonRepost"}})
    if begin + _PAGE < len(posts):
        found["cursor"] = str(begin + _PAGE)
    return told(found)


def _session(asked: Asked) -> Response:
    return told(
        {"accessJwt": "jwt", "refreshJwt": "refresh", "did": "did:plc:acme", "handle": asked.json["identifier"]}
    )


def _create(asked: Asked) -> Response:
    if asked.header("authorization") != "Bearer jwt":
        return told({"error": "AuthMissing", "message": "Authentication Required"}, 401)
    text = asked.json["record"]["text"]
    if len(text.encode()) > 3000:
        return told({"error": "InvalidRequest", "message": "text must not be longer than 3000 bytes"}, 400)
    account = asked.json["repo"]
    posts = asked.world.posts.setdefault(("bluesky", account), [])
    # The same key names the same record: creating it again changes nothing.
    key = asked.json.get("rkey")
    name = f"bluesky record {account} {key}"
    if key is None or name not in asked.world.kept:
        post = Post(asked.world.count("posts made") + 10_000, text, asked.world.now, 0, 0, 0, 0)
        posts.append(post)
        asked.world.kept[name] = _uri(account, post)
        return told({"uri": _uri(account, post), "cid": f"bafy{post.number}"})
    return told({"uri": asked.world.kept[name], "cid": "bafy"})


def _all(world: ChannelWorld) -> list[tuple[str, Post]]:
    return [
        (account, post) for (network, account), posts in world.posts.items() if network == "bluesky" for post in posts
    ]


def _uri(account: str, post: Post) -> str:
    return f"at://{account}/app.bsky.feed.post/{post.number}"


def _view(account: str, post: Post) -> dict[str, Any]:
    counts = {
        "likeCount": post.likes, "repostCount": post.reposts, "replyCount": post.replies, "quoteCount": post.quotes
    }  # fmt: skip
    made = post.created_at.replace(tzinfo=dt.UTC).isoformat()
    return {
        "uri": _uri(account, post),
        "cid": f"bafy{post.number}",
        "author": {"did": account, "handle": "acme.example.test"},
        "record": {"$type": "app.bsky.feed.post", "text": post.text, "createdAt": made},
        "indexedAt": made,
        **{name: count for name, count in counts.items() if name != "quoteCount" or count},  # counts are optional
    }
