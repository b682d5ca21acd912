"""Amazon SES: SESv2 SendEmail, signed by Signature Version 4. It finds no message by our id: events or the operator settle a doubt."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.answers import LIMITED_SECONDS, Asker
from orchestration.deploy.senders.mail import Origin, mime_of
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller, Reply

_PATH = "/v2/email/outbound-emails"
_UNTAGGABLE = re.compile(r"[^A-Za-z0-9_.@-]")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key; ``token`` for temporary ones."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class SesSender:
    """One message per call, because an open does not say which recipient opened.

    Args:
        configuration_set: Names the events' destination; without one SES publishes none.
    """

    name = "ses"
    most_per_call = 1
    doubt: Doubt = "operator"
    remembers_seconds = 0.0

    def __init__(
        self,
        credentials: Credentials,
        region: str,
        configuration_set: str,
        origin: Origin,
        clock: Clock,
        *,
        base_url: str | None = None,
    ) -> None:
        self._credentials, self._region, self._set, self._origin = credentials, region, configuration_set, origin
        caller = Caller(base_url or f"https://email.{region}.amazonaws.com", {})
        self._asker = _SesAsker(
            "ses", caller, clock, "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and LOOP_SES_REGION."
        )

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Sends each letter."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Nothing: SES finds messages by its own id only."""
        return UNCLEAR

    def close(self) -> None:
        """Closes the connection."""
        self._asker.caller.close()

    def _send(self, letter: Letter) -> Outcome:
        try:
            raw = mime_of(letter, self._origin)
        except (ValueError, UnicodeError) as error:
            return Outcome("refused", f"is no mail: {error}")
        tags = {**letter.metadata, "send_id": letter.send_id}
        content = {
            "FromEmailAddress": self._origin.header,
            "Destination": {"ToAddresses": [letter.address]},
            "Content": {"Raw": {"Data": base64.b64encode(raw).decode()}},
            "ConfigurationSetName": self._set,
            "EmailTags": [{"Name": name, "Value": _UNTAGGABLE.sub("_", value)} for name, value in tags.items()],
        }
        body = json.dumps(content, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Host": self._asker.caller.host}
        signed = signature_v4("POST", _PATH, headers, body, self._credentials, self._region, "ses", self._asker.now())
        reply = self._asker.call("POST", _PATH, body, {**headers, **signed})
        return reply if isinstance(reply, Outcome) else Outcome("accepted", reference=reply.json.get("MessageId"))


class _SesAsker(Asker):
    """SES says 400 and 429 in its own words: limits of a second and of a day, and accounts that may not send."""

    def failed(self, reply: Reply) -> Outcome:
        kind = reply.headers.get("x-amzn-errortype", "").partition(":")[0]
        if kind in {"LimitExceededException", "SendingPausedException", "AccountSuspendedException"}:
            return Outcome(
                "deferred", reply.brief(), wait_seconds=3600.0
            )  # of the account and of the day, not of this message
        if kind in {"TooManyRequestsException", "ThrottlingException"}:
            return Outcome(
                "deferred", reply.brief(), wait_seconds=max(1.0, reply.wait_seconds(self.now(), LIMITED_SECONDS / 60))
            )
        return super().failed(reply)


def signature_v4(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
    service: str,
    now: dt.datetime,
) -> dict[str, str]:
    """Headers of AWS Signature Version 4 for a request without a query.

    Args:
        headers: Those that are signed, besides the ones this makes; Host among them.
        path: As it goes over the wire, without anything that would need encoding.

    Returns:
        Authorization, X-Amz-Date, and X-Amz-Security-Token for temporary credentials.
    """
    stamp, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
    made = {"X-Amz-Date": stamp, **({"X-Amz-Security-Token": credentials.token} if credentials.token else {})}
    told = sorted((name.lower(), " ".join(value.split())) for name, value in {**headers, **made}.items())
    names = ";".join(name for name, _ in told)
    lines = "".join(f"{name}:{value}\n" for name, value in told)
    request = "\n".join([method, path, "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + credentials.secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    signature = hmac.digest(key, to_sign.encode(), hashlib.sha256).hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return {**made, "Authorization": authorization}
