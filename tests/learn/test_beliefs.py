"""Beliefs about tags and texts: the recursive update against one joint regression, and the slots they fill."""

import numpy as np
import pytest

from orchestration.generate.slots import fill_slots
from orchestration.learn.beliefs import Beliefs
from orchestration.normal import Normal

TAGS = {"question": 0.04, "number": 0.04}


def observed(belief: Normal, at: np.ndarray, variance: float) -> Normal:
    """What exact normal observations of every arm leave to believe."""
    precision = np.linalg.inv(belief.covariance)
    covariance = np.linalg.inv(precision + np.eye(len(at)) / variance)
    return Normal(covariance @ (precision @ belief.mean + at / variance), covariance)


def test_two_sends_one_after_the_other_are_one_regression() -> None:
    beliefs = Beliefs(TAGS, 0.01)
    carried = {"a": {"question"}, "b": {"question", "number"}, "c": set(), "d": {"number"}}
    for text, tags in carried.items():
        beliefs.meet(text, tags)
    sends = [(["a", "b", "c"], np.array([0.3, 0.5, 0.0])), (["b", "d"], np.array([0.6, 0.1]))]
    for texts, at in sends:
        beliefs.learn(texts, observed(beliefs.of(texts), at, 0.02))
    names = list(carried)
    rows, seen = [], []
    for texts, at in sends:
        for text, value in zip(texts, at, strict=True):
            rows.append([*(tag in carried[text] for tag in TAGS), *(text == name for name in names)])
            seen.append(value)
    design = np.array(rows, dtype=float)
    precision = (
        np.diag([*(1 / variance for variance in TAGS.values()), *[100.0] * len(names)]) + design.T @ design / 0.02
    )
    joint = np.linalg.solve(precision, design.T @ np.array(seen) / 0.02)
    assert [mean for mean, _ in beliefs.effects().values()] == pytest.approx(joint[:2])
    assert beliefs.of(["a"]).mean[0] == pytest.approx(joint[0] + joint[2])
    assert beliefs.effects()["number"][1] ** 2 == pytest.approx(np.linalg.inv(precision)[1, 1])


def test_a_text_met_again_is_the_same_text() -> None:
    beliefs = Beliefs(TAGS, 0.01)
    for _ in range(2):
        beliefs.meet("a", {"question"})
    assert beliefs.texts == ("a",)
    assert beliefs.carries("a") == {"question"}


def test_a_brilliant_wording_is_sent_again_and_a_poor_one_is_not() -> None:
    beliefs = Beliefs(TAGS, 0.01)
    for text in ("brilliant", "poor"):
        beliefs.meet(text, set())
    before = beliefs.of(["brilliant", "poor"])
    beliefs.learn(["brilliant", "poor"], Normal(np.array([0.9, -0.9]), before.covariance * 0.01))
    for seed in range(20):
        slots = fill_slots(beliefs, beliefs.texts, 3, np.random.default_rng(seed), width=0.5, particular_variance=0.01)
        assert [slot.text for slot in slots].count("brilliant") == 1
        assert "poor" not in [slot.text for slot in slots]


def test_without_proven_texts_every_slot_is_new_and_has_the_tags_that_help() -> None:
    beliefs = Beliefs(TAGS, 0.01)
    beliefs.meet("a", {"question"})
    beliefs.meet("b", {"number"})
    beliefs.learn(["a", "b"], Normal(np.array([1.0, -1.0]), beliefs.of(["a", "b"]).covariance * 1e-3))
    slots = fill_slots(beliefs, (), 4, np.random.default_rng(0), width=0.1, particular_variance=0.01)
    assert all(slot.text is None and slot.tags == {"question"} for slot in slots)
