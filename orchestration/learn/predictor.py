"""Ranks texts nobody has tried, by what past experiments say about texts like them.

It chooses; it never proves: its scores rank candidates and feed Thompson draws, and no learning rests on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from orchestration.errors import Refusal
from orchestration.learn.embeddings import Embedder, Remembered
from orchestration.learn.features import Features, FeatureSpace, Tagger, similarity
from orchestration.learn.posterior import Posterior
from orchestration.learn.trials import Trials, between_creatives, given_tags, read_trials
from orchestration.learn.tuning import Choice, choose

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
_AT_ONCE = 1000  # arms scored together; bounds memory


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted predictor.

    Attributes:
        choice: Mix of features and share explained, as forward chaining chose them.
        between: Variance of true log rates between the creatives of an experiment.
    """

    space: FeatureSpace
    posterior: Posterior
    choice: Choice
    between: float

    @classmethod
    def fit(
        cls,
        history: pd.DataFrame,
        taxonomy: Tagger,
        embedder: Embedder | None = None,
        *,
        metric: str | None = None,
        srm_e_value: float = 1000.0,
        most_trials: int = 8000,
    ) -> "Predictor":
        """Learns from past experiments; the same history gives the same predictor.

        Args:
            history: Columns cycle, experiment_id, creative_id, n, sum_y, text; optional segment, metric, sum_y2,
                planned_share, randomised, tags. Rows are increments of one cycle.
            metric: Outcome to learn; may be None where history holds one.
            srm_e_value: Experiments that miss their planned shares by this e-value are left out, unless learning from
                them too foretold later sound experiments better.
            most_trials: Latest trials to learn from: time grows with their cube, memory (8 bytes) with their square.

        Raises:
            Refusal: if columns are missing, counts are impossible, or no healthy experiment compares two texts.
        """
        trials = read_trials(history, metric=metric, srm_e_value=srm_e_value)
        embedder = None if embedder is None else Remembered(embedder)

        def measured(trials: Trials) -> tuple[Trials, FeatureSpace, Features]:
            latest = np.unique(trials.group[-most_trials:])
            trials = trials.among(np.flatnonzero(np.isin(trials.group, latest)))
            texts, given = trials.rows["text"].tolist(), trials.rows["tags"].tolist()
            return trials, *FeatureSpace.fit(texts, given, taxonomy, embedder)

        everything, sound = trials, trials.among(np.flatnonzero(trials.sound))
        trials, space, features = measured(sound)
        choice = choose(trials, features)
        if len(sound) < len(everything):
            # What chance spoiled proves nothing, yet its texts may still foretell: later sound experiments decide.
            wider = measured(everything)
            other = choose(wider[0], wider[2], mixes=(choice.mix,))
            if other.skill > choice.skill:
                choice, (trials, space, features) = other, wider
        between = between_creatives(trials)
        strengths = choice.strengths(between, with_meaning=embedder is not None)
        posterior = Posterior.of(trials, features, similarity(features, features), strengths)
        return cls(space, posterior, choice, between)

    @property
    def trials(self) -> Trials:
        """What it learned from."""
        return self.posterior.trials

    def score(self, arms: pd.DataFrame) -> pd.DataFrame:
        """Expected lift of each arm of experiments not yet run.

        Args:
            arms: Columns experiment_id, creative_id, text; optional segment, tags.

        Returns:
            experiment_id, creative_id, score (log of the arm's rate over its experiment's geometric mean), uncertainty
            (posterior standard deviation of that, with what is particular to the creative). One row per creative, in
            the order of ``arms``; its segments are averaged. An arm without text, or alone, scores 0.

        Raises:
            Refusal: if a column is missing, there is no arm, or one arm is told two texts.
        """
        table = _checked(arms)
        features = self.space.measure(table["text"].tolist(), table["tags"].tolist())
        segment = table["segment"].to_numpy(str)
        told = ((table["text"].str.strip() != "") | table["tags"].map(bool)).to_numpy()
        prior = sum(self.posterior.strengths.blocks.values()) + self.posterior.strengths.particular
        score, variance = np.zeros(len(table)), np.full(len(table), prior)
        groups = table[told].groupby(["experiment_id", "segment"], sort=False).indices.values()
        index = np.flatnonzero(told)
        for batch in _batches([index[rows] for rows in groups if len(rows) > 1]):
            together = np.concatenate(batch)
            mean, covariance = self.posterior.ask(features.rows(together), segment[together])
            start = 0
            for rows in batch:
                own = slice(start, start + len(rows))
                lift, spread = _against_mean(mean[own], covariance[own, own])
                score[rows] = self.choice.stretch * lift
                unexplained = self.posterior.strengths.particular * (1 - 1 / len(rows))
                variance[rows] = np.diag(spread) + unexplained
                start += len(rows)
        table = table.assign(score=score, uncertainty=self.choice.spread * np.sqrt(variance))
        return table.groupby(["experiment_id", "creative_id"], sort=False, as_index=False)[
            ["score", "uncertainty"]
        ].mean()

    def draw(
        self,
        texts: Sequence[str],
        rng: np.random.Generator,
        *,
        tags: Sequence[frozenset[str]] | None = None,
        segment: str = "all",
    ) -> Floats:
        """One Thompson draw: lifts of the texts over their mean, sampled jointly from the posterior, shape (n,).

        What is particular to a creative is not drawn: no text tells it, so it would only add coin tosses.
        """
        if not texts:
            return np.empty(0)
        given = [frozenset[str]()] * len(texts) if tags is None else list(tags)
        features: Features = self.space.measure(texts, given)
        mean, covariance = self.posterior.ask(features, np.full(len(texts), segment))
        mean, covariance = _against_mean(mean, covariance)
        covariance = self.choice.spread**2 * covariance
        return rng.multivariate_normal(self.choice.stretch * mean, covariance, method="eigh", check_valid="ignore")


