"""The offline generator says exactly what it is asked to, in many ways, and the same way twice."""

from collections.abc import Iterable
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.generate.generators import OfflineGenerator
from orchestration.generate.grammar import LONGEST, SHORTEST, Grammar
from orchestration.learn.taxonomy import Taxonomy
from orchestration.records import Brief, CreativeRequest

TAXONOMY = Taxonomy.load()
STEERABLE = ("question", "number", "second_person", "urgency", "curiosity", "discount", "social_proof", "emoji")
SUBSETS = [frozenset(chosen) for size in range(9) for chosen in combinations(STEERABLE, size)]
BRIEF = Brief("subject_lines", 202601, "new", known=(), doubtful=(), open=())
GENERATOR = OfflineGenerator(TAXONOMY, STEERABLE, seed=1)
GRAMMAR = Grammar(TAXONOMY, STEERABLE)


def slots(tag_sets: Iterable[frozenset[str]], twin_of: str | None = None) -> list[CreativeRequest]:
    return [
        CreativeRequest("subject_lines", 202601, "new", "explore", slot, tags, twin_of)
        for slot, tags in enumerate(tag_sets)
    ]


def texts(requests: list[CreativeRequest], avoid: frozenset[str] = frozenset(), seed: int | None = None) -> list[str]:
    generator = GENERATOR if seed is None else OfflineGenerator(TAXONOMY, STEERABLE, seed)
    return [draft.text for draft in generator.write(requests, BRIEF, voice="", avoid=avoid)]


def test_every_combination_has_exactly_its_tags_and_a_natural_length() -> None:
    written = texts(slots(SUBSETS))
    assert len(set(written)) == 256
    assert [TAXONOMY.extract(text) & set(STEERABLE) for text in written] == SUBSETS
    assert all(SHORTEST <= len(text) <= LONGEST and text == text.strip() for text in written)


@pytest.mark.parametrize("tags", SUBSETS, ids=lambda tags: "+".join(sorted(tags)) or "none")
def test_every_combination_can_be_said_in_many_ways(tags: frozenset[str]) -> None:
    assert len(set(islice(GRAMMAR.lines(tags, np.random.default_rng(0)), 40))) == 40


def test_the_same_seed_says_the_same_and_another_does_not() -> None:
    requests = slots(SUBSETS[::8])
    assert texts(requests, seed=7) == texts(requests, seed=7)
    assert texts(requests, seed=7) != texts(requests, seed=8)


def test_a_text_does_not_depend_on_its_neighbours() -> None:
    requests = slots(SUBSETS[::8])
    assert texts(requests[::-1]) == texts(requests)[::-1]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(SUBSETS), st.integers(1, 12))
def test_nothing_is_said_twice(tags: frozenset[str], times: int) -> None:
    first = texts(slots([tags] * times))
    second = texts(slots([tags] * times), avoid=frozenset(first))
    assert len({*first, *second}) == 2 * times


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(SUBSETS), st.sampled_from(STEERABLE), st.integers(0, 10**6))
def test_a_twin_has_the_asked_tags_and_keeps_the_goods(tags: frozenset[str], differing: str, seed: int) -> None:
    original = next(GRAMMAR.lines(tags, np.random.default_rng(seed)))
    (twin,) = texts(slots([tags ^ {differing}], twin_of=original))
    assert TAXONOMY.extract(twin) & set(STEERABLE) == tags ^ {differing}
    stems = [{word.strip("?!.,:").rstrip("s") for word in text.lower().split()} for text in (original, twin)]
    assert len(stems[0] & stems[1]) >= 2


@pytest.mark.parametrize("tag", ["emoji", "discount", "urgency"])
def test_a_tag_that_stands_beside_the_opening_leaves_the_opening_alone(tag: str) -> None:
    original = "The story behind our bestselling oak boards"
    (twin,) = texts(slots([frozenset({"curiosity", "social_proof", tag})], twin_of=original))
    assert original.lower() in twin.lower()


def test_a_twin_of_a_foreign_text_is_written_too() -> None:
    (twin,) = texts(slots([frozenset({"question"})], twin_of="The weekly newsletter from Harbour Goods"))
    assert TAXONOMY.extract(twin) & set(STEERABLE) == {"question"}


def test_a_tag_nobody_can_steer_is_refused() -> None:
    with pytest.raises(Refusal, match="cannot be steered"):
        texts(slots([frozenset({"place"})]))


def test_a_used_up_tag_set_is_refused() -> None:
    every_line = frozenset(GRAMMAR.lines(frozenset(), np.random.default_rng(0)))
    with pytest.raises(Refusal, match="no unused line"):
        texts(slots([frozenset()]), avoid=every_line)


@pytest.mark.parametrize(
    ("content", "reason"), [("themes: [", "not valid YAML"), ("themes: []", "openings"), ("openings: 3", "openings")]
)
def test_a_broken_grammar_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "grammar.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(Refusal, match=reason):
        Grammar(TAXONOMY, STEERABLE, file)


def test_an_unknown_slot_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "grammar.yaml"
    theme = "{many: jugs, one: jug, a: a jug, room: hall, maker: potter, emoji: ['x']}"
    file.write_text(
        f"themes: [{theme}]\nplaces: [Devon]\nopenings: ['new {{jugs}}']\nendings: []\nleads: []\n", encoding="utf-8"
    )
    with pytest.raises(Refusal, match="names a slot"):
        Grammar(TAXONOMY, STEERABLE, file)
