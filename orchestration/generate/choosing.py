"""Chooses the generator a program asks for."""

import datetime as dt
import os
from collections.abc import Callable

from orchestration.edges.model_api import Asks
from orchestration.edges.model_batch import ModelBatch
from orchestration.edges.model_batch_book import BatchBook
from orchestration.edges.model_book import LedgerBook
from orchestration.edges.model_choice import model_of
from orchestration.edges.moderation import Moderator
from orchestration.edges.warehouse import Warehouse
from orchestration.generate.batching import BatchedCycle
from orchestration.generate.creatives import seed_of
from orchestration.generate.elements import WithElements
from orchestration.generate.generators import Generator, OfflineGenerator
from orchestration.generate.openai_generator import OpenAIGenerator
from orchestration.generate.ranking import ranker_of
from orchestration.learn.policy import policy
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Program


def generator_for(
    program: Program, taxonomy: Taxonomy, warehouse: Warehouse, *, cycle: int, seed: int, now: dt.datetime
) -> Generator:
    """The generator of a program; one that asks a model notes every call in the ledger, before it leaves and before its answer is read.

    Raises:
        Refusal: if the program asks for a model and no key or model is configured.
    """
    api = model_of(program, warehouse, cycle, now)
    if api is None:
        return _dressed(program, _offline(program, taxonomy, seed))
    return _asking(program, taxonomy, warehouse, api, cycle=cycle, seed=seed, now=now)


def batched_for(
    program: Program, taxonomy: Taxonomy, warehouse: Warehouse, *, cycle: int, seed: int, now: dt.datetime
) -> BatchedCycle | None:
    """What asks the questions of a program's cycle in batches; None for a program that asks one by one, or nobody."""
    if program.model.generator == "offline" or not program.model.batch:
        return None
    book, batches = (
        LedgerBook(warehouse, program.program, cycle, now),
        BatchBook(warehouse, program.program, cycle, now),
    )
    batch = ModelBatch(os.environ.get("OPENAI_API_KEY"), program.model, batches, book)

    def generator_of(api: Asks, heard: Callable[[Generator], Generator]) -> Generator:
        return _asking(program, taxonomy, warehouse, api, cycle=cycle, seed=seed, now=now, heard=heard)

    return BatchedCycle(batch, batches, book, generator_of)


def _offline(program: Program, taxonomy: Taxonomy, seed: int) -> OfflineGenerator:
    return OfflineGenerator(taxonomy, program.text_tags, seed, program.model.grammar, longest=program.limits.longest)


def _asking(
    program: Program,
    taxonomy: Taxonomy,
    warehouse: Warehouse,
    api: Asks,
    *,
    cycle: int,
    seed: int,
    now: dt.datetime,
    heard: Callable[[Generator], Generator] = lambda fallback: fallback,
) -> Generator:
    """A generator that asks a model; every one made for a cycle ranks with the same draws."""
    rng = seed_of(seed, program.program, cycle, "ranking")
    ranker = ranker_of(warehouse, program, cycle, taxonomy, rng, int(policy()["predictor_min_experiments"]))
    moderate = None
    if program.model.moderation:
        book = LedgerBook(warehouse, program.program, cycle, now)
        moderate = Moderator(os.environ.get("OPENAI_API_KEY"), program.model, book).flagged
    fallback = heard(_offline(program, taxonomy, seed))
    return _dressed(program, OpenAIGenerator(api, program, taxonomy, fallback, ranker=ranker, moderate=moderate))


def _dressed(program: Program, writer: Generator) -> Generator:
    """Writes tags that texts show; elements are not its business."""
    return WithElements(writer, program.elements) if program.elements else writer
