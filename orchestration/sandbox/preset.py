"""What a world is: a validated YAML file with everything that is true in it."""

import datetime as dt
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.edges import yaml_text
from orchestration.edges.faults import require
from orchestration.errors import Refusal

FOLDER = Path(__file__).parent / "presets"
Probability = float


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Segment(_Strict):
    """A part of the audience.

    Attributes:
        people: How many there are when the world begins.
        click_rate: Chance that a person clicks a message whose text has no effect at all.
        order_after_click: Chance that a click leads to an order.
        visits_per_week: Expected visits of a person who has just arrived; they decay with age.
        age_days: Youngest and oldest age of the people at the beginning.
        becomes: Segment a person moves to, or None.
        after_days: Mean number of days before that happens.
    """

    people: int = Field(ge=0, le=2_000_000)
    click_rate: Probability = Field(gt=0, lt=0.5)
    order_after_click: Probability = Field(ge=0, le=1)
    visits_per_week: float = Field(ge=0, le=7)
    age_days: tuple[int, int]
    becomes: str | None = None
    after_days: float = Field(default=60, ge=1)


class Growth(_Strict):
    """How the audience grows.

    Attributes:
        segment: Where new people start.
        per_week: Sign-ups a week that nobody invited.
        invites_per_week: Chance that a person invites somebody in a week.
        invite_accepted: Chance that the invited person signs up.
    """

    segment: str
    per_week: float = Field(ge=0)
    invites_per_week: Probability = Field(ge=0, le=1)
    invite_accepted: Probability = Field(ge=0, le=1)


class Noise(_Strict):
    """What moves clicks and is no tag.

    Attributes:
        creative: Log standard deviation of wording, the same for a text in every segment and send.
        send: Log standard deviation that all messages of a send share.
        person: Log standard deviation of how active people are by nature.
        novelty_lost: Share of its effect that a text loses once everybody has seen it.
    """

    creative: float = Field(ge=0, le=2)
    send: float = Field(ge=0, le=2)
    person: float = Field(ge=0, le=1)
    novelty_lost: Probability = Field(ge=0, le=1)


class Mail(_Strict):
    """How mail behaves.

    Attributes:
        consent: Share of people who agreed to be mailed.
        opens: Share of messages a person opens.
        prefetching: Share of people whose mail program opens everything by itself.
        scanned: Share of people whose employer's scanner follows every link.
        bounces: Share of addresses that never accept mail; as many messages again bounce for a passing reason.
    """

    consent: Probability = Field(ge=0, le=1)
    opens: Probability = Field(ge=0, le=1)
    prefetching: Probability = Field(ge=0, le=1)
    scanned: Probability = Field(ge=0, le=1)
    bounces: Probability = Field(ge=0, le=0.5)


class Annoyance(_Strict):
    """Who leaves, and why.

    Attributes:
        unsubscribes: Chance per message while mailing stays within what people tolerate.
        complaints: The same for marking as spam.
        tolerated_per_week: Messages in the seven days before that annoy nobody.
        growth: Log growth of both chances per message above that.
        tags: Log growth of both chances by tag of the text.
    """

    unsubscribes: Probability = Field(ge=0, le=0.5)
    complaints: Probability = Field(ge=0, le=0.5)
    tolerated_per_week: int = Field(ge=0)
    growth: float = Field(ge=0, le=5)
    tags: dict[str, float] = {}


class Delivery(_Strict):
    """How badly events arrive.

    Attributes:
        duplicated: Share that comes twice.
        late: Share that comes late, by one hour to ``late_days``.
        skewed: Share of web events from devices whose clock is wrong by hours.
    """

    duplicated: Probability = Field(ge=0, le=1)
    late: Probability = Field(ge=0, le=1)
    late_days: float = Field(gt=0, le=30)
    skewed: Probability = Field(ge=0, le=1)


class Harm(_Strict):
    """Something a message may bring about that nobody wants.

    Attributes:
        rate: Chance per message whose tags have no effect.
        tags: Log growth of the chance by tag.
    """

    rate: Probability = Field(ge=0, le=0.5)
    tags: dict[str, float] = {}


class Campaign(_Strict):
    """How people answer a program other than the newsletter.

    Attributes:
        answer: Event in which an answer shows.
        rate: Chance that an average person answers a message whose tags have no effect.
        effects: Relative change of that chance by tag, the same in every segment.
        orders: Chance that an answer leads to an order.
        accepted: Chance that an invited friend signs up.
        grants: Amount a sign-up by invite costs, by tag that promises it.
        harms: By event, in which it shows.
    """

    answer: Literal["Ad Clicked", "Post Engaged", "Product Added", "Product Viewed", "Invite Sent"]
    rate: Probability = Field(gt=0, lt=0.5)
    effects: dict[str, float]
    orders: Probability = Field(default=0, ge=0, le=1)
    accepted: Probability = Field(default=0, ge=0, le=1)
    grants: dict[str, float] = {}
    harms: dict[Literal["Ad Hidden", "Unfollowed", "Unsubscribed", "Referral Flagged"], Harm] = {}


class Preset(_Strict):
    """A world without its seed.

    Attributes:
        campaigns: How people answer programs other than the newsletter, by program.
        effects: Relative change of the click rate by tag, for all segments or by segment; 0.2 is 20 % more clicks.
        history_weeks: Weeks of organic life before the first cycle; without any, nobody would be known to it.
    """

    preset: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    first_cycle: dt.date
    history_weeks: int = Field(ge=1, le=104)
    segments: dict[str, Segment] = Field(min_length=1)
    effects: dict[str, float | dict[str, float]]
    growth: Growth
    noise: Noise
    mail: Mail
    annoyance: Annoyance
    delivery: Delivery
    campaigns: dict[str, Campaign] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        named = {self.growth.segment} | {segment.becomes for segment in self.segments.values() if segment.becomes}
        for effect in self.effects.values():
            named |= set(effect) if isinstance(effect, dict) else set()
            if any(value <= -1 for value in (effect.values() if isinstance(effect, dict) else [effect])):
                raise ValueError("an effect of -1 or less leaves no clicks at all")
        if unknown := sorted(named - set(self.segments)):
            raise ValueError(f"segment {unknown[0]} is not defined")
        return self

    @property
    def starts_at(self) -> dt.datetime:
        """First instant of the world, UTC."""
        return dt.datetime.combine(self.first_cycle, dt.time()) - dt.timedelta(weeks=self.history_weeks)


def read_preset(name: str) -> Preset:
    """Reads a preset by its name, or by the path of a YAML file.

    Raises:
        Refusal: if there is none of that name, it is not YAML, or it says something a preset may not say.
    """
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise Refusal(f"preset {name}", "does not exist", f"Choose one of {known}, or give the path of a YAML file.")
    content = yaml_text.read(path, f"preset {name}")
    return require(Preset, content, f"preset {name}", "Mend the field.")
