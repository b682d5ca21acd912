"""Klaviyo: JSON:API with a revision, cursor pages, limits by second and minute, and 225 reports a day."""

import datetime as dt
import re
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, ChannelWorld

REPORTS_A_DAY = 225
_PAGE = 50  # smaller than Klaviyo's largest, so that there are pages
_FILTER = re.compile(r"(greater-or-equal|less-than)\(timestamp,([^)]+)\)")


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [
        route(world, "klaviyo", "/api/events", _events),
        route(world, "klaviyo", "/api/campaign-values-reports", _values, "POST"),
    ]


def _refused(asked: Asked) -> Response | None:
    if asked.header("authorization") != f"Klaviyo-API-Key {KEYS['klaviyo']}":
        return _error(401, "not_authenticated")
    if not asked.header("revision"):
        return _error(400, "missing_revision")
    if asked.fault == "burst":
        return _error(429, "throttled", Retry_After="1")
    if asked.fault == "steady":
        return _error(429, "throttled", Retry_After="37")
    return None


def _events(asked: Asked) -> Response:
    if (refused := _refused(asked)) is not None:
        return refused
    limits = {name: dt.datetime.fromisoformat(value) for name, value in _FILTER.findall(asked.query.get("filter", ""))}
    now = asked.world.now
    # An event that reached Klaviyo late is told late, at the time it happened.
    found = sorted(
        (event for event in asked.world.events if event["known_at"] <= now and _within(event["datetime"], limits)),
        key=lambda event: (event["datetime"], event["id"]),
    )
    begin = int(asked.query.get("page[cursor]", "0"))
    page = found[begin : begin + _PAGE]
    links: dict[str, Any] = {"self": asked.here("/klaviyo/api/events"), "next": None}
    if begin + _PAGE < len(found):
        query = asked.request.url.include_query_params(**{"page[cursor]": str(begin + _PAGE)}).query
        links["next"] = asked.here(f"/klaviyo/api/events?{query}")
    rows = [_event(event) for event in page]
    if asked.fault == "changed_type" and rows:
        rows[0]["attributes"]["event_properties"] = "none"
    metrics = {event["metric"] for event in page}
    people = {event["person"] for event in page}
    included = [{"type": "metric", "id": _metric(name), "attributes": {"name": name}} for name in sorted(metrics)]
    included += [
        {"type": "profile", "id": f"P{person}", "attributes": {"email": f"Person{person}@Example.test"}}
        for person in sorted(people)
    ]
    return told({"data": rows, "included": included, "links": links}, RateLimit_Remaining="300")


def _within(moment: dt.datetime, limits: dict[str, dt.datetime]) -> bool:
    aware = moment.replace(tzinfo=dt.UTC)
    since, until = limits.get("greater-or-equal"), limits.get("less-than")
    return (since is None or aware >= since) and (until is None or aware < until)


def _event(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "event",
        "id": event["id"],
        "attributes": {
            "timestamp": int(event["datetime"].replace(tzinfo=dt.UTC).timestamp()),
            "datetime": event["datetime"].isoformat() + "+00:00",
            "uuid": event["id"],
            "event_properties": event["properties"],
        },
        "relationships": {
            "metric": {"data": {"type": "metric", "id": _metric(event["metric"])}},
            "profile": {"data": {"type": "profile", "id": f"P{event['person']}"}},
        },
    }


def _metric(name: str) -> str:
    return "M" + name.replace(" ", "")


def _values(asked: Asked) -> Response:
    if (refused := _refused(asked)) is not None:
        return refused
    if asked.world.count(f"klaviyo reports {asked.world.now.date()}") > REPORTS_A_DAY:
        return _error(429, "throttled", Retry_After="86400")
    wanted = asked.json["data"]["attributes"]
    if not {"campaign_id", "campaign_message_id"} <= set(wanted["group_by"]):
        return _error(400, "group_by must contain campaign_id and campaign_message_id")
    # The offset is ignored, as Klaviyo does.
    first, last = (dt.datetime.fromisoformat(wanted["timeframe"][name][:19]) for name in ("start", "end"))
    found = [row for row in asked.world.campaigns.get("klaviyo", []) if first <= row["sent_at"] < last]
    results = [_result(asked.world, row, wanted) for row in found]
    return told({"data": {"type": "campaign-values-report", "attributes": {"results": results}}})


def _result(world: ChannelWorld, row: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    share = min(1.0, (world.now - row["sent_at"]).total_seconds() / (5 * 86400)) if world.restates else 1.0
    statistics = {
        "recipients": float(row["sent"]), "delivered": float(row["sent"] - row["bounces"]), "bounced": float(row["bounces"]),
        "opens_unique": float(int(row["opens"] * share)), "clicks_unique": float(int(row["clicks"] * share)),
        "unsubscribes": float(row["unsubscribes"]), "spam_complaints": float(row["complaints"]),
        "conversions": float(int(row["orders"] * share)), "conversion_value": round(row["revenue"] * share, 2),
    }  # fmt: skip
    groups = {
        "campaign_id": row["id"],
        "campaign_message_id": f"{row['id']}m",
        "send_channel": "email",
        "variation": None,
    }
    return {
        "groupings": {name: groups[name] for name in wanted["group_by"]},
        "statistics": {name: statistics[name] for name in wanted["statistics"]},
    }


def _error(status: int, code: str, **headers: str) -> Response:
    return told({"errors": [{"status": status, "code": code, "title": code}]}, status, **headers)
