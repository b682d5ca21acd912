"""The batch API of a model server: files, batches that take their time, results out of order, and the faults of each step."""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.model_server import Reply, error


@dataclass
class PlayedBatches:
    """Plays the batches of an account.

    Attributes:
        answer: A row's request to the reply it would get by itself.
        looks: Looks at a batch before it has ended.
        ends: How batches end.
        broken: Rows (by their place in the file) that fail: ``error`` goes to the error file, ``missing`` to none, ``odd`` is no JSON.
        faults: What goes wrong with the next steps: step -> ``before`` (nothing was taken) or ``after`` (it was, nobody is told).
    """

    answer: Callable[[Any], Reply]
    looks: int = 1
    ends: str = "completed"
    broken: dict[int, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    has_list: bool = True
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    _files: dict[str, str] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def __call__(self, method: str, path: str, body: bytes) -> Reply:
        """Answers one call."""
        with self._lock:
            step, act = self._routed(method, urlsplit(path).path, body)
            self.steps.append(step)
            fault = self.faults.pop(step, None)
            if fault == "before":
                return error(500, "server_error")
            reply = act()
            return replace(reply, cut_after=0) if fault == "after" else reply

    def rows(self) -> list[str]:
        """Names of every row that was ever handed in, batch by batch."""
        return [row["custom_id"] for batch in self.batches.values() for row in self._rows(batch)]

    def _routed(self, method: str, path: str, body: bytes) -> tuple[str, Callable[[], Reply]]:
        name = path.rstrip("/").split("/")
        match (method, name[2:]):
            case ("POST", ["files"]):
                return "upload", lambda: self._upload(body)
            case ("POST", ["batches"]):
                return "create", lambda: self._create(json.loads(body))
            case ("GET", ["batches"]):
                listed = Reply({"object": "list", "data": list(self.batches.values()), "has_more": False})
                return "list", lambda: listed if self.has_list else error(404, "not_found")
            case ("GET", ["batches", batch]):
                return "look", lambda: self._look(batch)
            case ("GET", ["files", file, "content"]):
                return "download", lambda: Reply(self._files[file]) if file in self._files else error(404, "not_found")
        return "other", lambda: error(404, "not_found")

    def _upload(self, body: bytes) -> Reply:
        found = re.search(rb'filename="questions\.jsonl".*?\r\n\r\n(.*?)\r\n--', body, re.DOTALL)
        assert found, "a file of questions"
        assert b"batch" in body
        return Reply({"id": self._file(found[1].decode()), "object": "file", "purpose": "batch"})

    def _create(self, asked: Any) -> Reply:
        assert asked["completion_window"] == "24h"
        batch = {
            "id": f"batch-{len(self.batches)}", "object": "batch", "endpoint": asked["endpoint"], "status": "in_progress",
            "input_file_id": asked["input_file_id"], "metadata": asked["metadata"], "completion_window": "24h", "created_at": 1,
        }  # fmt: skip
        self.batches[batch["id"]] = batch
        return Reply(batch)

    def _look(self, name: str) -> Reply:
        batch = self.batches.get(name)
        if batch is None:
            return error(404, "not_found")
        batch["looks"] = batch.get("looks", 0) + 1
        if batch["looks"] > self.looks and batch["status"] == "in_progress":
            batch["status"] = self.ends
            if self.ends in {"completed", "expired"}:
                self._answered(batch)
        return Reply(batch)

    def _answered(self, batch: dict[str, Any]) -> None:
        output, errors = [], []
        for number, row in enumerate(self._rows(batch)):
            match self.broken.get(number):
                case None:
                    reply = self.answer(row["body"])
                    told = {"status_code": reply.status, "request_id": f"req-{number}", "body": reply.body}
                    output.append(json.dumps({"custom_id": row["custom_id"], "response": told, "error": None}))
                case "error":
                    told = {"status_code": 500, "body": {"error": {"message": "overloaded"}}}
                    errors.append(json.dumps({"custom_id": row["custom_id"], "response": told, "error": None}))
                case "odd":
                    output.append('{"custom_id": ')
        if output:
            batch["output_file_id"] = self._file("\n".join(reversed(output)))
        if errors:
            batch["error_file_id"] = self._file("\n".join(errors))

    def _rows(self, batch: dict[str, Any]) -> list[Any]:
        return [json.loads(line) for line in self._files[batch["input_file_id"]].splitlines()]

    def _file(self, text: str) -> str:
        name = f"file-{len(self._files)}"
        self._files[name] = text
        return name