def _checked(arms: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in ("experiment_id", "creative_id", "text") if name not in arms.columns]
    if missing:
        raise Refusal("arms", f"lack {', '.join(missing)}", "Name the columns as `loop replay` wants them.")
    if arms.empty:
        raise Refusal("arms", "hold no row", "Bring at least one creative to score.")
    nothing: list[frozenset[str]] = [frozenset()] * len(arms)
    table = pd.DataFrame(
        {
            "experiment_id": arms["experiment_id"].astype(str).to_numpy(),
            "creative_id": arms["creative_id"].astype(str).to_numpy(),
            "segment": arms["segment"].fillna("all").astype(str).to_numpy() if "segment" in arms.columns else "all",
            "text": arms["text"].fillna("").astype(str).to_numpy(),
            "tags": [given_tags(value) for value in arms["tags"]] if "tags" in arms.columns else nothing,
        }
    ).drop_duplicates()
    twice = table.duplicated(["experiment_id", "segment", "creative_id"])
    if twice.any():
        row = table[twice].iloc[0]
        where = f"arms, {row['experiment_id']} / {row['creative_id']}"
        raise Refusal(where, "has more than one text", "Give each creative of an experiment one text and its own id.")
    return table.reset_index(drop=True)


def _batches(groups: list[Rows]) -> list[list[Rows]]:
    batches: list[list[Rows]] = []
    filled = _AT_ONCE
    for rows in groups:
        if filled + len(rows) > _AT_ONCE:
            batches.append([])
            filled = 0
        batches[-1].append(rows)
        filled += len(rows)
    return batches


def _against_mean(mean: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """The same belief about distances from the group's mean."""
    half = covariance - covariance.mean(axis=0, keepdims=True)
    both = half - half.mean(axis=1, keepdims=True)
    np.fill_diagonal(both, np.maximum(np.diag(both), 0.0))
    return mean - mean.mean(), both
