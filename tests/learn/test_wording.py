"""Whatever a model answers, a note says what the warehouse says: 2,000 hostile answers, judged by an independent reading."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges.model_api import Answer
from orchestration.edges.prompts import Prompt
from orchestration.learn.sentences import OfflineWriter
from orchestration.learn.taxonomy import Taxonomy
from orchestration.learn.wording import Asker, Kept, Worded, word
from orchestration.programs.definition import read_program
from orchestration.records import Brief, Learning, Usage
from tests.fakes.adversarial import Adversarial, note_answers

PROGRAM = read_program(Path(__file__).parents[2] / "orchestration" / "programs" / "subject_lines.yaml")
PROMPT = Prompt.load("learning_notes")
WRITER = OfflineWriter(PROGRAM, Taxonomy.load())


def learning(tag: str, effect: float, low: float, high: float, **given: Any) -> Learning:
    values: dict[str, Any] = {
        "evidence_id": f"e-{tag}",
        "program": "subject_lines",
        "cycle": 202610,
        "metric": "click",
        "segment": "all",
        "tag": tag,
        "status": "active",
        "grade": "designed",
        "effect": effect,
        "ci_low": low,
        "ci_high": high,
        "log_e_value": 9.0,
        "n_experiments": 12,
        "n_creatives": 31,
        "expected_value": abs(effect),
        "reason": "proved at every look since the first, by 12 experiments",
        "since_cycle": 202607,
        "age_cycles": 4,
    }
    return Learning(**values | given)


KNOWN = (
    learning("question", 0.18, 0.07, 0.30),
    learning("urgency", -0.11, -0.19, -0.02),
    learning("emoji", 0.06, 0.01, 0.11, n_experiments=17, n_creatives=44),
    learning("number", -0.04, -0.08, -0.01, segment="new", n_experiments=23),
)
BRIEF = Brief("subject_lines", 202610, "new", known=KNOWN, doubtful=(), open=())
TRUTH = {"e-question": "raises", "e-urgency": "lowers", "e-emoji": "raises", "e-number": "lowers"}
NOTES = {f"n{number}": [row.evidence_id] for number, row in enumerate(KNOWN, start=1)}
TEMPLATE = [WRITER.sentence(row) for row in KNOWN]
# Written apart from the product's list of allowed words: what a sentence may not say outside the warehouse's own phrases.
FORBIDDEN = re.compile(
    r"\d|%|\b(?:one|two|nine\w*|half|twice|double\w*|dozen|third|zero|hundred|more|less|most|raise\w*|lower\w*|increas\w*|decreas\w*|improv\w*|"
    r"hurt\w*|better|worse|up|down|boost\w*|drop\w*|help\w*|work\w*|fail\w*|avoid|no|not|never|hardly|without|instead|opposite|wrong|false|"
    r"unless|except|only|always|everyone)\b|[^A-Za-z ,.;:()]",
    re.IGNORECASE,
)


def worded(answer: Adversarial, kept: Sequence[Kept] = ()) -> Worded:
    asker = Asker("fake-1", lambda *_: answer.heard(), PROMPT)
    return word(BRIEF, WRITER, kept, asker)


def wrong_in(outcome: Worded) -> list[str]:
    """What a careful reader would object to, by the warehouse's rows alone."""
    objections = []
    rows = {row.evidence_id: row for row in KNOWN}
    cited = [key for note in outcome.notes for key in note.evidence]
    if sorted(cited) != sorted(rows):
        objections.append(f"evidence {sorted(set(rows) ^ set(cited))} lost, doubled or invented")
    for note, sentence in zip(outcome.notes, outcome.sentences, strict=True):
        if note.writer == "template":
            if sentence != WRITER.sentence(rows[note.evidence[0]]):
                objections.append(f"the template says {sentence}")
            continue
        rest = sentence[0].lower() + sentence[1:]
        for key in note.evidence:
            phrases = WRITER.phrases(rows[key])
            told = f"{phrases.subject} {TRUTH[key]} the click rate for {phrases.readers} by about "
            if rest.count(told) != 1:
                objections.append(f"{key} is not told once as it is: {sentence}")
            for phrase in (phrases.claim, phrases.interval, phrases.proof, phrases.age):
                rest = rest.replace(phrase, " ", 1)
        if FORBIDDEN.search(rest):
            objections.append(f"says more than it may: {rest}")
    return objections


