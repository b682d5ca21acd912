"""What the played channels would tell: advertisements by day, posts, events and campaign reports, all from one seed.

Platforms change their minds: conversions grow for days after the click, clicks are credited back, rows are withdrawn. The world says
what each would tell at its present time, so moving the time forward restates the past.
"""

import datetime as dt
import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

PLATFORMS = ("meta", "google_ads", "linkedin", "tiktok")
KEYS = {
    "meta": "meta-token", "google_ads": "google-token", "linkedin": "linkedin-token", "tiktok": "tiktok-token",
    "klaviyo": "pk_klaviyo", "mailchimp": "mailchimp-us19", "sendgrid": "SG.key", "postmark": "postmark-token",
    "mailgun": "mailgun-key", "mastodon": "mastodon-token",
}  # fmt: skip
LEVELS = ("account", "campaign", "ad_set", "ad")
_DAYS_TOLD = 60


@dataclass(frozen=True, slots=True)
class AdDay:
    """One ad's day, final; without an ad set and ad it is what stands at the campaign alone (Performance Max).

    Attributes:
        micros: Money, in millionths.
    """

    campaign: str
    ad_set: str | None
    ad: str | None
    day: dt.date
    impressions: int
    clicks: int
    micros: int
    conversions: float
    value: float


@dataclass(slots=True)
class Post:
    """A post and its counts."""

    number: int
    text: str
    created_at: dt.datetime
    likes: int
    reposts: int
    replies: int
    quotes: int


