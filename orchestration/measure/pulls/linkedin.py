"""LinkedIn's ad analytics, without pages. An empty answer may mean no activity or no permission, so permission is asked for first."""

from collections.abc import Iterator
from urllib.parse import quote

import requests

from orchestration.errors import Refusal
from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.platform import Platform
from orchestration.measure.pulls.windows import Window


class LinkedIn(Platform):
    """Reads one pivot of one ad account."""

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.access.secrets['token']}",
            "LinkedIn-Version": str(self.source.streams[0].options["version"]),
            "X-Restli-Protocol-Version": "2.0.0",
        }

    def judge(self, response: requests.Response) -> float | None:
        if response.status_code == 426:
            raise self.refusal(response, "That version has been withdrawn: set a newer one in the source's file.")
        return None

    def read(self, window: Window) -> Iterator[Item]:
        account = quote(f"urn:li:sponsoredAccount:{window.account_id}", safe="")
        told = self.one(self.client.get(f"adAccounts/{window.account_id}"))
        if told.get("status") is None:
            raise Refusal(
                f"source {self.source.name}",
                f"does not show account {window.account_id} to this key",
                f"Give the holder of {self.source.secrets['token']} a role in the account.",
            )
        # Rest.li's parentheses must stay as they are, so the query is tunnelled as a form, which no length limits.
        query = (
            f"q=analytics&pivot={window.stream.options['pivot']}&timeGranularity=DAILY"
            f"&dateRange=(start:{_day(window.first)},end:{_day(window.last)})&accounts=List({account})"
            f"&fields={','.join(window.stream.options['fields'])}"
        )
        answer = self.client.post(
            "adAnalytics",
            data=query,
            headers={"X-HTTP-Method-Override": "GET", "Content-Type": "application/x-www-form-urlencoded"},
        )
        for item in self.one(answer)["elements"]:
            start = item["dateRange"]["start"]
            yield {
                **item,
                "currency": told.get("currency"),  # the analytics tell amounts in it and do not name it
                "pivotValue": (item.get("pivotValues") or [None])[0],
                "day": f"{start['year']:04d}-{start['month']:02d}-{start['day']:02d}",
            }


def _day(day: object) -> str:
    year, month, number = str(day).split("-")
    return f"(year:{int(year)},month:{int(month)},day:{int(number)})"
