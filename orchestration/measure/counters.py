"""Cumulative counters into ``raw.channel_counters``: looks at lifetime totals, appended; changes are taken in SQL.

A total may fall (a like withdrawn, a post hidden), so nothing is clamped here: ``int_channels__counters`` keeps gains and losses
apart.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from orchestration.edges.warehouse import Warehouse, transaction


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one counter of one item.

    Attributes:
        item_id: The post, as a URI where the provider has one.
        counter: likes, reposts, replies, ...
        observed_at: When the provider said so.
    """

    provider: str
    account_id: str
    item_id: str
    counter: str
    total: int
    observed_at: dt.datetime


def append_looks(warehouse: Warehouse, looks: Sequence[Look], extracted_at: dt.datetime) -> int:
    """Appends looks that say something the warehouse has not heard; returns how many those are.

    The same look told again is left out. Another total for the same instant is a correction: it is kept, and the later one holds.

    Raises:
        WarehouseLocked: if another process writes to the warehouse.
    """
    warehouse.migrate()
    before_and_after = "select count(*) from raw.channel_counters"
    with warehouse.connect() as connection, transaction(connection):
        before = connection.execute(before_and_after).fetchall()[0][0]
        for look in looks:
            connection.execute(
                """insert into raw.channel_counters by name
                select $provider as provider, $account_id as account_id, $item_id as item_id, $counter as counter,
                    cast($total as bigint) as total, $observed_at as observed_at, $extracted_at as extracted_at
                where $total is distinct from (
                    select arg_max(total, extracted_at) from raw.channel_counters
                    where provider = $provider and item_id = $item_id and counter = $counter and observed_at = $observed_at
                )""",
                asdict(look) | {"extracted_at": extracted_at},
            )
        after = connection.execute(before_and_after).fetchall()[0][0]
    return int(after - before)
