"""Where mail is handed over: SendGrid, Postmark and Mailgun, with the answer that never comes after the mail was accepted."""

import time
from base64 import b64decode
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.world import KEYS, ChannelWorld

AMBIGUOUS_SECONDS = 1.5
_MOST_MESSAGES = 500


def routes(world: ChannelWorld) -> list[Route]:
    """Their addresses."""
    return [
        route(world, "sendgrid", "/v3/mail/send", _sendgrid, "POST"),
        route(world, "postmark", "/email/batch", _postmark, "POST"),
        route(world, "mailgun", "/v3/{domain}/messages", _mailgun, "POST"),
    ]


def accepted(world: ChannelWorld, provider: str) -> list[Any]:
    """What a provider accepted for delivery, whether or not it said so."""
    found: list[Any] = world.kept.setdefault(f"{provider} accepted", [])
    return found


def _sendgrid(asked: Asked) -> Response:
    if asked.header("authorization") != f"Bearer {KEYS['sendgrid']}":
        return told({"errors": [{"message": "authorization required", "field": None, "help": None}]}, 401)
    if asked.fault == "limited":
        return told({"errors": [{"message": "too many requests"}]}, 429, Retry_After="2")
    content = asked.json
    if not isinstance(content, dict) or not content.get("personalizations"):
        return told({"errors": [{"message": "Bad Request", "field": "personalizations", "help": None}]}, 400)
    if content.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
        return Response(status_code=200)
    accepted(asked.world, "sendgrid").append(content)
    if asked.fault == "ambiguous":
        time.sleep(AMBIGUOUS_SECONDS)  # accepted; whoever waits less long will never know
    return Response(status_code=202, headers={"X-Message-Id": f"mid{len(accepted(asked.world, 'sendgrid'))}"})


def _postmark(asked: Asked) -> Response:
    if asked.header("x-postmark-server-token") != KEYS["postmark"]:
        return told({"ErrorCode": 10, "Message": "Bad or missing Server API token."}, 401)
    if len(asked.json) > _MOST_MESSAGES:
        return told({"ErrorCode": 410, "Message": "Too many batch messages"}, 422)
    answers = []
    for message in asked.json:
        if message["To"].endswith("@suppressed.example.test"):
            # The batch is answered 200 all the same.
            answers.append(
                {"ErrorCode": 406, "Message": "You tried to send to an inactive recipient.", "To": message["To"]}
            )
            continue
        accepted(asked.world, "postmark").append(message)
        answers.append({"ErrorCode": 0, "Message": "OK", "To": message["To"], "MessageID": f"pm{len(answers)}"})
    return told(answers)


def _mailgun(asked: Asked) -> Response:
    given = b64decode(asked.header("authorization").removeprefix("Basic ") or "Og==").decode()
    if given != f"api:{KEYS['mailgun']}":
        return Response("Forbidden", 401)
    if asked.form.get("o:testmode") != "yes":
        accepted(asked.world, "mailgun").append(asked.form)
    return told({"id": f"<{asked.world.count('mailgun')}@{asked.path['domain']}>", "message": "Queued. Thank you."})
