"""The references themselves, on examples that can be done by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import references as ref


def _arm(creative: str, log_rate: float, *tags: str, segment: str = "s") -> ref.Arm:
    return ref.Arm(segment, creative, log_rate, 0.01, frozenset(tags))


def test_twins_are_preferred_to_arms_that_differ_in_more() -> None:
    arms = [_arm("plain", -3.0), _arm("asks", -2.8, "question"), _arm("loud", -1.0, "emoji", "urgency")]
    contrasts = ref.tag_contrasts(arms, "question", 0.0)
    assert contrasts["s"].is_matched
    assert contrasts["s"].value == pytest.approx(0.2)
    assert contrasts["s"].variance == pytest.approx(0.02)
    assert (contrasts["s"].arms_with, contrasts["s"].arms_without) == (1, 1)


def test_without_twins_all_arms_are_compared_unless_the_design_promised_twins() -> None:
    arms = [_arm("plain", -3.0), _arm("dull", -3.2), _arm("loud", -1.0, "emoji", "urgency")]
    assert ref.tag_contrasts(arms, "emoji", 0.0)["s"].value == pytest.approx(2.1)
    assert not ref.tag_contrasts(arms, "emoji", 0.0)["s"].is_matched
    assert ref.tag_contrasts(arms, "emoji", 0.0, by_design=True) == {}


def test_a_creative_shown_to_two_segments_is_one() -> None:
    arms = [
        _arm(name, rate, *tags, segment=segment)
        for segment in ("a", "b")
        for name, rate, tags in (("plain", -3.0, ()), ("asks", -2.8, ("question",)))
    ]
    pooled = ref.tag_contrasts(arms, "question", 0.04)["all"]
    assert (pooled.arms_with, pooled.arms_without) == (1, 1)
    assert pooled.variance == pytest.approx(0.01)
    assert pooled.error == pytest.approx(0.3)  # 0.01 + 0.04 * (1 + 1)


@settings(deadline=None)  # the first draw loads scipy's distributions
@given(k=st.integers(5, 60), mean=st.floats(-2, 2), spread=st.floats(0.1, 3), rho=st.floats(0.05, 2))
def test_the_interval_excludes_nought_exactly_when_the_e_value_passes(
    k: int, mean: float, spread: float, rho: float
) -> None:
    x = (mean + spread * np.sin(np.arange(k) * 2.4)).tolist()
    log_e = ref.log_e_t(x, rho)
    for bar in (max(log_e, 0.01) - 1e-3, max(log_e, 0.01) + 1e-3):
        interval = ref.t_interval(x, [0.5] * k, rho, bar)
        assert (interval is not None and (interval[0] > 0 or interval[1] < 0)) == (bar < log_e)


@settings(deadline=None)
@given(z=st.floats(0, 8), n=st.floats(10, 1e6))
def test_the_confidence_sequence_excludes_nought_exactly_when_the_e_value_passes(z: float, n: float) -> None:
    width = ref.half_width(1.0, n, 1e-3, 0.05)
    assert (z > width) == (ref.log_e_mean(z, n, 1e-3) > np.log(20)) or z == pytest.approx(width)


@pytest.mark.parametrize(
    ("log_e", "kept"),
    [
        pytest.param([np.log(20.1)], 1, id="one claim needs 20"),
        pytest.param([np.log(39.0), 0.0], 0, id="of two the best needs 40"),
        pytest.param([np.log(20.1), np.log(20.1)], 2, id="two of two need 20 each"),
        pytest.param([], 0, id="no claims"),
    ],
)
def test_e_bh_keeps_as_many_as_the_family_allows(log_e: list[float], kept: int) -> None:
    assert ref.e_bh(log_e, 0.05) == kept
