"""Rules: what ships does what its examples say, precedence, defaults, and every typo refused by name and place."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.policy.expressions import Expression, plain
from orchestration.policy.facts import CREATIVE, FACTS, STAGES
from orchestration.policy.rules import Rule, Rules

SHIPPED = Rules.load()
DECISIONS = ["allow", "require_approval", "block"]
CLEAN = plain(CREATIVE) | {"length": 30, "text": "A cup that keeps its heat"}


def rule(name: str, when: str, then: str, **more: Any) -> Rule:
    example = {"given": {}, "holds": False}
    return Rule.model_validate(
        {"name": name, "stage": "approval", "when": when, "then": then, "reason": name, "examples": [example], **more}
    )


def test_every_shipped_rule_has_a_case_for_and_one_against_and_passes_them() -> None:
    cases = SHIPPED.test()
    assert all(case.is_passed for case in cases)
    for shipped in SHIPPED.rules:
        assert {case.expected for case in cases if case.rule is shipped} == {True, False}, shipped.name


def test_the_default_withholds() -> None:
    for stage in STAGES:
        judgement = Rules([]).judge(stage, {})
        assert (judgement.decision, judgement.rule) == ("require_approval", "default")


FAULTS: list[dict[str, Any]] = [
    {"banned_claims": ["risk free"]},
    {"disclosures_missing": ["advertisement"]},
    {"length": 90, "length_limit": 60},
    {"channel": "email", "links": ["https://elsewhere.example"]},
    {"personal_data": ["email"]},
    {"leakage": ["system prompt"]},
    {"moderation": ["violence"]},
    {"near_duplicate_of": "spring-12", "role": "explore"},
    {"tags_missing": ["question"]},
]


@given(st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4))
def test_a_fault_is_blocked_whatever_else_is_well(faults: list[dict[str, Any]]) -> None:
    facts = {name: value for fault in faults for name, value in fault.items()}
    assert SHIPPED.judge("screening", CLEAN).decision == "allow"
    assert SHIPPED.judge("screening", CLEAN | facts).decision == "block"


@given(st.lists(st.tuples(st.sampled_from(DECISIONS), st.integers(-1, 1), st.booleans()), max_size=6))
def test_the_highest_precedence_decides_then_the_strictest_then_the_first(drawn: list[tuple[str, int, bool]]) -> None:
    made = [
        rule(f"r{number}", "is_fallback" if holds else "!is_fallback", then, precedence=precedence)
        for number, (then, precedence, holds) in enumerate(drawn)
    ]
    held = [
        (precedence, DECISIONS.index(then), -number) for number, (then, precedence, holds) in enumerate(drawn) if holds
    ]
    judgement = Rules(made).judge("approval", {"is_fallback": True})
    if held:
        _, strictness, number = max(held)
        assert (judgement.decision, judgement.rule) == (DECISIONS[strictness], f"r{-number}")
    else:
        assert judgement.rule == "default"


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("legnth > 3", r"there is no fact legnth; did you mean length\? \(`when`, line 1, column 1\)"),
        ("length > > 3", r"it does not parse \(`when`, line 1, column 10\)"),
        ("length > 3 &&", r"it does not parse"),
        ("role == 'baseline'\n  && lenght > 3", r"no fact lenght; did you mean length\? \(`when`, line 2, column 6\)"),
        ("length", "it is neither true nor false"),
        ("length > 'a'", "`>` does not go with int and string"),
        ("channel == 'email' && length > '60'", r"`>` does not go with int and string \(`when`, line 1, column 23"),
        ("channel == 'a' || (role == 'b' && text.contains(3))", "a function is called with what it does not take"),
        ("channel == 'a' ? length + 'b' == '3b' : true", "does not go with int and string"),
        ("channel == 'email' && length", "a part of it is neither true nor false"),
        ("size(length) > 0", "rule broken"),
        ("length > length_limit", "no answer if length_limit is null"),
        ("role == 'x' || length > length_limit", "no answer if length_limit is null"),
        ("shout(text)", "there is no function shout"),
        ("links.exists(link, lnk.startsWith('x'))", "there is no fact lnk"),
        ("people > 0", "there is no fact people"),
    ],
)
def test_a_typo_is_refused_with_the_rule_and_the_place(tmp_path: Path, when: str, told: str) -> None:
    import yaml

    entry = {"name": "broken", "stage": "screening", "when": when, "then": "block", "reason": "because"}
    sound = entry | {"name": "sound", "when": "is_fallback"}
    rules = {"rules": [given | {"examples": [{"given": {}, "holds": False}]} for given in (sound, entry)]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(rules, sort_keys=False), encoding="utf-8")
    with pytest.raises(Refusal, match=told) as refused:
        Rules.load(tmp_path)
    line = (tmp_path / "mine.yaml").read_text(encoding="utf-8").splitlines().index("- name: broken") + 1
    assert refused.value.subject == f"mine.yaml line {line}"
    assert "rule broken" in refused.value.reason


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"then": "maybe"}, "rule r: then"),
        ({"stage": "later"}, "rule r: stage"),
        ({"colour": "red"}, "rule r: colour"),
        ({"examples": []}, "rule r: examples"),
        ({"examples": [{"given": {"lenght": 3}, "holds": True}]}, "rule r, example 1: fact lenght is not one of stage"),
        ({"examples": [{"given": {"length": "3"}, "holds": True}]}, "rule r, example 1: fact length is '3', not a int"),
    ],
)
def test_a_rule_that_says_something_else_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    import yaml

    entry = {"name": "r", "stage": "screening", "when": "length > 3", "then": "block", "reason": "b"}
    entry |= {"examples": [{"given": {"length": 4}, "holds": True}]} | change
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"rules": [entry]}), encoding="utf-8")
    with pytest.raises(Refusal, match=told):
        Rules.load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "size(links) > 1 && links[1] == 'a'",
        "length > 5 && 100 / (length - 1) > 3",
        "links.exists(link, size(link) > 3 && link != 'a')",
        "links.map(link, size(link)).exists(long, long > 3 && long < 9)",
        "length_limit != null && length > length_limit",
        "channel == 'email' ? length > 60 : size(links) == 0",
    ],
)
def test_what_a_part_guards_against_is_no_fault(text: str) -> None:
    Expression(text, CREATIVE)


def test_own_rules_take_the_place_of_shipped_ones_and_change_the_version(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        """
rules:
  - {name: automatic, stage: approval, when: "true", then: never, reason: read everything, examples: [{given: {}, holds: true}]}
  - name: founder_reads_discounts
    stage: approval
    when: text.contains('%')
    then: require_approval
    precedence: 5
    reason: the founder reads every discount
    examples: [{given: {text: 20 % off}, holds: true}]
