"""The archive of headline tests: worlds of pure noise made from it, and what the models make of it as it is."""

import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

SHARED = Path(__file__).resolve().parents[3] / "shared"
ARCHIVE, TOOL = SHARED / "data" / "upworthy_tests.parquet", SHARED / "tools" / "replay.py"
BROKEN = ("2013-06-25", "2014-01-10")  # when a cache broke the randomisation (the archive's maintainers, 2024)
BROKEN_WEEKS = (201325, 201401)  # the same in the archive's own weeks, which begin on Sundays (strftime's %U)

# What is published about the archive: tag -> sign of its effect. Length is two tags, one of each end.
PUBLISHED = {"question": -1, "long": 1, "short": -1, "third_person": 1}


def history(folder: Path) -> pd.DataFrame:
    """One row per headline of a test within its most tested image, as the tool beside the data cuts it."""
    command = [sys.executable, str(TOOL), "split", str(ARCHIVE), "--train-until", "2015-01-01", "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return pd.read_parquet(folder / "history.parquet")


def permuted(past: pd.DataFrame, worlds: int, rng: np.random.Generator) -> pd.DataFrame:
    """Worlds without any effect, one program each: what happened to the headlines of a test is dealt out to them anew.

    People, clicks and the planned share move together, so that no test becomes healthier or sicker than it was.
    """
    past = past.sort_values("experiment_id", kind="stable", ignore_index=True)
    test = past["experiment_id"].factorize()[0]
    outcome = past[["n", "sum_y", "planned_share"]]
    copies = []
    for world in range(worlds):
        order = np.lexsort((rng.random(len(past)), test))
        dealt = outcome.iloc[order].reset_index(drop=True)
        copies.append(
            past.assign(program=f"world_{world:04d}", n=dealt.n, sum_y=dealt.sum_y, planned_share=dealt.planned_share)
        )
    return pd.concat(copies, ignore_index=True)


def whole_tests() -> pd.DataFrame:
    """One row per package of a test: headlines and images together, as people were dealt to them.

    A test's packages are dated by the first of them: twelve tests have packages of two weeks.
    """
    packages = pd.read_parquet(ARCHIVE)
    return pd.DataFrame(
        {
            "program": "headlines",
            "cycle": packages.groupby("test_id").test_week.transform("min"),
            "experiment_id": packages.test_id,
            "creative_id": packages.row_id.astype(str),
            "segment": "all",
            "metric": "click",
            "n": packages.impressions,
            "sum_y": packages.clicks,
            "planned_share": 1 / packages.groupby("test_id").row_id.transform("size"),
        }
    )


def worlds_with_claims(learnings: Path) -> int:
    """Worlds in which anything was active at any look, counted in ``learnings.parquet``."""
    query = f"select count(distinct program) from '{learnings}' where status = 'active'"
    return int(duckdb.execute(query).fetchone()[0])  # type: ignore[index]


def published(learnings: Path) -> dict[str, dict[str, object]]:
    """Every published tag: first active cycle, status at the last cycle, effect, interval and whether the sign is right."""
    rows = duckdb.execute(
        f"""
        select tag, min(cycle) filter (where status = 'active') as first_active, max_by(status, cycle) as status,
            max_by(reason, cycle) as reason, max_by(effect, cycle) as effect, max_by(ci_low, cycle) as ci_low,
            max_by(ci_high, cycle) as ci_high, max_by(e_value, cycle) as e_value, max_by(n_experiments, cycle) as experiments
        from '{learnings}'
        where segment = 'all' and (list_contains(?, tag) or tag like 'third_person%')
        group by tag
        order by tag
        """,
        [list(PUBLISHED)],
    ).df()
    found = {str(row.pop("tag")): row for row in rows.to_dict("records")}
    return {
        tag: {"published": published_sign(tag), **{str(key): v for key, v in row.items()}} for tag, row in found.items()
    }


def published_sign(tag: str) -> int:
    return next(sign for name, sign in PUBLISHED.items() if tag.startswith(name))


def active_at_last(learnings: Path) -> list[str]:
    """Every tag that is active at the last cycle, with its sign."""
    rows = duckdb.execute(
        f"""
        select tag || case when effect > 0 then ' up' else ' down' end from '{learnings}'
        where segment = 'all' and status = 'active' and cycle = (select max(cycle) from '{learnings}') order by e_value desc
        """
    ).fetchall()
    return [row[0] for row in rows]


def alarms(health: Path) -> dict[str, dict[str, float]]:
    """Tests with two arms or more, inside and outside the window: how many, which share is unhealthy, which is covered at all.

    A test lies in the window when its week does. Dates of creation are told beside it (``by_creation``): those of the first tests are
    the minute in which the archive was first filled, so that a test of November 2013 passes for one of March.
    """
    by_week = _alarms(health, f"cycle between {BROKEN_WEEKS[0]} and {BROKEN_WEEKS[1]}")
    by_creation = _alarms(health, f"created_at::date between '{BROKEN[0]}' and '{BROKEN[1]}'")
    return by_week | {f"{place}_by_creation": figures for place, figures in by_creation.items()}


def _alarms(health: Path, is_inside: str) -> dict[str, dict[str, float]]:
    rows = duckdb.execute(
        f"""
        with tests as (select test_id as experiment_id, min(created_at) as created_at from '{ARCHIVE}' group by test_id),
        judged as (
            select
                case when {is_inside} then 'inside' else 'outside' end as place,
                bool_or(status = 'unhealthy') as is_unhealthy, bool_or(status in ('unhealthy', 'suspect')) as is_covered
            from '{health}' join tests using (experiment_id)
            where status <> 'not_comparable'
            group by experiment_id, place
        )
        select place, count(*), avg(is_unhealthy::double), avg(is_covered::double) from judged group by place order by place
        """
    ).fetchall()
    return {place: {"tests": tests, "unhealthy": bad, "covered": covered} for place, tests, bad, covered in rows}
