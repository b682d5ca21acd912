"""What every platform's connector is: a client that waits as the platform asks, and a way to read one window to its end."""

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import requests

from orchestration.errors import Refusal
from orchestration.measure.pulls.contracts import Item
from orchestration.measure.pulls.definition import Access, Source
from orchestration.measure.pulls.patience import Pace, PatientSession, content, excerpt
from orchestration.measure.pulls.windows import Window
from orchestration.policy.thresholds import whole_number

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.client import RESTClient


class TooMuch(Exception):
    """The platform finds the window too large for one call: it is to be halved, not tried again."""


class Platform:
    """A connector to one platform.

    Args:
        source: What to read.
        access: The address and secrets.
        pace: How to wait.
    """

    client: "RESTClient"

    def __init__(self, source: Source, access: Access, pace: Pace) -> None:
        from dlt.sources.helpers.rest_client.client import RESTClient

        self.source, self.access, self.pace = source, access, pace
        names = ", ".join(source.secrets.values()) or "its variables"
        session = PatientSession(
            f"source {source.name}", access.base_url, self.judge, f"Set a valid {names} and run the same command.", pace
        )
        self.client = RESTClient(access.base_url, headers=self.headers(), session=session)

    def headers(self) -> dict[str, str]:
        """Headers of every request, the key among them."""
        return {}

    def judge(self, response: requests.Response) -> float | None:
        """Seconds to wait before the request is sent again, None for an answer to be looked at further; raises a refusal."""
        return None

    def read(self, window: Window) -> Iterable[Item]:
        """Every row that the platform has for a window.

        Raises:
            TooMuch: if it is too large for one call.
            Refusal: if it cannot be read to its end.
        """
        raise NotImplementedError

    def read_events(self, since: dt.datetime, until: dt.datetime) -> Iterable[Item]:
        """Every event from an instant until before another."""
        raise NotImplementedError

    def slow_down(self, percent: float) -> None:
        """Pauses if the platform says that so much of its limit is used."""
        if percent >= whole_number("pull_throttle_percent"):
            seconds = whole_number("pull_throttle_pause_seconds")
            self.pace.tell(f"{self.source.name}: {percent:.0f} % of the rate limit is used, waits {seconds} s")
            self.pace.sleep(seconds)

    def refusal(self, response: requests.Response, remedy: str) -> Refusal:
        """What the platform answered, as a refusal."""
        return Refusal(f"source {self.source.name}", f"answered {response.status_code}: {excerpt(response)}", remedy)

    def one(self, response: requests.Response) -> Any:
        """The JSON of an answer that the session let pass."""
        return content(response)
