"""What the ledger knows of batches: written down before each step, so that a run that was killed goes on where it was."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from orchestration.edges.warehouse import Warehouse
from orchestration.records import ModelCall

Step = Literal["creating", "created"]


@dataclass(frozen=True, slots=True)
class Batched:
    """A question of a batch; its content key is its name in the batch."""

    content_key: str
    request_id: str
    purpose: str
    prompt_hash: str


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that has not ended.

    Attributes:
        file_id: Of its uploaded questions; from then on the server may have the batch.
        batch_id: Of the batch at the server.
        hours_old: Since it was prepared.
    """

    key: str
    questions: tuple[Batched, ...]
    file_id: str | None
    batch_id: str | None
    hours_old: float = 0.0


class BatchBook:
    """The batches of one program's cycle."""

    def __init__(self, warehouse: Warehouse, program: str, cycle: int, now: dt.datetime) -> None:
        self._warehouse, self._now = warehouse, now
        self._cycle: dict[str, object] = {"program": program, "cycle": cycle}

    def open(self) -> list[OpenBatch]:
        """Batches that have not ended, in their order."""
        rows = self._warehouse.rows(
            """
            select batch_key, any_value(questions) filter (where step = 'prepared') as questions,
                any_value(reference) filter (where step = 'creating') as file_id,
                any_value(reference) filter (where step = 'created') as batch_id, min(recorded_at) as since
            from ledger.model_batches
            where program = $program and cycle = $cycle
            group by batch_key
            having count(*) filter (where step = 'ended') = 0
            order by min(recorded_at), batch_key
            """,
            self._cycle,
        )
        return [
            OpenBatch(
                row["batch_key"],
                tuple(Batched(**told) for told in json.loads(row["questions"])),
                row["file_id"],
                row["batch_id"],
                (self._now - row["since"]).total_seconds() / 3600,
            )
            for row in rows
        ]

    def asked(self) -> set[str]:
        """Content keys of every question that the server may have had in a batch of the cycle; none is put into another one."""
        rows = self._warehouse.rows(
            """
            select questions from ledger.model_batches
            where program = $program and cycle = $cycle and step = 'prepared'
                and batch_key in (select batch_key from ledger.model_batches where step = 'creating')
            """,
            self._cycle,
        )
        return {told["content_key"] for row in rows for told in json.loads(row["questions"])}

    def prepare(self, model: str, questions: Mapping[str, tuple[str, str, float]]) -> OpenBatch:
        """Notes a batch and its questions before anything leaves.

        Args:
            questions: Content key -> purpose, prompt hash, and the most it can cost.
        """
        rows = self._warehouse.rows(
            "select count(distinct batch_key) as n from ledger.model_batches where program = $program and cycle = $cycle",
            self._cycle,
        )
        key = self._digest(str(rows[0]["n"]), *sorted(questions))
        batched = [
            Batched(content_key, self._digest(key, content_key), purpose, prompt_hash)
            for content_key, (purpose, prompt_hash, _) in questions.items()
        ]
        requests = [
            {
                "request_id": one.request_id, **self._cycle, "purpose": one.purpose, "model": model, "content_key": one.content_key,
                "most_cost_usd": questions[one.content_key][2], "recorded_at": self._now,
            }
            for one in batched
        ]  # fmt: skip
        told = json.dumps([asdict(one) for one in batched])
        prepared = self._step(key, "prepared") | {"questions": told}
        self._warehouse.append({"ledger.model_requests": requests, "ledger.model_batches": [prepared]})
        return OpenBatch(key, tuple(batched), None, None)

    def note(self, key: str, step: Step, reference: str) -> None:
        """Notes a step before the next one is taken."""
        self._warehouse.append({"ledger.model_batches": [self._step(key, step) | {"reference": reference}]})

    def end(
        self, key: str, how: str, calls: Sequence[tuple[Batched, ModelCall]], answers: Mapping[str, dict[str, Any]]
    ) -> None:
        """Notes everything that came of a batch, and that it has ended, in one transaction: it is collected once.

        Args:
            answers: Content key -> usable answer.
        """
        self._warehouse.append(
            {
                "ledger.model_calls": [
                    {
                        "call_id": one.request_id, **self._cycle, "purpose": one.purpose, "model": call.model,
                        "prompt_hash": one.prompt_hash, "input_tokens": call.usage.input_tokens,
                        "output_tokens": call.usage.output_tokens, "cost_usd": call.usage.cost_usd, "status": call.status,
                        "detail": call.detail, "recorded_at": self._now, "request_id": one.request_id,
                    }
                    for one, call in calls
                ],
                "ledger.model_answers": [
                    {"content_key": name, **self._cycle, "answer": json.dumps(answer), "recorded_at": self._now}
                    for name, answer in answers.items()
                ],
                "ledger.model_batches": [self._step(key, "ended") | {"reference": how}],
            }
        )  # fmt: skip

    def _step(self, key: str, step: str) -> dict[str, object]:
        return {"batch_key": key, **self._cycle, "step": step, "recorded_at": self._now}

    def _digest(self, *parts: str) -> str:
        text = "/".join(str(part) for part in (*self._cycle.values(), "batch", *parts))
        return hashlib.sha256(text.encode()).hexdigest()
