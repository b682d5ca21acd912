"""OpenAI's batch API: questions go up as a file and are answered within a day, at half the price.

    prepared -> (file uploaded) creating -> created -> ended

Every step is in the ledger before the next one is taken. The one step that can be in doubt is the creation: a process may die, or a
connection break, after the server has taken it. Then the server is asked for a batch with our key before one is created again; where it
has no list, the batch is given up and its questions count as the most they could cost. What a batch leaves unanswered is asked one by
one, and so is what it has not answered a day and some hours later.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import openai

from orchestration.edges.model_api import Answer
from orchestration.edges.model_batch_book import BatchBook, Batched, OpenBatch
from orchestration.edges.model_book import Book
from orchestration.edges.model_wire import Form, Heard, cost_of, heard_body, path_of, request_of, shortened
from orchestration.programs.definition import Model
from orchestration.records import ModelCall, Usage

MOST_LINES: Final = 50_000  # of one file, by OpenAI's limits
_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_FREE, _UNTOLD = Usage(0, 0, 0.0), Usage(None, None, None)
_POLL_SECONDS = 20.0
_MOST_HOURS = 26  # the server answers within 24, or lets it expire
_LISTED = 1000  # latest batches of the account among which ours is looked for
_STUMBLES = (openai.OpenAIError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that nobody has asked yet."""

    body: Mapping[str, Any]
    purpose: str
    prompt_hash: str
    most_cost_usd: float


class Collector:
    """Stands for a model while a cycle is rehearsed: knows what was answered, collects what would be asked.

    Args:
        asked: Content keys that are not collected again.
        stood_in: Texts that a fallback wrote in this rehearsal; a question that holds one would not be asked like that.
    """

    def __init__(self, model: Model, book: Book, asked: set[str], stood_in: set[str]) -> None:
        self.name = model.name or ""
        self.questions: dict[str, Waiting] = {}
        self._model, self._book, self._asked, self._stood_in = model, book, asked, stood_in

    def ask(self, text: str, *, purpose: str, prompt_hash: str, schema: Mapping[str, Any], most_tokens: int) -> Answer:
        """The known answer, or none; see ``ModelApi.ask``."""
        request = request_of(self._model, text, Form(purpose, schema), most_tokens)
        known = self._book.remembered(request.content_key)
        if known is not None:
            return Answer("ok", known, _FREE, "asked before")
        if request.content_key not in self._asked and not any(told in text for told in self._stood_in):
            self.questions[request.content_key] = Waiting(request.body, purpose, prompt_hash, request.most_cost_usd)
        return Answer("failed", None, _FREE, "not asked: collected for a batch")


