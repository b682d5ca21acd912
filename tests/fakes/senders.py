"""Providers' side of a webhook: as the sandbox plays it."""

from orchestration.sandbox.channels.deliveries import (
    AT,
    CERTIFICATE_URL,
    SECRETS,
    SENDGRID,
    SENDGRID_PUBLIC,
    SUBSCRIBE_URL,
    TOPIC,
    Sent,
    amazon,
    certificate,
    delivery,
    envelope,
    sns,
)

__all__ = [
    "AT", "CERTIFICATE_URL", "SECRETS", "SENDGRID", "SENDGRID_PUBLIC", "SUBSCRIBE_URL", "TOPIC", "Sent", "amazon", "certificate",
    "delivery", "envelope", "sns",
]  # fmt: skip
