"""What a text may be on each channel: lengths as readers and wires count them, lines and links."""

import unicodedata
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from orchestration.edges import yaml_text

_FILE = Path(__file__).parent / "data" / "channel_limits.yaml"
_JOINER = "\u200d"


class Limits(BaseModel):
    """Limits of one channel.

    Attributes:
        kind: What is written there, in the plural.
        shortest: Graphemes; ``longest`` likewise.
        most_bytes: Bytes of UTF-8.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    shortest: int = Field(ge=1)
    longest: int = Field(ge=1)
    most_bytes: int = Field(ge=1)
    most_lines: int = Field(ge=1)
    most_links: int = Field(ge=0)

    def in_words(self) -> tuple[str, ...]:
        """The limits as rules for a writer."""
        links = "no link" if self.most_links == 0 else f"at most {self.most_links} link{'s' * (self.most_links > 1)}"
        lines = "on one line" if self.most_lines == 1 else f"on at most {self.most_lines} lines"
        return (f"{self.shortest} to {self.longest} characters {lines}, {links}.",)


def limits_of(channel: str) -> Limits:
    """The limits of a channel; those of ``default`` for one that the file does not name."""
    limits = _limits()
    return limits.get(channel, limits["default"])


def graphemes(text: str) -> int:
    """What a reader counts as characters: marks, joined emoji and flags do not count apart.

    Close to Unicode's extended grapheme clusters (UAX 29); Hangul written in single letters counts too long, never too short.
    """
    count, joined, flag = 0, False, False
    for character in text:
        if character == _JOINER:
            joined = True
            continue
        is_flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        extends = (
            unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf"} or "\U0001f3fb" <= character <= "\U0001f3ff"
        )
        if extends or joined or (is_flag and flag):
            flag = False
        else:
            count += 1
            flag = is_flag
        joined = False
    return count


@cache
def _limits() -> dict[str, Limits]:
    content = yaml_text.read(_FILE)
    return {channel: Limits.model_validate(limits) for channel, limits in content.items()}
