"""How a file's columns become the columns of ``raw``: read from YAML or flags, validated before a file is opened.

A target is mapped from a column (``n: impressions``), from several joined with ``/`` (``experiment_id: [test_id,
image]``; the first must be there, the others may be empty) or from a constant (``program: {constant: newsletter}``). A
target that is not mapped takes the column of its own name where the file has one (units excepted).
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.edges import yaml_text
from orchestration.edges.faults import require
from orchestration.errors import Refusal

FOLDER = Path(__file__).parent / "mappings"
_HELP = "Mend the mapping: a column is a name, a list of names, or {{constant: value}}. Those that ship are: {names}."


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Constant(_Strict):
    """One value for every row."""

    constant: bool | int | float | dt.date | str


Column = Annotated[str, Field(min_length=1)]
Source = Column | Annotated[tuple[Column, ...], Field(min_length=1)] | Constant


class Mapping(_Strict):
    """What every kind of mapping can say.

    Attributes:
        pseudonymise: Replace the ids of people by keyed pseudonyms before anything is stored.
    """

    by_own_name: ClassVar[bool] = True
    people: ClassVar[tuple[str, ...]] = ()
    kind: str
    pseudonymise: bool = False

    def sources(self) -> dict[str, Source]:
        """Target -> where it comes from, for every target that is mapped."""
        named = {name: getattr(self, name) for name in self.targets()}
        return {name: source for name, source in named.items() if source is not None}

    @classmethod
    def targets(cls) -> tuple[str, ...]:
        """Names of everything that can be mapped from a column."""
        return tuple(name for name, field in cls.model_fields.items() if field.annotation in (Source, Source | None))

    @staticmethod
    def of(content: object, subject: str = "mapping") -> "Mapping":
        """Validates a mapping given as a dictionary.

        Raises:
            Refusal: naming what a mapping may not say.
        """
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind not in _KINDS:
            reason = f"is of no known kind ({kind})" if kind else "does not say its kind"
            raise Refusal(subject, reason, f"Give `kind`, one of {', '.join(_KINDS)}.")
        return require(_KINDS[kind], content, subject, _HELP.format(names=", ".join(names())))

    @staticmethod
    def read(path: Path) -> "Mapping":
        """Reads a mapping from a YAML file.

        Raises:
            Refusal: if the file cannot be read, is not YAML or holds no valid mapping.
        """
        content = yaml_text.read(path, remedy=_HELP.format(names=", ".join(names())))
        return Mapping.of(content, str(path))

    @staticmethod
    def named(name: str) -> "Mapping":
        """A mapping that ships with the package.

        Raises:
            Refusal: if there is none of that name.
        """
        if name not in names():
            raise Refusal(f"mapping {name}", "does not ship with the package", f"Choose one of {', '.join(names())}.")
        return Mapping.read(FOLDER / f"{name}.yaml")

    @staticmethod
    def from_flags(flags: dict[str, str], base: "Mapping | None" = None) -> "Mapping":
        """A mapping from flags such as ``n=impressions``, laid over another one.

        Args:
            flags: Target or option -> value: ``column``, ``column,column`` or ``=constant``; ``metrics`` lists columns.
            base: What the flags change; without it they must give ``kind``.

        Raises:
            Refusal: as in :meth:`of`.
        """
        content: dict[str, Any] = base.model_dump(exclude_unset=True) if base else {}
        kind = _KINDS.get(str(flags.get("kind", content.get("kind"))))
        targets = kind.targets() if kind else ()
        return Mapping.of(
            content | {name: _flag(value) if name in targets else _option(name, value) for name, value in flags.items()}
        )


class ResultsMapping(Mapping):
    """Rows that are sums already: one per experiment, creative, segment, metric and cycle.

    Attributes:
        repeats: Rows of one key are refused, or added up; an arm's planned share is then the sum of its rows' shares, or their number
            where none is told and they are more than one person each.
        cadence: What a cycle given as a date becomes: ``YYYYMMDD`` or the ISO week ``YYYYWW``. Left out, it is that of the program's
            definition, and daily where the warehouse knows none.
    """

    kind: Literal["results"]
    program: Source | None = None
    cycle: Source | None = None
    experiment_id: Source | None = None
    creative_id: Source | None = None
    segment: Source | None = None
    metric: Source | None = None
    n: Source | None = None
    sum_y: Source | None = None
    sum_y2: Source | None = None
    planned_share: Source | None = None
    is_baseline: Source | None = None
    randomised: Source | None = None
    text: Source | None = None
    tags: Source | None = None
    closes_in_cycle: Source | None = None
    repeats: Literal["refuse", "sum"] = "refuse"
    cadence: Literal["daily", "weekly"] = "daily"


class UnitsMapping(Mapping):
    """Rows that are randomised people: added up by arm on the way in.

    Attributes:
        arm: Becomes the creative.
        unit: The person's id; one person counts once in an experiment, and not at all where two of its arms have them.
        metrics: Metric -> column of numbers or booleans.
        baseline: The arm the others are compared with.
        planned_shares: Arm -> planned share; equal ones unless given.
        may_be_negative: Metrics below 0 is possible for (a net revenue); elsewhere such a row is refused.
        cadence: As of :class:`ResultsMapping`.
    """

    by_own_name: ClassVar[bool] = False
    people: ClassVar[tuple[str, ...]] = ("unit",)
    kind: Literal["units"]
    program: Source
    cycle: Source
    experiment_id: Source
    arm: Source
    segment: Source | None = None
    unit: Source | None = None
    metrics: dict[str, Column] = Field(min_length=1)
    baseline: str
    planned_shares: dict[str, Annotated[float, Field(gt=0, le=1)]] = {}
    may_be_negative: frozenset[str] = frozenset()
    cadence: Literal["daily", "weekly"] = "daily"

    @model_validator(mode="after")
    def _negative_ones_exist(self) -> Self:
        if unknown := sorted(self.may_be_negative - set(self.metrics)):
            raise ValueError(f"may_be_negative names {unknown[0]}, which is no metric")
        return self


class EventsMapping(Mapping):
    """Rows that are events, in the columns of ``raw.events``.

    Attributes:
        pseudonymise: As for every mapping, and on unless it is switched off: ids that are opaque already stay then.
        properties: Columns to keep as a JSON object, or one column that is JSON already.
        aliases: The file's event names -> canonical ones; a name that is not listed stays.
    """

    people: ClassVar[tuple[str, ...]] = ("user_id", "anonymous_id")
    kind: Literal["events"]
    pseudonymise: bool = True
    event_id: Source | None = None
    source: Source | None = None
    type: Source | None = None
    event_name: Source | None = None
    user_id: Source | None = None
    anonymous_id: Source | None = None
    occurred_at: Source | None = None
    original_at: Source | None = None
    sent_at: Source | None = None
    received_at: Source | None = None
    experiment_id: Source | None = None
    creative_id: Source | None = None
    send_id: Source | None = None
    channel: Source | None = None
    is_machine: Source | None = None
    value: Source | None = None
    currency: Source | None = None
    properties: Source | None = None
    context: Source | None = None
    schema_version: Source | None = None
    aliases: dict[str, str] = {}

    @model_validator(mode="after")
    def _ids_stay_hidden(self) -> Self:
        kept = {name for name in (self.properties, self.context) if isinstance(name, str)}
        kept |= {name for names in (self.properties, self.context) if isinstance(names, tuple) for name in names}
        if self.pseudonymise and (shown := kept & {self.user_id, self.anonymous_id}):
            raise ValueError(f"properties repeat {sorted(map(str, shown))[0]}, which is to be pseudonymised")
        return self


class RatesMapping(Mapping):
    """Rows that are exchange rates, each from a day on.

    Attributes:
        inverse: The file tells units of the currency for one unit of the reporting currency, as central banks do.
        change_reporting_currency: Amounts are turned into another currency than the warehouse's rates until now.
    """

    kind: Literal["rates"]
    currency: Source | None = None
    reporting_currency: Source | None = None
    valid_from: Source | None = None
    rate: Source | None = None
    inverse: bool = False
    change_reporting_currency: bool = False


class ChannelDailyMapping(Mapping):
    """Rows of a platform's report by day: all rows of one account, level and day together replace that day.

    Attributes:
        level: account, campaign, ad_set or ad.
        breakdown: A column of JSON objects, or columns that become one.
        cost_in_micros: The cost is told in millionths of the currency.
        first_day: With ``last_day`` the days that the file covers: those it tells nothing of had nothing.
    """

    kind: Literal["channel_daily"]
    provider: Source | None = None
    account_id: Source | None = None
    level: Source | None = None
    day: Source | None = None
    campaign_id: Source | None = None
    campaign_name: Source | None = None
    ad_set_id: Source | None = None
    ad_id: Source | None = None
    breakdown: Source | None = None
    attribution: Source | None = None
    impressions: Source | None = None
    clicks: Source | None = None
    cost: Source | None = None
    currency: Source | None = None
    conversions_claimed: Source | None = None
    conversion_value_claimed: Source | None = None
    cost_in_micros: bool = False
    first_day: dt.date | None = None
    last_day: dt.date | None = None

    @model_validator(mode="after")
    def _days_are_a_span(self) -> Self:
        if (self.first_day is None) != (self.last_day is None):
            raise ValueError("first_day and last_day belong together")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError("first_day is after last_day")
        return self


_KINDS: dict[str, type[Mapping]] = {
    "results": ResultsMapping,
    "units": UnitsMapping,
    "events": EventsMapping,
    "rates": RatesMapping,
    "channel_daily": ChannelDailyMapping,
}


def names() -> list[str]:
    """Names of the mappings that ship with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def _flag(value: str) -> object:
    if value.startswith("="):
        return {"constant": value[1:]}
    parts = tuple(part.strip() for part in value.split(","))
    return parts if len(parts) > 1 else parts[0]


def _option(name: str, value: str) -> object:
    parts = [part.strip() for part in value.split(",")]
    if name == "metrics":
        return {part: part for part in parts}
    return parts if name == "may_be_negative" else value
