"""How a sender is told that something was not taken.

Providers read the status as an order: 403 ends Postmark's retries and 406 ends Mailgun's, for ever. Neither is
ever answered here. What is wrong with us (no key configured, disk full) is 503, so that the sender keeps the event and comes back.
"""

RETRY_SECONDS = 30


class Turned(Exception):
    """A delivery that was not kept.

    Attributes:
        status: HTTP status for this sender.
        reason: One clause, without anything the sender sent.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        assert status not in {403, 406}
        self.status, self.reason = status, reason
