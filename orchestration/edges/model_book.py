"""Remembers what models were asked, what it cost and what they said: before the question leaves, and before the answer is used."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestration.edges.warehouse import Warehouse
from orchestration.records import ModelCall


@dataclass(frozen=True, slots=True)
class Question:
    """A request as the book knows it.

    Attributes:
        content_key: Digest of everything that decides the answer.
        most_cost_usd: The most it can cost; what it counts for until its cost is told.
    """

    purpose: str
    model: str
    content_key: str
    most_cost_usd: float


class Book(Protocol):
    """Where one program's calls of one cycle are kept."""

    def spent_usd(self) -> float:
        """What the cycle has cost so far; a request whose cost nobody told counts as the most it could cost."""
        ...

    def remembered(self, content_key: str) -> dict[str, Any] | None:
        """The usable answer to the same question in this cycle, if there is one."""
        ...

    def sending(self, question: Question) -> str:
        """Notes that a request is about to leave; returns its id."""
        ...

    def answered(self, request_id: str | None, call: ModelCall) -> None:
        """Notes what came of a request; the id is None for a call that never left."""
        ...

    def remember(self, content_key: str, answer: dict[str, Any]) -> None:
        """Keeps a usable answer."""
        ...


@dataclass(slots=True)
class MemoryBook:
    """A book that ends with the process."""

    calls: list[ModelCall] = field(default_factory=list)
    _most: dict[str, float] = field(default_factory=dict)
    _told: dict[str, float] = field(default_factory=dict)
    _answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def spent_usd(self) -> float:
        """Told costs, and the most for requests without one."""
        return sum(self._told.get(request, most) for request, most in self._most.items())

    def remembered(self, content_key: str) -> dict[str, Any] | None:
        """The usable answer to the same question."""
        return self._answers.get(content_key)

    def sending(self, question: Question) -> str:
        """Notes the request."""
        request_id = str(len(self._most))
        self._most[request_id] = question.most_cost_usd
        return request_id

    def answered(self, request_id: str | None, call: ModelCall) -> None:
        """Notes the outcome."""
        self.calls.append(call)
        if request_id is not None and call.usage.cost_usd is not None:
            self._told[request_id] = call.usage.cost_usd

    def remember(self, content_key: str, answer: dict[str, Any]) -> None:
        """Keeps a usable answer."""
        self._answers[content_key] = answer


class LedgerBook:
    """The book in the warehouse: a cycle that was killed knows, when it is run again, what it has already paid for."""

    def __init__(self, warehouse: Warehouse, program: str, cycle: int, now: dt.datetime) -> None:
        self._warehouse, self._now = warehouse, now
        self._cycle: dict[str, object] = {"program": program, "cycle": cycle}
        found = warehouse.rows(
            "select count(*) as requests from ledger.model_requests where program = $program and cycle = $cycle",
            self._cycle,
        )
        self._requests = int(found[0]["requests"])
        self._calls = 0

    def spent_usd(self) -> float:
        """Told costs, and the most for requests without one: killed, timed out, or answered without usage."""
        found = self._warehouse.rows(
            """
            select coalesce(sum(coalesce(calls.cost_usd, requests.most_cost_usd)), 0) as usd
            from ledger.model_requests as requests
            left join ledger.model_calls as calls on requests.request_id = calls.request_id
            where requests.program = $program and requests.cycle = $cycle
            """,
            self._cycle,
        )
        return float(found[0]["usd"])

    def remembered(self, content_key: str) -> dict[str, Any] | None:
        """The usable answer to the same question in this cycle."""
        found = self._warehouse.rows(
            """
            select answer from ledger.model_answers
            where content_key = $content_key and program = $program and cycle = $cycle
            order by recorded_at
            limit 1
            """,
            {"content_key": content_key, **self._cycle},
        )
        return json.loads(found[0]["answer"]) if found else None

    def sending(self, question: Question) -> str:
        """Writes the request before it leaves."""
        self._requests += 1
        request_id = self._id("request", self._requests)
        row = {
            "request_id": request_id,
            **self._cycle,
            "purpose": question.purpose,
            "model": question.model,
            "content_key": question.content_key,
            "most_cost_usd": question.most_cost_usd,
            "recorded_at": self._now,
        }
        self._warehouse.append({"ledger.model_requests": [row]})
        return request_id

    def answered(self, request_id: str | None, call: ModelCall) -> None:
        """Writes what came of it before the answer is used."""
        self._calls += 1
        row = {
            "call_id": request_id or self._id("call", self._requests, self._calls, self._now.isoformat()),
            **self._cycle,
            "purpose": call.purpose,
            "model": call.model,
            "prompt_hash": call.prompt_hash,
            "input_tokens": call.usage.input_tokens,
            "output_tokens": call.usage.output_tokens,
            "cost_usd": call.usage.cost_usd,
            "status": call.status,
            "detail": call.detail,
            "recorded_at": self._now,
            "request_id": request_id,
        }
        self._warehouse.append({"ledger.model_calls": [row]})

    def remember(self, content_key: str, answer: dict[str, Any]) -> None:
        """Keeps a usable answer."""
        row = {"content_key": content_key, **self._cycle, "answer": json.dumps(answer), "recorded_at": self._now}
        self._warehouse.append({"ledger.model_answers": [row]})

    def _id(self, *parts: object) -> str:
        text = "/".join(str(part) for part in (*self._cycle.values(), *parts))
        return hashlib.sha256(text.encode()).hexdigest()
