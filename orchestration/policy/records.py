"""What the ledger keeps of judgements: the rule, its version, and what it was told."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.edges.warehouse import Warehouse
from orchestration.policy.rules import Judgement, Rules


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement with what it is about.

    Attributes:
        subject: A creative's id, or an experiment's and its batch.
    """

    subject: str
    program: str
    judgement: Judgement


def ledger_rows(
    warehouse: Warehouse, rules: Rules, judged: Sequence[Judged], now: dt.datetime
) -> Mapping[str, list[dict[str, Any]]]:
    """Rows of ``ledger.judgements``, and of ``ledger.rule_sets`` where the version is new; append them with what they decide."""
    known = warehouse.rows("select 1 from ledger.rule_sets where version = ?", [rules.version])
    versions = [{"version": rules.version, "rules": rules.canonical_json, "recorded_at": now}]
    return {
        "ledger.rule_sets": [] if known or not judged else versions,
        "ledger.judgements": [
            {
                "stage": one.judgement.stage,
                "subject": one.subject,
                "program": one.program,
                "decision": one.judgement.decision,
                "rule": one.judgement.rule,
                "reason_code": one.judgement.code,
                "reason": one.judgement.reason,
                "rules_version": one.judgement.version,
                "facts": json.dumps(dict(one.judgement.facts), sort_keys=True),
                "recorded_at": now,
            }
            for one in judged
        ],
    }
