"""Mailchimp's campaign reports: totals since the send, restated for weeks. The day of a row is the day it was sent."""

import datetime as dt
from base64 import b64encode
from collections.abc import Iterator

from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.platform import Platform
from orchestration.measure.pulls.windows import Window


class Mailchimp(Platform):
    """Reads the reports of campaigns that were sent within a window."""

    def headers(self) -> dict[str, str]:
        pair = b64encode(f"loop:{self.access.secrets['key']}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def read(self, window: Window) -> Iterator[Item]:
        from dlt.sources.helpers.rest_client.paginators import OffsetPaginator

        # The limits are taken as exclusive and the answer is looked through: neither is documented.
        params = {
            "since_send_time": f"{window.first - dt.timedelta(days=1)}T23:59:59+00:00",
            "before_send_time": f"{window.last + dt.timedelta(days=1)}T00:00:00+00:00",
        }
        for page in self.client.paginate(
            "reports",
            params=params,
            paginator=OffsetPaginator(limit=1000, limit_param="count", total_path="total_items"),
            data_selector="reports",
        ):
            for item in page:
                day = str(item.get("send_time") or "")[:10]
                if window.first.isoformat() <= day <= window.last.isoformat():
                    yield {**item, "day": day}
