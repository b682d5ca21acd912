"""A mail as it goes over the wire: both bodies, the headers of one-click unsubscribe, and our id where providers keep it."""

import email.headerregistry
import email.policy
import email.utils
from dataclasses import dataclass
from email.message import EmailMessage

from orchestration.deploy.messages import Letter
from orchestration.errors import Refusal

# Seven bits on the wire: a relay that cannot carry eight would re-encode the body, and break its DKIM signature.
_WIRE = email.policy.SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Origin:
    """From whom mails are.

    Attributes:
        address: The one address of the header From, aligned with the domain that DKIM signs for.
    """

    name: str
    address: str

    @property
    def domain(self) -> str:
        """Domain of the address."""
        return self.address.rpartition("@")[2]

    @property
    def header(self) -> str:
        """Value of the header From."""
        return email.utils.formataddr((self.name, self.address))


def origin_of(text: str, variable: str) -> Origin:
    """Reads ``Harbour Goods <news@example.test>``.

    Raises:
        Refusal: if that is no address.
    """
    name, address = email.utils.parseaddr(text)
    if not is_address(address):
        raise Refusal(variable, f"{text!r} is no sender", "Write it as `Harbour Goods <news@example.test>`.")
    return Origin(name, address)


def is_address(text: str) -> bool:
    """Whether something could be an address: one @ between two parts, and nothing that could end a header."""
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and not any(
        character.isspace() or not character.isprintable() or character in '<>,;"' for character in text
    )


def message_id(letter: Letter, origin: Origin) -> str:
    """The header Message-ID: the same message has the same one, so that a receiver may notice a copy."""
    return f"<{letter.send_id}@{origin.domain}>"


def mime_of(letter: Letter, origin: Origin) -> bytes:
    """The whole mail.

    Raises:
        ValueError: if a header would contain a line end or could not stand in a line.
    """
    mail = EmailMessage(policy=_WIRE)
    mail["From"] = origin.header
    mail["To"] = letter.address
    mail["Subject"] = letter.subject
    mail["Date"] = email.utils.format_datetime(letter.scheduled_at)
    mail.set_content(letter.text)
    if letter.html is not None:
        mail.add_alternative(letter.html, subtype="html")
    machines = {"Message-ID": message_id(letter, origin), "X-Loop-Send-Id": letter.send_id, **letter.headers}
    return b"".join(_line(name, value) for name, value in machines.items()) + mail.as_bytes()


def _line(name: str, value: str) -> bytes:
    """A header that machines read, in one line: folding turns a long link into an encoded word, which nobody undoes."""
    line = f"{name}: {value}"
    if not line.isascii() or not line.isprintable() or len(line) > 998:
        raise ValueError(f"the header {name} cannot stand in a line")
    return line.encode("ascii") + b"\r\n"
