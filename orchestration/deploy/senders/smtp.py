"""Mail over SMTP submission (RFC 6409), with TLS. Nobody can be asked afterwards, so what is in doubt stays with the operator.

Where in the dialogue it breaks says what is known (RFC 5321, 4.2.5): until the end of the data is sent nothing is delivered; after the
reply to it everything is decided; only a break between the two leaves a doubt.
"""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote, urlsplit

from orchestration.deploy.messages import UNCLEAR, Doubt, Finding, Letter, Outcome
from orchestration.deploy.senders.mail import Origin, mime_of
from orchestration.errors import Refusal

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_UNREACHABLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Relay:
    """A submission server; ``tls`` is from the first byte (implicit), by STARTTLS, or none, which only this machine may have."""

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def relay_of(url: str, variable: str) -> Relay:
    """Reads ``smtps://user:password@host:465``, ``smtp://user:password@host:587`` (STARTTLS) or ``smtp+plain://localhost:25``.

    Raises:
        Refusal: if it is none of these, or mail would leave the machine without TLS.
    """
    parts = urlsplit(url)
    kinds: dict[str, tuple[Literal["implicit", "starttls", "none"], int]] = {
        "smtps": ("implicit", 465),
        "smtp": ("starttls", 587),
        "smtp+plain": ("none", 25),
    }
    if parts.scheme not in kinds or not parts.hostname:
        raise Refusal(variable, "is no address of a mail server", "Write it as smtps://user:password@host:465.")
    tls, port = kinds[parts.scheme]
    if tls == "none" and parts.hostname not in _LOOPBACK:
        raise Refusal(variable, f"would send mail to {parts.hostname} without TLS", "Use smtps:// or smtp://.")
    user, password = (unquote(text) if text else None for text in (parts.username, parts.password))
    return Relay(parts.hostname, parts.port or port, tls, user, password)


class SmtpSender:
    """One message after the other over one session.

    Args:
        context: For TLS; the default trusts what the machine trusts (``SSL_CERT_FILE`` adds to it).
    """

    name = "smtp"
    most_per_call = 1
    doubt: Doubt = "operator"
    remembers_seconds = 0.0

    def __init__(
        self, relay: Relay, origin: Origin, *, context: ssl.SSLContext | None = None, timeout_seconds: float = 60.0
    ) -> None:
        self._relay, self._origin, self._timeout = relay, origin, timeout_seconds
        self._context = context or ssl.create_default_context()
        self._session: smtplib.SMTP | None = None

    def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Sends each letter; a session that broke is opened anew for the next one."""
        return [self._send(letter) for letter in letters]

    def ask(self, send_id: str) -> Finding:
        """Nothing is known: SMTP has no question for it."""
        return UNCLEAR

    def close(self) -> None:
        """Ends the session politely, if there is one."""
        if self._session is not None:
            try:
                self._session.quit()
            except (smtplib.SMTPException, OSError):
                self._drop()
            self._session = None

    def _send(self, letter: Letter) -> Outcome:
        try:
            content = mime_of(letter, self._origin)
        except (ValueError, UnicodeError) as error:
            return Outcome("refused", f"is no mail: {error}")
        try:
            session = self._ready()
            turned = self._envelope(session, letter.address)
            if turned is not None:
                return turned
        except smtplib.SMTPAuthenticationError as error:
            self._drop()
            reason = f"does not accept the user ({error.smtp_code})"
            raise Refusal(self._relay.host, reason, "Check LOOP_SMTP_URL.") from error
        except (smtplib.SMTPException, OSError) as error:  # before the data: surely not sent
            self._drop()
            return Outcome("deferred", _told(error), wait_seconds=_UNREACHABLE_SECONDS)
        return self._data(session, content)

    def _ready(self) -> smtplib.SMTP:
        """A session that answers; one that has gone silent is replaced before anything is in doubt."""
        if self._session is not None:
            try:
                if self._session.rset()[0] == 250:
                    return self._session
            except (smtplib.SMTPException, OSError):
                pass
            self._drop()
        relay = self._relay
        if relay.tls == "implicit":
            session: smtplib.SMTP = smtplib.SMTP_SSL(
                relay.host, relay.port, timeout=self._timeout, context=self._context
            )
        else:
            session = smtplib.SMTP(relay.host, relay.port, timeout=self._timeout)
        self._session = session
        if relay.tls == "starttls":
            session.starttls(context=self._context)
        session.ehlo_or_helo_if_needed()
        if relay.user is not None:
            session.login(relay.user, relay.password or "")
        return session

    def _envelope(self, session: smtplib.SMTP, address: str) -> Outcome | None:
        """Names sender and recipient and opens the data; an outcome if the server would not."""
        options = []
        if not address.isascii():
            if not session.has_extn("smtputf8"):
                return Outcome("refused", "the server takes no address with such letters")
            options = ["SMTPUTF8"]
        code, text = session.mail(self._origin.address, options)
        if code >= 500:  # the sender is not welcome, whoever the recipient: not this recipient's fault
            raise Refusal(
                self._relay.host, f"does not take mail of ours ({_reply(code, text)})", "Check LOOP_MAIL_FROM."
            )
        if code < 400:
            code, text = session.rcpt(address)
        if code < 400:
            code, text = session.docmd("DATA")
        if code == 421:
            self._drop()
            return Outcome("deferred", _reply(code, text), wait_seconds=_UNREACHABLE_SECONDS)
        if code >= 400:
            return Outcome("refused" if code >= 500 else "deferred", _reply(code, text))
        return None

    def _data(self, session: smtplib.SMTP, content: bytes) -> Outcome:
        try:
            # Lines that start with a dot get another one (RFC 5321, 4.5.2).
            session.send(content.rstrip(b"\r\n").replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
            code, text = session.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Outcome("unknown", f"no answer to the data: {_told(error)}")
        if 200 <= code < 300:
            return Outcome("accepted", reference=_reply(code, text))
        return Outcome("refused" if code >= 500 else "deferred", _reply(code, text))

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _reply(code: int, text: bytes) -> str:
    return f"{code} {' '.join(text.decode('utf-8', 'replace').split())}"[:200]


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
