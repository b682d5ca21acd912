"""Which sender a channel has: read from the environment, so that no secret is ever in a file of the project.

``LOOP_SENDER_EMAIL``, ``LOOP_SENDER_SOCIAL``, ``LOOP_SENDER_PAID``, ``LOOP_SENDER_IN_APP`` name one; a channel that has none is handed
over as files.
"""

import os
from collections.abc import Callable, Mapping

from orchestration.deploy.messages import Sender
from orchestration.deploy.senders.bluesky import URL as BLUESKY_URL
from orchestration.deploy.senders.bluesky import BlueskySender
from orchestration.deploy.senders.klaviyo import URL as KLAVIYO_URL
from orchestration.deploy.senders.klaviyo import KlaviyoSender
from orchestration.deploy.senders.mail import Origin, origin_of
from orchestration.deploy.senders.mastodon import MastodonSender
from orchestration.deploy.senders.meta import URL as META_URL
from orchestration.deploy.senders.meta import AdAccount, MetaSender
from orchestration.deploy.senders.postmark import URL as POSTMARK_URL
from orchestration.deploy.senders.postmark import PostmarkSender
from orchestration.deploy.senders.sendgrid import URL as SENDGRID_URL
from orchestration.deploy.senders.sendgrid import SendGridSender
from orchestration.deploy.senders.ses import Credentials, SesSender
from orchestration.deploy.senders.smtp import SmtpSender, relay_of
from orchestration.deploy.senders.webhook import WebhookSender
from orchestration.edges.clock import Clock
from orchestration.errors import Refusal

CHANNELS = ("email", "social", "paid", "in_app")
FILES = "files"
_PUBLIC = frozenset({"social", "paid"})


def variable_of(channel: str) -> str:
    """The variable that names a channel's sender."""
    return f"LOOP_SENDER_{channel.upper()}"


def sender_name(channel: str) -> str:
    """Name of a channel's sender; ``files`` where nothing was configured.

    Raises:
        Refusal: if the variable names a sender that there is not, or one of another channel.
    """
    name = os.environ.get(variable_of(channel)) or FILES
    allowed = [FILES, *(known for known, (channels, _) in _SENDERS.items() if channel in channels)]
    if name not in allowed:
        raise Refusal(variable_of(channel), f"{name!r} sends no {channel}", f"Choose among {', '.join(allowed)}.")
    return name


def channels_with_senders() -> list[str]:
    """Channels whose messages `loop send` sends; those of the others are handed over as files."""
    return [channel for channel in CHANNELS if sender_name(channel) != FILES]


def goes_to_people(channel: str) -> bool:
    """Whether each message of a channel goes to one person, or a creative goes out once for everybody."""
    return channel not in _PUBLIC and sender_name(channel) != "klaviyo"


def sender_of(channel: str, clock: Clock) -> Sender | None:
    """A channel's sender; None where messages are handed over as files. Nothing is called yet.

    Raises:
        Refusal: if a variable that the sender needs is not set, or cannot be right.
    """
    name = sender_name(channel)
    return None if name == FILES else _SENDERS[name][1](clock)


def _needed(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise Refusal(variable, "is not set", "Set it; the README lists what each sender needs.")
    return value


def _or(variable: str, default: str) -> str:
    return os.environ.get(variable, "").strip() or default


def _origin() -> Origin:
    return origin_of(_needed("LOOP_MAIL_FROM"), "LOOP_MAIL_FROM")


def _smtp(clock: Clock) -> Sender:
    return SmtpSender(relay_of(_needed("LOOP_SMTP_URL"), "LOOP_SMTP_URL"), _origin())


def _sendgrid(clock: Clock) -> Sender:
    return SendGridSender(
        _needed("LOOP_SENDGRID_KEY"),
        _origin(),
        clock,
        base_url=_or("LOOP_SENDGRID_URL", SENDGRID_URL),
        has_activity=_or("LOOP_SENDGRID_ACTIVITY", "no") == "yes",
    )


def _postmark(clock: Clock) -> Sender:
    return PostmarkSender(
        _needed("LOOP_POSTMARK_TOKEN"),
        _origin(),
        clock,
        stream=_or("LOOP_POSTMARK_STREAM", "broadcast"),
        base_url=_or("LOOP_POSTMARK_URL", POSTMARK_URL),
    )


def _ses(clock: Clock) -> Sender:
    token = os.environ.get("AWS_SESSION_TOKEN") or None
    return SesSender(
        Credentials(_needed("AWS_ACCESS_KEY_ID"), _needed("AWS_SECRET_ACCESS_KEY"), token),
        _needed("LOOP_SES_REGION"),
        _needed("LOOP_SES_CONFIGURATION_SET"),
        _origin(),
        clock,
        base_url=os.environ.get("LOOP_SES_URL") or None,
    )


def _klaviyo(clock: Clock) -> Sender:
    lists = dict(pair.partition("=")[::2] for pair in _needed("LOOP_KLAVIYO_LISTS").split())
    return KlaviyoSender(
        _needed("LOOP_KLAVIYO_KEY"), lists, _origin(), clock, base_url=_or("LOOP_KLAVIYO_URL", KLAVIYO_URL)
    )


def _bluesky(clock: Clock) -> Sender:
    return BlueskySender(
        _needed("LOOP_BLUESKY_HANDLE"),
        _needed("LOOP_BLUESKY_PASSWORD"),
        clock,
        base_url=_or("LOOP_BLUESKY_SERVICE", BLUESKY_URL),
    )


def _mastodon(clock: Clock) -> Sender:
    return MastodonSender(_needed("LOOP_MASTODON_SERVER"), _needed("LOOP_MASTODON_TOKEN"), clock)


def _meta(clock: Clock) -> Sender:
    account = AdAccount(
        _needed("LOOP_META_AD_ACCOUNT"),
        _needed("LOOP_META_AD_SET"),
        _needed("LOOP_META_PAGE"),
        _needed("LOOP_META_LINK"),
    )
    return MetaSender(_needed("LOOP_META_ADS_TOKEN"), account, clock, base_url=_or("LOOP_META_ADS_URL", META_URL))


def _webhook(clock: Clock) -> Sender:
    return WebhookSender(_needed("LOOP_WEBHOOK_URL"), _needed("LOOP_WEBHOOK_SECRET"), clock)


_SENDERS: Mapping[str, tuple[frozenset[str], Callable[[Clock], Sender]]] = {
    "smtp": (frozenset({"email"}), _smtp),
    "sendgrid": (frozenset({"email"}), _sendgrid),
    "ses": (frozenset({"email"}), _ses),
    "postmark": (frozenset({"email"}), _postmark),
    "klaviyo": (frozenset({"email"}), _klaviyo),
    "bluesky": (frozenset({"social"}), _bluesky),
    "mastodon": (frozenset({"social"}), _mastodon),
    "meta": (frozenset({"paid"}), _meta),
    "webhook": (frozenset(CHANNELS), _webhook),
}