@dataclass(frozen=True, slots=True)
class Call:
    """A request that the server was sent."""

    provider: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ChannelWorld:
    """The world behind the server.

    Attributes:
        now: The platforms' clock, UTC without offset.
        restates: Whether figures mature with age; else they are told as they stand.
        ads: (platform, account) -> every ad's every day.
        posts: (network, account) -> its posts.
        events: Klaviyo's events, as its API tells them.
        campaigns: (provider) -> campaign reports, final.
        faults: Provider -> faults to play, one per request.
        calls: What was asked, in order.
    """

    seed: int
    now: dt.datetime
    restates: bool = True
    ads: dict[tuple[str, str], list[AdDay]] = field(default_factory=dict)
    posts: dict[tuple[str, str], list[Post]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    campaigns: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: dict[str, deque[str]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def play(self, provider: str, *faults: str) -> None:
        """Plays these faults at the provider's next requests; '' plays none."""
        self.faults.setdefault(provider, deque()).extend(faults)

    def next_fault(self, provider: str) -> str:
        """The fault of this request, '' for none."""
        waiting = self.faults.get(provider)
        return waiting.popleft() if waiting else ""

    def count(self, name: str) -> int:
        """Counts from 1, by name."""
        self.kept[name] = int(self.kept.get(name, 0)) + 1
        return int(self.kept[name])

    def told(self, platform: str, account: str, level: str, first: dt.date, last: dt.date) -> list[AdDay]:
        """What a report of a level tells now, summed to that level, in a settled order."""
        depth = LEVELS.index(level)
        sums: dict[tuple[Any, ...], AdDay] = {}
        for row in self.ads.get((platform, account), []):
            if not first <= row.day <= last or (depth >= 2 and row.ad is None):
                continue
            seen = self._seen(row)
            if seen is None:
                continue
            key = (seen.day, *(seen.campaign, seen.ad_set, seen.ad)[:depth])
            sums[key] = _sum(sums[key], seen) if key in sums else seen
        return [sums[key] for key in sorted(sums, key=str)]

    def _seen(self, row: AdDay) -> AdDay | None:
        if not self.restates:
            return row
        age, luck = (self.now.date() - row.day).days, draw(self.seed, row.campaign, row.ad, row.day)
        if age < 0 or (age >= 7 and luck % 23 == 0):
            return None
        share = min(1.0, (age + 1) / 10)
        credited = row.clicks // 30 if age >= 5 else 0
        return replace(
            row,
            clicks=row.clicks - credited,
            micros=row.micros - credited * 200_000,
            conversions=float(int(row.conversions * share)),
            value=round(row.value * share, 2),
        )


def seeded_world(seed: int, now: dt.datetime) -> ChannelWorld:
    """A world with two advertising accounts per platform, posts, events and campaigns up to ``now``."""
    world = ChannelWorld(seed, now)
    days = [now.date() - dt.timedelta(days=back) for back in range(_DAYS_TOLD)]
    for number, platform in enumerate(PLATFORMS):
        for account in (f"{number + 1}001", f"{number + 1}002"):
            world.ads[platform, account] = [row for day in days for row in _ad_days(seed, account, day)]
    for network, account in (("bluesky", "did:plc:acme"), ("mastodon", "7")):
        world.posts[network, account] = [_post(seed, network, number, now) for number in range(60)]
    world.events = [_event(seed, number, now) for number in range(240)]
    for provider in ("klaviyo", "mailchimp"):
        world.campaigns[provider] = [_campaign(seed, provider, number, now) for number in range(9)]
    return world


def draw(*parts: object) -> int:
    """A number that depends on nothing but its parts."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


def _ad_days(seed: int, account: str, day: dt.date) -> Iterator[AdDay]:
    for campaign in range(2):
        yield _figures(seed, f"{account}c{campaign}", None, None, day)
        for ad_set in range(2):
            for ad in range(2):
                name = f"{account}c{campaign}s{ad_set}"
                yield _figures(seed, f"{account}c{campaign}", name, f"{name}a{ad}", day)


def _figures(seed: int, campaign: str, ad_set: str | None, ad: str | None, day: dt.date) -> AdDay:
    luck = draw(seed, campaign, ad, day)
    impressions = 500 + luck % 9000
    clicks = impressions * (luck % 40) // 1000
    conversions = float(clicks // 12)
    return AdDay(
        campaign,
        ad_set,
        ad,
        day,
        impressions,
        clicks,
        clicks * 310_000 + impressions * 900,
        conversions,
        conversions * 41.5,
    )


def _sum(left: AdDay, right: AdDay) -> AdDay:
    return replace(
        left,
        impressions=left.impressions + right.impressions,
        clicks=left.clicks + right.clicks,
        micros=left.micros + right.micros,
        conversions=left.conversions + right.conversions,
        value=round(left.value + right.value, 2),
    )


def _post(seed: int, network: str, number: int, now: dt.datetime) -> Post:
    luck = draw(seed, network, number)
    created = now.replace(microsecond=0) - dt.timedelta(hours=6 * number + luck % 5)
    return Post(number, f"Post {number}", created, luck % 90, luck % 17, luck % 11, luck % 5)


def _event(seed: int, number: int, now: dt.datetime) -> dict[str, Any]:
    luck = draw(seed, "event", number)
    name = ("Received Email", "Opened Email", "Clicked Email", "Placed Order")[luck % 4]
    happened = now.replace(microsecond=0) - dt.timedelta(minutes=37 * number)
    return {
        "id": f"ev{number:05d}",
        "person": luck % 40,
        "metric": name,
        "datetime": happened,
        "known_at": happened,
        "properties": {"$message": f"m{luck % 7}", "Campaign Name": f"c{luck % 3}", "creative_id": f"v{luck % 5}"},
    }


def _campaign(seed: int, provider: str, number: int, now: dt.datetime) -> dict[str, Any]:
    luck = draw(seed, provider, number)
    sent = 2000 + luck % 5000
    return {
        "id": f"{provider[:2]}{number}",
        "sent_at": now.replace(microsecond=0) - dt.timedelta(days=3 * number, hours=luck % 9),
        "sent": sent,
        "opens": sent * (20 + luck % 30) // 100,
        "clicks": sent * (1 + luck % 6) // 100,
        "unsubscribes": luck % 12,
        "complaints": luck % 3,
        "bounces": luck % 25,
        "orders": luck % 40,
        "revenue": round((luck % 40) * 37.5, 2),
    }
