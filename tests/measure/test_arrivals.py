"""Sources that fall silent, run thin or come to nothing are noticed; those that keep their rhythm are not."""

import datetime as dt
import json
from pathlib import Path

import pytest

from orchestration.edges.clock import FixedClock
from orchestration.edges.warehouse import Warehouse
from orchestration.measure.arrivals import arrivals, empty_outputs, picture, table
from orchestration.measure.imports import intake_drop

NOW = dt.datetime.fromisoformat("2026-11-20T12:00")


def arrived(warehouse: Warehouse, folder: Path, source: str, days: dict[int, int], now: dt.datetime = NOW) -> None:
    """Events of a source: days ago -> how many."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"event_id": f"{source}{ago}-{n}", "source": source, "event_name": "x", "user_id": "u",
         "received_at": (NOW - dt.timedelta(days=ago, minutes=n)).isoformat()}
        for ago, events in days.items() for n in range(events)
    ]  # fmt: skip
    (folder / f"{source}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    intake_drop(warehouse, folder, FixedClock(now))


@pytest.mark.parametrize(
    ("days", "stale", "thin"),
    [
        ({ago: 20 for ago in range(10)}, False, False),
        ({ago: 20 for ago in range(5, 15)}, True, False),  # daily, silent for five days
        ({ago: 20 for ago in range(0, 28, 7)}, False, False),  # weekly: too few days for a usual volume
        ({0: 2} | {ago: 20 for ago in range(1, 10)}, False, True),
        ({0: 1}, False, False),  # nobody knows its rhythm
    ],
)
def test_silence_and_thinness(
    days: dict[int, int], stale: bool, thin: bool, warehouse: Warehouse, tmp_path: Path
) -> None:
    arrived(warehouse, tmp_path / "drop", "shop", days)
    (found,) = arrivals(warehouse, NOW)
    assert (found.stale is not None, found.thin is not None) == (stale, thin)
    assert found.events == sum(days.values())
    assert f"| shop | {sum(days.values())} |" in table([found])
    assert picture(warehouse, NOW).startswith("![arrivals](data:image/png;base64,")


def test_input_without_output_is_told(warehouse: Warehouse, tmp_path: Path) -> None:
    arrived(warehouse, tmp_path / "drop", "good", {0: 2})
    assert empty_outputs(warehouse) == []
    (tmp_path / "drop" / "bad.ndjson").write_text('{"source": 5}\n[]\n', encoding="utf-8")
    intake_drop(warehouse, tmp_path / "drop", FixedClock(NOW))
    assert empty_outputs(warehouse) == ["bad.ndjson: none of its 2 rows became an event"]
