"""A receiver with every door configured, at a fixed time, and a way to see what it kept."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from orchestration.edges.clock import FixedClock
from orchestration.edges.spool import Frame, Record, read_spool, spool_folder, spool_key
from orchestration.serve.app import receiver_app
from orchestration.serve.configuration import read_configuration
from tests.fakes.senders import SECRETS, TOPIC

NOW = dt.datetime.fromtimestamp(1793500060, dt.UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Receiver:
    """The receiver's client and its spool."""

    client: TestClient
    warehouse: Path

    def kept(self) -> list[Record]:
        """Every record in the spool, in order."""
        key = spool_key(self.warehouse)
        found: list[Record] = []
        for path in sorted(spool_folder(self.warehouse).glob("*.spool")):
            for stretch in read_spool(path, key):
                assert isinstance(stretch, Frame)
                found += stretch.records
        return found


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    for name, value in {**SECRETS, "LOOP_SES_TOPIC_ARN": TOPIC}.items():
        monkeypatch.setenv(name, value)
    app = receiver_app(tmp_path, read_configuration(), FixedClock(NOW))
    with TestClient(app) as client:
        yield Receiver(client, tmp_path)