class ModelBatch:
    """Hands in batches of one program's cycle and collects them.

    Args:
        wait: Sleeps between two looks at a batch.
    """

    def __init__(
        self,
        api_key: str | None,
        model: Model,
        book: BatchBook,
        spent: Book,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.model, self._book, self._spent, self._wait = model, book, spent, wait
        self._left = model.batch_wait_minutes * 60
        self._client = openai.OpenAI(api_key=api_key or "none", base_url=model.base_url, timeout=60.0, max_retries=0)

    def settle(self) -> bool:
        """Goes on with every batch that has not ended; whether all of them have now."""
        ended = [self._go_on(batch) for batch in self._book.open()]
        return all(ended)

    def submit(self, questions: Mapping[str, Waiting]) -> bool:
        """Hands in as many questions as the budget allows, and waits; whether the batch has ended."""
        if self.model.budget_usd_per_cycle == 0:
            return True  # nobody is asked, at whatever price
        room = self.model.budget_usd_per_cycle - self._spent.spent_usd()
        taken: dict[str, tuple[str, str, float]] = {}
        for key, one in list(questions.items())[:MOST_LINES]:
            most = one.most_cost_usd * self.model.batch_price
            if most <= room:
                room -= most
                taken[key] = (one.purpose, one.prompt_hash, most)
        if len(taken) < self.model.batch_least:
            return True
        batch = self._book.prepare(self.model.name or "", taken)
        lines = [
            json.dumps({"custom_id": key, "method": "POST", "url": path_of(self.model), "body": questions[key].body})
            for key in taken
        ]
        try:
            file = self._client.files.create(file=("questions.jsonl", "\n".join(lines).encode()), purpose="batch")
            file_id = str(file.id)
        except _STUMBLES as error:
            return self._give_up(batch, f"the questions could not be uploaded ({error})", _FREE)
        self._book.note(batch.key, "creating", file_id)
        return self._create(batch, file_id)

    def _go_on(self, batch: OpenBatch) -> bool:
        if batch.file_id is None:
            return self._give_up(batch, "ended before it was handed in", _FREE)
        has_ended = self._follow(batch, batch.batch_id) if batch.batch_id else self._find(batch, batch.file_id)
        if not has_ended and batch.hours_old > _MOST_HOURS:
            return self._give_up(batch, f"no answer in {_MOST_HOURS} hours", _UNTOLD)
        return has_ended

    def _create(self, batch: OpenBatch, file_id: str) -> bool:
        try:
            made = self._client.batches.create(
                input_file_id=file_id,
                endpoint=path_of(self.model),
                completion_window="24h",
                metadata={"loop_batch": batch.key},
                extra_headers={"Idempotency-Key": batch.key},
            )
            batch_id = str(made.id)
        except openai.APIStatusError as error:
            if error.status_code < 500:
                return self._give_up(batch, f"refused: {error.status_code} {error.message}", _FREE)
            return self._doubt(batch, file_id)
        except _STUMBLES:
            return self._doubt(batch, file_id)
        self._book.note(batch.key, "created", batch_id)
        return self._follow(batch, batch_id)

    def _doubt(self, batch: OpenBatch, file_id: str) -> bool:
        """After a creation without an answer: a batch has a moment to be listed before it is believed not to be there."""
        if self._left <= 0:
            return self._find(batch, None)
        self._left -= _POLL_SECONDS
        self._wait(_POLL_SECONDS)
        return self._find(batch, file_id)

    def _find(self, batch: OpenBatch, file_id: str | None) -> bool:
        """Settles a creation in doubt by asking the server.

        Args:
            file_id: Create the batch from this file if the server does not have it; None leaves that to a later run.
        """
        try:
            found = self._listed(batch.key)
        except (openai.NotFoundError, LookupError) as error:
            return self._give_up(batch, f"nobody can tell whether the server has it ({error})", _UNTOLD)
        except _STUMBLES:
            return False  # asked again by the next run
        if found is not None:
            self._book.note(batch.key, "created", found)
            return self._follow(batch, found)
        if file_id is None:
            return False
        return self._create(batch, file_id)

    def _listed(self, key: str) -> str | None:
        for number, one in enumerate(self._client.batches.list(limit=100)):
            if (one.metadata or {}).get("loop_batch") == key:
                return str(one.id)
            if number == _LISTED:
                raise LookupError(f"not among the latest {_LISTED} batches")
        return None

    def _follow(self, batch: OpenBatch, batch_id: str) -> bool:
        """Waits for a batch as long as this run may, and collects it; whether it has ended."""
        while True:
            try:
                state = self._client.batches.retrieve(batch_id)
                if state.status in _ENDED:
                    files = [state.output_file_id, state.error_file_id]
                    told = [
                        line
                        for file_id in files
                        if file_id
                        for line in _lines(self._client.files.content(file_id).text)
                    ]
                    return self._collect(batch, str(state.status), told)
            except openai.NotFoundError as error:
                return self._give_up(batch, f"the server has lost it ({error.message})", _UNTOLD)
            except _STUMBLES:
                pass  # asked again
            if self._left <= 0:
                return False
            self._left -= _POLL_SECONDS
            self._wait(_POLL_SECONDS)

    def _collect(self, batch: OpenBatch, status: str, told: Sequence[Mapping[str, Any]]) -> bool:
        by_name = {str(line.get("custom_id")): line for line in told}
        calls: list[tuple[Batched, ModelCall]] = []
        answers: dict[str, dict[str, Any]] = {}
        for one in batch.questions:
            call, content = self._heard(one, by_name.get(one.content_key), status)
            calls.append((one, call))
            if content is not None:
                answers[one.content_key] = content
        self._book.end(batch.key, status, calls, answers)
        return True

    def _heard(
        self, one: Batched, line: Mapping[str, Any] | None, status: str
    ) -> tuple[ModelCall, dict[str, Any] | None]:
        response = line.get("response") if line is not None else None
        answered = isinstance(response, dict) and response.get("status_code") == 200
        if line is None or not isinstance(response, dict) or not answered:
            why = f"batch {status}: " + shortened(
                json.dumps((line or {}).get("error") or response) if line else "no answer"
            )
            return self._call(one, "failed", _FREE, why), None
        heard = heard_body(self.model, response.get("body"))
        return self._call(one, heard.outcome, self._priced(heard), heard.detail or "in a batch"), heard.content

    def _priced(self, heard: Heard) -> Usage:
        tokens_in, tokens_out = heard.tokens
        if tokens_in is None or tokens_out is None:
            return Usage(tokens_in, tokens_out, None)
        return Usage(tokens_in, tokens_out, cost_of(self.model, tokens_in, tokens_out) * self.model.batch_price)

    def _give_up(self, batch: OpenBatch, why: str, usage: Usage) -> bool:
        calls = [(one, self._call(one, "failed", usage, shortened(why))) for one in batch.questions]
        self._book.end(batch.key, shortened(why), calls, {})
        return True

    def _call(self, one: Batched, status: Any, usage: Usage, detail: str) -> ModelCall:
        return ModelCall(one.purpose, self.model.name or "", one.prompt_hash, usage, status, detail)


def _lines(text: str) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file; what is none is passed over, and its question is asked by itself."""
    found = []
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict):
            found.append(told)
    return found
