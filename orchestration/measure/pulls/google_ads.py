"""Google Ads reports through searchStream, which answers with a JSON array of batches.

Zero-valued fields may be missing, int64 values are texts; both are read in SQL. Source: Google Ads API, REST mapping.
"""

import re
from collections.abc import Iterator
from typing import Any

import requests

from orchestration.errors import Refusal
from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.patience import content
from orchestration.measure.pulls.platform import Platform
from orchestration.measure.pulls.windows import Window


class GoogleAds(Platform):
    """Reads one query of one client account."""

    def headers(self) -> dict[str, str]:
        secrets = self.access.secrets
        told = {"Authorization": f"Bearer {secrets['token']}", "developer-token": secrets["developer_token"]}
        if "login_customer_id" in secrets:
            told["login-customer-id"] = secrets["login_customer_id"].replace("-", "")
        return told

    def judge(self, response: requests.Response) -> float | None:
        if response.ok:
            return None
        error = _error(response)
        if "REQUESTED_METRICS_FOR_MANAGER" in response.text:
            raise self.refusal(response, f"Name client accounts in {self.source.accounts_variable}, not the manager.")
        if error.get("status") == "RESOURCE_EXHAUSTED":
            delay = re.search(r'"retryDelay":\s*"(\d+)', response.text)
            if delay:
                return float(delay[1])
            raise self.refusal(response, "The day's operations are used up: run the same command tomorrow.")
        return None

    def read(self, window: Window) -> Iterator[Item]:
        query = str(window.stream.options["query"]).format(first=window.first, last=window.last)
        customer = window.account_id.replace("-", "")
        batches = self.one(self.client.post(f"customers/{customer}/googleAds:searchStream", json={"query": query}))
        if not isinstance(batches, list):
            raise Refusal(f"source {self.source.name}", "answered no list of batches", "Check the API version.")
        for batch in batches:
            yield from batch.get("results", [])


def _error(response: requests.Response) -> dict[str, Any]:
    told = content(response)
    told = told[0] if isinstance(told, list) and told else told
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, dict) else {}