@pytest.mark.parametrize("seed", range(4))
def test_no_wrong_figure_or_direction_in_two_thousand_hostile_answers(seed: int) -> None:
    rejected = 0
    for answer in note_answers(500, seed, TRUTH, NOTES):
        outcome = worded(answer)
        assert wrong_in(outcome) == [], answer
        verdicts = {judged.verdict for judged in outcome.judged}
        if answer.wrong == "good":
            assert verdicts == {"accepted"}, (answer, outcome.judged)
            assert any(note.writer == "fake-1" for note in outcome.notes)
        elif answer.wrong == "a retirement":
            assert verdicts <= {"proposed", "rejected"}
            assert list(outcome.sentences) == TEMPLATE
        else:
            rejected += list(outcome.sentences) == TEMPLATE
        if len(answer.poison) > 3 and answer.wrong != "a direction":  # the true direction is a poison among others
            new = set(outcome.sentences) - set(TEMPLATE)
            assert not any(answer.poison in sentence for sentence in new)
    assert rejected > 350  # of the hostile ones nearly all leave every sentence to the template


def test_offline_every_learning_reads_well() -> None:
    assert TEMPLATE == [
        "A text that asks a question raises the click rate for all readers by about 20 % (between 7.3 % and 35 %). "
        "Proved by matched pairs, 12 experiments with 31 texts, held for 4 cycles.",
        "A text that presses for time lowers the click rate for all readers by about 10 % (between 2.0 % and 17 %). "
        "Proved by matched pairs, 12 experiments with 31 texts, held for 4 cycles.",
        "A text that has an emoji or pictograph raises the click rate for all readers by about 6.2 % (between 1.0 % and 12 %). "
        "Proved by matched pairs, 17 experiments with 44 texts, held for 4 cycles.",
        "A text that has a number in digits lowers the click rate for the segment new by about 3.9 % (between 1.0 % and 7.7 %). "
        "Proved by matched pairs, 23 experiments with 31 texts, held for 4 cycles.",
    ]
    outcome = word(BRIEF, WRITER, (), None)
    assert list(outcome.sentences) == TEMPLATE
    assert outcome.judged == ()


def test_a_learning_without_an_estimate_claims_nothing() -> None:
    unknown = replace(KNOWN[0], effect=None, ci_low=None, ci_high=None)
    assert WRITER.sentence(unknown).startswith("Whether a text that asks a question moves the click rate")


def test_an_interval_that_spans_nothing_keeps_its_signs() -> None:
    assert "(between -1.0 % and +11 %)" in WRITER.sentence(learning("question", 0.05, -0.01, 0.10))


def test_the_model_is_shown_the_evidence_and_every_word_it_may_use() -> None:
    asked: list[str] = []

    def ask(text: str, *_: object) -> Answer:
        asked.append(text)
        return Answer("failed", None, Usage(0, 0, 0.0), "timed out")

    outcome = word(BRIEF, WRITER, (), Asker("fake-1", ask, PROMPT))
    assert "- evidence e-urgency: a text that presses for time lowers" in asked[0]
    assert list(outcome.sentences) == TEMPLATE
    assert [(judged.verdict, judged.reason) for judged in outcome.judged] == [
        ("rejected", "the answer was failed: timed out")
    ]


KEPT = Kept(("question", "urgency"), ("raises", "lowers"), "{claim_1}; {claim_2} ({interval_2}).", "fake-1")


def test_a_wording_that_still_holds_speaks_todays_figures() -> None:
    outcome = word(BRIEF, WRITER, [KEPT], None)
    assert outcome.sentences[0].startswith(
        "A text that asks a question raises the click rate for all readers by about 20 %; a text"
    )
    assert wrong_in(outcome) == []


@pytest.mark.parametrize(
    "kept",
    [
        Kept(("question", "urgency"), ("raises", "raises"), KEPT.text, "fake-1"),  # one has turned since
        Kept(("question", "place"), ("raises", "lowers"), KEPT.text, "fake-1"),  # one is no longer known
        Kept(("question", "urgency"), ("raises", "lowers"), "{claim_1} not {claim_2}", "fake-1"),  # from a laxer list
    ],
)
def test_a_wording_that_no_longer_holds_gives_way_to_the_template(kept: Kept) -> None:
    assert list(word(BRIEF, WRITER, [kept], None).sentences) == TEMPLATE