""",
        encoding="utf-8",
    )
    mine = Rules.load(tmp_path)
    facts = {"role": "baseline", "is_fallback": False, "approval": "automatic", "text": "20 % off"}
    assert SHIPPED.judge("approval", facts).rule == "own_text"
    assert mine.judge("approval", facts).rule == "founder_reads_discounts"
    assert mine.judge("approval", facts | {"text": "", "role": "exploit"}).rule == "default"
    assert mine.version != SHIPPED.version == Rules.load(tmp_path / "nothing here").version


@pytest.mark.parametrize("stage", STAGES)
def test_a_missing_fact_is_named(stage: str) -> None:
    everything = plain(FACTS[stage])  # type: ignore[index]  # a stage
    for name in SHIPPED.reads(stage):  # type: ignore[arg-type]
        given_ = {other: value for other, value in everything.items() if other != name}
        with pytest.raises(Refusal, match=f"needs the fact {name}, which was not given"):
            SHIPPED.judge(stage, given_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "facts",
    [{"lenght": 3}, {"length": "3"}, {"length": True}, {"links": "https://x"}, {"length": None}, {"is_fallback": 1}],
)
def test_a_fact_of_another_name_or_type_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="fact "):
        SHIPPED.judge("screening", CLEAN | facts)


@given(st.text(max_size=30), st.text(max_size=5))
def test_no_text_can_talk_its_way_past_a_rule(text: str, word: str) -> None:
    asked = Expression("text.contains('free')", CREATIVE)
    assert asked.holds({"text": text}) == ("free" in text)
    assert asked.holds({"text": f"{text}') || ('{word}"}) == ("free" in text or "free" in word)
