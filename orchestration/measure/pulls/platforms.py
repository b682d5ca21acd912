"""Which connector reads which provider; imported when a pull begins, because dlt takes a second to load."""

from importlib import import_module

from orchestration.errors import Refusal
from orchestration.measure.pulls.definition import Access, Source
from orchestration.measure.pulls.patience import Pace
from orchestration.measure.pulls.platform import Platform

CONNECTORS = {
    "meta": "Meta",
    "google_ads": "GoogleAds",
    "linkedin": "LinkedIn",
    "tiktok": "TikTok",
    "klaviyo": "Klaviyo",
    "mailchimp": "Mailchimp",
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
}


def platform_of(source: Source, access: Access, pace: Pace) -> Platform:
    """The connector of a source.

    Raises:
        Refusal: if no connector reads the provider, or it does not accept the source's options.
    """
    if source.provider not in CONNECTORS:
        raise Refusal(f"source {source.name}", f"provider {source.provider} has no connector", "Mend the file.")
    module = import_module(f"orchestration.measure.pulls.{source.provider}")
    made: Platform = getattr(module, CONNECTORS[source.provider])(source, access, pace)
    return made
