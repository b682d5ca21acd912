"""Did learning from the past pick better headlines in tests not seen before? Ours against a plain ridge, same run.

    python tests/bench/replay_benchmark.py [--train-until 2014-07-01] [--embeddings] [--json]

Splits and scores with the tool beside the data, fits both on the same history, and bootstraps their difference by test.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from orchestration.learn.embeddings import LocalEmbedder
from orchestration.learn.replay import replay_scores
from orchestration.learn.taxonomy import Taxonomy

SHARED = Path(__file__).resolve().parents[3] / "shared"
ARCHIVE, TOOL = SHARED / "data" / "upworthy_tests.parquet", SHARED / "tools" / "replay.py"
ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0)
DRAWS, SEED = 2000, 7


def plain_ridge(history: pd.DataFrame, arms: pd.DataFrame, taxonomy: Taxonomy) -> pd.Series:
    """Ridge on TF-IDF words and tags, log rates centred in each test, its alpha from the last fifth of the history."""
    rate = np.log((history.sum_y + 0.5) / (history.n + 1))
    target = (rate - rate.groupby(history.experiment_id).transform("mean")).to_numpy()
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(history.text)

    def measured(texts: pd.Series) -> sparse.csr_matrix:
        tags = [[name in found for name in taxonomy.names] for found in taxonomy.extract_many(texts.tolist())]
        return sparse.hstack([words.transform(texts), sparse.csr_matrix(np.array(tags, dtype=float))]).tocsr()

    x, early = measured(history.text), (history.cycle <= history.cycle.quantile(0.8)).to_numpy()

    def miss(alpha: float) -> float:
        guess = pd.Series(Ridge(alpha=alpha).fit(x[early], target[early]).predict(x[~early]))
        test = history.experiment_id[~early].reset_index(drop=True)
        return float(np.mean((target[~early] - guess + guess.groupby(test).transform("mean")) ** 2))

    chosen = Ridge(alpha=min(ALPHAS, key=miss)).fit(x, target)
    return pd.Series(chosen.predict(measured(arms.text)), index=arms.index)


def by_test(scores: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per test: capture, significant pairs, and how many of them the scores order rightly."""
    joined = outcomes.merge(scores, on=["experiment_id", "creative_id"])
    joined["rate"] = joined.sum_y / joined.n
    rows = []
    for test, arms in joined.groupby("experiment_id"):
        mean, best = arms.rate.mean(), arms.rate.max()
        capture = (arms.rate[arms.score == arms.score.max()].mean() - mean) / (best - mean)
        pairs = arms.merge(arms, how="cross", suffixes=("", "_b"))
        pairs = pairs[pairs.creative_id < pairs.creative_id_b]
        both = (pairs.sum_y + pairs.sum_y_b) / (pairs.n + pairs.n_b)
        z = (pairs.rate - pairs.rate_b) / np.sqrt(both * (1 - both) * (1 / pairs.n + 1 / pairs.n_b))
        sure = pairs[z.abs() > 1.959964]
        right = np.where(sure.score == sure.score_b, 0.5, (sure.score > sure.score_b) == (sure.rate > sure.rate_b))
        rows.append((test, capture, len(sure), right.sum()))
    return pd.DataFrame(rows, columns=["test", "capture", "pairs", "right"])


def difference(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, list[float]]:
    """Ours less theirs with 95 % percentile intervals: [estimate, low, high]; tests are drawn, both share each draw."""
    draws = np.random.default_rng(SEED).integers(0, len(ours), (DRAWS, len(ours)))
    gap = (ours.capture - theirs.capture).to_numpy()
    right, pairs = (ours.right - theirs.right).to_numpy(), ours.pairs.to_numpy()
    found = {"capture": (gap.mean(), gap[draws].mean(1))}
    found["pair_accuracy"] = (right.sum() / pairs.sum(), right[draws].sum(1) / pairs[draws].sum(1))
    return {name: [round(float(v), 4) for v in (at, *np.percentile(d, [2.5, 97.5]))] for name, (at, d) in found.items()}


def tool(*arguments: str) -> str:
    return subprocess.run([sys.executable, str(TOOL), *arguments], check=True, capture_output=True, text=True).stdout


def run(train_until: str, folder: Path, *, embeddings: bool) -> dict[str, object]:
    tool("split", str(ARCHIVE), "--train-until", train_until, "--out", str(folder))
    history, arms, outcomes = (pd.read_parquet(folder / f"{name}.parquet") for name in ("history", "arms", "outcomes"))
    taxonomy, tables, report = Taxonomy.load(), {}, {}

    def replayed(embedder: LocalEmbedder | None) -> Callable[[Path], object]:
        paths = folder / "history.parquet", folder / "arms.parquet"
        return lambda out: replay_scores(*paths, out, taxonomy=taxonomy, embedder=embedder).choice

    def ridge(out: Path) -> object:
        return arms.assign(score=plain_ridge(history, arms, taxonomy)).drop(columns="text").to_csv(out, index=False)

    runs = {"plain ridge": ridge, "loopwright": replayed(None)}
    if embeddings:
        runs["loopwright with embeddings"] = replayed(LocalEmbedder())
    for name, scored in runs.items():
        out, begin = folder / f"{name}.csv", time.perf_counter()
        chosen = scored(out)
        seconds = round(time.perf_counter() - begin, 1)
        scores = pd.read_csv(out, dtype={"experiment_id": str, "creative_id": str})
        tables[name] = by_test(scores, outcomes)
        report[name] = json.loads(tool("score", str(out), str(folder / "outcomes.parquet"), "--json"))
        report[name] |= {"seconds": seconds, "choice": str(chosen) if chosen else None}
        assert abs(report[name]["capture"] - tables[name].capture.mean()) < 1e-3, "the tool and the bootstrap disagree"
        if name != "plain ridge":
            report[name]["less plain ridge"] = difference(tables[name], tables["plain ridge"])
    if embeddings:
        gain = difference(tables["loopwright with embeddings"], tables["loopwright"])
        report["loopwright with embeddings"]["less without"] = gain
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-until", default="2014-07-01")
    parser.add_argument("--embeddings", action="store_true", help="also with the extra's local model")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for needed in (ARCHIVE, TOOL):
        if not needed.exists():
            sys.exit(f"replay benchmark -> {needed.name} is not there. It expects ../shared beside the project.")
    with tempfile.TemporaryDirectory() as folder:
        report = run(arguments.train_until, Path(folder), embeddings=arguments.embeddings)
    if arguments.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(name, *(f"  {key:18s}{value}" for key, value in figures.items()), sep="\n")


if __name__ == "__main__":
    main()
