"""Switches, rules and decisions from the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.deploy.switches import state_in
from orchestration.edges.warehouse import Warehouse
from tests.deploy.world import plan, program_of, warehouse_in

from .conftest import Command


def state(place: Path, program: str = "subject_lines") -> str:
    return state_in(place / "warehouse", program)


def test_stop_resume_and_rollback_of_one_and_of_all(place: Path, loop: Command) -> None:
    assert loop("stop", "subject_lines", "--reason", "complaints").code == 0
    assert state(place) == "stopped"
    assert loop("resume", "subject_lines").out == "subject_lines may run.\n"
    loop("rollback", "subject_lines")
    assert state(place) == "baseline"
    loop("stop", "--all")
    assert state(place, "any other") == "stopped"
    assert "It is still stopped" in loop("resume", "subject_lines").out.replace("\n", " ")
    loop("resume", "--all")
    assert state(place) == "running"


def test_the_switch_works_while_the_warehouse_is_held_and_is_copied_later(place: Path, loop: Command) -> None:
    warehouse = Warehouse(place / "warehouse")
    warehouse.migrate()
    hold = f"import duckdb; held = duckdb.connect({str(warehouse.path)!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        ended = loop("stop", "--all")
        assert (ended.code, state(place)) == (0, "stopped")
        assert "The switch holds" in ended.err
        holder.kill()
    loop("stop", "subject_lines", "--reason", "and this one")
    assert warehouse.rows("select scope from ledger.switches order by scope") == [
        {"scope": "*"},
        {"scope": "subject_lines"},
    ]


def test_a_stop_whose_journal_is_lost_holds_and_is_told(place: Path, loop: Command) -> None:
    Warehouse(place / "warehouse").migrate()
    loop("stop", "subject_lines", "--reason", "complaints")
    assert "switches.ndjson is missing" not in loop("doctor").out
    (place / "warehouse" / "switches.ndjson").unlink()
    told = " ".join(loop("doctor").out.split())
    assert "subject_lines is stopped; switches.ndjson is missing, its copy in the ledger holds" in told
    assert loop("resume", "subject_lines").out == "subject_lines may run.\n"
    assert "every program may run" in loop("doctor").out


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("stop subjectlines", "program subjectlines -> is not configured. Programs are"),
        ("stop", "switch -> names no program, or one and all of them"),
        ("stop subject_lines --all", "switch -> names no program, or one and all of them"),
        ("stop subject_lines --reason=", "--reason -> is empty. Say why in a few words; it is kept."),
        ("approvals", "holds no warehouse yet"),
        ("policy test nowhere.yaml", "nowhere.yaml -> does not exist"),
        (
            "policy test broken.yaml",
            "broken.yaml line 2 -> rule calm: there is no fact txt; did you mean text? (`when`, line 1, column 1)",
        ),
        ("explain u1", "holds no warehouse yet"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(place: Path, loop: Command, command: str, told: str) -> None:
    broken = (
        "{name: calm, stage: screening, when: txt == '', then: block, reason: r, examples: [{given: {}, holds: true}]}"
    )
    (place / "broken.yaml").write_text(f"rules:\n  - {broken}\n", encoding="utf-8")
    ended = loop(*command.split())
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_switch_is_thrown_though_the_programs_cannot_be_read(
    place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "programs").mkdir()
    (place / "programs" / "a.yaml").write_text("program: [\n", encoding="utf-8")
    monkeypatch.setenv("LOOP_PROGRAMS", str(place / "programs"))
    assert loop("stop", "news").code == 0
    assert state(place, "news") == "stopped"


def test_examples_that_fail_end_with_1_and_are_named(place: Path, loop: Command) -> None:
    (place / "mine.yaml").write_text(
        """
rules:
  - name: no_shouting
    stage: screening
    when: text.endsWith('!')
    then: block
    reason: it shouts
    examples:
      - {given: {text: Now!}, holds: true}
      - {given: {text: Now!!}, holds: false}
""",
        encoding="utf-8",
    )
    ended = loop("policy", "test", "mine.yaml")
    assert ended.code == 1
    assert "no_shouting, example 2: it holds, against what the example says." in ended.out
    assert loop("policy", "test").code == 0
    assert "near_duplicate_of" in loop("policy", "facts").out


def test_a_creative_that_was_replaced_is_not_decided_on_again(place: Path, loop: Command) -> None:
    warehouse = warehouse_in(place / "warehouse", people=4)
    plan(warehouse, program_of(), decided=False)
    known = warehouse.rows("select * from ledger.plans where role = 'exploit' and segment = 'new'")[0]
    text = {**warehouse.rows("select * from ledger.creatives where creative_id = ?", [known["creative_id"]])[0]}
    assert loop("reject", known["creative_id"], "--reason", "off tone").out == "rejected 1 creative\n"
    other = {"creative_id": "another", "revision": 1}
    warehouse.append({"ledger.plans": [known | other], "ledger.creatives": [text | {"creative_id": "another"}]})
    for command in ("reject", "approve"):
        ended = loop(command, known["creative_id"], "--reason", "really")
        assert (ended.code, ended.out) == (2, "")
        assert f"{known['creative_id']} -> takes part in no send any more: another text has its slot" in ended.err
        assert "--reason -> is empty" in loop(command, "another", "--reason", " ").err
    assert len(warehouse.rows("select * from ledger.approvals where reason in ('really', ' ')")) == 0
    assert loop("reject", "another", "--reason", "pushy").code == 0
