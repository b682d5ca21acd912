"""A receiver that speaks Segment's HTTP API, so that its client libraries only need another host.

Like the original it answers 200 to events it will not use: client libraries drop what was refused and would repeat what failed, so a
bad event is kept, and labelled in staging with its reason. Only what no event can be read from is 400: too large, or not JSON.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from orchestration.serve.answers import Turned
from orchestration.serve.bodies import expanded, parsed, read_body, require_type
from orchestration.serve.configuration import Configuration

CALLS = ("track", "identify", "page", "screen", "group", "alias", "batch", "import")
# Browsers send text/plain, which needs no preflight.
_TYPES = ("application/json", "text/plain")
CROSS_ORIGIN = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "authorization, content-type, content-encoding",
    "access-control-allow-methods": "POST",
    "access-control-max-age": "86400",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose write key is known.

    Attributes:
        source: Name of the source that the key stands for.
        body: The JSON, expanded.
    """

    source: str
    body: bytes


async def receive(request: Request, call: str, configuration: Configuration) -> Call:
    """Reads a call and finds its source.

    Raises:
        Turned: 400 if it is too large or no JSON object, 401 if its write key is unknown, 415 if it is no JSON at all.
    """
    limits = configuration.limits
    most = limits.segment_batch_bytes if call in {"batch", "import"} else limits.segment_event_bytes
    require_type(request, *_TYPES)
    body = expanded(request, await read_body(request, most, too_large=400), most, too_large=400)
    content = parsed(body)
    if not isinstance(content, dict):
        raise Turned(400, "the body is not a JSON object")
    return Call(_source(request, content, configuration.write_keys), body)


def _source(request: Request, content: Mapping[str, Any], write_keys: Mapping[str, str]) -> str:
    given = _basic_user(request.headers.get("authorization", "")) or content.get("writeKey")
    found = None
    for key, source in write_keys.items():  # all of them: the time taken must not tell how close a guess came
        if isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), key.encode()):
            found = source
    if found is None:
        raise Turned(401, "the write key is unknown")
    return found


def _basic_user(header: str) -> str | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return None
