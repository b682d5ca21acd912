"""Decisions on creatives, each with its actor and reason."""

import datetime as dt

from orchestration.edges.warehouse import Warehouse
from orchestration.errors import Refusal


def decide(warehouse: Warehouse, creative: str, decision: str, actor: str, reason: str, now: dt.datetime) -> list[str]:
    """Records a decision on one creative, or on ``all`` that wait; returns the ids decided on.

    Raises:
        Refusal: if the id is unknown, or none waits.
    """
    rows = warehouse.rows(
        """
        select creatives.creative_id, count(approvals.creative_id) as decisions
        from ledger.creatives as creatives
        left join ledger.approvals as approvals on creatives.creative_id = approvals.creative_id
        where $creative in ('all', creatives.creative_id)
        group by creatives.creative_id
        order by creatives.creative_id
        """,
        {"creative": creative},
    )
    chosen = [row["creative_id"] for row in rows if creative != "all" or row["decisions"] == 0]
    if not chosen:
        reason_ = "none waits for a decision" if creative == "all" else "is not a creative of this warehouse"
        raise Refusal(
            creative, reason_, "`loop run` writes creatives; Dagster's page of generate/creatives lists them."
        )
    warehouse.append(
        {
            "ledger.approvals": [
                {"creative_id": chosen_id, "decision": decision, "actor": actor, "reason": reason, "recorded_at": now}
                for chosen_id in chosen
            ]
        }
    )
    return chosen
