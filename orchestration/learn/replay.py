"""``loop replay``: learn from one file, score the creatives of another that carries no outcome."""

import os
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow

from orchestration.errors import Refusal
from orchestration.learn.embeddings import Embedder
from orchestration.learn.features import Tagger
from orchestration.learn.predictor import Predictor

_IDS = {"experiment_id": str, "creative_id": str}


def replay_scores(
    history_path: Path,
    arms_path: Path,
    out: Path,
    *,
    taxonomy: Tagger,
    embedder: Embedder | None = None,
    metric: str | None = None,
) -> Predictor:
    """Writes ``experiment_id, creative_id, score, uncertainty`` for every creative of ``arms_path``.

    The file appears whole or not at all. Both inputs are Parquet, or CSV by their ending.

    Returns:
        The predictor, for what it can say about itself.

    Raises:
        Refusal: if a file cannot be read or written, or its content teaches nothing.
    """
    arms = read_table(arms_path)
    predictor = Predictor.fit(read_table(history_path), taxonomy, embedder, metric=metric)
    scores = predictor.score(arms)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=out.parent, prefix=out.name, suffix=".unfinished")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                scores.to_csv(file, index=False)
            Path(unfinished).chmod(0o644)
            Path(unfinished).replace(out)
        finally:
            Path(unfinished).unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(str(out), f"cannot be written ({error.strerror})", "Choose another place.") from error
    return predictor


def read_table(path: Path) -> pd.DataFrame:
    """Reads a Parquet file, or a CSV file if its name says so; ids stay text.

    Raises:
        Refusal: if it is missing, or is neither.
    """
    try:
        if path.suffix.lower() in {".csv", ".tsv"}:
            return pd.read_csv(path, dtype=_IDS, sep="\t" if path.suffix.lower() == ".tsv" else ",")
        return pd.read_parquet(path)
    except OSError as error:
        reason = error.strerror or "it is damaged"
        raise Refusal(str(path), f"cannot be read ({reason})", "Check the path and its permissions.") from error
    except (ValueError, pyarrow.ArrowException) as error:
        raise Refusal(str(path), "is neither Parquet nor CSV", "Save it as one of them, with that ending.") from error
