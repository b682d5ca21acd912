"""Mailchimp's reports: basic authentication, pages by offset with ten to a page unless asked, totals that grow."""

import datetime as dt
from base64 import b64decode
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, ChannelWorld


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [route(world, "mailchimp", "/reports", _reports)]


def _reports(asked: Asked) -> Response:
    given = asked.header("authorization").removeprefix("Basic ")
    if b64decode(given or "Og==").decode().partition(":")[2] != KEYS["mailchimp"]:
        return told({"status": 401, "title": "API Key Invalid"}, 401)
    if asked.fault == "too_many":
        return told({"status": 429, "title": "Too Many Requests"}, 429)
    first, last = (_moment(asked.query[name]) for name in ("since_send_time", "before_send_time"))
    found = [row for row in asked.world.campaigns.get("mailchimp", []) if first < row["sent_at"] < last]
    begin, count = int(asked.query.get("offset", "0")), min(int(asked.query.get("count", "10")), 1000)
    page = [_report(asked.world, row) for row in found[begin : begin + count]]
    return told({"reports": page, "total_items": len(found)})


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text.replace(" ", "+")).replace(tzinfo=None)


def _report(world: ChannelWorld, row: dict[str, Any]) -> dict[str, Any]:
    share = min(1.0, (world.now - row["sent_at"]).total_seconds() / (14 * 86400)) if world.restates else 1.0
    opens, clicks, orders = (int(row[name] * share) for name in ("opens", "clicks", "orders"))
    return {
        "id": row["id"], "list_id": "l1", "subject_line": f"Subject of {row['id']}", "emails_sent": row["sent"],
        "send_time": row["sent_at"].isoformat() + "+00:00", "abuse_reports": row["complaints"],
        "unsubscribed": row["unsubscribes"],
        "bounces": {"hard_bounces": row["bounces"], "soft_bounces": 0, "syntax_errors": 0},
        "opens": {"opens_total": opens * 2, "unique_opens": opens, "open_rate": opens / row["sent"]},
        "clicks": {"clicks_total": clicks * 2, "unique_clicks": clicks, "unique_subscriber_clicks": clicks},
        "ecommerce": {"total_orders": orders, "total_revenue": round(row["revenue"] * share, 2), "currency_code": "EUR"},
    }  # fmt: skip
