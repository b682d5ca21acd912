"""Chooses the generator a program asks for."""

import datetime as dt
import os

from orchestration.edges.model_choice import model_of
from orchestration.edges.warehouse import Warehouse
from orchestration.generate.creatives import seed_of
from orchestration.generate.elements import WithElements
from orchestration.generate.generators import Generator, OfflineGenerator
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
    writer = _writer(program, taxonomy, warehouse, cycle=cycle, seed=seed, now=now)
    return WithElements(writer, program.elements) if program.elements else writer


def _writer(
    program: Program, taxonomy: Taxonomy, warehouse: Warehouse, *, cycle: int, seed: int, now: dt.datetime
) -> Generator:
    """Writes texts with tags that texts show; elements are not its business."""
    offline = OfflineGenerator(taxonomy, program.text_tags, seed, program.model.grammar, longest=program.limits.longest)
    api = model_of(program, warehouse, cycle, now)
    if api is None:
        return offline
    from orchestration.edges.model_book import LedgerBook
    from orchestration.edges.moderation import Moderator
    from orchestration.generate.openai_generator import OpenAIGenerator
    from orchestration.generate.ranking import ranker_of

    rng = seed_of(seed, program.program, cycle, "ranking")
    ranker = ranker_of(warehouse, program, cycle, taxonomy, rng, int(policy()["predictor_min_experiments"]))
    moderate = None
    if program.model.moderation:
        book = LedgerBook(warehouse, program.program, cycle, now)
        moderate = Moderator(os.environ.get("OPENAI_API_KEY"), program.model, book).flagged
    return OpenAIGenerator(api, program, taxonomy, offline, ranker=ranker, moderate=moderate)
