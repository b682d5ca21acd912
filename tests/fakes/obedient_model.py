"""A model that does as the prompt says: three lines for each slot, with exactly the asked tags, never one twice."""

import json
import re
from typing import Any

from orchestration.generate.generators import OfflineGenerator
from orchestration.learn.taxonomy import Taxonomy
from orchestration.records import Brief, CreativeRequest
from tests.fakes.model_server import Reply, completion


class ObedientModel:
    """Answers prompts for subject lines.

    Args:
        tags: Those that prompts ask for or exclude.
    """

    def __init__(self, tags: tuple[str, ...]) -> None:
        self._tags, self._said = tags, set[str]()
        self._generator = OfflineGenerator(Taxonomy.load(), tags, seed=1)

    def __call__(self, asked: Any) -> Reply:
        """The completion for a request's body."""
        prompt = asked["messages"][0]["content"]
        slots = re.findall(r"^- slot (\d+): has ([^;]*); has not", prompt, re.MULTILINE)
        lines = [
            {"slot": int(slot), "text": self._line(frozenset(has.split(", ")) & frozenset(self._tags))}
            for slot, has in slots
            for _ in range(3)
        ]
        return completion(json.dumps({"lines": lines}))

    def _line(self, tags: frozenset[str]) -> str:
        request = CreativeRequest("any", 1, "any", "explore", len(self._said), tags)
        brief = Brief("any", 1, "any", (), (), ())
        (draft,) = self._generator.write([request], brief, voice="", avoid=frozenset(self._said))
        self._said.add(draft.text)
        return draft.text
