"""Allocation: the posterior against a plain quadrature, levels that do not matter, floors that hold, leaders that get more."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from orchestration.deploy.allocation import prior_of, probabilities, updated
from orchestration.normal import Normal

WIDE = Normal(np.zeros(2), np.eye(2) * 0.04)


def by_quadrature(prior: Normal, units: np.ndarray, sums: np.ndarray) -> tuple[float, float]:
    """Mean and sd of the second arm's lead over the first, on a grid, from the multinomial law of each batch."""
    grid = np.linspace(-1.5, 1.5, 241)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    at = np.stack([first.ravel(), second.ravel()], axis=1)
    centred = at - prior.mean
    log_density = -0.5 * np.einsum("ij,jk,ik->i", centred, np.linalg.inv(prior.covariance), centred)
    for people, clicks in zip(units, sums, strict=True):
        share = at + np.log(people)
        log_density += ((share - logsumexp(share, axis=1, keepdims=True)) * clicks).sum(axis=1)
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    lead = at[:, 1] - at[:, 0]
    mean = float(weight @ lead)
    return mean, float(np.sqrt(weight @ (lead - mean) ** 2))


@pytest.mark.parametrize("clicks", [[[30, 45]], [[30, 45], [3, 20]], [[0, 4]]])
def test_the_posterior_is_that_of_a_plain_quadrature(clicks: list[list[int]]) -> None:
    sums = np.array(clicks, dtype=float)
    units = np.array([[500.0, 500.0], [100.0, 900.0]])[: len(sums)]
    belief = updated(WIDE, units, sums)
    mean, sd = by_quadrature(WIDE, units, sums)
    lead = np.array([-1.0, 1.0])
    assert lead @ belief.mean == pytest.approx(mean, abs=0.01)
    assert np.sqrt(lead @ belief.covariance @ lead) == pytest.approx(sd, rel=0.03)


def test_a_good_day_is_nobodys_merit() -> None:
    """The second batch goes mostly to the second arm, on a day on which everybody clicks five times as often."""
    units = np.array([[1000.0, 1000.0], [100.0, 1900.0]])
    belief = updated(WIDE, units, units * np.array([[0.03], [0.15]]))
    assert belief.mean == pytest.approx([0.0, 0.0], abs=1e-9)


def test_nothing_seen_changes_nothing_and_one_sided_batches_say_nothing() -> None:
    assert updated(WIDE, np.zeros((0, 2)), np.zeros((0, 2))).mean == pytest.approx(WIDE.mean)
    alone = updated(WIDE, np.array([[500.0, 0.0]]), np.array([[40.0, 0.0]]))
    assert alone.covariance == pytest.approx(WIDE.covariance)


def test_amounts_count_by_their_dispersion() -> None:
    units, sums = np.array([[500.0, 500.0]]), np.array([[30.0, 45.0]])
    in_pence = updated(WIDE, units, sums * 100, dispersion=100)
    assert in_pence.mean == pytest.approx(updated(WIDE, units, sums).mean)


def test_arms_that_share_a_tag_learn_from_each_other() -> None:
    prior = prior_of([{"a"}, {"a", "b"}, set()], {"a": (0.1, 0.2), "b": (0.0, 0.1)}, 0.01)
    assert prior.mean == pytest.approx([0.1, 0.1, 0.0])
    assert prior.covariance == pytest.approx(np.array([[0.05, 0.04, 0.0], [0.04, 0.06, 0.0], [0.0, 0.0, 0.01]]))
    seen = updated(prior, np.array([[1000.0, 0.0, 1000.0]]), np.array([[80.0, 0.0, 30.0]]))
    assert seen.mean[1] > prior.mean[1] + 0.1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(0.001, 1)), min_size=1, max_size=8),
    st.floats(0, 1),
    st.floats(0.1, 1.5),
)
def test_every_arm_keeps_its_floor(arms: list[tuple[float, float]], used: float, width: float) -> None:
    belief = Normal(np.array([mean for mean, _ in arms]), np.diag([variance for _, variance in arms]))
    floor = used / len(arms)
    chance = probabilities(belief, [floor] * len(arms), np.random.default_rng(0), width=width)
    assert chance.sum() == pytest.approx(1)
    assert (chance >= floor - 1e-12).all()


def test_chances_are_those_of_being_the_best() -> None:
    belief = Normal(np.array([0.0, 0.1]), np.diag([0.01, 0.02]))
    chance = probabilities(belief, [0, 0], np.random.default_rng(0), width=1.0, draws=200_000)
    assert chance[1] == pytest.approx(0.7181, abs=0.004)  # normal distribution function of 0.1 / sqrt(0.03)


@pytest.mark.parametrize(
    ("units", "sums"), [([[10, 10]], [[-1, 0]]), ([[10, 0]], [[1, 1]]), ([[10, 10, 10]], [[1, 1, 1]])]
)
def test_what_cannot_be_is_refused(units: list[list[float]], sums: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"units|negative"):
        updated(WIDE, np.array(units, dtype=float), np.array(sums, dtype=float))
