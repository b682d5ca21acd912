"""Chooses the generator a program asks for, and remembers what its model calls cost."""

import datetime as dt
import hashlib
import os

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.generate.elements import WithElements
from orchestration.generate.generators import Generator, OfflineGenerator
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import Program
from orchestration.records import ModelCall


def generator_for(
    program: Program, taxonomy: Taxonomy, warehouse: Warehouse, *, cycle: int, seed: int, now: dt.datetime
) -> Generator:
    """The generator of a program; one that asks a model records every call in ``ledger.model_calls`` before its answer is read.

    Raises:
        Refusal: if the program asks for a model and no key or model is configured.
    """
    writer = _writer(program, taxonomy, warehouse, cycle=cycle, seed=seed, now=now)
    return WithElements(writer, program.elements) if program.elements else writer


def _writer(
    program: Program, taxonomy: Taxonomy, warehouse: Warehouse, *, cycle: int, seed: int, now: dt.datetime
) -> Generator:
    """Writes texts with tags that texts show; elements are not its business."""
    offline = OfflineGenerator(taxonomy, program.text_tags, seed, program.model.grammar)
    if program.model.generator == "offline":
        return offline
    from orchestration.edges.model_api import ModelApi
    from orchestration.generate.openai_generator import OpenAIGenerator

    key = os.environ.get("OPENAI_API_KEY", "")
    needs_key = not key and not program.model.base_url  # a server of one's own may ask for none
    if needs_key or not program.model.name:
        missing = "OPENAI_API_KEY is not set" if needs_key else "its model has no name"
        raise Refusal(
            f"program {program.program}", f"asks for a model, but {missing}", "Set it, or choose `generator: offline`."
        )
    calls = 0

    def record(call: ModelCall) -> None:
        nonlocal calls
        calls += 1
        call_id = hashlib.sha256(f"{program.program}/{cycle}/{now.isoformat()}/{calls}".encode()).hexdigest()
        warehouse.append({"ledger.model_calls": [_row(call, call_id, program.program, cycle, now)]})

    return OpenAIGenerator(ModelApi(key, program.model), program.model, taxonomy, program.text_tags, offline, record)


def _row(call: ModelCall, call_id: str, program: str, cycle: int, now: dt.datetime) -> dict[str, object]:
    return {
        "call_id": call_id,
        "program": program,
        "cycle": cycle,
        "purpose": call.purpose,
        "model": call.model,
        "prompt_hash": call.prompt_hash,
        "input_tokens": call.usage.input_tokens,
        "output_tokens": call.usage.output_tokens,
        "cost_usd": call.usage.cost_usd,
        "status": call.status,
        "detail": call.detail,
        "recorded_at": now,
    }
