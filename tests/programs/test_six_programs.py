"""The six shipped programs: what they may say, what they write offline, and whom the design lets meet whom."""

from itertools import combinations
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.generate.choosing import generator_for
from orchestration.generate.creatives import PlannedCreative, seed_of, tag_rows, write_cycle
from orchestration.generate.design import plan_arms
from orchestration.learn.reading import Posterior
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import FOLDER, Program, read_program, read_programs
from orchestration.records import Brief, CreativeRequest
from orchestration.sandbox.preset import read_preset

NAMES = ["onboarding", "paid_creative", "referral", "social_posts", "subject_lines", "winback"]
TAXONOMY = Taxonomy.load()
PROGRAMS = {program.program: program for program in read_programs(FOLDER)}
CYCLE = 202610


def known(program: Program, effect: float = 0.15) -> list[Posterior]:
    """What an earlier cycle might have taught: every other tag helps."""
    return [Posterior("all", tag, effect * (-1) ** number, 0.05, 6) for number, tag in enumerate(program.tags)]


def written(program: Program, seed: int) -> list[PlannedCreative]:
    """One cycle's creatives, from a generator made anew."""
    briefs = {name: Brief(program.program, CYCLE, name, (), (), ()) for name in program.segments}
    generator = generator_for(program, TAXONOMY, None, cycle=CYCLE, seed=seed, now=None)  # type: ignore[arg-type]
    return write_cycle(program, CYCLE, briefs, known(program), generator, used=(), seed=seed)


def test_these_are_the_programs() -> None:
    assert sorted(PROGRAMS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_program_has_one_objective_and_a_guard_and_sends_nothing_by_itself(name: str) -> None:
    program = PROGRAMS[name]
    assert program.dry_run
    assert program.approval == "required"
    assert any(metric.role == "guardrail" for metric in program.metrics)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_fits_the_schema_for_editors(name: str) -> None:
    schema = Program.model_json_schema()
    content = yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    typed = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    typed["first_cycle"] = content["first_cycle"]
    jsonschema.validate(typed, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(typed | {"chanel": "email"}, schema)


@pytest.mark.parametrize("name", NAMES)
def test_same_learnings_and_seed_give_the_same_bytes_and_another_seed_does_not(name: str) -> None:
    program = PROGRAMS[name]
    once, twice = written(program, 5), written(program, 5)
    assert [(c.creative_id, c.draft.text.encode(), c.draft.tags) for c in once] == [
        (c.creative_id, c.draft.text.encode(), c.draft.tags) for c in twice
    ]
    assert [c.draft.text for c in once] != [c.draft.text for c in written(program, 6)]


@pytest.mark.parametrize("name", NAMES)
def test_creatives_carry_what_they_were_asked_for_and_no_rivals(name: str) -> None:
    program = PROGRAMS[name]
    elements = {element.tag for element in program.elements}
    creatives = [creative for creative in written(program, 5) if creative.arm.role != "baseline"]
    for creative in creatives:
        read = TAXONOMY.extract(creative.draft.text) & set(program.text_tags)
        assert read == creative.arm.tags - elements, creative.draft.text
        assert creative.draft.tags == creative.arm.tags
        assert not any(program.rivals(tag) & creative.arm.tags for tag in creative.arm.tags)
    texts = [creative.draft.text for creative in creatives]
    assert len(set(texts)) == len(texts)
    rows = tag_rows(creatives, TAXONOMY, frozenset(elements))
    assert {row["tag"] for row in rows if row["source"] == "design"} <= elements
    assert not elements & {row["tag"] for row in rows if row["source"] != "design"}


@pytest.mark.parametrize("name", NAMES)
def test_an_element_says_only_what_is_its_own(name: str) -> None:
    program = PROGRAMS[name]
    for element in program.elements:
        assert element.tag not in TAXONOMY.names
        for sentence in element.says:
            assert not TAXONOMY.extract(sentence) & set(program.text_tags)


@given(seed=st.integers(0, 10_000), name=st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_twins_differ_in_one_tag_and_shares_sum_to_one(seed: int, name: str) -> None:
    program = PROGRAMS[name]
    rng = np.random.default_rng(seed)
    focus = list(rng.choice(program.tags, size=4, replace=False))
    arms = plan_arms(program, program.segments[0], known(program, 0.02), focus, seed_of(seed, name))
    first = next(arm for arm in arms if arm.role == "exploit")
    explored = [arm for arm in arms if arm.role == "explore"]
    assert len({arm.tags for arm in explored}) == len(explored) >= 1
    for arm in arms:
        assert not any(program.rivals(tag) & arm.tags for tag in arm.tags)
        if arm.role == "explore":
            assert arm.tags ^ first.tags == {arm.flipped}
    assert sum(arm.share for arm in arms) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"elements": [{"tag": "balloon", "describe": "Floats."}]}, "balloon is an element or in a group"),
        ({"groups": {"hook": ["question"], "style": ["question"]}}, "groups name a tag twice"),
        ({"audience": "inactive"}, "segments at_risk and dormant"),
        ({"audience": "activated", "activation": None}, "needs activation"),
        ({"channel": "pigeon"}, "channel"),
        ({"baseline": "   "}, "the baseline shows nothing"),
        ({"baseline": "\u200b\u00a0"}, "the baseline shows nothing"),
        ({"segments": ["new", "loyal", "new"]}, "segments name one twice"),
        ({"segments": ["new", "all"]}, "name the segments themselves"),
    ],
)
def test_what_a_program_may_not_say(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    path = tmp_path / "p.yaml"
    content = yaml.safe_load((FOLDER / "subject_lines.yaml").read_text(encoding="utf-8")) | change
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(Refusal, match=reason):
        read_program(path)


def test_the_world_answers_every_program_with_honest_effects() -> None:
    preset = read_preset("six_programs")
    assert set(preset.campaigns) == set(NAMES) - {"subject_lines"}
    for name, campaign in preset.campaigns.items():
        assert set(campaign.effects) == set(PROGRAMS[name].tags)
        assert all(abs(effect) <= 0.25 for effect in campaign.effects.values())
        assert any(effect == 0 for effect in campaign.effects.values())
    assert preset.noise.creative == 0.1


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"subject_lines"}))
def test_every_combination_of_text_tags_has_lines_enough(name: str) -> None:
    program = PROGRAMS[name]
    generator = generator_for(program, TAXONOMY, None, cycle=1, seed=1, now=None)  # type: ignore[arg-type]
    brief = Brief(name, 1, "s", (), (), ())
    sets = [
        frozenset(chosen)
        for size in range(len(program.text_tags) + 1)
        for chosen in combinations(program.text_tags, size)
        if not any(program.rivals(tag) & set(chosen) for tag in chosen)
    ]
    for tags in sets:
        requests = [CreativeRequest(name, 1, "s", "explore", slot, tags) for slot in range(30)]
        drafts = generator.write(requests, brief, voice="", avoid=frozenset())
        assert len({draft.text for draft in drafts}) == 30
