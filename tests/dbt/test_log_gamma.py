"""Stirling's series, as an engine without a gamma function gets it, against scipy."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from jinja2 import Environment
from scipy.special import gammaln

STATISTICS = Path(__file__).parents[2] / "dbt_project" / "macros" / "statistics"


def test_the_series_is_the_function_to_1e12() -> None:
    macros = "".join((STATISTICS / name).read_text(encoding="utf-8") for name in ("wilson.sql", "log_gamma.sql"))
    expression = (
        Environment(extensions=["jinja2.ext.do"], autoescape=False)  # noqa: S701 (SQL, not a page)
        .from_string(macros + "{{ spark__log_gamma('x') }}")
        .render()
    )
    rng = np.random.default_rng(5)
    values = np.concatenate([[1e-6, 0.5, 1, 2, 7.999999999, 8, 1e12], 10 ** rng.uniform(-6, 10, 20_000)])
    with duckdb.connect() as connection:
        connection.register("points", pd.DataFrame({"x": values}))
        found = connection.execute(f"select {expression} from points").fetchnumpy().popitem()[1]
    expected = gammaln(values)
    assert np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))) < 1e-12
