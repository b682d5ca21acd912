"""Which data tests a build runs: all of them, or only those that guard what may be learned.

A simulated week, and the later batches of a week, build again within hours of a full check. They test the evidence chain (keys,
identities and the rules of what may be claimed, from the ledger to the learnings) and leave the rest to the next full build.
``loop run`` and ``loop build`` check everything, and so does the last look of ``loop demo``.
"""

from collections.abc import Mapping
from typing import Any, Literal

Checks = Literal["all", "evidence"]
TAG = "loop/checks"  # of a Dagster run

# Beside the folders, tests that a column is filled: where an empty one would mislead, the keys and identities of the chain fail too.
_LEFT_TEST = "not_null"
_LEFT_FOLDERS = (
    *(
        f"models/staging/{source}"
        for source in (
            "adapters",
            "channels",
            "customerio",
            "events",
            "intake",
            "klaviyo",
            "mailgun",
            "one_click",
            "postmark",
            "rates",
            "segment",
            "sendgrid",
            "ses",
            "twilio",
        )
    ),
    *(f"models/intermediate/{subject}" for subject in ("channels", "people", "revenue")),
    *(f"models/marts/{subject}" for subject in ("calendar", "channels", "growth")),
)


def left_out(checks: str) -> tuple[str, ...]:
    """dbt selectors of what a build does not run; unit tests are the test suite's and never run on a warehouse.

    Args:
        checks: ``all`` or ``evidence``.
    """
    if checks == "all":
        return ("resource_type:unit_test",)
    folders = (f"resource_type:test,path:{folder}" for folder in _LEFT_FOLDERS)
    return ("resource_type:unit_test", f"resource_type:test,test_name:{_LEFT_TEST}", *folders)


def guards_evidence(test: Mapping[str, Any]) -> bool:
    """Whether a test, as the manifest describes it, runs in a build that checks the evidence alone: what ``left_out`` leaves in."""
    is_left = any(test["original_file_path"].startswith(f"{folder}/") for folder in _LEFT_FOLDERS)
    return not is_left and (test.get("test_metadata") or {}).get("name") != _LEFT_TEST
