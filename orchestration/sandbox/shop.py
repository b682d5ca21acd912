"""What people do on the shop's pages."""

from collections.abc import Sequence

import numpy as np

from orchestration.sandbox.chance import Chance, Keys
from orchestration.sandbox.eventlog import EventLog, Names
from orchestration.sandbox.instants import MINUTE, Instants

_PRODUCTS = 240
_MOST_VIEWS = 3
_MEDIAN_PENCE = 3200


def view(
    log: EventLog, chance: Chance, visits: Keys, users: Names, at: Instants, *, context: Sequence[str] | None = None
) -> None:
    """Adds one to three products viewed per visit, some minutes apart."""
    views = 1 + (chance.uniform(visits, "views") * _MOST_VIEWS).astype(int)
    for number in range(_MOST_VIEWS):
        some = np.flatnonzero(views > number)
        keys = chance.derive(visits[some], f"view {number}")
        products = (chance.uniform(keys, "product") ** 2 * _PRODUCTS).astype(int)
        when = at[some] + ((number + 0.2 + chance.uniform(keys, "pause")) * MINUTE).astype(np.int64)
        properties = [f'{{"product_id": "p{product}"}}' for product in products.tolist()]
        log.web("Product Viewed", keys, users[some], when, properties, context=_some(context, some))


def order(
    log: EventLog, chance: Chance, visits: Keys, users: Names, at: Instants, *, context: Sequence[str] | None = None
) -> None:
    """Adds one order per visit, worth a log-normal number of pence."""
    keys = chance.derive(visits, "order")
    pence = (_MEDIAN_PENCE * np.exp(0.6 * chance.normal(keys, "value"))).astype(np.int64)
    properties = [
        f'{{"order_id": "o{key:016x}", "revenue": {amount / 100:.2f}, "currency": "GBP"}}'
        for key, amount in zip(keys.tolist(), pence.tolist(), strict=True)
    ]
    log.web("Order Completed", keys, users, at, properties, pence=pence, context=context)


def _some(context: Sequence[str] | None, which: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Sequence[str] | None:
    return None if context is None else [context[position] for position in which.tolist()]
