"""A source as its file in ``measure/sources/`` describes it; secrets and accounts come from the environment alone."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration.edges import yaml_text
from orchestration.edges.faults import require
from orchestration.errors import Refusal

SOURCES = Path(__file__).parents[1] / "sources"
Kind = Literal["text", "whole", "number", "day", "list", "object"]


class Stream(BaseModel):
    """One report of a source.

    Attributes:
        level: What its rows are about; reports of different levels overlap and are never added up.
        key: Paths that tell a row from the others of its window, every breakdown among them. They must be present.
        fields: Path -> kind of the value. A missing field is unknown; a field that is not listed is kept as it came.
        options: What the provider's module reads: fields to ask for, breakdowns, a query.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    level: Literal["account", "campaign", "ad_set", "ad", "asset", "item"]
    key: tuple[str, ...]
    fields: dict[str, Kind] = Field(default_factory=dict)
    options: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)


class Source(BaseModel):
    """One platform's reports.

    Attributes:
        table: Where the rows go, schema and name.
        nature: aggregates (whole days are replaced), counters (looks), or events (inserted once).
        base_url: May hold ``{dc}``, the data centre at the end of a key.
        day_path: Path of the day within a row; a row of another day than asked for is refused. None: not by day.
        reread_days: Days that a daily pull asks for again, because the platform still changes them.
        lag_hours: How far before the last event an event pull begins, for those that come late.
        expected_hours: Hours within which it is to be read again; beyond them it is stale.
        history_days: How far back the platform remembers.
        window_days: Days per call.
        daily_calls: Calls a day that the platform allows, counted in the warehouse.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    provider: str
    description: str
    table: str
    nature: Literal["aggregates", "counters", "events"]
    base_url: str
    url_variable: str
    secrets: dict[str, str] = Field(default_factory=dict)
    accounts_variable: str
    day_path: str | None = None
    reread_days: int = Field(ge=1)
    lag_hours: int = Field(default=0, ge=0)
    expected_hours: int = Field(ge=1)
    history_days: int = Field(ge=1)
    window_days: int = Field(ge=1)
    daily_calls: int | None = Field(default=None, ge=1)
    streams: tuple[Stream, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Access:
    """What the environment holds for a source.

    Attributes:
        base_url: Without a slash at the end.
        secrets: Name in the source's file -> value.
        accounts: Account ids, as the platform writes them.
    """

    base_url: str
    secrets: Mapping[str, str]
    accounts: tuple[str, ...]


def read_sources(folder: Path = SOURCES) -> dict[str, Source]:
    """Every source of a folder by name.

    Raises:
        Refusal: if a file is not a source, or bears another name than it tells.
    """
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        content = yaml_text.read(path, f"source {path.name}")
        source = require(Source, content, f"source {path.name}", "Mend the file.")
        if source.name != path.stem:
            raise Refusal(f"source {path.name}", f"calls itself {source.name}", "Name file and source alike.")
        found[source.name] = source
    return found


def missing_variables(source: Source) -> list[str]:
    """Variables of the environment that the source needs and does not have."""
    wanted = [*source.secrets.values(), source.accounts_variable]
    return [name for name in wanted if not os.environ.get(name, "").strip()]


def read_access(source: Source) -> Access:
    """Reads the environment.

    Raises:
        Refusal: if a variable is missing or an address is not one.
    """
    if missing := missing_variables(source):
        raise Refusal(f"source {source.name}", f"{', '.join(missing)} not set", "Set them in the environment.")
    secrets = {name: os.environ[variable].strip() for name, variable in source.secrets.items()}
    base_url = os.environ.get(source.url_variable, "").strip() or source.base_url
    if "{dc}" in base_url:
        base_url = base_url.replace("{dc}", next(iter(secrets.values())).rpartition("-")[2])
    if not base_url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise Refusal(source.url_variable, "is no https address", "Secrets are sent there: use https.")
    return Access(base_url.rstrip("/"), secrets, tuple(os.environ[source.accounts_variable].split()))
