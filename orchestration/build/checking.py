"""Which data tests a build runs: all of them, or only those that guard what may be learned.

Every test of the project passes or fails a whole build. A simulated week, and the later batches of a week, build again within
hours of a full check: they test the evidence chain (keys, identities and the rules of what may be claimed, from the ledger to the
learnings) and leave the rest to the next full build. ``loop run`` and ``loop build`` check everything, and so does the last look of
``loop demo``.
"""

from typing import Literal

Checks = Literal["all", "evidence"]
TAG = "loop/checks"  # of a Dagster run

_LEFT_FOR_A_FULL_CHECK = (
    "test_name:not_null",  # of marts and keys, the contracts and uniqueness tests speak up too
    "path:models/staging/events",
    "path:models/staging/intake",
    "path:models/staging/adapters",
    "path:models/staging/channels",
    "path:models/staging/rates",
    "path:models/staging/customerio",
    "path:models/staging/klaviyo",
    "path:models/staging/mailgun",
    "path:models/staging/one_click",
    "path:models/staging/postmark",
    "path:models/staging/segment",
    "path:models/staging/sendgrid",
    "path:models/staging/ses",
    "path:models/staging/twilio",
    "path:models/intermediate/channels",
    "path:models/intermediate/people",
    "path:models/intermediate/revenue",
    "path:models/marts/calendar",
    "path:models/marts/channels",
    "path:models/marts/growth",
)


def left_out(checks: str) -> tuple[str, ...]:
    """dbt selectors of what a build does not run; unit tests are the test suite's and never run on a warehouse.

    Args:
        checks: ``all`` or ``evidence``.
    """
    if checks == "all":
        return ("resource_type:unit_test",)
    return ("resource_type:unit_test", *(f"resource_type:test,{part}" for part in _LEFT_FOR_A_FULL_CHECK))
