import datetime as dt
import math
from pathlib import Path

import pytest

from orchestration.errors import Refusal
from orchestration.sandbox.truth import SentArm, Truth
from orchestration.sandbox.world import World
from tests.sandbox.conftest import MONDAY, TAGS, Begin, tags_in


@pytest.fixture
def reference(tmp_path: Path) -> Truth:
    World.create(tmp_path, "reference", 5, tags_in)
    return Truth.of(tmp_path, tags_in)


def test_effects_are_those_of_the_preset(reference: Truth) -> None:
    truth = dict.fromkeys(TAGS, 0) | {"question": 0.2, "number": 0.1, "urgency": -0.15, "second_person": 0.05}
    effects = {tag: round(math.expm1(reference.effect(tag, "new")), 9) for tag in reference.tags}
    assert effects == truth
    assert reference.effect("question", "all") == pytest.approx(math.log(1.2))
    assert reference.effect("unheard of", "new") == 0


def test_ideal_shows_what_helps_among_what_can_be_shown(reference: Truth) -> None:
    assert reference.ideal("new", TAGS) == pytest.approx(0.03 * 1.2 * 1.1 * 1.05)
    assert reference.ideal("new", ["urgency", "number"]) == pytest.approx(0.03 * 1.1)
    assert reference.ideal("new", []) == 0.03


def test_wording_differs_by_text_and_not_by_segment(reference: Truth) -> None:
    texts = [f"text {number}" for number in range(400)]
    logs = [math.log(reference.click_rate(text, "new") / 0.03) for text in texts]
    mean = sum(logs) / len(logs)
    assert abs(mean) < 0.02
    assert abs(math.sqrt(sum((log - mean) ** 2 for log in logs) / len(logs)) - 0.1) < 0.015
    assert all(reference.click_rate(text, "new") == reference.click_rate(text, "lapsing") for text in texts)


def test_claims_are_checked_by_sign_and_existence(begin: Begin) -> None:
    truth = Truth.of(begin().world.folder, tags_in)
    assert not truth.contradicts("number", "regular", 0.1)
    assert truth.contradicts("number", "regular", -0.1)
    assert truth.contradicts("emoji", "all", 0.1)
    assert not truth.contradicts("social_proof", "new", 0.1)
    assert truth.contradicts("social_proof", "regular", 0.1)
    assert not truth.contradicts("social_proof", "all", 0.1)
    with pytest.raises(Refusal, match="segment moon -> is unknown"):
        truth.effect("number", "moon")


def test_a_cycle_is_scored_per_judged_person(reference: Truth) -> None:
    rate = {text: reference.click_rate(text, "new") for text in ("plain", "question number", "urgency", "question")}
    sent = [
        SentArm("new", "plain", "baseline", 100, "e1"),
        SentArm("new", "question number", "exploit", 300, "e1"),
        SentArm("new", "question", "control", 500, "e1"),
        SentArm("new", "", "holdout", 50, "e1"),
        SentArm("new", "plain", "baseline", 100, "e2"),
        SentArm("new", "urgency", "explore", 100, "e2"),
    ]
    score = reference.score_cycle(sent)
    reward = 200 * rate["plain"] + 300 * rate["question number"] + 100 * rate["urgency"]
    best = max(rate["plain"], rate["question number"], rate["question"])
    assert score.reward == pytest.approx(reward / 600)
    assert score.oracle == pytest.approx((400 * best + 200 * max(rate["plain"], rate["urgency"])) / 600)
    assert score.baseline == pytest.approx(rate["plain"])
    assert score.ideal == pytest.approx(reference.ideal("new", TAGS))
    assert reference.score_cycle(sent[1:2]).baseline is None
    with pytest.raises(Refusal, match="nobody was exposed"):
        reference.score_cycle(sent[2:4])


def test_a_familiar_text_loses_effect_and_only_in_later_sends(begin: Begin) -> None:
    play = begin()
    for number in range(2):
        play.send(f"e{number}", MONDAY + number * dt.timedelta(days=2), ["number"])
    play.world.advance(MONDAY + dt.timedelta(days=5))
    truth = Truth.of(play.world.folder, tags_in)
    fresh = math.log(truth.click_rate("number", "regular") / 0.11)
    first, second = (math.log(truth.click_rate("number", "regular", send=f"e{n}") / 0.11) for n in range(2))
    assert first == fresh > 0
    assert 0.45 * fresh < second < 0.6 * fresh


def test_the_noise_of_a_send_counts_when_asked(reference: Truth) -> None:
    ratios = {
        reference.click_rate(text, segment, send="e1", send_noise=True) / reference.click_rate(text, segment)
        for text in ("plain", "question")
        for segment in ("new", "lapsing")
    }
    assert max(ratios) == pytest.approx(min(ratios))
    assert max(ratios) != pytest.approx(1)
