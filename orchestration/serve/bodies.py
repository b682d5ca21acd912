"""Reads what was sent: never more than is allowed, compressed or not, and JSON only where it is JSON."""

import json
import zlib
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from orchestration.serve.answers import Turned


async def read_body(request: Request, most: int, too_large: int = 413) -> bytes:
    """The raw body.

    Args:
        most: Largest number of bytes read; a body that grows beyond it is cut off, whatever length it announced.
        too_large: Status for a larger one.

    Raises:
        Turned: if it is larger, or the sender hung up.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > most:
        raise Turned(too_large, f"the body is larger than {most} bytes")
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Turned(too_large, f"the body is larger than {most} bytes")
            parts.append(part)
    except ClientDisconnect as error:
        raise Turned(400, "the sender hung up") from error
    return b"".join(parts)


def require_type(request: Request, *allowed: str) -> str:
    """The content type without its parameters.

    Raises:
        Turned: 415, if it is none of those allowed or its text is not in UTF-8.
    """
    kind, *parameters = (part.strip().lower() for part in request.headers.get("content-type", "").split(";"))
    if kind not in allowed:
        raise Turned(415, f"the content type must be {' or '.join(allowed)}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise Turned(415, "the text must be in UTF-8")
    return kind


def require_plain(request: Request) -> None:
    """Refuses any content encoding: providers send their webhooks uncompressed.

    Raises:
        Turned: 415.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Turned(415, "a webhook must not be compressed")


def expanded(request: Request, body: bytes, most: int, too_large: int = 413) -> bytes:
    """The body without its gzip encoding, expanded no further than allowed: a bomb costs ``most`` bytes.

    Raises:
        Turned: if the encoding is another, the gzip is damaged or cut off, or it would grow beyond ``most``.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise Turned(415, "the content encoding must be gzip")
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise Turned(400, "the body is not gzip") from error
    if len(content) > most:
        raise Turned(too_large, f"the body is larger than {most} bytes once expanded")
    if not stream.eof or stream.unused_data:
        raise Turned(400, "the gzip is cut off or followed by something else")
    return content


def parsed(body: bytes) -> Any:
    """The body as JSON in the strict sense: UTF-8, no NaN, no nesting or number beyond what can be handled.

    Raises:
        Turned: 400.
    """
    try:
        return json.loads(body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Turned(400, "the body is not JSON in UTF-8") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
