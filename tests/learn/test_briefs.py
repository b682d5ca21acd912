"""A brief states what is worth its room, remembers what it said, and says what changed and why."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.edges.model_api import Answer
from orchestration.edges.prompts import Prompt
from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal
from orchestration.learn.briefing import as_json, brief_for, from_json, rendered, sentence
from orchestration.learn.briefs import stored_briefs, stored_changes, write_briefs
from orchestration.learn.changes import changes_between
from orchestration.learn.notes import write_notes
from orchestration.learn.pages import page_of, write_pages
from orchestration.learn.taxonomy import Taxonomy
from orchestration.learn.wording import Asker
from orchestration.programs.definition import read_program
from orchestration.records import Brief, Learning, Rejection, Usage

PROGRAM = read_program(Path(__file__).parents[2] / "orchestration" / "programs" / "subject_lines.yaml")
NOW = dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC).replace(tzinfo=None)
TAGS = tuple(PROGRAM.tags)


def row(
    tag: str, effect: float | None = 0.1, status: str = "active", segment: str = "all", **given: object
) -> Learning:
    """A learning as the mart has it, worth its effect."""
    known = None if effect is None else (effect - 0.05, effect + 0.05)
    low, high = known or (None, None)
    made = Learning(
        f"{tag}-{segment}", "subject_lines", 202610, "click", segment, tag, status, "designed", effect, low, high,  # type: ignore[arg-type]
        9.0, 12, 30, abs(effect or 0.0), f"because of {tag}",
    )  # fmt: skip
    return replace(made, **given)  # type: ignore[arg-type]


def brief(*rows: Learning, tokens: float = 700, worth: dict[str, float] | None = None, segment: str = "new") -> Brief:
    return brief_for("subject_lines", 202610, segment, rows, steerable=TAGS, tokens=tokens, worth=worth)


def test_the_most_valuable_learnings_enter_until_the_brief_is_full() -> None:
    rows = [row("question", 0.02), row("number", -0.3), row("emoji", 0.2), row("urgency", -0.1)]
    room = sum(len(sentence(learning)) for learning in rows) / 4
    full = brief(*rows, tokens=room / 0.75)
    assert [learning.tag for learning in full.known] == ["number", "emoji", "urgency", "question"]
    assert full.left_out == ()
    tight = brief(*rows, tokens=room / 0.75 * 0.6)
    assert [learning.tag for learning in tight.known] == ["number", "emoji"]
    assert [learning.tag for learning in tight.left_out] == ["urgency", "question"]
    assert "Proved too, but worth less than what stands here: urgency, question." in rendered(tight)
    assert not {"urgency", "question"} & set(tight.open)  # proved is not a hypothesis


@given(st.lists(st.floats(-0.5, 0.5), min_size=8, max_size=8), st.floats(0, 400))
def test_a_brief_never_outgrows_its_room(effects: list[float], tokens: float) -> None:
    made = brief(*(row(tag, effect) for tag, effect in zip(TAGS, effects, strict=True)), tokens=tokens)
    assert sum(len(sentence(learning)) for learning in made.known) / 4 <= tokens
    assert {learning.tag for learning in (*made.known, *made.left_out)} == set(TAGS)


def test_hypotheses_come_in_the_order_of_what_knowing_them_is_worth() -> None:
    made = brief(row("question"), worth={"emoji": 3.0, "urgency": 1.0, "number": 2.0, "question": 9.0})
    assert made.open[:3] == ("emoji", "number", "urgency")
    assert "question" not in made.open


def test_a_segments_own_learning_wins_over_the_pooled_one() -> None:
    made = brief(row("emoji", 0.1), row("emoji", -0.2, segment="new"), row("emoji", 0.4, segment="regular"))
    assert [(learning.segment, learning.effect) for learning in made.known] == [("new", -0.2)]


def test_what_is_contested_or_retired_must_not_be_assumed() -> None:
    made = brief(row("emoji", 0.1, "contested"), row("number", 0.2, "retired"), row("urgency", 0.3, "candidate"))
    assert made.known == ()
    assert "- emoji (contested): because of emoji." in rendered(made)
    assert "- number (retired): because of number." in rendered(made)
    assert "urgency (" not in rendered(made)


def test_learnings_of_two_cycles_are_no_brief() -> None:
    with pytest.raises(Refusal, match="2 cycles were mixed"):
        brief(row("emoji"), row("number", cycle=202611))


def test_a_brief_survives_the_ledger() -> None:
    made = replace(
        brief(row("emoji"), row("number", 0.2, "retired")), voice="Plain.", rejected=(Rejection("a", "b", "c"),)
    )
    assert from_json(as_json(made)) == made
    older = {
        key: value for key, value in json.loads(as_json(made)).items() if key not in {"left_out", "voice", "rules"}
    }
    assert from_json(json.dumps(older)).known == made.known


BEFORE = brief(
    row("question", 0.1), row("emoji", 0.1), row("number", 0.1), row("urgency", 0.1), row("discount", 0.1, "retired")
)
AFTER = brief(
    row("question", 0.11, n_experiments=15),  # much as before
    row("emoji", 0.2, n_experiments=15),
    row("number", -0.1, n_experiments=13),
    row("urgency", 0.1, "contested"),
    row("curiosity", 0.3),
    row("social_proof", 0.1, "retired"),
)


def test_what_changed_is_told_with_the_reason() -> None:
    assert [str(change) for change in changes_between(BEFORE, AFTER, least=0.02)] == [
        "proved: curiosity, +35 %: because of curiosity",
        "cleared: discount, it is an open question again",
        "moved: emoji, +11 % became +22 % with 3 more experiments",
        "turned: number, +11 % became -10 % with 1 more experiment",
        "doubted: social_proof, because of social_proof",
        "dropped: urgency, contested: because of urgency",
    ]
    assert changes_between(AFTER, AFTER, least=0.02) == []
    assert {change.kind for change in changes_between(None, BEFORE, least=0.02)} == {"proved", "doubted"}


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A migrated warehouse with the marts that briefs read, two looks deep."""
    house = Warehouse(tmp_path)
    house.migrate()
    with house.connect() as connection:
        _marts(connection)
    return house


