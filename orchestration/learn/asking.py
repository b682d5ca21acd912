"""How the wording asks a model: one prompt, within the cycle's budget."""

from typing import Any

from orchestration.edges.model_api import Answer, Asks
from orchestration.edges.prompts import Prompt
from orchestration.learn.wording import PURPOSE, Asker


def asker_of(api: Asks | None) -> Asker | None:
    """The asker of a model, or None to word offline."""
    if api is None:
        return None

    def ask(text: str, prompt: Prompt, schema: dict[str, Any], most_tokens: int) -> Answer:
        return api.ask(text, purpose=PURPOSE, prompt_hash=prompt.hash, schema=schema, most_tokens=most_tokens)

    return Asker(api.name, ask, Prompt.load("learning_notes"))
