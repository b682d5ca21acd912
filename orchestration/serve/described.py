"""The receiver's OpenAPI: what each door takes and which answers it gives."""

from typing import Any

PAGE_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}
_ERROR = {
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        }
    }
}
_WORDS = {
    400: "It cannot be read, or is too large for an event.",
    401: "The signature, the credentials or the write key are wrong.",
    404: "The link was not signed by this receiver.",
    413: "It is too large.",
    415: "The content type, the character set or the compression is none of those taken.",
    503: "Nothing was kept: no key is configured, or the disk is full. Send it again.",
}
_CONTENT = {
    "ses": {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}},
    "twilio": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
}
_PROOF = {
    "sendgrid": ("X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"),
    "customerio": ("X-CIO-Signature", "X-CIO-Timestamp"),
    "klaviyo": ("Klaviyo-Signature", "Klaviyo-Timestamp"),
    "twilio": ("X-Twilio-Signature",),
}


def webhook(provider: str) -> dict[str, Any]:
    """The door of one provider."""
    content = _CONTENT.get(provider, {"application/json": {"schema": {}}})
    headers = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in _PROOF.get(provider, ())
    ]
    extra: dict[str, Any] = {"requestBody": {"required": True, "content": content}, "parameters": headers}
    if provider == "postmark":
        extra["security"] = [{"basic": []}]
    return {
        "summary": f"Webhook of {provider}",
        "responses": _responses({"type": "object"}, 400, 401, 413, 415, 503),
        "extra": extra,
    }


def segment(call: str) -> dict[str, Any]:
    """One call of the event receiver; the write key is given as Basic user or as ``writeKey``."""
    schema = {"type": "object", "properties": {"writeKey": {"type": "string"}}}
    return {
        "summary": f"Segment's {call} call",
        "responses": _responses({"type": "object"}, 400, 401, 415, 503),
        "extra": {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    }


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its security scheme."""
    document.setdefault("components", {})["securitySchemes"] = {"basic": {"type": "http", "scheme": "basic"}}
    return document


def _responses(schema: dict[str, Any], *statuses: int) -> dict[int | str, Any]:
    kept = {"description": "Kept.", "content": {"application/json": {"schema": schema}}}
    told: dict[int | str, Any] = {status: {"description": _WORDS[status], **_ERROR} for status in statuses}
    return {200: kept} | told


_PAGE_ANSWER = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
_TOKEN = {"name": "token", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_ONE_CLICK = {
    "type": "object",
    "required": ["List-Unsubscribe"],
    "properties": {"List-Unsubscribe": {"type": "string", "const": "One-Click"}},
}
UNSUBSCRIBE = {
    "summary": "One-click unsubscribe (RFC 8058)",
    "responses": _responses({}, 400, 404, 413, 415, 503) | {200: _PAGE_ANSWER},
    "extra": {
        "parameters": [_TOKEN],
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {"schema": _ONE_CLICK},
                "multipart/form-data": {"schema": _ONE_CLICK},
            },
        },
    },
}
PAGE = {
    "summary": "The page with the button; changes nothing",
    "responses": _responses({}, 404) | {200: _PAGE_ANSWER},
    "extra": {"parameters": [_TOKEN]},
}
HEALTH = {"summary": "Whether it runs, and what it answered", "responses": _responses({"type": "object"})}
