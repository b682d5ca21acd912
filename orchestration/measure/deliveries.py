"""Deliveries on their way from the spool into ``raw.inbox``: taken in without the person, or kept sealed until they can be."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.edges.spool import Record, unpacked
from orchestration.measure.privacy import Seal
from orchestration.measure.redaction import Redactor, Unreadable

_INBOX = pa.schema(
    [
        (name, pa.string())
        for name in ("inbox_id", "provider", "source", "received_at", "headers", "body", "body_sha256")
    ]
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record of a spool file."""

    spool_file: str
    number: int
    record: Record = field(repr=False)

    @property
    def inbox_id(self) -> str:
        """The same whenever it is taken in."""
        return f"{self.spool_file.removesuffix('.spool')}#{self.number}"

    def redacted(self, redactor: Redactor) -> dict[str, Any]:
        """Its row of the inbox.

        Raises:
            Unreadable: if it cannot be read, or nothing says who is named in it; the message is the reason.
        """
        record = self.record
        body = redactor.redacted(record.provider, record.headers, record.body)
        return {
            "inbox_id": self.inbox_id,
            "provider": record.provider,
            "source": record.source,
            "received_at": record.received_at.isoformat(),
            "headers": json.dumps({name: redactor.text(value) for name, value in record.headers.items()}),
            "body": body,
            "body_sha256": hashlib.sha256(record.body).hexdigest(),
        }

    def payload(self, seal: Seal) -> str:
        """What is quarantined of it as JSON: where it came from in clear, the rest for the holder of the key alone."""
        told = {
            "spool_file": self.spool_file, "record": self.number, "provider": self.record.provider,
            "source": self.record.source, "received_at": self.record.received_at.isoformat(),
            "body_sha256": hashlib.sha256(self.record.body).hexdigest(), "bytes": len(self.record.body),
            "sealed": seal.close(self.record.packed()),
        }  # fmt: skip
        return json.dumps(told)

    @staticmethod
    def of_payload(payload: dict[str, Any], seal: Seal) -> "Delivery":
        """The delivery of a quarantined row.

        Raises:
            Refusal: if it was sealed under another key.
        """
        [record] = unpacked(seal.open(payload["sealed"]))
        return Delivery(payload["spool_file"], payload["record"], record)


def append_deliveries(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], now: dt.datetime) -> None:
    """Appends rows of :meth:`Delivery.redacted` to ``raw.inbox``, known to the warehouse from ``now``."""
    connection.register("moved", pa.Table.from_pylist(rows, schema=_INBOX))
    connection.execute(
        """insert into raw.inbox by name
        select
            inbox_id, provider, source, cast(received_at as timestamp) as received_at, $now as ingested_at,
            cast(headers as json) as headers, cast(body as json) as body, body_sha256
        from moved""",
        {"now": now},
    )
    connection.unregister("moved")


@dataclass(frozen=True, slots=True)
class Retaken:
    """What a second try brought.

    Attributes:
        outcomes: (import_id, row_number) of the quarantined row -> accepted or duplicate; none for those still refused.
    """

    outcomes: dict[tuple[str, int], str]
    still_refused: int


def retake(
    connection: duckdb.DuckDBPyConnection,
    rows: list[tuple[str, int, dict[str, Any]]],
    redactor: Redactor,
    seal: Seal,
    now: dt.datetime,
) -> Retaken:
    """Takes in quarantined deliveries that can be read now, each once; within a transaction.

    Args:
        rows: import_id, row_number and payload of the quarantined rows.

    Raises:
        Refusal: if one was sealed under another key.
    """
    outcomes: dict[tuple[str, int], str] = {}
    taken: dict[str, dict[str, Any]] = {}
    for import_id, number, payload in rows:
        delivery = Delivery.of_payload(payload, seal)
        known = connection.execute("select count(*) from raw.inbox where inbox_id = ?", [delivery.inbox_id]).fetchall()[
            0
        ][0]
        if known or delivery.inbox_id in taken:
            outcomes[import_id, number] = "duplicate"
            continue
        try:
            taken[delivery.inbox_id] = delivery.redacted(redactor)
        except Unreadable:
            continue
        outcomes[import_id, number] = "accepted"
    if taken:
        append_deliveries(connection, list(taken.values()), now)
    return Retaken(outcomes, len(rows) - len(outcomes))
