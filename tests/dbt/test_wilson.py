"""Wilson's interval and its quantile, as SQL, against scipy."""

from pathlib import Path

import duckdb
import jinja2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

MACROS = Path(__file__).parents[2] / "dbt_project" / "macros" / "statistics" / "wilson.sql"
TEMPLATES = jinja2.Environment(loader=jinja2.DictLoader({"wilson": MACROS.read_text(encoding="utf-8")}))  # noqa: S701
QUICKLY = settings(deadline=None, max_examples=60)


def evaluate(call: str) -> float | None:
    """Renders a call of a macro as dbt does, and runs it."""
    sql = TEMPLATES.from_string(
        f"{{% from 'wilson' import wilson_low, wilson_high, two_sided_z %}}select {{{{ {call} }}}}"
    ).render()
    row = duckdb.connect().execute(sql).fetchone()
    assert row is not None
    return None if row[0] is None else float(row[0])


@QUICKLY
@given(st.integers(1, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_interval_is_wilsons(share: tuple[int, int], level: float) -> None:
    successes, n = share
    ends = [
        evaluate(f"wilson_{end}('{successes}', '{n}', 'cast({float(norm.ppf((1 + level) / 2))!r} as double)')")
        for end in ("low", "high")
    ]
    expected = binomtest(successes, n).proportion_ci(level, "wilson")
    np.testing.assert_allclose(ends, expected, atol=1e-9)
    assert ends[0] <= successes / n <= ends[1]


@pytest.mark.parametrize(
    ("successes", "n"), [("0", "0"), ("3", "0"), ("null", "5"), ("1", "null"), ("-1", "5"), ("6", "5")]
)
def test_what_is_no_share_has_no_interval(successes: str, n: str) -> None:
    assert evaluate(f"wilson_low('{successes}', '{n}', '1.96e0')") is None
    assert evaluate(f"wilson_high('{successes}', '{n}', '1.96e0')") is None


@QUICKLY
@given(st.floats(0.001, 1 - 1e-10, exclude_max=True))
def test_quantile_is_the_normal_ones(level: float) -> None:
    assert evaluate(f"two_sided_z('cast({level!r} as double)')") == pytest.approx(-norm.ppf((1 - level) / 2), rel=1e-9)


@pytest.mark.parametrize("level", ["0", "-1", "1", "2", "null"])
def test_no_level_no_quantile(level: str) -> None:
    assert evaluate(f"two_sided_z('{level}')") is None
