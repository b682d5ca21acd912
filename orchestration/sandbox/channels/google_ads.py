"""Google Ads: a JSON array of batches, int64 as text, zero fields left out, errors of manager accounts and of quotas."""

import datetime as dt
import re
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, AdDay, ChannelWorld

_LEVELS = {
    "customer": "account",
    "campaign": "campaign",
    "ad_group": "ad_set",
    "ad_group_ad": "ad",
    "ad_group_ad_asset_view": "ad",
}
_BATCH = 100
_DAYS = re.compile(r"BETWEEN '(\d{4}-\d\d-\d\d)' AND '(\d{4}-\d\d-\d\d)'")


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [route(world, "google_ads", "/customers/{customer}/googleAds:searchStream", _stream, "POST")]


def _stream(asked: Asked) -> Response:
    if asked.header("authorization") != f"Bearer {KEYS['google_ads']}" or not asked.header("developer-token"):
        return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
    if asked.fault == "exhausted":
        return _error(429, "RESOURCE_EXHAUSTED", "Too many requests.")
    if asked.fault == "exhausted_shortly":
        return _error(429, "RESOURCE_EXHAUSTED", "Too many requests.", {"retryDelay": "30s"})
    if asked.fault == "manager" or asked.path["customer"] == "9999":
        return _error(400, "INVALID_ARGUMENT", "REQUESTED_METRICS_FOR_MANAGER")
    query = asked.json["query"]
    view = re.search(r"FROM (\w+)", query)
    days = _DAYS.search(query)
    if not view or not days or view[1] not in _LEVELS:
        return _error(400, "INVALID_ARGUMENT", "The query is not valid.")
    first, last = (dt.date.fromisoformat(day) for day in days.groups())
    customer = asked.path["customer"]
    rows = [
        _row(customer, view[1], row) for row in asked.world.told("google_ads", customer, _LEVELS[view[1]], first, last)
    ]
    batches = [rows[begin : begin + _BATCH] for begin in range(0, len(rows), _BATCH)]
    return told([{"results": batch, "fieldMask": "customer.id", "requestId": "rq1"} for batch in batches])


def _row(customer: str, view: str, row: AdDay) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "impressions": str(row.impressions), "clicks": str(row.clicks), "costMicros": str(row.micros),
        "conversions": row.conversions, "conversionsValue": row.value,
    }  # fmt: skip
    found: dict[str, Any] = {
        "customer": {"id": customer, "currencyCode": "EUR"},
        "segments": {"date": row.day.isoformat()},
        # Zeros are left out, as protobuf's JSON does.
        "metrics": {name: value for name, value in metrics.items() if value not in (0, 0.0, "0")},
    }
    if view != "customer":
        found["campaign"] = {"id": row.campaign, "name": f"Campaign {row.campaign}"}
    if view not in {"customer", "campaign"}:
        found["adGroup"] = {"id": row.ad_set}
    if view in {"ad_group_ad", "ad_group_ad_asset_view"}:
        found["adGroupAd"] = {"ad": {"id": row.ad}}
    if view == "ad_group_ad_asset_view":
        name = f"customers/{customer}/adGroupAdAssetViews/{row.ad_set}~{row.ad}~1{row.ad}~HEADLINE"
        found["adGroupAdAssetView"] = {"resourceName": name, "fieldType": "HEADLINE"}
        found["asset"] = {"id": f"1{row.ad}", "textAsset": {"text": f"Headline of {row.ad}"}}
    return found


def _error(status: int, name: str, message: str, detail: dict[str, str] | None = None) -> Response:
    return told([{"error": {"code": status, "status": name, "message": message, "details": [detail or {}]}}], status)
