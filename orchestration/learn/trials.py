"""Past experiments as the predictor reads them: one row per trial of a text, checked, pooled, its noise known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammaln

from orchestration.errors import Refusal

Floats = npt.NDArray[np.float64]
NEEDED = ("cycle", "experiment_id", "creative_id", "n", "sum_y", "text")
SRM_CONCENTRATION = 1000.0
_NO = ("false", "0", "0.0", "no")
_KEY = ["experiment_id", "segment", "creative_id"]
_GROUP = ["experiment_id", "segment"]


@dataclass(frozen=True, slots=True)
class Trials:
    """Trials in the order of time; a group is one experiment in one segment, inside which arms compare.

    Attributes:
        rows: experiment_id, segment, creative_id, text, tags (frozenset of given tags), cycle (the experiment's last).
        log_rate: Log of the mean outcome, shape (n,).
        variance: Sampling variance of ``log_rate``, delta method.
        group: Number of the row's group, 0 ... groups - 1.
        creative: Number of the row's creative: the same creative may stand in several segments.
        sound: Whether the arm sizes of the row's group agree with its planned shares.
    """

    rows: pd.DataFrame
    log_rate: Floats
    variance: Floats
    group: npt.NDArray[np.intp]
    creative: npt.NDArray[np.intp]
    sound: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.log_rate)

    def among(self, index: npt.NDArray[np.intp]) -> "Trials":
        """The same trials for a selection of rows, numbered afresh."""
        group, creative = (np.unique(numbers[index], return_inverse=True)[1] for numbers in (self.group, self.creative))
        return Trials(
            self.rows.iloc[index].reset_index(drop=True),
            self.log_rate[index],
            self.variance[index],
            group,
            creative,
            self.sound[index],
        )


def read_trials(history: pd.DataFrame, *, metric: str | None, srm_e_value: float) -> Trials:
    """Pools increments and keeps what may teach: randomised, with at least two texts to compare.

    Args:
        history: Increments of sufficient statistics, one row per cycle, experiment, creative, segment and metric.
        metric: Outcome to learn, or None if there is only one.
        srm_e_value: Groups whose arm sizes contradict their planned shares by this e-value or more are not sound.

    Raises:
        Refusal: if columns are missing, numbers are impossible, or no sound group compares two texts.
    """
    data = _checked(history, metric)
    healthy = data.groupby(_GROUP)[["cycle", "creative_id", "n", "planned_share"]].apply(_log_srm) < np.log(srm_e_value)
    data = data.join(healthy.rename("healthy"), on=_GROUP)
    told = (data["text"].str.strip() != "") | data["tags"].map(bool)
    data = data[told & (data["n"] > 0)]
    sums = {"n": ("n", "sum"), "sum_y": ("sum_y", "sum"), "sum_y2": ("sum_y2", "sum"), "cycle": ("cycle", "max")}
    sums |= {"is_binary": ("is_binary", "all"), "healthy": ("healthy", "all")}
    arms = data.groupby(_KEY, as_index=False).agg(**sums, text=("text", "first"), tags=("tags", "first"))
    arms["cycle"] = arms.groupby("experiment_id")["cycle"].transform("max")
    arms = arms[arms["is_binary"] | (arms["sum_y"] > 0)]  # a sum of values that is not positive has no logarithm
    arms = arms[arms.groupby(_GROUP)["text"].transform("nunique") >= 2]
    if not arms["healthy"].any():
        remedy = "Bring experiments that compare at least two texts, randomised, with arm sizes as planned."
        raise Refusal("history", "no healthy experiment compares two texts", remedy)
    arms = arms.sort_values(["cycle", *_KEY], kind="stable").reset_index(drop=True)
    n, half = arms["n"].to_numpy(float), arms["is_binary"].to_numpy(float) / 2  # half a click keeps rare clicks finite
    mean = (arms["sum_y"].to_numpy(float) + half) / (n + 2 * half)
    squares = (arms["sum_y2"].to_numpy(float) + half) / (n + 2 * half)
    spread = np.maximum(squares - mean**2, mean**2 / n)
    creative = arms.groupby(["experiment_id", "creative_id"], sort=False).ngroup().to_numpy().astype(np.intp)
    group = arms.groupby(_GROUP, sort=False).ngroup().to_numpy().astype(np.intp)
    rows, sound = arms[[*_KEY, "text", "tags", "cycle"]], arms["healthy"].to_numpy(bool)
    return Trials(rows, np.log(mean), spread / (n * mean**2), group, creative, sound)


def between_creatives(trials: Trials) -> float:
    """Variance of true log rates between the creatives of a group, method of moments, 0 where noise explains all."""
    _, start, size = np.unique(trials.group, return_index=True, return_counts=True)
    assert len(start) == trials.group.max() + 1
    mean = np.bincount(trials.group, trials.log_rate) / size
    spread = np.sum((trials.log_rate - mean[trials.group]) ** 2)
    noise = np.sum(trials.variance * (1 - 1 / size[trials.group]))
    return float(max(spread - noise, 0.0) / np.sum(size - 1))


def _checked(history: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    missing = [name for name in NEEDED if name not in history.columns]
    if missing:
        raise Refusal("history", f"lacks {', '.join(missing)}", "Name the columns as `loop backtest` wants them.")
    data = history.reset_index(drop=True)
    if "metric" in data.columns:
        metrics = sorted(data["metric"].dropna().astype(str).unique())
        if metric is None and len(metrics) > 1:
            raise Refusal("history", f"holds {len(metrics)} metrics", f"Choose one of {', '.join(metrics)}.")
        data = data[data["metric"].astype(str) == metric] if metric is not None else data
    if "randomised" in data.columns:
        data = data[~data["randomised"].astype(str).str.lower().isin(_NO)]
    if data.empty:
        raise Refusal("history", "has no randomised row of that metric", "Bring results of past experiments.")
    numbers = data[["cycle", "n", "sum_y"]].apply(pd.to_numeric, errors="coerce")
    binary = "sum_y2" not in data.columns
    squares = numbers["sum_y"] if binary else pd.to_numeric(data["sum_y2"], errors="coerce").fillna(numbers["sum_y"])
    is_binary = pd.Series(True, index=data.index) if binary else data["sum_y2"].isna()
    bad = ~np.isfinite(numbers).all(axis=1) | (numbers["n"] < 0) | (squares < 0)
    bad |= is_binary & ((numbers["sum_y"] < 0) | (numbers["sum_y"] > numbers["n"]))
    if bad.any():
        first = data.loc[bad.idxmax()]
        row = f"history, {first['experiment_id']} / {first['creative_id']}"
        counts = ", ".join(f"{name} = {first[name]}" for name in numbers.columns)
        reason = f"{counts} cannot be ({int(bad.sum())} such rows)"
        raise Refusal(row, reason, "Mend the numbers: cycles are integers, and a 0/1 metric has 0 <= sum_y <= n.")
    share = data["planned_share"] if "planned_share" in data.columns else np.nan
    tags = data["tags"].map(given_tags) if "tags" in data.columns else pd.Series([frozenset()] * len(data), data.index)
    text = data["text"].fillna("").astype(str)
    return pd.DataFrame(
        {
            "experiment_id": data["experiment_id"].astype(str),
            "creative_id": data["creative_id"].astype(str),
            "segment": data["segment"].fillna("all").astype(str) if "segment" in data.columns else "all",
            "cycle": numbers["cycle"].astype(float),
            "n": numbers["n"].astype(float),
            "sum_y": numbers["sum_y"].astype(float),
            "sum_y2": squares.astype(float),
            "is_binary": is_binary,
            "planned_share": pd.to_numeric(pd.Series(share, index=data.index), errors="coerce"),
            "text": text,
            "tags": tags,
        }
    )


def given_tags(value: object) -> frozenset[str]:
    """Tags of one cell: a list, an array or a set of names; a comma-separated string, as CSV brings it; or nothing."""
    if isinstance(value, str):
        return frozenset(name.strip(" []'\"") for name in value.split(",")) - {""}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return frozenset(str(name) for name in value)
    return frozenset()


def _log_srm(group: pd.DataFrame) -> float:
    """Log e-value against the planned shares (Lindon and Malek 2022); 0 where no shares were planned."""
    planned = group["planned_share"] * group.groupby("cycle")["n"].transform("sum")
    arms = pd.DataFrame({"n": group["n"], "planned": planned}).groupby(group["creative_id"]).sum(min_count=1)
    n, p = arms["n"].to_numpy(float), arms["planned"].to_numpy(float)
    if len(n) < 2 or not np.isfinite(p).all() or (p <= 0).any():
        return 0.0
    p = p / p.sum()
    prior = SRM_CONCENTRATION * p
    total = gammaln(SRM_CONCENTRATION) - gammaln(SRM_CONCENTRATION + n.sum())
    return float(total + np.sum(gammaln(prior + n) - gammaln(prior) - n * np.log(p)))
