"""The model that a program names, with its key from the environment and its book in the ledger."""

import datetime as dt
import os

from orchestration.edges.model_api import ModelApi
from orchestration.edges.model_book import LedgerBook
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.programs.definition import Program


def model_of(program: Program, warehouse: Warehouse, cycle: int, now: dt.datetime) -> ModelApi | None:
    """The client that all calls of a program's cycle go through, so that they share its budget; None for an offline program.

    Raises:
        Refusal: if the program asks for a model and no key or model is configured.
    """
    if program.model.generator == "offline":
        return None
    key = os.environ.get("OPENAI_API_KEY", "")
    needs_key = not key and not program.model.base_url  # a server of one's own may ask for none
    if needs_key or not program.model.name:
        missing = "OPENAI_API_KEY is not set" if needs_key else "its model has no name"
        raise Refusal(
            f"program {program.program}", f"asks for a model, but {missing}", "Set it, or choose `generator: offline`."
        )
    return ModelApi(key, program.model, LedgerBook(warehouse, program.program, cycle, now))
