"""Mastodon's counts of an account's posts, read from its home server: others know only what reached them."""

import datetime as dt
from collections.abc import Iterator

import requests

from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.patience import retry_after
from orchestration.measure.pulls.platform import Platform
from orchestration.measure.pulls.windows import Window


class Mastodon(Platform):
    """Reads the posts that an account published within a window."""

    def headers(self) -> dict[str, str]:
        token = self.access.secrets.get("token")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def judge(self, response: requests.Response) -> float | None:
        if response.status_code == 429:
            return retry_after(response) or _until_reset(response)
        return None

    def read(self, window: Window) -> Iterator[Item]:
        from dlt.sources.helpers.rest_client.paginators import HeaderLinkPaginator

        params = {"limit": 40, "exclude_reblogs": "true"}
        for page in self.client.paginate(
            f"api/v1/accounts/{window.account_id}/statuses",
            params=params,
            paginator=HeaderLinkPaginator(),
            data_selector="$[*]",
        ):
            # Newest first, but a pinned or imported post may be out of line: a whole page must be older.
            days = [item["created_at"][:10] for item in page]
            for item, day in zip(page, days, strict=True):
                if window.first.isoformat() <= day <= window.last.isoformat():
                    yield {**item, "day": day}
            if days and max(days) < window.first.isoformat():
                return


def _until_reset(response: requests.Response) -> float | None:
    """Seconds until the limit is lifted: the header is an instant, not seconds, and the server's own clock says what is now."""
    try:
        reset = dt.datetime.fromisoformat(response.headers["X-RateLimit-Reset"])
        date = dt.datetime.strptime(response.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=dt.UTC)
    except (KeyError, ValueError):
        return None
    return max((reset - date).total_seconds(), 1.0)
