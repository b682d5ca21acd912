"""An HTTP session that waits when a platform asks for it, tries again what may be tried again, and words what may not.

One place for it, because every platform says "not now" in its own way: a provider's judge reads the answer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.hooks

from orchestration.errors import Refusal
from orchestration.policy.thresholds import whole_number

TRANSIENT = {408, 425, 500, 502, 503, 504}
_TIMEOUT = (10, 120)  # seconds to connect, seconds without a byte
Judge = Callable[[requests.Response], float | None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a pull spends its time.

    Attributes:
        sleep: Waits for seconds.
        tell: Told in one line what is being waited for or done.
        before_call: Called before every request; raises a refusal when the day's calls are used up.
    """

    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = lambda line: None
    before_call: Callable[[requests.PreparedRequest], None] = lambda request: None


class PatientSession(requests.Session):
    """A session for one source.

    Args:
        name: What refusals call the source.
        base_url: Secrets go to this host alone, wherever a next link may point.
        judge: Seconds to wait before the same request is sent again, None for a good answer; raises a refusal.
        remedy: What to do about a rejected key.
    """

    def __init__(self, name: str, base_url: str, judge: Judge, remedy: str, pace: Pace) -> None:
        super().__init__()
        self.trust_env = False  # no .netrc: it would replace the key
        self.max_redirects = 0
        self._name, self._judge, self._remedy, self._pace = name, judge, remedy, pace
        self._origin = urlsplit(base_url)[:2]
        self._longest = whole_number("pull_longest_wait_seconds")
        self._attempts = whole_number("pull_attempts")

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Sends until there is an answer to work with.

        Raises:
            Refusal: if the key is rejected, the quota is used up, the request is wrong, or no answer comes.
        """
        if urlsplit(request.url or "")[:2] != self._origin:
            raise Refusal(self._name, "points to another host for its next page", "Nothing was sent there.")
        options["timeout"] = _TIMEOUT
        request.hooks = requests.hooks.default_hooks()  # a client's own would raise before the judge has looked
        reason = ""
        for attempt in range(self._attempts):
            self._pace.before_call(request)
            try:
                response = super().send(request, **options)
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                wait, reason = 2.0**attempt, f"does not answer ({type(error).__name__})"
            else:
                verdict = self._verdict(response, attempt)
                if verdict is None:
                    return response
                wait, reason = verdict, f"answered {response.status_code} {self._attempts} times"
            if wait > self._longest:
                raise Refusal(
                    self._name,
                    f"asks to wait {wait:.0f} s",
                    "Run the same command later: it goes on where it stopped.",
                )
            if attempt + 1 < self._attempts:
                self._pace.tell(f"{self._name}: waits {wait:.0f} s")
                self._pace.sleep(wait)
        raise Refusal(self._name, reason, "Run the same command later: it goes on where it stopped.")

    def _verdict(self, response: requests.Response, attempt: int) -> float | None:
        if response.status_code in TRANSIENT:
            return retry_after(response) or 2.0**attempt
        if (wait := self._judge(response)) is not None:
            return wait
        if response.status_code in {401, 403}:
            raise Refusal(
                self._name, f"answered {response.status_code}: the key is revoked or lacks rights", self._remedy
            )
        if response.status_code == 429:
            return retry_after(response) or 2.0**attempt
        if not response.ok:
            raise Refusal(
                self._name, f"answered {response.status_code}: {excerpt(response)}", "Check the source's file."
            )
        # Half an answer: the connection broke, or a proxy cut it.
        return None if content(response) is not None else 2.0**attempt


def content(response: requests.Response) -> Any:
    """The JSON of an answer; None where it is none."""
    try:
        return response.json()
    except ValueError:
        return None


def retry_after(response: requests.Response) -> float | None:
    """Seconds of a Retry-After header; None where it is missing or a date."""
    told = response.headers.get("Retry-After", "")
    return float(told) if told.replace(".", "", 1).isdecimal() else None


def excerpt(response: requests.Response) -> str:
    """The beginning of an answer, on one line."""
    return " ".join(response.text.split())[:160] or "nothing"
