import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestration.sandbox.chance import Chance


@given(seed=st.integers(), names=st.lists(st.text(), min_size=1, unique=True))
def test_luck_belongs_to_the_thing_whatever_the_order(seed: int, names: list[str]) -> None:
    chance = Chance(seed)
    forth = chance.uniform(chance.of_names(names), "clicks")
    back = chance.uniform(chance.of_names(names[::-1]), "clicks")
    assert np.array_equal(forth, back[::-1])
    assert ((forth > 0) & (forth < 1)).all()


def test_draws_are_uniform_and_independent_between_things_purposes_and_seeds() -> None:
    count = 50_000
    keys = Chance(1).of_numbers("person", np.arange(count))
    other = Chance(2).of_numbers("person", np.arange(count))
    draws = [
        Chance(1).uniform(keys, "opens"),
        Chance(1).uniform(keys, "clicks"),
        Chance(2).uniform(other, "opens"),
        Chance(1).uniform(Chance(1).derive(keys, "day 2"), "opens"),
        np.roll(Chance(1).uniform(keys, "opens"), 1),
    ]
    for draw in draws:
        assert np.abs(np.histogram(draw, 20, (0, 1))[0] / count - 0.05).max() < 0.005
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlation).max() < 5 / np.sqrt(count)


def test_normal_and_exponential_draws_have_their_moments() -> None:
    keys = Chance(3).of_numbers("message", np.arange(50_000))
    normal, waiting = Chance(3).normal(keys, "a"), Chance(3).exponential(keys, "b")
    assert abs(normal.mean()) < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert abs(waiting.mean() - 1) < 0.02
