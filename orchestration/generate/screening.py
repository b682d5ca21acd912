"""The facts of a text that policy judges, and what a writer is told when its text cannot be taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.generate import content
from orchestration.generate.elements import text_before
from orchestration.generate.library import Library
from orchestration.generate.reading_level import reading_level
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.channel_limits import Limits, graphemes, limits_of
from orchestration.programs.definition import Program
from orchestration.records import CreativeRequest

Fact = str | int | float | bool | list[str] | None


@dataclass(frozen=True, slots=True)
class Written:
    """A text as somebody wrote it for a slot.

    Attributes:
        generator: Who wrote it: program, offline, openai, proven.
        prompt: What a model was told; None where none was asked.
        moderation: Categories an endpoint flagged; None where none is configured.
    """

    request: CreativeRequest
    text: str
    generator: str
    is_fallback: bool = False
    cost_usd: float | None = None
    prompt: str | None = None
    moderation: list[str] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Screen:
    """Finds the facts of a program's texts.

    Attributes:
        library: Texts that must not be repeated, without the sentences of their elements.
    """

    program: Program
    taxonomy: Taxonomy
    library: Library

    @property
    def limits(self) -> Limits:
        """What a writer's text may be: its elements' sentences come after it."""
        return self.program.limits

    def facts(self, written: Written) -> dict[str, Fact]:
        """What the rules of screening may ask about a text; names and types are those of the policy's facts."""
        program, request, text = self.program, written.request, written.text
        readable = frozenset(program.text_tags) & frozenset(self.taxonomy.names)
        found = self.taxonomy.extract(text) & readable
        asked = request.tags & readable
        claims = content.banned_claims(text)
        if written.generator == "openai":
            # What a model states must have been told to it; the offline grammar's lines are somebody's own.
            claims += [f"figure {figure}" for figure in content.unsupported_figures(text, self._told)]
        traces = content.leakage(text, written.prompt, program.tags) + content.invisible_signs(text)
        traces += [f"script {name.lower()}" for name in content.foreign_scripts(text, self._told)]
        return {
            "program": program.program,
            "channel": program.channel,
            "approval": program.approval,
            "dry_run": program.dry_run,
            "segment": request.segment,
            "role": request.role,
            "text": text,
            "generator": written.generator,
            "is_fallback": written.is_fallback,
            "length": graphemes(text),
            "length_limit": limits_of(program.channel).longest,
            "reading_level": reading_level(text),
            "links": content.links(text),
            "banned_claims": claims,
            "disclosures_missing": content.disclosures_missing(text, program.disclosures),
            "personal_data": content.personal_data(text),
            "leakage": traces,
            "moderation": written.moderation,
            "tags_missing": sorted(asked - found),
            "tags_unwanted": sorted(found - asked),
            "near_duplicate_of": self._near(text, request.twin_of),
            "cost_usd": written.cost_usd,
        }

    def fault(self, facts: Mapping[str, Fact]) -> str | None:
        """Why a model's text cannot be taken, in words that help to write a better one; None if it can.

        Args:
            facts: Of a text as its writer wrote it, without the sentences of its elements.
        """
        text, limits = str(facts["text"]), self.limits
        length = graphemes(text)
        fits = limits.shortest <= length <= limits.longest and len(text.encode("utf-8", "replace")) <= limits.most_bytes
        if not fits or text.count("\n") >= limits.most_lines or not text.replace("\n", "").isprintable():
            lines = "one line" if limits.most_lines == 1 else f"{limits.most_lines} lines"
            return f"needs {limits.shortest} to {limits.longest} printable characters on {lines}"
        parts = [
            _listed("lacks", facts["tags_missing"]),
            _listed("must not have", facts["tags_unwanted"]),
            _listed("claims", facts["banned_claims"]),
            _listed("repeats instructions", facts["leakage"]),
            _listed("holds personal data", facts["personal_data"]),
            _listed("does not say", facts["disclosures_missing"]),
            _listed("was flagged for", facts["moderation"]),
        ]
        links = facts["links"]
        if isinstance(links, list) and len(links) > limits.most_links:
            parts.append(f"has {len(links)} links")
        if facts["near_duplicate_of"] is not None:
            parts.append(f'nearly repeats "{facts["near_duplicate_of"]}"')
        return " and ".join(part for part in parts if part) or None

    def _near(self, text: str, twin_of: str | None) -> str | None:
        """What the text nearly repeats; a sentence that the program words for an element makes no two texts alike."""
        elements = self.program.elements
        twin = None if twin_of is None else text_before(twin_of, elements)
        return self.library.near(text_before(text, elements), except_near=twin)

    @property
    def _told(self) -> tuple[str, ...]:
        said = (sentence for element in self.program.elements for sentence in element.says)
        return (*self.program.facts, *self.program.disclosures, self.program.baseline, self.program.voice, *said)


def _listed(verb: str, found: Fact) -> str | None:
    return f"{verb} {', '.join(found)}" if isinstance(found, list) and found else None
