"""Meta Insights: asynchronous jobs, pages with a next link, numbers as text, usage headers, a row per breakdown."""

import datetime as dt
import json
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, AdDay, ChannelWorld, draw

_PAGE = 25
_ERRORS = {
    "throttled": (400, {"code": 17, "error_subcode": 2446079, "message": "User request limit reached"}),
    "limited": (400, {"code": 613, "error_subcode": 1487742, "message": "Calls have exceeded the rate limit"}),
    "business_limit": (400, {"code": 80004, "message": "There have been too many calls to this ad-account"}),
    "too_much": (400, {"code": 100, "error_subcode": 1487534, "message": "Please reduce the amount of data"}),
}
_WINDOWS = {"1d_click", "7d_click", "28d_click", "1d_ev", "1d_view", "default"}


def routes(world: ChannelWorld) -> list[Route]:
    """Its addresses."""
    return [
        route(world, "meta", "/act_{account}/insights", _start, "POST"),
        route(world, "meta", "/{run}", _state),
        route(world, "meta", "/{run}/insights", _page),
    ]


def _start(asked: Asked) -> Response:
    if (refused := _refused(asked)) is not None:
        return refused
    number = asked.world.count("meta jobs")
    form = asked.form | {"account": asked.path["account"]}
    asked.world.kept[f"meta job {number}"] = (form, asked.fault, 0)
    headers = {"x-fb-ads-insights-throttle": json.dumps({"app_id_util_pct": 12.0, "acc_id_util_pct": 9.5})}
    if asked.fault == "nearly_throttled":
        headers["x-fb-ads-insights-throttle"] = json.dumps({"app_id_util_pct": 91.0, "acc_id_util_pct": 88.0})
    return told({"report_run_id": f"run{number}"}, 200, **headers)


def _state(asked: Asked) -> Response:
    if (refused := _refused(asked)) is not None:
        return refused
    name = f"meta job {asked.path['run'].removeprefix('run')}"
    form, fault, polls = asked.world.kept[name]
    asked.world.kept[name] = (form, fault, polls + 1)
    status, percent = "Job Completed", 100
    if fault == "job_failed":
        status, percent = "Job Failed", 40
    elif fault == "completed_at_80" and polls < 2:
        percent = 80
    elif fault == "running" and polls < 3:
        status, percent = "Job Running", 30 * polls
    return told({"id": asked.path["run"], "async_status": status, "async_percent_completion": percent})


def _page(asked: Asked) -> Response:
    if (refused := _refused(asked)) is not None:
        return refused
    form, fault, polls = asked.world.kept[f"meta job {asked.path['run'].removeprefix('run')}"]
    rows = _rows(asked.world, form)
    if fault == "completed_at_80" and polls < 3:
        rows = rows[: len(rows) * 8 // 10]
    if asked.fault == "changed_type":
        rows = [row | {"spend": {"amount": row["spend"]}} for row in rows]
    if asked.fault == "new_field":
        rows = [row | {"attention_seconds": "4.2"} for row in rows]
    begin = int(asked.query.get("after", "0"))
    # The second page is empty now and then, and is not the last.
    end = begin if asked.fault == "empty_page" else begin + _PAGE
    paging: dict[str, Any] = {"cursors": {"before": str(begin), "after": str(end)}}
    if end < len(rows):
        paging["next"] = asked.here(f"/meta/{asked.path['run']}/insights?limit={_PAGE}&after={end}")
    if asked.fault == "strange_next":
        paging["next"] = "https://elsewhere.example.test/insights?after=1"
    return told({"data": rows[begin:end], "paging": paging})


def _refused(asked: Asked) -> Response | None:
    if asked.header("authorization") != f"Bearer {KEYS['meta']}":
        return told({"error": {"code": 190, "message": "Invalid OAuth access token", "type": "OAuthException"}}, 400)
    if asked.fault in _ERRORS:
        status, error = _ERRORS[asked.fault]
        return told({"error": error}, status)
    return None


def _rows(world: ChannelWorld, form: dict[str, str]) -> list[dict[str, Any]]:
    span = json.loads(form["time_range"])
    first, last = (dt.date.fromisoformat(span[name]) for name in ("since", "until"))
    level = {"adset": "ad_set"}.get(form["level"], form["level"])
    windows = [name for name in json.loads(form.get("action_attribution_windows", "[]")) if name in _WINDOWS]
    breakdowns = [name for name in form.get("breakdowns", "").split(",") if name]
    found = []
    for row in world.told("meta", form["account"], level, first, last):
        base = _row(form["account"], level, row, windows)
        found += [base] if not breakdowns else [part for name in breakdowns for part in _parts(base, row, name)]
    return found


def _row(account: str, level: str, row: AdDay, windows: list[str]) -> dict[str, Any]:
    day = row.day.isoformat()
    told_row: dict[str, Any] = {"account_id": account, "account_currency": "EUR", "date_start": day, "date_stop": day}
    if level != "account":
        told_row |= {"campaign_id": row.campaign, "campaign_name": f"Campaign {row.campaign}"}
    if level in {"ad_set", "ad"}:
        told_row["adset_id"] = row.ad_set
    if level == "ad":
        told_row["ad_id"] = row.ad
    told_row |= {
        "impressions": str(row.impressions), "clicks": str(row.clicks), "spend": f"{row.micros / 1e6:.2f}",
        "attribution_setting": "7d_click_1d_view",
    }  # fmt: skip
    if row.conversions:
        kind = "offsite_conversion.fb_pixel_purchase"
        counts = {name: str(int(row.conversions)) for name in windows}
        told_row["actions"] = [{"action_type": kind, "value": str(int(row.conversions)), **counts}]
        told_row["action_values"] = [{"action_type": kind, "value": f"{row.value:.2f}"}]
    return told_row


def _parts(base: dict[str, Any], row: AdDay, breakdown: str) -> list[dict[str, Any]]:
    """The same ad and day, three times: one row per asset."""
    shares = (0.5, 0.3, 0.2)
    spent = float(base["spend"])
    return [
        {
            **{name: value for name, value in base.items() if name not in {"actions", "action_values"}},
            "impressions": str(int(row.impressions * share)),
            "clicks": str(int(row.clicks * share)),
            "spend": f"{spent * share:.2f}",
            breakdown: {
                "id": str(draw(row.ad, breakdown, number) % 100000),
                "text": f"{breakdown} {number} of {row.ad}",
            },
        }
        for number, share in enumerate(shares)
    ]
