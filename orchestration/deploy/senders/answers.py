"""What an HTTP status says about a message, where a channel has no rules of its own."""

import datetime as dt

from orchestration.deploy.messages import Outcome
from orchestration.edges.clock import Clock
from orchestration.edges.http_call import Caller, NotHeard, Reply, Unheard
from orchestration.errors import Refusal

UNREACHABLE_SECONDS = 5.0
LIMITED_SECONDS = 60.0


class Asker:
    """Calls a channel and says what is known where there was no success.

    Args:
        name: Of the channel, for refusals.
        remedy: What to check when it does not accept the key.
    """

    def __init__(self, name: str, caller: Caller, clock: Clock, remedy: str) -> None:
        self.caller = caller
        self._name, self._clock, self._remedy = name, clock, remedy

    def now(self) -> dt.datetime:
        """The time."""
        return self._clock.now()

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Reply | Outcome:
        """The answer of a call that succeeded, or the outcome of one that did not.

        Raises:
            Refusal: if the key is not accepted.
        """
        try:
            reply = self.caller.call(method, path, body, headers)
        except NotHeard as error:
            return Outcome("deferred", str(error), wait_seconds=UNREACHABLE_SECONDS)
        except Unheard as error:
            return Outcome("unknown", f"no answer: {error}")
        if reply.status < 300:
            return reply
        return self.failed(reply)

    def failed(self, reply: Reply) -> Outcome:
        """A status that is no success: a limit was surely not sent, an error of the server may have been.

        Raises:
            Refusal: if the key is not accepted.
        """
        if reply.status in {401, 403}:
            raise Refusal(self._name, f"does not accept the key ({reply.brief()})", self._remedy)
        if reply.status == 429:
            return Outcome(
                "deferred", reply.brief(), wait_seconds=max(1.0, reply.wait_seconds(self.now(), LIMITED_SECONDS))
            )
        if reply.status == 408 or reply.status >= 500 or reply.status < 400:
            return Outcome("unknown", reply.brief())
        return Outcome("refused", reply.brief())
