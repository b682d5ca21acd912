"""Expected refusals: one family, one wording.

    LoopError
    ├── Refusal          the input or the state is not fit; nothing was changed (exit code 2)
    └── WarehouseLocked  another process writes; try again (exit code 2)

Everything else that goes wrong is a bug and fails loudly.
"""


class LoopError(Exception):
    """Worded ``subject -> reason. what to do.``; the command line prints it and exits with 2."""

    def __init__(self, subject: str, reason: str, remedy: str) -> None:
        self.subject, self.reason, self.remedy = subject, reason.rstrip("."), remedy
        super().__init__(f"{subject} -> {self.reason}. {remedy}")


class Refusal(LoopError):
    """The named thing cannot be accepted as it is."""


class WarehouseLocked(LoopError):
    """Another process holds the warehouse."""
