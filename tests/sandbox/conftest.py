"""A small world, what deploy would hand to it, and what came back."""

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.sandbox.preset import FOLDER
from orchestration.sandbox.world import World

TAGS = ("question", "number", "second_person", "urgency", "curiosity", "discount", "social_proof", "emoji")
MONDAY = dt.datetime.fromisoformat("2026-01-05")


def tags_in(text: str) -> frozenset[str]:
    """A text shows the tags whose names it contains."""
    return frozenset(tag for tag in TAGS if tag in text)


def happened_at(events: pd.DataFrame) -> pd.Series:
    """When events of the shop's pages happened, whatever the device's clock said."""
    return events.received_at - (events.sent_at - events.original_at)


class Play:
    """A world with the other side of its contracts: people read from identify events, messages written, events read."""

    def __init__(self, world: World) -> None:
        self.world = world

    def events(self) -> pd.DataFrame:
        """Everything in the inbox, in the order of the files, with the file it came in."""
        tables = [(path.name, pq.read_table(path).to_pandas()) for path in sorted(self.world.inbox.glob("*.parquet"))]
        return pd.concat([table.assign(file=name) for name, table in tables], ignore_index=True)

    def happened(self, name: str) -> pd.DataFrame:
        """Events of one name, each once."""
        events = self.events().drop_duplicates("event_id")
        return events[events.event_name == name].reset_index(drop=True)

    def told(self) -> pd.DataFrame:
        """Identify events, each once, in the order in which they were true."""
        events = self.events().query("type == 'identify'").drop_duplicates("event_id")
        return events.assign(at=happened_at(events)).sort_values("at")

    def people(self) -> pd.DataFrame:
        """Latest known traits, one row per person."""
        told = self.told().groupby("user_id").last()
        return pd.DataFrame([json.loads(text) for text in told.properties], index=told.index)

    def send(self, experiment: str, at: dt.datetime, texts: Sequence[str], people: Sequence[str] | None = None) -> Path:
        """Hands a message to everybody who consented, with the texts shared out by a hash."""
        known = self.people()
        users = list(known.index[known.consent]) if people is None else list(people)
        digests = [hashlib.sha256(f"{experiment} {user}".encode()).hexdigest() for user in users]
        chosen = [texts[int(digest[:8], 16) % len(texts)] for digest in digests]
        table = pa.table(
            {
                "send_id": digests,
                "experiment_id": [experiment] * len(users),
                "creative_id": [f"c {text}" for text in chosen],
                "user_id": users,
                "subject": chosen,
                "channel": ["email"] * len(users),
                "scheduled_at": pa.array([at] * len(users), type=pa.timestamp("us")),
            }
        )
        path = self.world.outbox / f"{experiment}.parquet"
        pq.write_table(table, path)
        return path


Begin = Callable[..., Play]


@pytest.fixture(scope="session")
def begun() -> dict[str, Path]:
    """Worlds that some test began already, by what defines them: the others start from a copy."""
    return {}


@pytest.fixture
def begin(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, begun: dict[str, Path]) -> Begin:
    """Begins a world of about 2,000 people, one organic week old; a mapping replaces parts of the preset."""

    def begin_(name: str = "world", seed: int = 1, changes: Mapping[str, Any] | None = None) -> Play:
        content = yaml.safe_load((FOLDER / "newsletter.yaml").read_text(encoding="utf-8"))
        content |= {"preset": "small", "history_weeks": 1}
        content["growth"]["per_week"] = 60
        for segment, people in zip(("new", "regular", "lapsing"), (600, 900, 500), strict=True):
            content["segments"][segment]["people"] = people
        for key, value in (changes or {}).items():
            content[key] = content[key] | value if isinstance(value, Mapping) else value
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        key = f"{seed} {path.read_text(encoding='utf-8')}"
        if key not in begun:
            folder = tmp_path_factory.mktemp("begun") / "world"
            World.create(folder, str(path), seed, tags_in).advance(MONDAY)
            begun[key] = folder
        shutil.copytree(begun[key], tmp_path / name)
        return Play(World.create(tmp_path / name, str(path), seed, tags_in))

    return begin_
