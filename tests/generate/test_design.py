"""The design of an experiment: shares that sum to one, twins that differ in one tag, a focus on what is worth knowing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestration.generate.design import focus_tags, plan_arms
from orchestration.learn.reading import Posterior
from orchestration.programs.definition import FOLDER, read_program

PROGRAM = read_program(FOLDER / "subject_lines.yaml")


@given(st.integers(0, 10**6))
def test_explore_arms_are_twins_and_shares_sum_to_one(seed: int) -> None:
    arms = plan_arms(PROGRAM, "new", [], PROGRAM.tags[:4], np.random.default_rng(seed))
    (exploit,) = (arm for arm in arms if arm.role == "exploit")
    explored = [arm for arm in arms if arm.role == "explore"]
    assert [arm.tags ^ exploit.tags for arm in explored] == [{tag} for tag in PROGRAM.tags[:4]]
    assert abs(sum(arm.share for arm in arms) - 1) < 1e-9


def test_what_is_surely_good_is_sent_and_what_is_surely_bad_is_not() -> None:
    known = [Posterior("all", "number", 0.3, 0.01, 20), Posterior("all", "urgency", -0.3, 0.01, 20)]
    for seed in range(20):
        arms = plan_arms(PROGRAM, "new", known, ["emoji"], np.random.default_rng(seed))
        exploit = next(arm for arm in arms if arm.role == "exploit")
        assert "number" in exploit.tags
        assert "urgency" not in exploit.tags


def test_a_segment_of_its_own_mind_is_heard() -> None:
    known = [Posterior("all", "number", 0.3, 0.01, 20), Posterior("lapsing", "number", -0.3, 0.01, 20)]
    arms = plan_arms(PROGRAM, "lapsing", known, ["emoji"], np.random.default_rng(0))
    assert "number" not in next(arm for arm in arms if arm.role == "exploit").tags


def test_the_open_question_is_asked_more_often_than_the_settled_one() -> None:
    known = [Posterior("all", tag, 0.0, 0.001, 99) for tag in PROGRAM.tags if tag != "emoji"]
    asked = [focus_tags(PROGRAM.tags, known, 1, np.random.default_rng(seed))[0] for seed in range(200)]
    assert asked.count("emoji") > 100
