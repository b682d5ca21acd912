"""People answer each program in its own way: by their own events, more or less often for a reason, and sometimes by leaving."""

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.errors import Refusal
from orchestration.sandbox.preset import FOLDER
from orchestration.sandbox.world import World

MONDAY = dt.datetime.fromisoformat("2026-01-05")
SENT = MONDAY + dt.timedelta(hours=10)


def no_tags(text: str) -> frozenset[str]:
    return frozenset()


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shipped world with a short history, events in time and no noise but people's luck."""
    content = yaml.safe_load((FOLDER / "six_programs.yaml").read_text(encoding="utf-8"))
    content["history_weeks"] = 1
    content["noise"] = {"creative": 0, "send": 0, "person": 0, "novelty_lost": 0}
    content["delivery"] = {"duplicated": 0, "late": 0, "late_days": 1, "skewed": 0}
    content["growth"] |= {"invites_per_week": 0, "per_week": 0}
    for campaign in content["campaigns"].values():
        campaign["harms"] = {event: {"rate": 0.02} for event in campaign["harms"]}
    path = tmp_path_factory.mktemp("presets") / "quick.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def send(world: World, program: str, channel: str, elements: Sequence[str]) -> pd.DataFrame:
    """Sends to everybody who agreed, the elements shared out by a hash; returns the messages."""
    events = pq.read_table(sorted(world.inbox.glob("*.parquet"))[0]).to_pandas().query("type == 'identify'")
    users = [
        user for user, traits in zip(events.user_id, events.properties, strict=True) if json.loads(traits)["consent"]
    ]
    digests = [hashlib.sha256(f"{program} {user}".encode()).hexdigest() for user in users]
    table = pa.table(
        {
            "send_id": digests,
            "experiment_id": [f"{program}-202602-1"] * len(users),
            "creative_id": ["c"] * len(users),
            "user_id": users,
            "subject": ["a text"] * len(users),
            "channel": [channel] * len(users),
            "scheduled_at": pa.array([SENT] * len(users), type=pa.timestamp("us")),
            "program": [program] * len(users),
            "elements": [elements[int(digest[:8], 16) % len(elements)] for digest in digests],
        }
    )
    pq.write_table(table, world.outbox / f"{program}-202602-1.parquet")
    return table.to_pandas()


def played(
    folder: Path, preset: str, program: str, channel: str, elements: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The messages, and what happened after they were sent."""
    world = World.create(folder, preset, 3, no_tags)
    world.advance(MONDAY)
    messages = send(world, program, channel, elements)
    for day in (2, 5):
        world.advance(MONDAY + dt.timedelta(days=day))
    after = [pq.read_table(path).to_pandas() for path in sorted(world.inbox.glob("*.parquet"))[1:]]
    return messages, pd.concat(after, ignore_index=True)


@pytest.mark.parametrize(
    ("program", "channel", "elements", "answer", "harm"),
    [
        ("paid_creative", "paid", ["", "video"], "Ad Clicked", "Ad Hidden"),
        ("social_posts", "social", ["", "clip"], "Post Engaged", "Unfollowed"),
        ("onboarding", "in_app", ["", "progress_list"], "Product Added", "Unsubscribed"),
        ("referral", "in_app", ["", "credit_both"], "Invite Sent", "Referral Flagged"),
    ],
)
def test_an_element_moves_the_answers_by_its_effect(
    tmp_path: Path, preset: str, program: str, channel: str, elements: list[str], answer: str, harm: str
) -> None:
    messages, events = played(tmp_path, preset, program, channel, elements)
    answered = set(events[events.event_name == answer].user_id)
    rates = messages.assign(answered=messages.user_id.isin(answered)).groupby("elements").answered.agg(["mean", "size"])
    base = yaml.safe_load(Path(preset).read_text(encoding="utf-8"))["campaigns"][program]
    for tag, expected in (
        (elements[0], base["rate"]),
        (elements[1], base["rate"] * (1 + base["effects"][elements[1]])),
    ):
        error = (expected / rates.loc[tag, "size"]) ** 0.5
        assert abs(rates.loc[tag, "mean"] - expected) < 4 * error
    hurt = (events.event_name == harm).sum()
    assert 0.01 * len(messages) < hurt < 0.04 * len(messages)


def test_an_invited_friend_signs_up_and_the_promise_is_paid(tmp_path: Path, preset: str) -> None:
    _, events = played(tmp_path, preset, "referral", "in_app", ["credit_both"])
    invited = events[events.event_name == "Signed Up"]
    grants = events[events.event_name == "Incentive Granted"]
    inviters = [json.loads(text)["invited_by"] for text in invited.properties]
    assert len(inviters) > 20
    assert sorted(inviters) == sorted(grants.user_id)
    assert {float(value) for value in grants.value} == {10.0}
    assert set(inviters) <= set(events[events.event_name == "Invite Sent"].user_id)


def test_who_unsubscribes_from_a_letter_gets_no_other(tmp_path: Path, preset: str) -> None:
    _, events = played(tmp_path, preset, "winback", "email", [""])
    left = set(events[events.event_name == "Unsubscribed"].user_id)
    told = events[(events.type == "identify") & events.user_id.isin(left)]
    assert left
    assert all(not json.loads(text)["consent"] for text in told.groupby("user_id").last().properties)


def test_another_channel_needs_a_program_that_the_world_answers(tmp_path: Path, preset: str) -> None:
    world = World.create(tmp_path, preset, 3, no_tags)
    world.advance(MONDAY)
    send(world, "billboards", "paid", [""])
    with pytest.raises(Refusal, match="channel email"):
        world.advance(MONDAY + dt.timedelta(days=1))
