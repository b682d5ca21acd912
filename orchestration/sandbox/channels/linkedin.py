"""LinkedIn's analytics: no pages, 414 for long addresses, and an empty answer where permission is missing."""

import datetime as dt
import re
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, AdDay, ChannelWorld

_DATE = re.compile(r"\(year:(\d+),month:(\d+),day:(\d+)\)")
_LEVELS = {"ACCOUNT": "account", "CAMPAIGN_GROUP": "campaign", "CAMPAIGN": "ad_set", "CREATIVE": "ad"}
_LONGEST = 400


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [
        route(world, "linkedin", "/adAccounts/{account}", _account),
        route(world, "linkedin", "/adAnalytics", _analytics, "GET", "POST"),
    ]


def _account(asked: Asked) -> Response:
    if (refused := _refused(asked)) is not None:
        return refused
    if asked.fault == "no_permission":
        return told({"id": asked.path["account"]})
    return told({"id": asked.path["account"], "status": "ACTIVE", "currency": "EUR"})


def _analytics(asked: Asked) -> Response:
    if (refused := _refused(asked)) is not None:
        return refused
    if asked.request.method == "GET" and len(asked.request.url.query) > _LONGEST:
        return Response("URI Too Long", 414)
    if asked.request.method == "POST" and asked.header("x-http-method-override") != "GET":
        return told({"message": "Method not allowed"}, 405)
    text = asked.body.decode() if asked.request.method == "POST" else asked.request.url.query
    if "%28" in text:
        return told({"message": "Invalid query parameters passed to request"}, 400)
    fields = dict(part.split("=", 1) for part in text.split("&"))
    first, last = (dt.date(*(int(part) for part in parts)) for parts in _DATE.findall(fields["dateRange"]))
    account = fields["accounts"].rpartition("%3A")[2].rstrip(")")
    level = _LEVELS[fields["pivot"]]
    wanted = set(fields.get("fields", "impressions,clicks").split(","))
    rows = [_row(account, fields["pivot"], row) for row in asked.world.told("linkedin", account, level, first, last)]
    return told({"elements": [{name: row[name] for name in row if name in wanted} for row in rows], "paging": {}})


def _refused(asked: Asked) -> Response | None:
    if asked.header("authorization") != f"Bearer {KEYS['linkedin']}":
        return told({"status": 401, "code": "REVOKED_ACCESS_TOKEN"}, 401)
    if not asked.header("linkedin-version") or asked.fault == "sunset":
        return told({"status": 426, "code": "NONEXISTENT_VERSION"}, 426)
    return None


def _row(account: str, pivot: str, row: AdDay) -> dict[str, Any]:
    value = account if pivot == "ACCOUNT" else row.campaign
    kind = "sponsoredAccount" if pivot == "ACCOUNT" else "sponsoredCampaignGroup"
    day = {"year": row.day.year, "month": row.day.month, "day": row.day.day}
    return {
        "pivotValues": [f"urn:li:{kind}:{value}"],
        "dateRange": {"start": day, "end": day},
        "impressions": row.impressions,
        "clicks": row.clicks,
        "costInLocalCurrency": f"{row.micros / 1e6:.6f}",
        "externalWebsiteConversions": int(row.conversions),
        "conversionValueInLocalCurrency": f"{row.value:.2f}",
    }
