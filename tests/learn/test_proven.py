"""Proven texts: learned from closed experiments within each comparison, and sent again where they are better than anything new."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from orchestration.generate.creatives import write_cycle
from orchestration.generate.generators import OfflineGenerator
from orchestration.learn.beliefs import Beliefs
from orchestration.learn.proven import proven_texts
from orchestration.learn.reading import SentText
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import FOLDER, Experiments, read_program
from orchestration.records import Brief

POLICY = {"choice_prior_variance": 0.01, "particular_variance": 0.04, "draw_width": 0.5}
_SHIPPED = read_program(FOLDER / "subject_lines.yaml")
PROGRAM = _SHIPPED.model_copy(
    update={"experiments": _SHIPPED.experiments.model_copy(update={"exploit_arms": 2, "resend": True})}
)
GEM = "Bring the small mugs home"


def sent(level: float, experiment: str) -> list[SentText]:
    """Four texts without any tag in one segment, of which one is far better."""
    texts = {GEM: 0.8, "A plain line about mugs": 0.0, "Another plain line": 0.0, PROGRAM.baseline: 0.0}
    return [
        SentText(f"{experiment}/new", "new", "baseline" if text == PROGRAM.baseline else "exploit", text, (), level + lead, 0.005)
        for text, lead in texts.items()
    ]  # fmt: skip


def test_the_level_of_an_experiment_is_free() -> None:
    one, other = (proven_texts(PROGRAM.tags, [*sent(level, "e1"), *sent(-3.0, "e2")], POLICY) for level in (-3.0, 5.0))
    for found in (one, other):
        belief = found.beliefs.of([GEM, "Another plain line"])
        assert belief.mean[0] - belief.mean[1] == pytest.approx(0.8, abs=0.1)
    assert one.beliefs.of([GEM]).mean == pytest.approx(other.beliefs.of([GEM]).mean)


def test_rates_are_one_regression_with_a_free_level() -> None:
    beliefs = Beliefs({"question": 0.04}, 0.01)
    beliefs.meet_all({"a": {"question"}, "b": (), "c": ()})
    rates, variances = np.array([0.4, 0.1, -0.2]), np.array([0.02, 0.01, 0.05])
    beliefs.learn_rates(["a", "b", "c"], rates, variances)
    design = np.array([[1, 1, 0, 0, 1], [0, 0, 1, 0, 1], [0, 0, 0, 1, 1]], dtype=float)  # tag, three texts, the level
    prior = np.diag([1 / 0.04, 100, 100, 100, 1e-9])
    told = np.linalg.solve(prior + design.T / variances @ design, design.T / variances @ rates)
    assert beliefs.effects()["question"][0] == pytest.approx(told[0], abs=1e-6)
    assert beliefs.of(["b"]).mean[0] == pytest.approx(told[2], abs=1e-6)


def test_the_gem_is_sent_again_once_a_cycle_and_only_to_its_own_segment() -> None:
    proven = proven_texts(PROGRAM.tags, sent(-3.0, "e1"), POLICY)
    assert PROGRAM.baseline not in proven.by_segment["new"]
    briefs = {segment: Brief(PROGRAM.program, 202610, segment, (), (), ()) for segment in PROGRAM.segments}
    generator = OfflineGenerator(Taxonomy.load(), tuple(PROGRAM.tags), 1)
    written = write_cycle(PROGRAM, 202610, briefs, [], generator, used=[GEM], seed=1, proven=proven)
    again = [creative for creative in written if creative.draft.text == GEM]
    assert [(creative.segment, creative.arm.role, creative.draft.generator) for creative in again] == [
        ("new", "exploit", "proven")
    ]
    mates = [c for c in written if c.send == again[0].send and c.segment == "new"]
    (new,) = (c for c in mates if c.arm.role == "exploit" and c.draft.text != GEM)
    twins = [c for c in mates if c.arm.role == "explore"]
    assert [twin.arm.tags ^ new.arm.tags for twin in twins] == [{twin.arm.flipped} for twin in twins]


def test_a_text_that_did_harm_anywhere_is_sent_to_nobody_again() -> None:
    elsewhere = [replace(row, segment="regular", did_harm=row.text == GEM) for row in sent(-3.0, "e2")]
    proven = proven_texts(PROGRAM.tags, [*sent(-3.0, "e1"), *elsewhere], POLICY)
    assert proven.by_segment == dict.fromkeys(("new", "regular"), ("A plain line about mugs", "Another plain line"))
    assert proven.beliefs.of([GEM]).mean > proven.beliefs.of(["Another plain line"]).mean  # what it says of tags holds


def test_resending_needs_a_new_text_beside_it() -> None:
    with pytest.raises(ValidationError, match="at least 2"):
        Experiments(exploit_arms=1, resend=True)


def test_a_program_that_sends_nothing_twice_is_as_before() -> None:
    briefs = {segment: Brief(PROGRAM.program, 202610, segment, (), (), ()) for segment in PROGRAM.segments}
    generator = OfflineGenerator(Taxonomy.load(), tuple(PROGRAM.tags), 1)
    written = write_cycle(PROGRAM, 202610, briefs, [], generator, used=[GEM], seed=1)
    texts = [creative.draft.text for creative in written if creative.arm.role != "baseline"]
    assert len(set(texts)) == len(texts)
    assert GEM not in texts
