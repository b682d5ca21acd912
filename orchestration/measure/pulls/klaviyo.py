"""Klaviyo: events by cursor, and the values of campaigns, one report per day since a report has no days of its own.

Source: Klaviyo's OpenAPI, revision 2026-07-15.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.platform import Platform
from orchestration.measure.pulls.windows import Window

_REVISION = "2026-07-15"


class Klaviyo(Platform):
    """Reads events, or campaign values, of one account (the key's own)."""

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Klaviyo-API-Key {self.access.secrets['key']}",
            "revision": _REVISION,
            "Accept": "application/vnd.api+json",
            "Content-Type": "application/vnd.api+json",
        }

    def read(self, window: Window) -> Iterator[Item]:
        options = window.stream.options
        # Offsets are ignored: the days are those of the account's time zone.
        attributes: dict[str, Any] = {
            "statistics": list(options["statistics"]),
            "timeframe": {
                "start": f"{window.first}T00:00:00",
                "end": f"{window.last + dt.timedelta(days=1)}T00:00:00",
            },
            "conversion_metric_id": self.access.secrets["conversion_metric"],
            "group_by": list(options["group_by"]),
        }
        body = {"data": {"type": "campaign-values-report", "attributes": attributes}}
        told = self.one(self.client.post("api/campaign-values-reports", json=body))
        for row in told["data"]["attributes"]["results"]:
            yield {**row, "day": window.first.isoformat(), "conversion_metric_id": attributes["conversion_metric_id"]}

    def read_events(self, since: dt.datetime, until: dt.datetime) -> Iterator[Item]:
        from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

        params = {
            "filter": f"greater-or-equal(timestamp,{since:%Y-%m-%dT%H:%M:%S}Z),less-than(timestamp,{until:%Y-%m-%dT%H:%M:%S}Z)",
            "sort": "timestamp",
            "page[size]": 1000,
            "include": "metric,profile",
        }
        for page in self.client.paginate(
            "api/events", params=params, paginator=JSONLinkPaginator("links.next"), data_selector="data"
        ):
            included = {(one["type"], one["id"]): one for one in self.one(page.response).get("included", [])}
            for item in page:
                yield _with_included(item, included)


def _with_included(item: Any, included: dict[tuple[str, str], Any]) -> Item:
    """An event with the name of its metric and its person beside it, the person where the field list finds it."""
    related = item.get("relationships", {})
    metric = _related(related, "metric", included)
    profile = _related(related, "profile", included)
    told = {name: value for name, value in item.items() if name not in {"relationships", "links"}}
    return {
        **told,
        "metric": {"id": metric.get("id"), "name": metric.get("attributes", {}).get("name")},
        "profile": {"id": profile.get("id"), "email": profile.get("attributes", {}).get("email")},
    }


def _related(related: Any, name: str, included: dict[tuple[str, str], Any]) -> Any:
    named = (related.get(name) or {}).get("data") or {}
    return included.get((name, str(named.get("id"))), named)
