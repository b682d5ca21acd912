"""After any sequence of re-reads the totals are the platform's latest, and as of any instant they are what was known then."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestration.edges.dbt import DbtProject
from tests.conftest import parsed_before
from tests.measure.pulls.conftest import DAY, TODAY, Stage, ad_day

DAYS = [TODAY - number * DAY for number in range(6)]
MODELS = [
    "stg_pulls__readings", "stg_meta__daily", "stg_google_ads__daily", "stg_tiktok__daily", "stg_linkedin__daily",
    "stg_channels__counters", "stg_bluesky__counters", "stg_mastodon__counters",
    "int_channels__reported_daily", "int_channels__counters",
]  # fmt: skip
Told = dict[tuple[str, str, str], tuple[int, int, float]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> DbtProject:
    return DbtProject(target=parsed_before(tmp_path_factory.mktemp("target")))


@pytest.fixture
def built(stage: Stage, project: DbtProject) -> Any:
    def build(command: str = "run") -> None:
        project.build(stage.warehouse, select=MODELS, exclude=["resource_type:unit_test"], command=command)

    return build


def _told(stage: Stage, platforms: tuple[str, ...]) -> Told:
    """What the platforms tell now: (platform, level, day) -> rows, clicks, spend."""
    found: Told = {}
    for platform, account in stage.world.ads:
        for level in ("account", "campaign", "ad_set", "ad"):
            if platform not in platforms:
                continue
            for day in DAYS:
                rows = stage.world.told(platform, account, level, day, day)
                if rows:
                    spend = sum(row.micros for row in rows) / 1e6
                    found[platform, level, day.isoformat()] = (len(rows), sum(row.clicks for row in rows), spend)
    return found


def _known(stage: Stage, at: dt.datetime) -> Told:
    rows = stage.warehouse.rows(
        """select provider, level, day, count(*) as n, sum(clicks) as clicks, sum(spend) as spend
        from intermediate.int_channels__reported_daily
        where extracted_at <= $1 and (superseded_at is null or superseded_at > $1) group by all""",
        [at],
    )
    return {
        (row["provider"], row["level"], row["day"].isoformat()): (
            row["n"],
            int(row["clicks"]),
            pytest.approx(row["spend"]),
        )
        for row in rows
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_totals_follow_the_platform_and_the_past_stays_known(stage: Stage, built: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stage.world.restates = False
    platforms = {"google_ads": "2001", "tiktok": "4001"}
    stage.world.ads = {(platform, account): [] for platform, account in platforms.items()}
    told: dict[dt.datetime, Told] = {}
    latest: Told = {}
    for _ in range(6):
        stage.world.now += dt.timedelta(hours=int(rng.integers(7, 40)))
        for platform, account in platforms.items():
            # Every figure may have changed in any direction; rows appear and are withdrawn.
            stage.world.ads[platform, account] = [
                ad_day(
                    name, day, int(rng.integers(0, 50)), int(rng.integers(0, 9_000)) * 10_000, float(rng.integers(0, 9))
                )
                for day in DAYS
                for name in "abc"
                if rng.random() < 0.7
            ]
        platform = str(rng.choice(list(platforms)))
        first, last = sorted(rng.choice(len(DAYS), 2))
        report = stage.pull(stage.source(platform), DAYS[last], DAYS[first])
        assert report.stopped is None
        read = {day.isoformat() for day in DAYS[first : last + 1]}
        now = _told(stage, (platform,))
        latest = {key: value for key, value in latest.items() if key[0] != platform or key[2] not in read}
        latest |= {key: value for key, value in now.items() if key[2] in read}
        told[stage.world.now] = dict(latest)
    built()
    built("test")
    for instant, expected in told.items():
        assert _known(stage, instant) == expected
    assert _known(stage, stage.world.now + DAY) == latest
    assert latest


def test_levels_reconcile_and_what_has_no_ad_stands_at_the_campaign(stage: Stage, built: Any) -> None:
    stage.pull(stage.source("google_ads"), DAYS[-1], DAYS[0])
    built()
    assert _known(stage, stage.world.now) == _told(stage, ("google_ads",))
    rows = stage.warehouse.rows(
        "select level, sum(spend) as spend from intermediate.int_channels__reported_daily group by all"
    )
    spend = {row["level"]: row["spend"] for row in rows}
    assert spend["account"] == pytest.approx(spend["campaign"])
    assert spend["ad_set"] == pytest.approx(spend["ad"])
    assert spend["ad"] < spend["campaign"]  # Performance Max


def test_a_pull_that_was_killed_before_its_reading_is_not_believed(stage: Stage, built: Any) -> None:
    source = stage.source("tiktok", "ad")
    stage.pull(source, DAYS[0], DAYS[0])
    rows = stage.warehouse.rows("select count(*) as n from raw_tiktok.reports")[0]["n"]
    with stage.warehouse.connect() as connection:
        connection.execute("delete from raw.pull_readings")  # the rows landed, the reading did not
    built()
    assert stage.warehouse.rows("select * from intermediate.int_channels__reported_daily") == []
    stage.world.now += dt.timedelta(minutes=1)
    stage.pull(source, DAYS[0], DAYS[0])  # the window is still due
    built()
    found = stage.warehouse.rows("select count(*) as n from intermediate.int_channels__reported_daily")[0]["n"]
    assert found == rows > 0


def test_counts_that_fall_are_losses_and_a_post_that_is_gone_is_no_zero(
    stage: Stage, built: Any, tmp_path: Path
) -> None:
    posts = stage.world.posts["bluesky", "did:plc:acme"]
    posts[:] = posts[:3]
    posts[0].likes, posts[1].likes, posts[2].likes = 10, 4, 6
    stage.pull(stage.source("bluesky"))
    stage.world.now += dt.timedelta(hours=1)  # counters are looked at whenever somebody asks
    posts[0].likes, posts[1].likes = 7, 9
    del posts[2]
    stage.pull(stage.source("bluesky"))
    built()
    found = stage.warehouse.rows(
        """select total, gain, loss from intermediate.int_channels__counters
        where counter = 'likes' and look_number = 2 order by total"""
    )
    assert found == [{"total": 7, "gain": 0, "loss": 3}, {"total": 9, "gain": 5, "loss": 0}]
