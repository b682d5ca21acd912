"""One HTTP call to a channel, and whether it may have been heard: what a retry must know and most clients do not say.

``http.client`` because it separates connecting from asking. Proxies and redirects are not followed: a key goes to the host it is for.
"""

import datetime as dt
import email.utils
import http.client
import json
import select
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from orchestration.errors import Refusal

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MOST_BYTES = 4_194_304


class NotHeard(Exception):
    """The call cannot have been heard: no connection was made."""


class Unheard(Exception):
    """The call may have been heard, and no answer came."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body as JSON; an empty dictionary where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    def brief(self) -> str:
        """Status and the start of the body, for a reason."""
        text = " ".join(self.body[:200].decode("utf-8", "replace").split())
        return f"{self.status} {text}".strip()

    def wait_seconds(self, now: dt.datetime, default: float) -> float:
        """How long to wait: ``Retry-After`` in seconds or as a date, else ``X-RateLimit-Reset`` as an instant, else the default."""
        told = self.headers.get("retry-after", "")
        if told.replace(".", "", 1).isdigit():
            return float(told)
        for text, read in (
            (told, email.utils.parsedate_to_datetime),
            (self.headers.get("x-ratelimit-reset", ""), _instant),
        ):
            try:
                return max(0.0, (_utc(read(text)) - now).total_seconds())
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
        return default


class Caller:
    """Calls one host, over one connection that is kept.

    Args:
        base_url: Scheme, host, port and the start of the path.
        headers: Of every call.
        clock: Tells the time for ``Retry-After`` dates.

    Raises:
        Refusal: if the address is none, or would send a key unencrypted to another machine.
    """

    def __init__(self, base_url: str, headers: Mapping[str, str], *, timeout_seconds: float = 30.0) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Refusal(base_url, "is no http address", "Give one such as https://api.example.test.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise Refusal(base_url, "would carry a key without encryption", "Use https.")
        self._host, self._port, self._is_secure = parts.hostname, parts.port, parts.scheme == "https"
        self._path, self._headers, self._timeout = parts.path.rstrip("/"), dict(headers), timeout_seconds
        self._connection: http.client.HTTPConnection | None = None

    @property
    def host(self) -> str:
        """Host, with its port where it is not the usual one."""
        return self._host if self._port is None else f"{self._host}:{self._port}"

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One call; JSON bodies from anything that is not bytes.

        Raises:
            NotHeard: if there was no connection.
            Unheard: if the connection broke or was silent before the whole answer came.
        """
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        told = {**self._headers, **(headers or {})}
        if content is not None and not any(name.lower() == "content-type" for name in told):
            told["Content-Type"] = "application/json"
        connection = self._connected()
        try:
            connection.request(method, self._path + path, content, told)
            answer = connection.getresponse()
            reply = Reply(
                answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read(_MOST_BYTES)
            )
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unheard(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        if answer.will_close:
            self.close()
        return reply

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is not None and self._connection.sock is not None:
            # A kept connection that can be read has been closed by the other side: asking over it would raise a needless doubt.
            if not select.select([self._connection.sock], [], [], 0)[0]:
                return self._connection
            self.close()
        make: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        options: dict[str, Any] = {"timeout": self._timeout}
        if self._is_secure:
            make, options["context"] = http.client.HTTPSConnection, ssl.create_default_context()
        connection = make(self._host, self._port, **options)
        try:
            connection.connect()
        except OSError as error:
            raise NotHeard(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        self._connection = connection
        return connection


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _utc(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC).replace(tzinfo=None) if time.tzinfo else time
