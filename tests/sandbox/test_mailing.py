import datetime as dt
import json
import math

import numpy as np
import pandas as pd

from orchestration.sandbox.truth import Truth
from tests.sandbox.conftest import MONDAY, Begin, Play, tags_in

DAY = dt.timedelta(days=1)
PLENTY = {
    "segments": {
        name: {
            "people": 3000,
            "click_rate": rate,
            "order_after_click": 0.1,
            "visits_per_week": 0.1,
            "age_days": [5, 90],
        }
        for name, rate in (("new", 0.14), ("regular", 0.11), ("lapsing", 0.08))
    }
}
STAYING = {"annoyance": {"unsubscribes": 0.0, "complaints": 0.0}}


def clicks(play: Play) -> pd.DataFrame:
    """Human clicks with their delivery's time, by a rule an analyst could write."""
    events = play.happened("Email Link Clicked")
    return events[~events.context.str.contains("bot")]


def outcomes(play: Play) -> pd.DataFrame:
    delivered = play.happened("Email Delivered")
    segment = play.people().segment
    return delivered.assign(
        clicked=delivered.send_id.isin(clicks(play).send_id), segment=delivered.user_id.map(segment)
    )


def test_click_rates_follow_the_hidden_law(begin: Begin) -> None:
    play = begin(changes=PLENTY | STAYING)
    texts = ["plain", "number", "urgency", "second_person", "social_proof", "question"]
    for number in range(3):
        play.send(f"e{number}", MONDAY + 2 * number * DAY, texts)
    play.world.advance(MONDAY + 14 * DAY)
    truth, scores = Truth.of(play.world.folder, tags_in), []
    measured = outcomes(play).groupby(["experiment_id", "segment", "creative_id"]).clicked.agg(["mean", "size"])
    for (experiment, segment, creative), (rate, count) in zip(measured.index, measured.to_numpy(), strict=True):
        expected = truth.click_rate(creative.removeprefix("c "), segment, send=experiment, send_noise=True)
        scores.append((rate - expected) / math.sqrt(expected * (1 - expected) / count))
    assert len(scores) == 3 * 3 * 6
    assert abs(np.mean(scores)) < 4 / math.sqrt(len(scores))
    assert 0.7 < np.std(scores) < 1.4


def test_tag_effects_can_be_read_from_clicks(begin: Begin) -> None:
    quiet = {"noise": {"creative": 0.0, "send": 0.3, "person": 0.4, "novelty_lost": 0.0}}
    play = begin(changes=PLENTY | STAYING | quiet)
    for number in range(2):
        play.send(f"e{number}", MONDAY + number * DAY, ["plain", "number", "urgency"])
    play.world.advance(MONDAY + 10 * DAY)
    counts = outcomes(play).groupby("creative_id").clicked.agg(["sum", "size"])
    for tag in ("number", "urgency"):
        ratio = math.log(counts.loc[f"c {tag}", "sum"] / counts.loc[f"c {tag}", "size"])
        ratio -= math.log(counts.loc["c plain", "sum"] / counts.loc["c plain", "size"])
        error = math.sqrt(1 / counts.loc[f"c {tag}", "sum"] + 1 / counts.loc["c plain", "sum"])
        assert abs(ratio - Truth.of(play.world.folder, tags_in).effect(tag, "regular")) < 3.5 * error


