"""The hard limit of complaints: what is counted, from when on the rate decides, and what it says."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from tests.dbt.conftest import SEEDS

STARTS = dt.datetime.fromisoformat("2026-02-02T10:00:00")
DAY = dt.timedelta(days=1)
# Arm -> people, of whom delivered, of whom complain.
ARMS = {
    "plain": (1500, 1500, 1),
    "first_is_chance": (10, 10, 1),
    "second_too": (12, 12, 2),
    "over": (2000, 1000, 3),
    "at_the_limit": (3000, 3000, 3),
    "below": (5000, 5000, 4),
}


def _built(project: DbtProject, folder: Path, events: list[dict[str, Any]], channel: str = "email") -> Warehouse:
    warehouse = Warehouse(folder)
    warehouse.migrate()
    project.build(warehouse, select=list(SEEDS), command="seed")
    fixed: dict[str, Any] = {"program": "news", "recorded_at": STARTS}
    send = {"segment": "everyone", "recorded_at": STARTS}
    spec = json.dumps({"channel": channel, "metrics": [], "tags": []})
    people = [(arm, number) for arm, (all_of, _, _) in ARMS.items() for number in range(all_of)]
    tables: dict[str, list[dict[str, Any]]] = {
        "ledger.programs": [{**fixed, "version": "v1", "spec": spec}],
        "ledger.cycles": [{**fixed, "cycle": 202607, "as_of": STARTS + 7 * DAY, "program_version": "v1"}],
        "ledger.experiments": [
            {**fixed, "experiment_id": name, "cycle": cycle, "send_number": 1, "starts_at": at, "salt": "", "tags_by_design": True}
            for name, cycle, at in (("old", 202550, STARTS - 60 * DAY), ("early", 202605, STARTS - DAY), ("e1", 202606, STARTS))
        ],
        "ledger.arms": [
            {**send, "experiment_id": name, "creative_id": arm, "arm_number": at, "planned_share": 1 / len(ARMS),
             "role": "baseline" if arm == "plain" else "exploit"}
            for name in ("old", "early", "e1")
            for at, arm in enumerate(ARMS)
        ],
        "ledger.assignments": [
            {**send, "experiment_id": "e1", "user_id": f"{arm}{number}", "creative_id": arm, "probability": 0.2, "assigned_at": STARTS}
            for arm, number in people
        ] + [
            {**send, "experiment_id": "early", "user_id": "over0", "creative_id": "over", "probability": 0.2,
             "assigned_at": STARTS - DAY}
        ],
        "ledger.sends": [
            {"send_id": f"{arm}{number}", "experiment_id": "e1", "user_id": f"{arm}{number}", "creative_id": arm, "channel": "email",
             "is_dry_run": False, "scheduled_at": STARTS, "recorded_at": STARTS}
            for arm, number in people
        ],
        "raw.events": events,
    }  # fmt: skip
    with warehouse.connect() as connection:
        for table, rows in tables.items():
            if not rows:
                continue
            names = [column[0] for column in connection.execute(f"select * from {table} limit 0").description]
            frame = pd.DataFrame(rows)
            connection.register("told", frame[[name for name in names if name in frame.columns]])
            connection.execute(f"insert into {table} by name select * from told")
            connection.unregister("told")
    project.build(warehouse, select=["+experiment_complaints"], exclude=["resource_type:seed"], command="run")
    project.build(warehouse, select=["experiment_complaints"], exclude=["test_type:unit"], command="test")
    return warehouse


def _event(name: str, person: str, experiment: str | None, number: int = 0) -> dict[str, Any]:
    at = STARTS + dt.timedelta(hours=2)
    return {
        "event_id": f"{name}/{person}/{number}", "source": "mail", "type": "track", "event_name": name, "user_id": person,
        "occurred_at": at, "received_at": at, "ingested_at": at, "experiment_id": experiment, "import_id": "i", "schema_version": 1,
    }  # fmt: skip


def _complaints(named: str | None = "e1") -> list[dict[str, Any]]:
    """Each person complains twice: people count, not events."""
    return [
        _event("Email Marked as Spam", f"{arm}{number}", named, time)
        for arm, (_, _, complain) in ARMS.items()
        for number in range(complain)
        for time in range(2)
    ]


def _rows(warehouse: Warehouse, experiment: str = "e1") -> dict[str, dict[str, Any]]:
    rows = warehouse.rows("select * from marts.experiment_complaints where experiment_id = ?", [experiment])
    return {row["creative_id"]: row for row in rows}


@pytest.mark.parametrize("named", ["e1", None])
def test_a_creative_over_the_limit_is_stopped_and_one_or_two_people_are_chance(
    project: DbtProject, tmp_path: Path, named: str | None
) -> None:
    delivered = [
        _event("Email Delivered", f"{arm}{number}", "e1")
        for arm, (_, reached, _) in ARMS.items()
        for number in range(reached)
    ]
    warehouse = _built(project, tmp_path, delivered + _complaints(named))
    rows = _rows(warehouse)
    assert {arm: (row["people"], row["complaints"]) for arm, row in rows.items()} == {
        arm: (reached, complain) for arm, (_, reached, complain) in ARMS.items()
    }
    assert [arm for arm, row in rows.items() if row["is_stopped"]] == ["over"]
    assert rows["over"]["stopped_reason"] == "3 of 1000 people called it spam (0.300 %, the limit is 0.100 %)"
    assert {row["counted_by"] for row in rows.values()} == {"delivered"}
    early = _rows(warehouse, "early")["over"]
    assert (early["people"], early["complaint_rate"]) == (0, None), "what names no send is about the last one"
    assert early["withheld_reason"] == "nobody is known to have been reached"
    assert _rows(warehouse, "old") == {}


def test_without_reports_of_deliveries_messages_sent_count(project: DbtProject, tmp_path: Path) -> None:
    rows = _rows(_built(project, tmp_path, _complaints()))
    assert {arm: row["people"] for arm, row in rows.items()} == {arm: people for arm, (people, _, _) in ARMS.items()}
    assert rows["over"]["is_stopped"]
    assert rows["over"]["counted_by"] == "sent"


def test_a_program_of_another_channel_has_no_rows(project: DbtProject, tmp_path: Path) -> None:
    assert _rows(_built(project, tmp_path, _complaints(None), channel="in_app")) == {}
