"""How a text is built, in any script."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.learn.shape import SHAPES, shape, tidy


@given(st.text(max_size=80))
def test_every_text_has_the_same_number_of_finite_measures(text: str) -> None:
    measures = shape(tidy(text))
    assert len(measures) == SHAPES
    assert np.isfinite(measures).all()
    assert min(measures) >= 0


@given(st.text(max_size=80))
def test_tidying_twice_changes_nothing_in_plain_text(text: str) -> None:
    once = tidy(text.replace("&", ""))
    assert tidy(once) == once


@pytest.mark.parametrize(
    ("left", "right"), [("Is it?", "Is it"), ("7 ways", "ways"), ("NASA did", "Nasa did"), ("a, b", "a b")]
)
def test_what_a_reader_sees_differs_in_shape(left: str, right: str) -> None:
    assert shape(left) != shape(right)


def test_spellings_of_one_text_are_one() -> None:
    assert tidy("It\u2019s  &quot;free&quot;\uff1f") == 'It\'s "free"?'
