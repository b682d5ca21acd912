"""Compares every mart of two engines, row by row on the key that the mart's own test names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype

TOLERANCE = 1e-9


def keys_of_marts(manifest: Path) -> dict[str, list[str]]:
    """Mart -> the columns that its key test (``unique_combination`` or ``unique``) names."""
    nodes: Mapping[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    marts = {
        name: node["name"] for name, node in nodes.items() if name.startswith("model.") and node["schema"] == "marts"
    }
    keys: dict[str, list[str]] = {}
    for node in nodes.values():
        test, mart = node.get("test_metadata"), marts.get(node.get("attached_node") or "")
        if test and mart and test["name"] == "unique_combination":
            keys[mart] = test["kwargs"]["columns"]
        elif test and mart and test["name"] == "unique":
            keys.setdefault(mart, [test["kwargs"]["column_name"]])
        elif test and mart and test["name"] == "same_rows_as":
            keys.setdefault(mart, [])
    assert set(keys) == set(marts.values()), f"no key test names the grain of {set(marts.values()) - set(keys)}"
    return keys


def difference(left: pd.DataFrame, right: pd.DataFrame, key: list[str]) -> str | None:
    """What differs first, in words, or None: numbers to 1e-9 (relative, absolute below 1), everything else exactly."""
    if len(left) != len(right):
        return f"{len(left)} and {len(right)} rows"
    if set(left.columns) != set(right.columns):
        return f"columns {sorted(set(left.columns) ^ set(right.columns))} are in one only"
    order = key or sorted(left.columns)
    one, other = (table.sort_values(order).reset_index(drop=True) for table in (left, right))
    for column in left.columns:
        if is_float_dtype(one[column]) and not is_bool_dtype(one[column]):
            a, b = (table[column].to_numpy(dtype="float64") for table in (one, other))
            gap = np.abs(a - b) / np.maximum(1, np.abs(a))
            bad = ~((gap <= TOLERANCE) | (np.isnan(a) & np.isnan(b)) | (a == b))
        else:
            bad = ~((one[column] == other[column]) | (one[column].isna() & other[column].isna())).fillna(
                False
            ).to_numpy(dtype=bool)
        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            where = {name: one[name][place] for name in order}
            return f"{column}: {one[column][place]!r} and {other[column][place]!r} at {where} ({bad.sum()} of {len(bad)} rows)"
    return None
