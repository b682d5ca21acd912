"""Bad input ends in one line, ``subject -> reason. what to do.``, exit code 2, and leaves nothing behind."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.edges.warehouse import Warehouse
from orchestration.sandbox.world import World
from orchestration.settings import ROOT

from .conftest import Command, Ended

HEADER = "program,cycle,experiment_id,creative_id,segment,metric,n,sum_y\n"
FILES = {
    "good.csv": HEADER + "p,1,e,a,all,click,100,10\np,1,e,b,all,click,100,20\n",
    "empty.csv": "",
    "header.csv": HEADER,
    "strange.xyz": HEADER,
    "noise.parquet": "neither here nor there",
    "hopeless.csv": HEADER + "p,1,e,a,all,click,-1,0\np,1,e,b,all,click,100,many\n",
    "absent.yaml": "kind: results\nprogram: campaign\n",
    "broken.yaml": "kind: [\n",
    "unknown.yaml": "kind: results\ncolour: red\n",
}
BEFORE_THE_WAREHOUSE = [
    ("import nowhere.csv", "nowhere.csv", "cannot be read"),
    ("import .", ".", "cannot be read"),
    ("import empty.csv", "empty.csv", "is empty"),
    ("import good.csv --mapping gone.yaml", "gone.yaml", "cannot be read"),
    ("import good.csv --mapping broken.yaml", "broken.yaml", "is not valid YAML"),
    ("import good.csv --mapping unknown.yaml", "unknown.yaml", "colour"),
    ("import good.csv --as nothing", "mapping nothing", "does not ship"),
    ("import good.csv --as events --mapping absent.yaml", "--as and --mapping", "two mappings"),
    ("import good.csv --set nonsense", "--set nonsense", "is not target=column"),
    ("import good.csv --set colour=n", "mapping", "colour"),
    ("import good.csv --kind nothing --set n=n", "mapping", "of no known kind"),
    ("approve nonsense", "warehouse", "no warehouse yet"),
    ("reject all --reason dull", "warehouse", "no warehouse yet"),
    ("run --cycle notadate", "--cycle notadate", "is not a date"),
    ("demo --preset nothing", "preset nothing", "does not exist"),
    ("demo --preset broken.yaml", "preset broken.yaml", "is not valid YAML"),
    ("backtest nowhere.csv --out here", "nowhere.csv", "cannot be read"),
    ("backtest good.csv --out good.csv", "good.csv", "cannot be made"),
    ("replay nowhere.csv good.csv --out scores.csv", "nowhere.csv", "cannot be read"),
    ("replay noise.parquet good.csv --out scores.csv", "noise.parquet", "neither Parquet nor CSV"),
    ("replay good.csv good.csv --out scores.csv", "history", "lacks text"),
    ("bench --folder nowhere", "nowhere", "cannot be written"),
    ("plan --effect 0 --rate 0.03 --people 1000", "plan", "no effect to find"),
    ("plan --effect 10 --rate 0.9 --people 1000", "--effect 10", "would raise a rate of 0.9 to 9.9, above 1"),
    ("demo --programs nonsense", "program nonsense", "has no answer in the world six_programs"),
    ("doctor --warehouse=", "--warehouse", "is empty"),
    ("plan --effect 0.1 --rate 0.03 --people 3 --arms 6", "plan", "no one in an arm"),
]
IN_THE_FILE = [
    ("import header.csv", "header.csv", "holds no rows"),
    ("import strange.xyz", "strange.xyz", "no known format"),
    ("import noise.parquet", "noise.parquet", "cannot be read"),
    ("import hopeless.csv", "hopeless.csv", "none of its 2 rows can be accepted"),
    ("import good.csv --mapping absent.yaml", "good.csv", "has no column 'campaign'"),
    ("import good.csv --set n=people", "good.csv", "has no column 'people'"),
]
PROGRAM = (Path(__file__).parents[2] / "orchestration" / "programs" / "subject_lines.yaml").read_text(encoding="utf-8")
ASKING = PROGRAM + "model: {generator: openai}\n"
PROGRAMS = [
    ({}, "programs", "holds no program"),
    ({"a": "program: [\n"}, "a.yaml", "is not valid YAML at line 2"),
    ({"a": ""}, "a.yaml", "the file: must be fields with values"),
    ({"a": PROGRAM + "colour: red\n"}, "a.yaml", "colour: there is no such field"),
    ({"a": PROGRAM + "chanel: email\n"}, "a.yaml", "chanel: there is no such field; did you mean channel?"),
    ({"a": PROGRAM + "tags: [question]\n"}, "a.yaml", "names tags twice, at lines "),
    ({"a": PROGRAM.replace("role: objective", "role: objective, role: guardrail")}, "a.yaml", "names role twice"),
    (
        {"a": PROGRAM.replace("channel: email", "channel: fax").replace("within_days: ", "within_days: 9")},
        "a.yaml",
        "channel: 'fax' is none of email, paid, social, in_app; metrics.0.within_days: must be at most 90; metrics.1",
    ),
    (
        {"a": re.sub("baseline: .*", r'baseline: "The letter\\nof the week"', PROGRAM)},
        "a.yaml",
        "more than the one line",
    ),
    (
        {"a": re.sub("baseline: .*", "baseline: |\n  The letter of the week\n", PROGRAM)},
        "a.yaml",
        "more than the one line",
    ),
    (
        {"a": PROGRAM + "model: {base_url: localhost:80/v1}\n"},
        "a.yaml",
        "'localhost:80/v1' is no address; write scheme",
    ),
    ({"a": PROGRAM.replace("Email Link Clicked", "Email Opened")}, "a.yaml", "opens are never an objective"),
    ({"a": PROGRAM, "b": PROGRAM}, "programs", "same program"),
    ({"a": PROGRAM.replace("[question,", "[sparkle,")}, "program subject_lines", "unknown tag sparkle"),
    ({"a": PROGRAM.replace("cadence: weekly", "cadence: daily")}, "programs", "holds no weekly program"),
    ({"a": ASKING.replace("openai", "openai, name: m")}, "program subject_lines", "OPENAI_API_KEY is not set"),
]


def assert_refused(ended: Ended, subject: str, reason: str) -> None:
    assert ended.code == 2, ended
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1, ended.err
    found = re.fullmatch(r"(?P<subject>.+?) -> (?P<reason>.+?)\. .+[.`]\n", ended.err)
    assert found, ended.err
    assert found["subject"].endswith(subject)
    assert reason in ended.err


@pytest.fixture
def files(place: Path) -> Path:
    for name, content in FILES.items():
        (place / name).write_text(content, encoding="utf-8")
    return place


@pytest.fixture
def lock(place: Path) -> Iterator[int]:
    """A process that holds the warehouse for writing; its id."""
    warehouse = Warehouse(place / "warehouse")
    warehouse.migrate()
    hold = f"import duckdb; held = duckdb.connect({str(warehouse.path)!r}); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder.pid
        holder.kill()


def _write_programs(folder: Path, contents: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "programs").mkdir()
    for name, content in contents.items():
        (folder / "programs" / f"{name}.yaml").write_text(content, encoding="utf-8")
    monkeypatch.setenv("LOOP_PROGRAMS", str(folder / "programs"))


@pytest.mark.parametrize(("command", "subject", "reason"), BEFORE_THE_WAREHOUSE)
def test_what_cannot_be_used_makes_no_warehouse(
    files: Path, loop: Command, command: str, subject: str, reason: str
) -> None:
    before = {path.name for path in files.iterdir()}
    assert_refused(loop(*command.split()), subject, reason)
    assert {path.name for path in files.iterdir()} - before <= {"here"}


@pytest.mark.parametrize(("command", "subject", "reason"), IN_THE_FILE)
def test_a_file_that_cannot_be_taken_in_leaves_no_row(
    files: Path, loop: Command, command: str, subject: str, reason: str
) -> None:
    assert_refused(loop(*command.split()), subject, reason)
    kept = "select (select count(*) from raw.results) + (select count(*) from raw.imports) as kept"
    assert Warehouse(files / "warehouse").rows(kept) == [{"kept": 0}]
    assert loop("import", "good.csv").out.startswith("2 rows read, 2 accepted, 0 quarantined")


@pytest.mark.parametrize(("contents", "subject", "reason"), PROGRAMS)
def test_a_program_that_cannot_run_starts_no_cycle(
    place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch, contents: dict[str, str], subject: str, reason: str
) -> None:
    _write_programs(place, contents, monkeypatch)
    assert_refused(loop("run"), subject, reason)
    assert not (place / "warehouse").exists()


@pytest.mark.parametrize(
    ("model", "reason"), [("", "its model has no name"), (", name: m", "its budget would not bind")]
)
def test_a_model_without_a_name_or_prices_is_refused_though_there_is_a_key(
    place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch, model: str, reason: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not a real one")
    _write_programs(place, {"a": ASKING.replace("openai", f"openai{model}")}, monkeypatch)
    assert_refused(loop("run"), "program subject_lines", reason)
    assert reason in loop("doctor").out


@pytest.mark.parametrize(("variable", "value"), [("LOOP_CADENCE", "hourly"), ("LOOP_SEED", "seven"), ("LOOP_SEED", "")])
def test_a_setting_that_may_not_be_is_refused(
    loop: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert_refused(loop("doctor"), variable, f"'{value}' is")


@pytest.mark.parametrize("command", ["import good.csv", "approve all", "demo", "demo --fresh"])
def test_a_warehouse_that_is_a_file_is_refused_and_kept(files: Path, loop: Command, command: str) -> None:
    (files / "warehouse").write_text("a letter", encoding="utf-8")
    ended = loop(*command.split())
    assert ended.code == 2
    assert re.fullmatch(r".*warehouse\S* -> .+\. .+\.\n", ended.err)
    assert (files / "warehouse").read_text(encoding="utf-8") == "a letter"


def test_a_damaged_warehouse_is_refused_and_kept(files: Path, loop: Command) -> None:
    (files / "warehouse").mkdir()
    (files / "warehouse" / "loop.duckdb").write_text("a letter" * 10_000, encoding="utf-8")
    assert_refused(loop("import", "good.csv"), "loop.duckdb", "not a valid DuckDB database file")
    assert (files / "warehouse" / "loop.duckdb").read_text(encoding="utf-8") == "a letter" * 10_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(files: Path, loop: Command) -> None:
    (files / "warehouse").mkdir(mode=0o500)
    assert loop("import", "good.csv").code == 2


def test_a_demo_of_another_world_is_told_how_to_begin_anew(place: Path, loop: Command) -> None:
    World.create(place / "warehouse", "newsletter", 7)
    told = (
        "already holds the world newsletter with seed 7. Choose another folder, or begin anew with `loop demo --fresh`."
    )
    assert_refused(loop("demo", "--seed", "8"), "warehouse", told)
    assert_refused(loop("demo", "--programs", "nonsense"), "program nonsense", "has no answer in the world")


def test_a_variable_without_a_value_is_one_that_is_not_set(loop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOP_WAREHOUSE", "")
    monkeypatch.setenv("LOOP_PROGRAMS", "")
    told = loop("doctor").out
    assert str(ROOT / "warehouse" / "data") in told
    assert "ok  programs: onboarding, " in told


def test_a_port_in_use_is_named(place: Path, loop: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = loop("serve", "--port", str(port))
    assert (ended.code, ended.out) == (2, "")
    refusal = f"port {port} of 127.0.0.1 -> is in use. End what listens there, or choose another with --port."
    assert ended.err.splitlines()[1:] == [refusal], "the first line names the doors without a key"


def test_the_page_of_dagster_sees_paths_as_whoever_calls(
    place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "mine").mkdir()
    monkeypatch.setenv("LOOP_PROGRAMS", "mine")
    begun: list[Path] = []

    def execv(command: Path, arguments: list[str]) -> None:
        begun.append(Path(os.environ["LOOP_PROGRAMS"]).resolve())
        sys.exit(0)

    monkeypatch.setattr(os, "execv", execv)
    assert loop("dev").code == 0
    assert begun == [(place / "mine").resolve()]


def test_a_demo_never_takes_the_folder_of_real_data(files: Path, loop: Command) -> None:
    loop("import", "good.csv")
    for command in ("demo", "demo --fresh"):
        assert_refused(loop(*command.split()), "warehouse", "is not a simulated world")
    assert Warehouse(files / "warehouse").rows("select count(*) as rows from raw.results") == [{"rows": 2}]


def test_impossible_rows_are_set_aside_with_their_reason_and_the_others_taken_once(files: Path, loop: Command) -> None:
    rows = ["p,1,e,a,all,click,100,10", "p,1,e,b,all,click,100,120", "p,2999-01-01,e,c,all,click,100,1"]
    (files / "mixed.csv").write_text(HEADER + "\n".join([*rows, "p,1,e,d,all,click,-5,0"]), encoding="utf-8")
    first, again = loop("import", "mixed.csv"), loop("import", "mixed.csv")
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith("4 rows read, 1 accepted, 3 quarantined\n")
    assert "clicks above impressions" in first.out
    assert "future" in first.out
    assert "taken in before; nothing was added" in again.out
    kept = Warehouse(files / "warehouse").rows("select row_number, reason from raw.quarantine order by row_number")
    assert [row["row_number"] for row in kept] == [2, 3, 4]
    assert all(row["reason"] for row in kept)


def test_approving_what_is_not_there_is_refused(files: Path, loop: Command) -> None:
    loop("import", "good.csv")
    assert_refused(loop("approve", "nonsense"), "nonsense", "is not a creative of this warehouse")
    assert_refused(loop("approve", "all"), "all", "none waits for a decision")


def test_the_doctor_names_every_fault_and_the_rest_is_examined(
    place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "warehouse").write_text("a letter", encoding="utf-8")
    _write_programs(place, {"a": ASKING.replace("openai", "openai, name: m")}, monkeypatch)
    ended = loop("doctor")
    assert (ended.code, ended.err) == (2, "")
    found = {line[4:].partition(":")[0]: (line[:2], line) for line in ended.out.splitlines()}
    assert found["programs"][0] == "ok"
    assert found["warehouse"][0] == "no"
    assert found["model"][0] == "no"
    assert "OPENAI_API_KEY is not set" in found["model"][1]


def test_the_doctor_tells_a_model_that_does_not_answer_and_texts_of_a_stand_in(
    place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    asking = PROGRAM.replace("program: subject_lines", "program: asking")
    asking += "model: {generator: openai, name: m, base_url: 'http://127.0.0.1:1/v1'}\n"
    _write_programs(
        place, {"a": asking, "b": re.sub("first_cycle: .*", "first_cycle: 2999-01-01", PROGRAM)}, monkeypatch
    )
    told = loop("doctor").out
    assert "no  model: subject_lines: the offline generator, a stand-in whose texts are about household goods" in told
    assert "asking: http://127.0.0.1:1/v1 does not answer (" in told
    assert "subject_lines begins with the cycle of 2999-01-01, before it nothing is written" in told


def test_programs_are_read_whatever_their_suffix(place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_programs(place, {"a": PROGRAM}, monkeypatch)
    other = PROGRAM.replace("program: subject_lines", "program: other")
    (place / "programs" / "b.yml").write_text(other, encoding="utf-8")
    assert "ok  programs: subject_lines, other (weekly)" in loop("doctor").out


@pytest.mark.parametrize("command", ["doctor", "send"])
def test_a_time_zone_that_is_none_is_refused(
    place: Path, loop: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    Warehouse(place / "warehouse").migrate()
    monkeypatch.setenv("LOOP_TIMEZONE", "Mars/Olympus")
    monkeypatch.setenv("LOOP_SENDER_EMAIL", "smtp")
    monkeypatch.setenv("LOOP_SMTP_URL", "smtp://me:secret@mail.example.com:587")
    monkeypatch.setenv("LOOP_MAIL_FROM", "Harbour Goods <news@example.com>")
    ended = loop(command)
    assert ended.code == 2
    assert (
        "LOOP_TIMEZONE -> 'Mars/Olympus' is no time zone. Set an IANA name such as Europe/Berlin"
        in ended.out + ended.err
    )


def test_the_doctor_says_who_holds_the_warehouse(lock: int, loop: Command) -> None:
    ended = loop("doctor")
    assert ended.code == 2
    assert f"process {lock} is writing to it" in ended.out


@pytest.mark.usefixtures("files")
def test_a_locked_warehouse_is_waited_for_and_then_refused(
    lock: int, loop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(Warehouse)["__init__"].__kwdefaults__, "patience_seconds", 2.0)
    begin = time.monotonic()
    assert_refused(loop("import", "good.csv"), "loop.duckdb", f"process {lock} is writing to it")
    assert time.monotonic() - begin > 2


@pytest.mark.slow
def test_a_cycle_that_has_not_come_is_refused(place: Path, fresh_loop: Command) -> None:
    assert_refused(fresh_loop("run", "--cycle", "2999-01-07"), "cycle of 2999-01-07", "cannot be run")
    assert_refused(fresh_loop("run", "--cycle", "9999-12-31"), "cycle of 9999-12-27", "cannot be run")
    assert not (place / "warehouse").exists()


def test_a_process_of_its_own_ends_the_same_way(files: Path, fresh_loop: Command) -> None:
    assert_refused(fresh_loop("import", "nowhere.csv"), "nowhere.csv", "cannot be read")


def test_an_installed_command_finds_the_benchmarks_of_its_checkout(
    fresh_loop: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that pytest has told nothing of the checkout."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert_refused(fresh_loop("bench", "--folder", "nowhere"), "nowhere", "cannot be written")
