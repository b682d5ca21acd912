"""From what happened to what arrives: clocks, delays, duplicates, in the columns of ``raw.events``."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.sandbox.chance import Chance, Keys
from orchestration.sandbox.instants import DAY, HOUR, SECOND, Instants
from orchestration.sandbox.outbox import Messages
from orchestration.sandbox.preset import Delivery

_TIME = pa.timestamp("us")
COLUMNS = pa.schema(
    [("event_id", pa.string()), ("source", pa.string()), ("type", pa.string()), ("event_name", pa.string())]
    + [("user_id", pa.string()), ("anonymous_id", pa.string())]
    + [(name, _TIME) for name in ("occurred_at", "original_at", "sent_at", "received_at")]
    + [(name, pa.string()) for name in ("experiment_id", "creative_id", "send_id", "channel")]
    + [("is_machine", pa.bool_()), ("value", pa.decimal128(18, 4)), ("currency", pa.string())]
    + [("properties", pa.string()), ("context", pa.string()), ("schema_version", pa.int32())]
)
_BROWSER = '{"userAgent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0", "library": {"name": "web"}}'
_PROVIDER = '{"library": {"name": "mail"}}'
Names = npt.NDArray[np.object_]


class EventLog:
    """Collects events as they happen and holds each back until it is received."""

    def __init__(self, source: str, chance: Chance, delivery: Delivery, pending: pa.Table | None = None) -> None:
        self._source, self._chance, self._delivery = source, chance, delivery
        self._pending = pending if pending is not None else COLUMNS.empty_table()
        self._blocks: list[pa.Table] = [COLUMNS.empty_table()]
        self._keys: list[Keys] = [np.empty(0, dtype=np.uint64)]

    def web(
        self,
        name: str | None,
        keys: Keys,
        users: Names,
        at: Instants,
        properties: Sequence[str],
        *,
        pence: npt.NDArray[np.int64] | None = None,
        context: Sequence[str] | None = None,
    ) -> None:
        """Adds events of the shop's own pages; without a name they are identify events.

        The source sends no time of its own; ``received_at - (sent_at - original_at)`` puts the device's clock right.

        Args:
            keys: One per event; becomes the event id.
            at: When each really happened.
            pence: Value of each order.
        """
        chance, wrong = self._chance, self._chance.happens(keys, "skewed", self._delivery.skewed)
        skew = (chance.normal(keys, "skew") * np.where(wrong, 3 * HOUR, 2 * SECOND)).astype(np.int64)
        queued = (chance.exponential(keys, "queued") * 3 * SECOND).astype(np.int64) + self._lateness(keys)
        received = at + queued + (chance.uniform(keys, "network") * SECOND).astype(np.int64)
        money: dict[str, Any] = {}
        if pence is not None:
            money = {"value": [Decimal(amount).scaleb(-2) for amount in pence.tolist()], "currency": "GBP"}
        self._add(
            keys,
            received,
            type="identify" if name is None else "track",
            event_name=name,
            user_id=users,
            anonymous_id=["a" + user[-8:] for user in users],
            original_at=at + skew,
            sent_at=at + queued + skew,
            channel="web",
            properties=properties,
            context=context if context is not None else _BROWSER,
            **money,
        )

    def mail(
        self,
        name: str,
        messages: Messages,
        at: Instants,
        properties: Sequence[str] | Names,
        *,
        kind: str = "",
        machine: npt.NDArray[np.object_] | bool | None = None,
        agents: Sequence[str] | None = None,
        channel: str = "email",
    ) -> None:
        """Adds events of the mail provider, or of another channel's, who knows the time and the message.

        Args:
            kind: Tells several events of one name about one message apart.
            machine: What the provider says about each; None where it does not know.
            agents: User agents, for opens and clicks.
        """
        keys = self._chance.derive(messages.keys, name + kind)
        received = (
            at + ((1 + 30 * self._chance.uniform(keys, "batch")) * SECOND).astype(np.int64) + self._lateness(keys)
        )
        self._add(
            keys,
            received,
            type="track",
            event_name=name,
            user_id=messages.user_id,
            occurred_at=at,
            original_at=at,
            experiment_id=messages.experiment_id,
            creative_id=messages.creative_id,
            send_id=messages.send_id,
            channel=channel,
            is_machine=machine,
            properties=properties,
            context=_PROVIDER if agents is None else [f'{{"userAgent": "{agent}"}}' for agent in agents],
        )

    def split(self, until: int) -> tuple[pa.Table, pa.Table]:
        """What is received before an instant, in the order of arrival, and what is still under way."""
        fresh = pa.concat_tables(self._blocks)
        table = pa.concat_tables([self._pending, fresh, self._again(fresh, np.concatenate(self._keys))]).sort_by(
            [("received_at", "ascending"), ("event_id", "ascending")]
        )
        here = pc.less(table["received_at"], pa.scalar(until, type=_TIME))
        return table.filter(here), table.filter(pc.invert(here))

    def _lateness(self, keys: Keys) -> Instants:
        late = self._chance.happens(keys, "late", self._delivery.late)
        hold = HOUR + self._chance.uniform(keys, "lateness") ** 2 * (self._delivery.late_days * DAY - HOUR)
        return np.where(late, hold, 0).astype(np.int64)

    def _add(self, keys: Keys, received: Instants, **values: Any) -> None:
        if len(keys) == 0:
            return
        values |= {
            "event_id": [f"{key:016x}" for key in keys.tolist()],
            "received_at": received,
            "source": self._source,
        }
        values["schema_version"] = 1
        self._blocks.append(
            pa.table([_column(field, values.get(field.name), len(keys)) for field in COLUMNS], schema=COLUMNS)
        )
        self._keys.append(keys)

    def _again(self, events: pa.Table, keys: Keys) -> pa.Table:
        twice = np.flatnonzero(self._chance.happens(keys, "twice", self._delivery.duplicated))
        delay = 5 * SECOND + (self._chance.uniform(keys[twice], "again") ** 3 * 2 * DAY).astype(np.int64)
        copies, where = events.take(pa.array(twice)), COLUMNS.get_field_index("received_at")
        received = pa.array(copies["received_at"].cast(pa.int64()).to_numpy() + delay).cast(_TIME)
        return copies.set_column(where, COLUMNS.field(where), received)


def _column(field: pa.Field, values: Any, count: int) -> pa.Array:
    if values is None or isinstance(values, str | int):
        return pa.repeat(pa.scalar(values, type=field.type), count)
    array = pa.array(values) if field.type == _TIME else pa.array(values, type=field.type)
    return array.cast(field.type)
