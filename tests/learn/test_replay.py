"""Files in, one file out: whole or not at all."""

from pathlib import Path

import pandas as pd
import pytest

from orchestration.errors import Refusal
from orchestration.learn.replay import replay_scores
from tests.learn.histories import Words, only_arms, past


def test_parquet_and_csv_give_the_same_scores(tmp_path: Path) -> None:
    history, arms = past(seed=1, experiments=12, effects={"secret": 0.3}), only_arms(past(seed=2, experiments=4))
    history["experiment_id"] = "00" + history["cycle"].astype(str)  # ids are text, whatever they look like
    arms = arms.assign(experiment_id="007")
    history.to_parquet(tmp_path / "history.parquet")
    history.to_csv(tmp_path / "history.csv", index=False)
    arms.to_parquet(tmp_path / "arms.parquet")
    arms.to_csv(tmp_path / "arms.csv", index=False)
    for kind in ("parquet", "csv"):
        out = tmp_path / kind / "scores.csv"
        replay_scores(tmp_path / f"history.{kind}", tmp_path / f"arms.{kind}", out, taxonomy=Words())
    left, right = (pd.read_csv(tmp_path / kind / "scores.csv", dtype=str) for kind in ("parquet", "csv"))
    pd.testing.assert_frame_equal(left, right)
    assert list(left.columns) == ["experiment_id", "creative_id", "score", "uncertainty"]
    assert set(left["experiment_id"]) == {"007"}


def test_a_refusal_leaves_the_old_file_alone(tmp_path: Path) -> None:
    past(seed=1, experiments=5).to_parquet(tmp_path / "history.parquet")
    pd.DataFrame({"creative_id": ["a"]}).to_csv(tmp_path / "arms.csv")
    out = tmp_path / "scores.csv"
    out.write_text("the old one")
    with pytest.raises(Refusal, match="lack"):
        replay_scores(tmp_path / "history.parquet", tmp_path / "arms.csv", out, taxonomy=Words())
    assert out.read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arms.csv", "history.parquet", "scores.csv"]


@pytest.mark.parametrize("content", [None, b"", b"neither one nor the other", b"\x00\xff\xfe"])
@pytest.mark.parametrize("name", ["history.parquet", "history.csv"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    only_arms(past(seed=2, experiments=2)).to_parquet(tmp_path / "arms.parquet")
    with pytest.raises(Refusal):
        replay_scores(tmp_path / name, tmp_path / "arms.parquet", tmp_path / "out.csv", taxonomy=Words())


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    past(seed=1, experiments=5).to_parquet(tmp_path / "history.parquet")
    only_arms(past(seed=2, experiments=2)).to_parquet(tmp_path / "arms.parquet")
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="cannot be written"):
        replay_scores(
            tmp_path / "history.parquet", tmp_path / "arms.parquet", tmp_path / "file" / "out.csv", taxonomy=Words()
        )
