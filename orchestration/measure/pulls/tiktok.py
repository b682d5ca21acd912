"""TikTok's integrated report, whose errors arrive as HTTP 200 with a code, and whose pages may shift while they are read."""

import json
from collections.abc import Iterator
from typing import Any

import requests

from orchestration.errors import Refusal
from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.patience import content
from orchestration.measure.pulls.platform import Platform, TooMuch
from orchestration.measure.pulls.windows import Window

_TOO_LARGE, _MAINTENANCE, _LIMITED = 40067, 60001, 40100
_NO_ACCESS = {40001, 40002, 40102, 40104, 40105}
_READS = 3


class TikTok(Platform):
    """Reads one report of one advertiser."""

    def headers(self) -> dict[str, str]:
        return {"Access-Token": self.access.secrets["token"]}

    def judge(self, response: requests.Response) -> float | None:
        told = content(response)
        code = told.get("code") if isinstance(told, dict) else None
        if code in (None, 0):
            return None
        if code == _TOO_LARGE:
            raise TooMuch
        if code in {_MAINTENANCE, _LIMITED}:
            return 60.0
        remedy = f"Set a valid {self.source.secrets['token']}." if code in _NO_ACCESS else "Check the source's file."
        raise self.refusal(response, remedy)

    def read(self, window: Window) -> Iterator[Item]:
        for _ in range(_READS):
            rows, told = self._pages(window)
            distinct = {json.dumps(row, sort_keys=True): row for row in rows}
            if len(distinct) == told:
                for row in distinct.values():
                    yield {**row, "day": str(row["dimensions"]["stat_time_day"])[:10]}
                return
        raise Refusal(
            f"source {self.source.name}",
            f"told of {told} rows for {window.first} and gave {len(distinct)}: the report changes while it is read",
            "Run the same command later.",
        )

    def _pages(self, window: Window) -> tuple[list[Any], int]:
        from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

        options = window.stream.options
        params = {
            "advertiser_id": window.account_id,
            "report_type": "BASIC",
            "service_type": "AUCTION",
            "data_level": str(options["data_level"]),
            "dimensions": json.dumps(list(options["dimensions"])),
            "metrics": json.dumps(list(options["metrics"])),
            "start_date": window.first.isoformat(),
            "end_date": window.last.isoformat(),
            "page_size": 1000,
        }
        rows: list[Any] = []
        told = 0
        for page in self.client.paginate(
            "report/integrated/get/",
            params=params,
            paginator=PageNumberPaginator(base_page=1, page_param="page", total_path="data.page_info.total_page"),
            data_selector="data.list",
        ):
            rows += page
            told = int(content(page.response)["data"]["page_info"]["total_number"])
        return rows, told
