"""What the predictor promises: it finds what texts explain, says how sure it is, and noise does not move it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.learn.predictor import Predictor
from orchestration.learn.taxonomy import Taxonomy
from orchestration.learn.trials import read_trials
from orchestration.learn.tuning import forward_folds
from tests.learn.histories import Words, only_arms, past

EFFECTS = {"question": -0.3, "secret": 0.25}


@pytest.fixture(scope="module")
def known() -> Predictor:
    return Predictor.fit(past(seed=1, effects=EFFECTS), Words())


def against_mean(table: pd.DataFrame, column: str) -> np.ndarray:
    return (table[column] - table.groupby("experiment_id")[column].transform("mean")).to_numpy()


def test_it_ranks_texts_it_has_not_seen(known: Predictor) -> None:
    later = past(seed=2, effects=EFFECTS)
    scores = known.score(only_arms(later))
    assert np.corrcoef(scores["score"], against_mean(later, "truth"))[0, 1] > 0.8


def test_its_lift_and_its_uncertainty_are_calibrated(known: Predictor) -> None:
    later = past(seed=3, effects=EFFECTS, experiments=200)
    scores, truth = known.score(only_arms(later)), against_mean(later, "truth")
    slope = np.sum(scores["score"] * truth) / np.sum(scores["score"] ** 2)
    assert 0.85 < slope < 1.25
    assert 0.85 < np.std((truth - scores["score"]) / scores["uncertainty"]) < 1.15


def test_pure_noise_teaches_next_to_nothing() -> None:
    nothing = Predictor.fit(past(seed=4, between=0.0), Words())
    scores = nothing.score(only_arms(past(seed=5)))
    assert scores["score"].abs().max() < 0.05


def test_a_broken_experiment_that_misleads_is_left_out() -> None:
    good = past(seed=6, effects=EFFECTS, experiments=25)
    broken = past(seed=7, effects={"question": 3.0}, experiments=10).assign(
        experiment_id=lambda x: "broken " + x["experiment_id"]
    )
    broken.loc[broken["creative_id"].str.endswith(".0"), ["n", "sum_y"]] *= 2
    arms = only_arms(past(seed=8, experiments=5))
    with_it = Predictor.fit(pd.concat([good, broken]), Words()).score(arms)
    pd.testing.assert_frame_equal(with_it, Predictor.fit(good, Words()).score(arms))


def test_a_broken_experiment_teaches_where_it_foretells_sound_ones() -> None:
    good = past(seed=6, effects=EFFECTS, experiments=25)
    broken = past(seed=7, effects=EFFECTS, experiments=60, n=20000).assign(
        experiment_id=lambda x: "broken " + x["experiment_id"], cycle=lambda x: x["cycle"] % 12
    )
    broken.loc[broken["creative_id"].str.endswith(".0"), ["n", "sum_y"]] *= 2
    later = past(seed=8, effects=EFFECTS, experiments=60)
    truth = against_mean(later, "truth")
    with_it, without = Predictor.fit(pd.concat([good, broken]), Words()), Predictor.fit(good, Words())
    assert len(with_it.trials) > len(without.trials)
    skill = [np.corrcoef(one.score(only_arms(later))["score"], truth)[0, 1] for one in (with_it, without)]
    assert skill[0] > skill[1]


def test_broken_experiments_alone_teach_nothing() -> None:
    broken = past(seed=7, effects=EFFECTS, experiments=30)
    broken.loc[broken["creative_id"].str.endswith(".0"), ["n", "sum_y"]] *= 2
    with pytest.raises(Refusal, match="no healthy experiment"):
        Predictor.fit(broken, Words())


def test_a_broken_experiment_never_judges() -> None:
    history = past(seed=12)
    broken = history["cycle"] % 3 == 0
    history.loc[broken & history["creative_id"].str.endswith(".0"), ["n", "sum_y"]] *= 2
    trials = read_trials(history, metric=None, srm_e_value=1000)
    folds = list(forward_folds(trials))
    assert all(trials.sound[after].all() for _, after in folds)
    assert any(not trials.sound[before].all() for before, _ in folds)


@pytest.mark.parametrize("column", ["randomised", "n", "text"])
def test_rows_that_prove_nothing_change_nothing(column: str) -> None:
    good = past(seed=6, effects=EFFECTS, experiments=25)
    empty = past(seed=9, experiments=5, n=100).assign(experiment_id=lambda x: "x " + x["experiment_id"])
    empty[column] = {"randomised": False, "n": 0, "text": None}[column]
    empty["sum_y"] = empty["sum_y"] * (column != "n")
    arms = only_arms(past(seed=8, experiments=5))
    with_them = Predictor.fit(pd.concat([good, empty]), Words()).score(arms)
    pd.testing.assert_frame_equal(with_them, Predictor.fit(good, Words()).score(arms))


def test_increments_and_their_sum_teach_the_same() -> None:
    whole = past(seed=10, effects=EFFECTS, experiments=25)
    first = whole.assign(n=whole["n"] // 2, sum_y=whole["sum_y"] // 3)
    second = whole.assign(n=whole["n"] - first["n"], sum_y=whole["sum_y"] - first["sum_y"])
    arms = only_arms(past(seed=11, experiments=3))
    in_parts = Predictor.fit(pd.concat([first, second]), Words()).score(arms)
    pd.testing.assert_frame_equal(in_parts, Predictor.fit(whole, Words()).score(arms))


def test_the_future_never_judges_the_past() -> None:
    trials = read_trials(past(seed=12), metric=None, srm_e_value=1000)
    cycle, folds = trials.rows["cycle"].to_numpy(), list(forward_folds(trials))
    assert len(folds) == 4
    assert all(cycle[before].max() < cycle[after].min() for before, after in folds)
    assert len(np.unique(np.concatenate([after for _, after in folds]))) == sum(len(after) for _, after in folds)


def test_draws_scatter_around_the_scores(known: Predictor) -> None:
    arms = only_arms(past(seed=13, experiments=1, arms=6))
    texts, rng = arms["text"].tolist(), np.random.default_rng(0)
    drawn = np.array([known.draw(texts, rng) for _ in range(100)])
    scores = known.score(arms)
    spread = drawn.std(axis=0)
    assert np.abs(drawn.mean(axis=0) - scores["score"].to_numpy()).max() < 5 * spread.max() / np.sqrt(100)
    assert np.all(spread > 0)
    assert np.all(spread < scores["uncertainty"].to_numpy())
    np.testing.assert_array_equal(
        known.draw(texts, np.random.default_rng(7)), known.draw(texts, np.random.default_rng(7))
    )


def test_given_tags_count_where_the_text_does_not_show_them() -> None:
    history = past(seed=14, effects=EFFECTS, experiments=40)
    history["tags"] = [sorted(Words().extract(text)) for text in history["text"]]
    history["text"] = [f"text {number}" for number in range(len(history))]
    arms = pd.DataFrame({"experiment_id": "e", "creative_id": ["a", "b"], "text": ["one", "two"]})
    scores = Predictor.fit(history, Words()).score(arms.assign(tags=[["secret"], ["question"]]))
    assert scores["score"].iloc[0] > scores["score"].iloc[1] + 0.2


def test_segments_pull_apart_only_as_far_as_they_must() -> None:
    halves = [past(seed=15, effects=EFFECTS, experiments=25).assign(segment=name) for name in ("new", "regular")]
    arms = past(seed=16, experiments=10)[["experiment_id", "creative_id", "text"]]
    predictor = Predictor.fit(pd.concat(halves), Words())
    both = pd.concat([arms.assign(segment="new"), arms.assign(segment="regular")])
    assert len(predictor.score(both)) == len(arms)
    strange = predictor.score(arms.assign(segment="never seen"))
    assert 0 < strange["score"].abs().mean() < predictor.score(arms.assign(segment="new"))["score"].abs().mean()


def test_an_arm_alone_or_without_text_scores_the_mean(known: Predictor) -> None:
    arms = pd.DataFrame(
        {
            "experiment_id": ["alone", "e", "e", "e"],
            "creative_id": ["a", "b", "c", "d"],
            "text": ["secret garden", "secret garden", "is it you?", None],
        }
    )
    scores = known.score(arms).set_index("creative_id")["score"]
    assert scores["a"] == scores["d"] == 0
    assert scores["b"] > 0 > scores["c"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_any_script_gets_a_finite_score(known: Predictor, texts: list[str]) -> None:
    arms = pd.DataFrame({"experiment_id": "e", "creative_id": [str(i) for i in range(len(texts))], "text": texts})
    scores = known.score(arms)
    assert len(scores) == len(texts)
    assert np.isfinite(scores[["score", "uncertainty"]].to_numpy()).all()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3), st.sampled_from(["a", "b"]), st.integers(0, 9), st.integers(0, 9), st.text(max_size=9)
        ),
        max_size=12,
    )
)
def test_a_tiny_past_is_refused_or_scored(rows: list[tuple[int, str, int, int, str]]) -> None:
    history = pd.DataFrame(rows, columns=["cycle", "experiment_id", "n", "sum_y", "text"])
    history["creative_id"] = history["text"].map(repr)
    arms = pd.DataFrame({"experiment_id": "e", "creative_id": ["x", "y"], "text": ["你好", "שלום"]})
    try:
        scores = Predictor.fit(history, Words()).score(arms)
    except Refusal:
        return
    assert np.isfinite(scores[["score", "uncertainty"]].to_numpy()).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h.drop(columns=["sum_y", "text"]), "lacks sum_y, text"),
        (lambda h: h.assign(sum_y=h["n"] + 1), "cannot be"),
        (lambda h: h.assign(n=-1), "cannot be"),
        (lambda h: h.assign(cycle="spring"), "cannot be"),
        (lambda h: h.assign(sum_y=np.nan), "cannot be"),
        (lambda h: h.assign(text=None), "no healthy experiment"),
        (lambda h: h.assign(text="the same"), "no healthy experiment"),
        (lambda h: h.drop_duplicates("experiment_id"), "no healthy experiment"),
        (lambda h: h.assign(n=0, sum_y=0), "no healthy experiment"),
        (lambda h: h.assign(randomised=False), "no randomised row"),
        (lambda h: h.head(0), "no randomised row"),
        (lambda h: pd.concat([h, h.assign(metric="order")]), "holds 2 metrics"),
    ],
)
def test_a_past_that_teaches_nothing_is_refused_with_the_reason(change, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refusal, match=reason):
        Predictor.fit(change(past(seed=17, experiments=3)), Words())


def test_arms_that_contradict_themselves_are_refused(known: Predictor) -> None:
    arms = pd.DataFrame({"experiment_id": "e", "creative_id": ["a", "a"], "text": ["one", "two"]})
    for bad, reason in ((arms, "more than one text"), (arms.head(0), "no row"), (arms[["text"]], "lack experiment_id")):
        with pytest.raises(Refusal, match=reason):
            known.score(bad)


def test_money_is_learned_from_sums_of_squares() -> None:
    rng = np.random.default_rng(18)
    history = past(seed=18, effects=EFFECTS)
    price = 0.002 * rng.lognormal(0, 0.1, len(history))
    money = history.assign(metric="revenue", sum_y=history["sum_y"] * price, sum_y2=history["sum_y"] * price**2)
    later = past(seed=19, effects=EFFECTS)
    scores = Predictor.fit(pd.concat([history, money]), Words(), metric="revenue").score(only_arms(later))
    assert np.corrcoef(scores["score"], against_mean(later, "truth"))[0, 1] > 0.7


def test_it_reads_the_taxonomy_that_ships() -> None:
    predictor = Predictor.fit(past(seed=20, effects=EFFECTS, experiments=25), Taxonomy.load())
    arms = pd.DataFrame({"experiment_id": "e", "creative_id": ["a", "b"], "text": ["Is it good?", "It is good"]})
    assert predictor.score(arms)["score"].iloc[0] < 0
