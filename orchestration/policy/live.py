"""Rules that may change while something runs: read again when their files have changed, never otherwise."""

from pathlib import Path

from orchestration.policy.rules import SHIPPED, Rules

_Seen = tuple[tuple[str, int, int], ...]


class LiveRules:
    """The rules that ship and those of a folder, as their files stand.

    Args:
        own: A folder of rules, which need not exist; see ``Rules.load``.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._own = own
        self._rules: Rules | None = None
        self._seen: _Seen = ()

    def current(self) -> Rules:
        """The rules of this moment.

        Raises:
            Refusal: if a file that has changed cannot be read; nothing is assumed in its place.
        """
        seen = self._look()
        if self._rules is None or seen != self._seen:
            self._rules = None
            self._rules, self._seen = Rules.load(self._own), seen
        return self._rules

    def has_changed(self) -> bool:
        """Whether a file was changed, added or taken away since ``current`` was last asked."""
        return self._rules is None or self._look() != self._seen

    def _look(self) -> _Seen:
        files = [SHIPPED, *(sorted(self._own.glob("*.yaml")) if self._own else [])]
        return tuple((str(file), status.st_mtime_ns, status.st_size) for file in files if (status := file.stat()))
