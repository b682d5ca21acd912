"""No text of any program is more than its channel takes, the sentences of its elements included."""

from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.generate import content
from orchestration.generate.choosing import generator_for
from orchestration.generate.elements import WithElements
from orchestration.generate.grammar import FOLDER as GRAMMARS
from orchestration.generate.grammar import SUBJECT_LINES
from orchestration.generate.library import Library
from orchestration.generate.screening import Screen, Written
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.channel_limits import graphemes, limits_of
from orchestration.programs.definition import FOLDER, Program, read_program, read_programs
from orchestration.records import Brief, CreativeRequest, Draft, Usage

TAXONOMY = Taxonomy.load()
PROGRAMS = {program.program: program for program in read_programs(FOLDER)}
GRAMMAR_NAMES = sorted({SUBJECT_LINES, *(file.stem for file in GRAMMARS.glob("*.yaml"))})


def tag_sets(program: Program) -> list[frozenset[str]]:
    """Every set of tags that the design may ask for."""
    every = chain.from_iterable(combinations(program.tags, size) for size in range(len(program.tags) + 1))
    return [frozenset(chosen) for chosen in every if not any(program.rivals(tag) & set(chosen) for tag in chosen)]


def request(program: Program, tags: frozenset[str], slot: int = 0, twin: str | None = None) -> CreativeRequest:
    return CreativeRequest(program.program, 202610, program.segments[0], "explore", slot, tags, twin)


def assert_fits(program: Program, text: str) -> None:
    """What a reader counts, what a wire counts, lines and links; and nothing that screening calls too long."""
    limits = limits_of(program.channel)
    assert limits.shortest <= graphemes(text) <= limits.longest, text
    assert len(text.encode()) <= limits.most_bytes
    assert text.count("\n") < limits.most_lines
    assert len(content.links(text)) <= limits.most_links
    facts = Screen(program, TAXONOMY, Library([], 1)).facts(Written(request(program, frozenset()), text, "offline"))
    assert (facts["length"], facts["length_limit"]) == (graphemes(text), limits.longest)


def assert_raises_no_alarm(program: Program, text: str) -> None:
    facts = Screen(program, TAXONOMY, Library([], 1)).facts(Written(request(program, frozenset()), text, "offline"))
    found = {name: facts[name] for name in ("links", "banned_claims", "leakage", "personal_data") if facts[name]}
    assert found == {}, text


def written(program: Program, tags: frozenset[str], count: int, seed: int, twin: str | None = None) -> list[str]:
    """Texts of the offline generator, elements included; none where the grammar has none."""
    generator = generator_for(program, TAXONOMY, None, cycle=202610, seed=seed, now=None)  # type: ignore[arg-type]
    brief = Brief(program.program, 202610, program.segments[0], (), (), ())
    requests = [request(program, tags, slot, twin) for slot in range(count)]
    try:
        return [draft.text for draft in generator.write(requests, brief, voice="", avoid=frozenset())]
    except Refusal:
        return []


@pytest.mark.parametrize("grammar", GRAMMAR_NAMES)
@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_every_program_fits_its_channel_with_every_grammar_and_element(name: str, grammar: str) -> None:
    own = PROGRAMS[name]
    program = own.model_copy(update={"model": own.model.model_copy(update={"grammar": grammar})})
    sets = tag_sets(program)
    found = {tags: written(program, tags, 4, seed=1) for tags in sets}
    for text in chain.from_iterable(found.values()):
        assert_fits(program, text)
        assert_raises_no_alarm(program, text)
    if grammar == own.model.grammar:
        assert all(len(texts) == 4 for texts in found.values()), "a program's own grammar can say everything"
    for tags in [one for one in sets if one & program.element_tags and found[one]][:6]:
        for twin in written(program, tags - program.element_tags, 1, seed=2):
            for text in written(program, tags, 1, seed=2, twin=twin):
                assert_fits(program, text)


@given(data=st.data(), name=st.sampled_from(sorted(PROGRAMS)))
@settings(max_examples=150, deadline=None)
def test_whatever_a_writer_says_within_its_limits_fits_with_every_element(data: st.DataObject, name: str) -> None:
    program = PROGRAMS[name]
    tags = data.draw(st.sampled_from(tag_sets(program)))
    letters = st.text(st.sampled_from("ab \u00e9\u4e2d\U0001f44d\u0301"), min_size=1, max_size=program.limits.longest)
    bare = data.draw(letters)
    room = program.limits
    if not (room.shortest <= graphemes(bare) <= room.longest and len(bare.encode()) <= room.most_bytes):
        return

    class Says:
        def write(self, requests: Any, brief: Brief, *, voice: str, avoid: frozenset[str]) -> list[Draft]:
            return [Draft(one, bare, one.tags, "x", None, None, None, None, Usage(0, 0, 0.0)) for one in requests]

    brief = Brief(name, 202610, program.segments[0], (), (), ())
    (draft,) = WithElements(Says(), program.elements).write(
        [request(program, tags)], brief, voice="", avoid=frozenset()
    )
    assert_fits(program, draft.text)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_a_model_is_held_to_the_room_that_sentences_leave(name: str) -> None:
    program = PROGRAMS[name]
    screen = Screen(program, TAXONOMY, Library([], 1))
    told = f"needs {program.limits.shortest} to {program.limits.longest} printable characters"
    for length, is_refused in ((program.limits.longest, False), (program.limits.longest + 1, True)):
        facts = screen.facts(Written(request(program, frozenset()), "m" * length, "openai"))
        assert (screen.fault(facts) or "").startswith(told) == is_refused


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"groups": {"hook": ["question", "curiosity"]}}, "leave fewer than 30 for the text"),
        ({"baseline": "The letter " * 7}, "the baseline has more than the 72 characters of channel email"),
        (
            {"elements": [{"tag": "fewer_letters", "describe": "Says it.", "says": ["Fewer letters.\nOr none."]}]},
            "must stand on one line",
        ),
    ],
)
def test_a_program_whose_texts_could_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    content_of = yaml.safe_load((FOLDER / "winback.yaml").read_text(encoding="utf-8"))
    if "elements" in change:
        change |= {"tags": ["question", "curiosity", "discount", "fewer_letters"], "groups": {}}
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(content_of | change), encoding="utf-8")
    with pytest.raises(Refusal, match=reason):
        read_program(path)
