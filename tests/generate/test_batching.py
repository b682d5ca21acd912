"""Batches of a big cycle: handed in once whatever dies when, collected once, and what they leave out is asked by itself."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.edges import model_batch
from orchestration.edges.model_batch_book import BatchBook
from orchestration.edges.model_book import LedgerBook
from orchestration.edges.warehouse import Warehouse
from orchestration.generate.choosing import batched_for, generator_for
from orchestration.generate.cycle import generate_cycle
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.definition import FOLDER, Model, read_program
from orchestration.records import Brief
from tests.fakes.model_batches import PlayedBatches
from tests.fakes.model_server import ModelServer, model_server
from tests.fakes.obedient_model import ObedientModel

TAXONOMY = Taxonomy.load()
TAGS = ("question", "second_person", "curiosity", "social_proof")
NOW = dt.datetime.fromisoformat("2026-01-05T05:00:00")
CYCLE = 202602
SHIPPED = read_program(FOLDER / "subject_lines.yaml")
ONE = SHIPPED.experiments.model_copy(update={"sends_per_cycle": 1})
PROGRAM = SHIPPED.model_copy(update={"segments": ["new", "regular"], "tags": list(TAGS), "experiments": ONE})
PRICE = (1000 * 3.0 + 100 * 9.0) / 1e6  # of one answer, asked by itself


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    """Held open: opening the file anew for every question would take longer than the questions."""
    made = Warehouse(tmp_path)
    made.migrate()
    with made.connect() as connection:
        connection.execute(
            """
            create schema marts; create schema intermediate;
            create table marts.tag_posteriors (program varchar, metric varchar, segment varchar, tag varchar, cycle bigint,
                posterior_mean double, posterior_sd double, experiments bigint);
            create table marts.experiment_statistics (program varchar, metric varchar, cycle bigint, experiment_id varchar,
                segment varchar, creative_id varchar, n double, sum_y double, sum_y2 double);
            create table intermediate.int_experiments__comparisons (program varchar, experiment_id varchar, segment varchar,
                metric varchar, entered_in_cycle bigint);
            create table intermediate.int_experiments__arms (program varchar, experiment_id varchar, segment varchar,
                creative_id varchar, role varchar, text varchar);
            """
        )
        yield made


@pytest.fixture
def batches() -> PlayedBatches:
    return PlayedBatches(ObedientModel(TAGS), looks=0)


@pytest.fixture
def server(batches: PlayedBatches) -> Iterator[ModelServer]:
    with model_server([ObedientModel(TAGS)], batches) as running:
        yield running


def turn(warehouse: Warehouse, server: ModelServer, hours: float = 0, **model: Any) -> list[dict[str, Any]]:
    """One run of the loop, with objects of its own as a new process has."""
    told = {"batch": True, "batch_least": 2, "batch_wait_minutes": 0, "budget_usd_per_cycle": 5.0, **model}
    prices = {"usd_per_million_input_tokens": 3.0, "usd_per_million_output_tokens": 9.0}
    asked = Model(generator="openai", name="fake-1", base_url=server.base_url, **prices | told)
    program, now = PROGRAM.model_copy(update={"model": asked}), NOW + dt.timedelta(hours=hours)
    briefs = {segment: Brief(program.program, CYCLE, segment, (), (), ()) for segment in program.segments}
    at: dict[str, Any] = {"cycle": CYCLE, "seed": 1, "now": now}
    generator = generator_for(program, TAXONOMY, warehouse, **at)
    batched = batched_for(program, TAXONOMY, warehouse, **at)
    return generate_cycle(warehouse, program, CYCLE, briefs, generator, TAXONOMY, seed=1, now=now, batched=batched)


def turned(warehouse: Warehouse, server: ModelServer, most: int = 6, **model: Any) -> int:
    """Runs until the cycle is written; the number of runs it took."""
    for run in range(1, most + 1):
        if turn(warehouse, server, hours=run, **model):
            return run
    raise AssertionError("the cycle was never written")


def written_by(warehouse: Warehouse) -> dict[str, int]:
    rows = warehouse.rows(
        """
        select generator || case when is_fallback then ' stood in' else '' end as who, count(*) as n
        from ledger.creatives group by all
        """
    )
    return {row["who"]: row["n"] for row in rows}


def spent(warehouse: Warehouse) -> float:
    return LedgerBook(warehouse, PROGRAM.program, CYCLE, NOW).spent_usd()


def assert_handed_in_once(batches: PlayedBatches) -> None:
    rows = batches.rows()
    assert len(set(rows)) == len(rows)


def test_a_cycle_is_answered_by_two_batches_at_half_the_price(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches
) -> None:
    rows = turn(warehouse, server)
    assert len(rows) > 10
    assert "offline stood in" not in written_by(warehouse)
    assert batches.steps[:3] == ["upload", "create", "look"]
    first, second = [list(batches._rows(batch)) for batch in list(batches.batches.values())[:2]]
    assert all("stay as close" not in row["body"]["messages"][0]["content"] for row in first)
    assert any("stay as close" in row["body"]["messages"][0]["content"] for row in second), (
        "twins of texts of the first"
    )
    assert_handed_in_once(batches)
    singles = len(server.requests)
    assert spent(warehouse) == pytest.approx(PRICE * (0.5 * len(batches.rows()) + singles))
    assert singles <= 0.2 * len(batches.rows())


def test_a_batch_that_takes_its_time_is_collected_by_a_later_run(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches
) -> None:
    batches.looks = 2
    assert turn(warehouse, server) == []
    assert warehouse.rows("select count(*) as n from ledger.creatives") == [{"n": 0}]
    assert turned(warehouse, server) > 2
    assert_handed_in_once(batches)
    assert batches.steps.count("create") == len(batches.batches)


@pytest.mark.parametrize("step", ["upload", "create", "list", "look", "download"])
@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_fault_at_any_step_hands_nothing_in_twice_and_fails_no_cycle(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches, step: str, fault: str
) -> None:
    batches.faults = {step: fault, **({"create": "after"} if step == "list" else {})}
    turned(warehouse, server)
    assert step not in batches.faults, "it happened"
    assert "offline stood in" not in written_by(warehouse)
    assert_handed_in_once(batches)
    calls = warehouse.rows(
        "select count(*) as n, count(distinct call_id) as d from ledger.model_calls where request_id is not null"
    )
    assert calls[0]["n"] == calls[0]["d"]


@pytest.mark.parametrize(
    ("method", "step"), [("note", "creating"), ("note", "created"), ("end", None), ("prepare", None)]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_at_any_step_is_gone_on_with(
    warehouse: Warehouse,
    server: ModelServer,
    batches: PlayedBatches,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    step: str | None,
    when: str,
) -> None:
    honest, deaths = getattr(BatchBook, method), []

    def dies(self: BatchBook, *told: Any) -> Any:
        if deaths or (step is not None and told[1] != step):
            return honest(self, *told)
        deaths.append(told)
        if when == "after":
            honest(self, *told)
        raise Killed

    monkeypatch.setattr(BatchBook, method, dies)
    with pytest.raises(Killed):
        turn(warehouse, server)
    turned(warehouse, server)
    assert_handed_in_once(batches)
    assert "offline stood in" not in written_by(warehouse)
    assert warehouse.rows("select count(*) as n from ledger.model_batches where step = 'ended'")[0]["n"] >= 2
    assert not BatchBook(warehouse, PROGRAM.program, CYCLE, NOW).open()


def test_rows_that_fail_are_asked_by_themselves(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches
) -> None:
    batches.broken = {0: "error", 1: "missing", 2: "odd"}
    turned(warehouse, server)
    assert "offline stood in" not in written_by(warehouse)
    assert_handed_in_once(batches)
    failed = warehouse.rows("select detail from ledger.model_calls where status = 'failed'")
    assert sorted("overloaded" in row["detail"] for row in failed) == [False, False, True]
    assert sum(row["detail"] == "batch completed: no answer" for row in failed) == 2
    assert len(server.requests) >= 3


@pytest.mark.parametrize("ends", ["failed", "expired", "cancelled"])
def test_a_batch_that_ends_badly_leaves_its_questions_to_single_calls(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches, ends: str
) -> None:
    batches.ends = ends
    if ends == "expired":
        batches.broken = dict.fromkeys(range(2, 100), "missing")
    turned(warehouse, server)
    assert "offline stood in" not in written_by(warehouse)
    assert len(server.requests) >= 2
    assert spent(warehouse) == pytest.approx(PRICE * (len(server.requests) + 0.5 * _paid(warehouse)))


def _paid(warehouse: Warehouse) -> int:
    rows = warehouse.rows("select count(*) as n from ledger.model_calls where detail = 'in a batch' and status = 'ok'")
    return int(rows[0]["n"])


def test_where_nobody_can_tell_the_batch_is_given_up_and_counted_in_full(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches
) -> None:
    batches.has_list, batches.faults = False, {"create": "after"}
    assert turned(warehouse, server) == 1
    assert_handed_in_once(batches)
    unknown = warehouse.rows("select count(*) as n from ledger.model_calls where cost_usd is null")
    assert unknown[0]["n"] > 0
    assert spent(warehouse) > PRICE * len(server.requests)


def test_a_batch_that_never_ends_is_given_up_after_a_day(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches
) -> None:
    batches.looks = 10_000
    assert turn(warehouse, server) == []
    assert turn(warehouse, server, hours=25) == []
    assert len(batches.batches) == 1
    assert turn(warehouse, server, hours=27)
    assert_handed_in_once(batches)


def test_a_budget_holds_for_batches_too(warehouse: Warehouse, server: ModelServer, batches: PlayedBatches) -> None:
    budget = 0.014
    turned(warehouse, server, budget_usd_per_cycle=budget)
    assert 0 < len(batches.rows()) < 6
    assert spent(warehouse) <= budget
    assert written_by(warehouse)["offline stood in"] > 0


def test_a_budget_of_nothing_hands_nothing_in(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches
) -> None:
    free = {"usd_per_million_input_tokens": 0.0, "usd_per_million_output_tokens": 0.0}
    turned(warehouse, server, budget_usd_per_cycle=0.0, **free)
    assert batches.batches == {}
    assert set(written_by(warehouse)) == {"offline stood in", "program"}


def test_few_questions_and_servers_without_batches_are_asked_one_by_one(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches
) -> None:
    turn(warehouse, server, batch_least=1000)
    assert batches.steps == []
    assert len(server.requests) >= 6


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that runs would have slept between two looks."""
    told: list[float] = []
    honest = model_batch.ModelBatch.__init__
    monkeypatch.setattr(
        model_batch.ModelBatch,
        "__init__",
        lambda self, *given, **named: honest(self, *given, **named, wait=told.append),
    )
    return told


def test_a_run_waits_as_long_as_it_is_told(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches, waits: list[float]
) -> None:
    batches.looks = 3
    assert turn(warehouse, server, batch_wait_minutes=5)
    assert set(waits) == {20.0}
    assert len(waits) >= 6
    assert sum(waits) <= 300


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_creation_without_an_answer_is_settled_by_the_run_that_may_wait(
    warehouse: Warehouse, server: ModelServer, batches: PlayedBatches, waits: list[float], fault: str
) -> None:
    batches.faults = {"create": fault}
    assert turn(warehouse, server, batch_wait_minutes=5)
    assert waits == [20.0]
    assert batches.steps[:4] == ["upload", "create", "list", "look" if fault == "after" else "create"]
    assert_handed_in_once(batches)
