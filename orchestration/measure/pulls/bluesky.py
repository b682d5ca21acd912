"""Bluesky's counts of an account's posts: the feed says which posts there are, ``getPosts`` (25 at a time) what they count."""

from collections.abc import Iterator

from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.platform import Platform
from orchestration.measure.pulls.windows import Window

_MOST_URIS = 25


class Bluesky(Platform):
    """Reads the posts that an account published within a window."""

    def read(self, window: Window) -> Iterator[Item]:
        uris = list(dict.fromkeys(self._published(window)))
        for begin in range(0, len(uris), _MOST_URIS):
            asked = [("uris", uri) for uri in uris[begin : begin + _MOST_URIS]]
            # Posts that are gone are silently absent.
            for post in self.one(self.client.get("xrpc/app.bsky.feed.getPosts", params=asked))["posts"]:  # type: ignore[arg-type]
                yield {**post, "day": post["indexedAt"][:10]}

    def _published(self, window: Window) -> Iterator[str]:
        from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

        params = {"actor": window.account_id, "limit": 100, "filter": "posts_with_replies"}
        for page in self.client.paginate(
            "xrpc/app.bsky.feed.getAuthorFeed",
            params=params,
            paginator=JSONResponseCursorPaginator("cursor", "cursor"),
            data_selector="feed",
        ):
            days = []
            for entry in page:
                if "reason" in entry:  # somebody else's post, passed on
                    continue
                days.append(entry["post"]["indexedAt"][:10])  # createdAt is the client's word
                if window.first.isoformat() <= days[-1] <= window.last.isoformat():
                    yield entry["post"]["uri"]
            if days and max(days) < window.first.isoformat():
                return
