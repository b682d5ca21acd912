"""Asks the questions of a big cycle in batches before the cycle is written: what they answer is in the book when it is asked for.

Writing is rehearsed against the book alone, and the questions that would be asked are collected. A question that rests on another one's
answer (a twin on the text it is a twin of) is collected by a later rehearsal. Whatever a batch leaves out is asked by itself.
"""

from collections.abc import Callable, Sequence

from orchestration.edges.model_api import Asks
from orchestration.edges.model_batch import Collector, ModelBatch
from orchestration.edges.model_batch_book import BatchBook
from orchestration.edges.model_book import Book
from orchestration.errors import Refusal
from orchestration.generate.generators import Generator
from orchestration.records import Brief, CreativeRequest, Draft

_WAVES = 3  # texts, their twins, and what was not accepted

Rehearse = Callable[[Generator], object]
MakeGenerator = Callable[[Asks, Callable[[Generator], Generator]], Generator]


class BatchedCycle:
    """The batches of one program's cycle.

    Args:
        generator_of: Makes the program's generator for a model; its fallback goes through the given function.
    """

    def __init__(self, batch: ModelBatch, batches: BatchBook, book: Book, generator_of: MakeGenerator) -> None:
        self._batch, self._batches, self._book, self._generator_of = batch, batches, book, generator_of

    def is_answered(self, rehearse: Rehearse) -> bool:
        """Whether the cycle can be written now; if not, a batch is under way and a later run goes on with it.

        Args:
            rehearse: Writes the cycle with a generator and keeps nothing of it.
        """
        if not self._batch.settle():
            return False
        for _ in range(_WAVES):
            try:
                collector = self._collected(rehearse)
            except Refusal:
                return True  # the writing itself will say so
            if len(collector.questions) < self._batch.model.batch_least:
                return True
            if not self._batch.submit(collector.questions):
                return False
        return True

    def _collected(self, rehearse: Rehearse) -> Collector:
        stood_in: set[str] = set()
        collector = Collector(self._batch.model, self._book, self._batches.asked(), stood_in)
        rehearse(self._generator_of(collector, lambda fallback: _Overheard(fallback, stood_in)))
        return collector


class _Overheard:
    """A fallback whose texts are remembered."""

    def __init__(self, fallback: Generator, heard: set[str]) -> None:
        self._fallback, self._heard = fallback, heard

    def write(
        self, requests: Sequence[CreativeRequest], brief: Brief, *, voice: str, avoid: frozenset[str]
    ) -> list[Draft]:
        drafts = self._fallback.write(requests, brief, voice=voice, avoid=avoid)
        self._heard.update(draft.text for draft in drafts)
        return drafts