def _marts(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        create schema marts; create schema policy;
        create table marts.learnings as
        select tag || cycle as evidence_id, 'subject_lines' as program, cycle, 'click' as metric, 'all' as segment, tag, status,
            'designed' as grade, effect, effect - 5e-2 as ci_low, effect + 5e-2 as ci_high, 9e0 as log_e_value, 12 as n_experiments,
            30 as n_creatives, abs(effect) as expected_value, 'told by ' || tag as reason
        from (values
            (202608, 'emoji', 'active', 2e-1), (202609, 'emoji', 'active', 0.2), (202610, 'emoji', 'active', 0.3),
            (202608, 'question', 'active', 0.1), (202609, 'question', 'contested', 0.1), (202610, 'question', 'active', 0.1),
            (202610, 'urgency', 'active', -0.15)
        ) as told (cycle, tag, status, effect);
        create table marts.tag_posteriors (program varchar, metric varchar, cycle bigint, segment varchar, tag varchar,
            posterior_mean double, posterior_sd double, experiments bigint);
        create table policy.policy as
        select * from (values ('brief_tokens', 700e0), ('brief_doubt_share', 25e-2), ('brief_change', 2e-2)) as told (name, value)
        """
    )


def test_every_cycles_brief_is_kept_with_its_changes(warehouse: Warehouse) -> None:
    first = write_briefs(warehouse, PROGRAM, 202608, NOW)
    second = write_briefs(warehouse, PROGRAM, 202610, NOW)
    assert list(first) == PROGRAM.segments
    assert stored_briefs(warehouse, "subject_lines", 202608) == first
    again = write_briefs(warehouse, PROGRAM, 202610, NOW)
    assert (again, list(again)) == (second, PROGRAM.segments)
    assert warehouse.rows("select count(*) as n from ledger.briefs") == [{"n": 6}]
    told = [str(change) for change in stored_changes(warehouse, "subject_lines", 202610)["new"]]
    assert told == [
        "moved: emoji, +22 % became +35 % with 0 more experiments",
        "proved: urgency, -14 %: told by urgency",
    ]
    ages = {learning.tag: (learning.since_cycle, learning.age_cycles) for learning in second["new"].known}
    assert ages == {"emoji": (202608, 3), "question": (202610, 1), "urgency": (202610, 1)}


def merging(text: str, *_: object) -> Answer:
    """A model that merges the first two notes and gets a direction wrong in a third operation."""
    del text
    cited = [{"id": "emoji202610", "direction": "raises"}, {"id": "urgency202610", "direction": "lowers"}]
    flipped = [{"id": "question202610", "direction": "lowers"}]
    operations = [
        {"operation": "merge", "notes": ["n1", "n2"], "evidence": cited, "text": "{claim_1}, and {claim_2}."},
        {"operation": "rewrite", "notes": ["n3"], "evidence": flipped, "text": "{claim}."},
    ]
    return Answer("ok", {"operations": operations}, Usage(1, 1, 0.0))


def test_notes_and_every_operation_are_kept_and_pages_can_be_compared(warehouse: Warehouse, tmp_path: Path) -> None:
    briefs = write_briefs(warehouse, PROGRAM, 202610, NOW)
    asker = Asker("fake-1", merging, Prompt.load("learning_notes"))
    sentences = write_notes(warehouse, PROGRAM, 202610, briefs, Taxonomy.load(), asker, NOW)
    assert write_notes(warehouse, PROGRAM, 202610, briefs, Taxonomy.load(), None, NOW) == sentences  # kept
    assert len(sentences["new"]) == 2
    assert "by about 35 %, and a text that presses for time lowers the click rate" in sentences["new"][0]
    verdicts = "select verdict, reason, count(*) as n from ledger.note_operations group by all order by verdict"
    assert warehouse.rows(verdicts) == [
        {"verdict": "accepted", "reason": "agrees with the evidence", "n": 3},
        {"verdict": "rejected", "reason": "gets the direction of question2026 wrong", "n": 3},
    ]
    kinds = (
        "select writer, count(*) as n, count(distinct note_id) as notes from ledger.notes group by all order by writer"
    )
    assert warehouse.rows(kinds) == [
        {"writer": "fake-1", "n": 6, "notes": 3},
        {"writer": "template", "n": 3, "notes": 3},
    ]

    page = page_of(warehouse, PROGRAM, 202610, briefs, sentences)
    path = write_pages(tmp_path / "published", 202610, {"subject_lines": page})
    text = path.read_text(encoding="utf-8")
    assert text == (tmp_path / "published" / "briefs" / "subject_lines" / "202610.md").read_text(encoding="utf-8")
    assert sentences["new"][0] in text
    assert "### What changed since the last brief" in text
    assert "- Voice: Friendly, plain" in text


def test_a_wording_lives_on_while_its_learnings_do(warehouse: Warehouse) -> None:
    asker = Asker("fake-1", merging, Prompt.load("learning_notes"))
    briefs = write_briefs(warehouse, PROGRAM, 202610, NOW)
    before = write_notes(warehouse, PROGRAM, 202610, briefs, Taxonomy.load(), asker, NOW)
    with warehouse.connect() as connection:
        connection.execute(
            "insert into marts.learnings select * replace (tag || 202611 as evidence_id, 202611 as cycle, effect + 2e-2 as effect) "
            "from marts.learnings where cycle = 202610"
        )
    later = write_briefs(warehouse, PROGRAM, 202611, NOW)
    after = write_notes(warehouse, PROGRAM, 202611, later, Taxonomy.load(), None, NOW)
    assert "by about 35 %, and" in before["new"][0]
    assert "by about 38 %, and a text that presses for time" in after["new"][0]
