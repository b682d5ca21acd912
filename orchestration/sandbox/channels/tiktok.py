"""TikTok's report: every answer is HTTP 200, the code tells whether it is one; pages may shift."""

import datetime as dt
import json
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, AdDay, ChannelWorld

_LEVELS = {
    "AUCTION_ADVERTISER": "account", "AUCTION_CAMPAIGN": "campaign", "AUCTION_ADGROUP": "ad_set", "AUCTION_AD": "ad"
}  # fmt: skip
_CODES = {"too_large": 40067, "maintenance": 60001, "no_access": 40002, "limited": 40100}
_PAGE = 50  # smaller than TikTok's, so that there are pages
_MOST_DAYS = 30


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [route(world, "tiktok", "/report/integrated/get/", _report)]


def _report(asked: Asked) -> Response:
    if asked.header("access-token") != KEYS["tiktok"]:
        return _code(40105, "Access token is incorrect or has been revoked.")
    if asked.fault in _CODES:
        return _code(_CODES[asked.fault], asked.fault)
    query = asked.query
    first, last = (dt.date.fromisoformat(query[name]) for name in ("start_date", "end_date"))
    if (last - first).days >= _MOST_DAYS:
        return _code(40002, "The time range exceeds 30 days.")
    level = _LEVELS[query["data_level"]]
    told_rows = asked.world.told("tiktok", query["advertiser_id"], level, first, last)
    rows = [_row(query["advertiser_id"], json.loads(query["dimensions"]), row) for row in told_rows]
    page = int(query.get("page", "1"))
    begin = (page - 1) * _PAGE
    if asked.fault == "shifting" and page > 1:
        begin += 1  # a row moved up while the report was read, and nobody sees it
    info = {"page": page, "total_number": len(rows), "total_page": -(-len(rows) // _PAGE), "page_size": _PAGE}
    return told({"code": 0, "message": "OK", "data": {"list": rows[begin : begin + _PAGE], "page_info": info}})


def _row(advertiser: str, dimensions: list[str], row: AdDay) -> dict[str, Any]:
    ids = {
        "advertiser_id": advertiser, "campaign_id": row.campaign, "adgroup_id": row.ad_set, "ad_id": row.ad,
        "stat_time_day": f"{row.day} 00:00:00",
    }  # fmt: skip
    return {
        "dimensions": {name: ids[name] for name in dimensions},
        "metrics": {
            "spend": f"{row.micros / 1e6:.2f}", "impressions": str(row.impressions), "clicks": str(row.clicks),
            "conversion": str(int(row.conversions)), "currency": "EUR", "campaign_id": row.campaign,
            "campaign_name": f"Campaign {row.campaign}", "adgroup_id": row.ad_set,
        },
    }  # fmt: skip


def _code(code: int, message: str) -> Response:
    return told({"code": code, "message": message, "request_id": "r1", "data": {}})
