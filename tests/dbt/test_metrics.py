"""``mf query`` on the published copy against the marts themselves."""

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.edges.dbt import PROJECT, DbtProject
from orchestration.edges.publishing import publish
from tests.dbt.conftest import GROWTH_MODELS, NewWarehouse, receive
from tests.dbt.histories import random_history

MF = shutil.which("mf", path=str(Path(sys.executable).parent))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(MF is None, reason="the extra `metrics` is not installed")]


@dataclass(frozen=True)
class Published:
    file: Path
    target: Path

    def query(self, tmp_path: Path, *arguments: str) -> list[dict[str, Any]]:
        """Rows of ``mf query``, numbers as floats and an empty cell as None."""
        answer = tmp_path / "answer.csv"
        names = {"LOOP_TARGET": "published", "LOOP_PUBLISHED": str(self.file), "DBT_TARGET_PATH": str(self.target)}
        environment = {**os.environ, **names, "DBT_LOG_PATH": str(tmp_path), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        command = [str(MF), "query", *arguments, "--csv", str(answer)]
        run = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
        with answer.open(encoding="utf-8", newline="") as file:
            return [
                {
                    name: value if "__" in name else float(value) if value not in {"", "nan", "None"} else None
                    for name, value in row.items()
                }
                for row in csv.DictReader(file)
            ]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def published(project: DbtProject, new_warehouse: NewWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Published:
    warehouse = new_warehouse(tmp_path_factory.mktemp("warehouse"))
    for batch in random_history(3).batches:
        receive(warehouse, batch)
    project.build(warehouse, select=[*GROWTH_MODELS, "referral_funnel", "days"], command="run")
    return Published(publish(warehouse).folder / "loop.duckdb", project.target)


def test_retention_by_cohort_is_the_marts_and_over_cohorts_a_ratio_of_sums(
    published: Published, tmp_path: Path
) -> None:
    cells = published.rows(
        "select cohort_week::varchar, retained, n from marts.retention_daily"
        " where day_number = 7 and cohort <> 'all' and is_mature"
    )
    found = published.query(tmp_path, "--metrics", "retention_7d", "--group-by", "daily_cohort__cohort_week")
    by_week = {row["daily_cohort__cohort_week__week"][:10]: row["retention_7d"] for row in found}
    assert {week: rate for week, rate in by_week.items() if rate is not None} == pytest.approx(
        {week: retained / n for week, retained, n in cells}, abs=1e-6
    )
    [whole] = published.query(tmp_path, "--metrics", "retention_7d,retention_30d")
    ratio = sum(retained for _, retained, _ in cells) / sum(n for *_, n in cells)
    mean_of_rates = sum(retained / n for _, retained, n in cells) / len(cells)
    assert whole["retention_7d"] == pytest.approx(ratio, abs=1e-6)
    assert abs(ratio - mean_of_rates) > 1e-4, "the two must differ for the test to tell them apart"


def test_weekly_actives_are_never_a_sum_of_weeks(published: Published, tmp_path: Path) -> None:
    weeks = published.rows("select wau from marts.weekly_actives where segment = 'all' and is_mature order by week")
    [whole] = published.query(tmp_path, "--metrics", "weekly_active_people,weekly_return_rate")
    assert whole["weekly_active_people"] == weeks[-1][0]
    [(retained, before)] = published.rows(
        "select sum(retained), sum(n) from marts.weekly_actives where segment = 'all' and is_mature"
    )
    assert whole["weekly_return_rate"] == pytest.approx(float(retained / before), abs=1e-6)


def test_ratios_over_active_people_leave_out_no_week(published: Published, tmp_path: Path) -> None:
    """`weekly_actives` tells who was active, also in the week in which nobody invited."""
    [whole] = published.query(tmp_path, "--metrics", "k_factor,active_person_weeks,inviter_share,funnel_person_weeks")
    for mart, invited, active, ratio, brought in (
        ("referral", "invites", "active_person_weeks", "k_factor", "invited_sign_ups"),
        ("referral_funnel", "inviters", "funnel_person_weeks", "inviter_share", "inviters"),
    ):
        [(people, some, idle)] = published.rows(f"""
            select sum(wau), sum({brought}), count(*) filter ({invited} = 0)
            from marts.weekly_actives left join marts.{mart} using (week)
            where segment = 'all' and week <= (select max(week) from marts.{mart} where is_mature)
        """)
        assert idle == 1
        assert whole[active] == people
        assert whole[ratio] == pytest.approx(float(some / people), abs=1e-6)
