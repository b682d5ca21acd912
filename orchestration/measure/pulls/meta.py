"""Meta Insights through asynchronous jobs: start, poll until completed and whole, then read every page.

Source: Marketing API, Insights and Ad Report Run references.
"""

import json
from collections.abc import Iterator
from typing import Any

import requests

from orchestration.errors import Refusal
from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.patience import content, retry_after
from orchestration.measure.pulls.platform import Platform, TooMuch
from orchestration.measure.pulls.windows import Window

# No longer answered since 2026-01-12: a report that asks for them looks complete and lacks them.
DEAD_WINDOWS = {"7d_view", "28d_view"}
_LIMITS = {4, 17, 32, 341, 613, *range(80000, 80007), 80014}
_TRANSIENT = {1, 2}
_TOO_MUCH = 1487534
_FIRST_POLL, _LONGEST_POLL, _PATIENCE = 10.0, 120.0, 1800.0  # seconds, as other connectors have found them to suit
_JOBS = 2


class Meta(Platform):
    """Reads one report of one ad account."""

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access.secrets['token']}"}

    def judge(self, response: requests.Response) -> float | None:
        error = _error(response)
        code = error.get("code")
        if error.get("error_subcode") == _TOO_MUCH:
            raise TooMuch
        if code == 190:
            raise self.refusal(response, f"Set a valid {self.source.secrets['token']} and run the same command.")
        if code in _LIMITS or code in _TRANSIENT:
            return _minutes_until_access(response) or retry_after(response) or 60.0
        return None

    def read(self, window: Window) -> Iterator[Item]:
        from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator

        for _ in range(_JOBS):
            run_id = self._finished_job(window)
            if run_id is not None:
                break
        else:
            raise Refusal(
                f"source {self.source.name}",
                f"its report jobs for {window.first} failed",
                "Run the same command later.",
            )
        # An empty page is not the last one; the last one has no next.
        for page in self.client.paginate(
            f"{run_id}/insights",
            params={"limit": 500},
            paginator=JSONLinkPaginator("paging.next"),
            data_selector="data",
        ):
            yield from page
            self.slow_down(_used_percent(page.response))

    def _finished_job(self, window: Window) -> str | None:
        """The id of a job that is completed and whole; None if it failed."""
        answer = self.client.post(f"act_{window.account_id}/insights", data=self._asked(window))
        self.slow_down(_used_percent(answer))
        run_id = str(self.one(answer)["report_run_id"])
        pause, waited = _FIRST_POLL, 0.0
        while waited <= _PATIENCE:
            state = self.one(self.client.get(run_id))
            told, percent = state.get("async_status"), state.get("async_percent_completion")
            # Completed at 80 percent has been seen: its pages lack rows.
            if told == "Job Completed" and percent == 100:
                return run_id
            if told in {"Job Failed", "Job Skipped"}:
                return None
            self.pace.tell(f"{self.source.name} {window.stream.name} {window.first}: {told}, {percent} %")
            self.pace.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, _LONGEST_POLL)
        return None

    def _asked(self, window: Window) -> dict[str, str]:
        options = window.stream.options
        dead = DEAD_WINDOWS & set(options["attribution_windows"])
        if dead:
            raise Refusal(
                f"source {self.source.name}",
                f"asks for {', '.join(sorted(dead))}, which Meta no longer answers",
                "Use 1d_click, 7d_click, 28d_click, 1d_ev or 1d_view.",
            )
        asked: dict[str, Any] = {
            "level": {"ad_set": "adset", "asset": "ad"}.get(window.stream.level, window.stream.level),
            "time_increment": "1",
            "time_range": json.dumps({"since": window.first.isoformat(), "until": window.last.isoformat()}),
            "fields": ",".join(options["fields"]),
            "action_attribution_windows": json.dumps(list(options["attribution_windows"])),
            "action_report_time": "impression",
            "use_account_attribution_setting": "true",
        }
        if options.get("breakdowns"):
            asked["breakdowns"] = ",".join(options["breakdowns"])
        return asked


def _error(response: requests.Response) -> dict[str, Any]:
    told = content(response)
    error = told.get("error") if isinstance(told, dict) else None
    return error if isinstance(error, dict) else {}


def _usage(response: requests.Response) -> list[dict[str, Any]]:
    """The parts of the usage headers, which are JSON texts."""
    parts: list[dict[str, Any]] = []
    for name in ("x-fb-ads-insights-throttle", "x-business-use-case-usage"):
        try:
            told = json.loads(response.headers.get(name, "{}"))
        except ValueError:
            continue
        parts += [told] if name.startswith("x-fb") else [part for parts_of in told.values() for part in parts_of]
    return parts


def _used_percent(response: requests.Response) -> float:
    names = ("app_id_util_pct", "acc_id_util_pct", "call_count", "total_time", "total_cputime")
    return max((float(part.get(name, 0)) for part in _usage(response) for name in names), default=0.0)


def _minutes_until_access(response: requests.Response) -> float | None:
    minutes = max((float(part.get("estimated_time_to_regain_access", 0)) for part in _usage(response)), default=0.0)
    return minutes * 60 or None