def test_machines_open_and_follow_links_and_can_be_told_from_people(begin: Begin) -> None:
    play = begin(changes=PLENTY)
    play.send("e1", MONDAY, ["plain"])
    play.world.advance(MONDAY + 7 * DAY)
    opened, clicked = play.happened("Email Opened"), play.happened("Email Link Clicked")
    for events, agent in ((opened, "prefetch"), (clicked, "bot")):
        machine = events.context.str.contains(agent)
        assert machine.mean() > 0.1
        assert events[~machine].is_machine.dropna().eq(False).all()
        assert events[machine].is_machine.dropna().eq(True).all()
        assert 0.1 < events[machine].is_machine.isna().mean() < 0.3
    delivered = play.happened("Email Delivered").set_index("send_id").occurred_at
    delay = clicked.occurred_at - clicked.send_id.map(delivered)
    bot = clicked.context.str.contains("bot")
    assert delay[bot].max() < dt.timedelta(seconds=10)
    assert delay[~bot].min() > dt.timedelta(seconds=60)
    assert dt.timedelta(hours=1) < delay[~bot].median() < dt.timedelta(hours=5)
    assert delay[~bot].max() < 2 * DAY


def test_clicks_lead_to_orders_within_days(begin: Begin) -> None:
    play = begin(changes=PLENTY)
    play.send("e1", MONDAY, ["plain"])
    play.world.advance(MONDAY + 14 * DAY)
    orders = play.happened("Order Completed")
    led = orders[orders.context.str.contains("e1")]
    clicked = clicks(play)
    assert set(led.user_id) <= set(clicked.user_id)
    assert 0.07 < len(led) / clicked.user_id.nunique() < 0.13
    at = led.received_at - (led.sent_at - led.original_at)
    assert at.max() - MONDAY < 8 * DAY
    assert (at - MONDAY > 2 * DAY).any()
    assert (led.currency == "GBP").all()
    assert (led.value > 0).all()


def leaving(play: Play, texts: list[str], per_day: int, days: int = 5) -> float:
    """Unsubscribes per delivered message."""
    for day in range(days):
        for number in range(per_day):
            play.send(f"e{day}-{number}", MONDAY + day * DAY + number * dt.timedelta(hours=3), texts)
    play.world.advance(MONDAY + (days + 1) * DAY)
    return len(play.happened("Unsubscribed")) / len(play.happened("Email Delivered"))


def test_too_much_mail_and_urgency_drive_people_away(begin: Begin) -> None:
    annoyed = {"annoyance": {"unsubscribes": 0.01, "complaints": 0.002, "growth": 0.4, "tags": {"urgency": 0.8}}}
    calm = leaving(begin("calm", changes=annoyed), ["plain"], per_day=1, days=3)
    urgent = leaving(begin("urgent", changes=annoyed), ["urgency"], per_day=1, days=3)
    flooded = begin("flooded", changes=annoyed)
    assert 0.007 < calm < 0.013
    assert urgent > 1.5 * calm
    assert leaving(flooded, ["plain"], per_day=2) > 1.5 * calm
    assert not flooded.happened("Email Marked as Spam").empty


def test_who_left_gets_no_more_mail_and_says_so(begin: Begin) -> None:
    annoyed = {"annoyance": {"unsubscribes": 0.3, "complaints": 0.1}}
    play = begin(changes=annoyed)
    everybody = list(play.people().query("consent").index)
    play.send("e1", MONDAY, ["plain"], everybody)
    play.world.advance(MONDAY + 6 * DAY)
    gone = set(play.happened("Unsubscribed").user_id) | set(play.happened("Email Marked as Spam").user_id)
    assert len(gone) > 0.3 * len(everybody)
    assert not play.people().loc[sorted(gone)].consent.any()
    play.send("e2", MONDAY + 6 * DAY, ["plain"], everybody)
    play.world.advance(MONDAY + 12 * DAY)
    delivered = play.happened("Email Delivered")
    assert gone.isdisjoint(delivered[delivered.experiment_id == "e2"].user_id)


def test_texts_keep_their_quotes_and_scripts(begin: Begin) -> None:
    play = begin()
    texts = ['"quoted" \\ and back', "\N{ROCKET} emoji", "\u0441\u0440\u043e\u0447\u043d\u043e", " "]
    play.send("e1", MONDAY, texts)
    play.world.advance(MONDAY + DAY)
    said = play.happened("Email Opened").properties.map(json.loads)
    assert {content["email_subject"] for content in said} == set(texts)
