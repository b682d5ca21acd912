"""The moderation endpoint of a server: which categories it flags in each text, or that it did not say."""

from collections.abc import Sequence
from typing import Any

import openai

from orchestration.edges.deadline import within
from orchestration.edges.model_book import Book
from orchestration.edges.model_wire import shortened
from orchestration.programs.definition import Model
from orchestration.records import ModelCall, Usage

UNAVAILABLE = "no answer of the moderation endpoint"


class Moderator:
    """Asks ``/moderations``, which is free of charge; its scores are the server's own and change with its model.

    Args:
        book: Every call is noted there.
    """

    def __init__(self, api_key: str | None, model: Model, book: Book, *, timeout_seconds: float = 20.0) -> None:
        self._model = model.moderation or "omni-moderation-latest"
        self._timeout, self._book, self._given_up = timeout_seconds, book, False
        self._client = openai.OpenAI(
            api_key=api_key or "none", base_url=model.base_url, timeout=timeout_seconds, max_retries=1
        )

    def flagged(self, texts: Sequence[str]) -> list[list[str]]:
        """Flagged categories of each text; a text nobody answered for has ``UNAVAILABLE``, so that it is not let through."""
        unknown = [[UNAVAILABLE] for _ in texts]
        if self._given_up:
            return unknown
        try:
            answer = within(
                2 * self._timeout, lambda: self._client.moderations.create(model=self._model, input=list(texts))
            )
            found = [_categories(result) for result in answer.results]
        except (openai.OpenAIError, TimeoutError, ValueError, TypeError, AttributeError) as error:
            self._given_up = True
            self._note("failed", shortened(str(error)))
            return unknown
        if len(found) != len(texts):
            self._note("invalid", f"{len(found)} results for {len(texts)} texts")
            return unknown
        self._note("ok", None)
        return found

    def _note(self, status: str, detail: str | None) -> None:
        call = ModelCall("moderation", self._model, "none", Usage(0, 0, 0.0), status, detail)  # type: ignore[arg-type]
        self._book.answered(None, call)


def _categories(result: Any) -> list[str]:
    """Names of what was flagged; a flag without a category counts as one."""
    categories = result.categories
    told = categories if isinstance(categories, dict) else categories.model_dump(by_alias=True)
    named = sorted(name for name, holds in told.items() if holds is True)
    return named or (["flagged"] if result.flagged else [])
