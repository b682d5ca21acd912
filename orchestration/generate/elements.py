"""Elements of a creative that its text does not show: set by the design, worded by the program, never by a model."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestration.generate.generators import Generator
from orchestration.programs.definition import Element
from orchestration.records import Brief, CreativeRequest, Draft


class WithElements:
    """A generator whose creatives carry elements too: another one writes the text, the element's own sentence may end it.

    Two creatives never have the same text before that sentence, so that no text is known to be another one in disguise.

    Args:
        writer: Writes the texts; it is asked for the tags that texts show and for no others.
        elements: Of the program.
    """

    def __init__(self, writer: Generator, elements: Sequence[Element]) -> None:
        self._writer = writer
        self._elements = {element.tag: element for element in elements}

    def write(
        self, requests: Sequence[CreativeRequest], brief: Brief, *, voice: str, avoid: frozenset[str]
    ) -> list[Draft]:
        """Writes one draft for each request, in their order.

        Raises:
            Refusal: if a request cannot be written.
        """
        asked = [self._without(request) for request in requests]
        taken = avoid | {text_before(text, self._elements.values()) for text in avoid}
        drafts = self._writer.write(asked, brief, voice=voice, avoid=taken)
        return [self._dressed(draft, request) for draft, request in zip(drafts, requests, strict=True)]

    def _without(self, request: CreativeRequest) -> CreativeRequest:
        twin = None if request.twin_of is None else text_before(request.twin_of, self._elements.values())
        return replace(request, tags=request.tags.difference(self._elements), twin_of=twin)

    def _dressed(self, draft: Draft, request: CreativeRequest) -> Draft:
        text = draft.text
        carried = request.tags.intersection(self._elements)
        for tag in sorted(carried):
            if says := self._elements[tag].says:
                text = f"{text}{_stop(text)} {says[_number(tag, draft.text) % len(says)]}"
        return replace(draft, request=request, text=text, tags=draft.tags | carried)


def text_before(text: str, elements: Iterable[Element]) -> str:
    """A text before the sentences of its elements: what its writer wrote."""
    endings = [f" {sentence}{stop}" for element in elements for sentence in element.says for stop in ("", ".")]
    before = text
    while ending := next((ending for ending in endings if before.endswith(ending)), None):
        before = before.removesuffix(ending)
    return text if before == text else before.removesuffix(".")


def _stop(text: str) -> str:
    return "." if text[-1:].isalnum() or text[-1:] in "%\u2019)" else ""


def _number(tag: str, text: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{tag}/{text}".encode()).digest()[:8], "big")
