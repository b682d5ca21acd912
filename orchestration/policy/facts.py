"""What a rule may ask about, by stage: the one place where facts have their names and types.

Whoever asks for a judgement gives the facts; a fact that a rule reads and nobody gave is refused by name, never assumed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

from orchestration.errors import Refusal

Stage = Literal["screening", "approval", "sending"]
STAGES: Final = get_args(Stage)
Value = str | int | float | bool | list[str] | None


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact.

    Attributes:
        kind: ``str``, ``int``, ``float``, ``bool`` or ``list`` (of strings).
        nullable: Whether null may be given: it is not known, or does not apply. A rule must say what follows then.
    """

    kind: type
    means: str
    nullable: bool = False

    def accepts(self, value: object) -> bool:
        """Whether a value is of the fact's type; a whole number is a float too, a bool is no number."""
        if value is None:
            return self.nullable
        if self.kind is list:
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        if self.kind is float:
            return isinstance(value, int | float) and not isinstance(value, bool)
        return isinstance(value, self.kind) and not (self.kind is int and isinstance(value, bool))

    @property
    def type_name(self) -> str:
        """The type as people write it."""
        name = "list of strings" if self.kind is list else self.kind.__name__
        return f"{name} or null" if self.nullable else name


_WHERE: Final = {
    "program": Fact(str, "the program's name"),
    "channel": Fact(str, "its channel, such as email"),
    "approval": Fact(str, "what the program says of approval: automatic or required"),
    "dry_run": Fact(bool, "whether the program sends nothing"),
}
CREATIVE: Final = {
    **_WHERE,
    "segment": Fact(str, "segment the text is for"),
    "role": Fact(str, "baseline, exploit, explore or control"),
    "text": Fact(str, "the text itself"),
    "generator": Fact(str, "who wrote it: program, offline, openai, proven"),
    "is_fallback": Fact(bool, "the configured generator failed and the offline one stood in"),
    "length": Fact(int, "characters of the text"),
    "length_limit": Fact(int, "most characters the channel shows; null where it has no limit", nullable=True),
    "reading_level": Fact(
        float, "school years a reader needs; null where the text is too short to tell", nullable=True
    ),
    "links": Fact(list, "links in the text"),
    "banned_claims": Fact(list, "phrases of the list of banned claims that were found"),
    "disclosures_missing": Fact(list, "disclosures that are required and were not found"),
    "personal_data": Fact(list, "kinds of personal data found: email, phone, card, ..."),
    "leakage": Fact(list, "pieces of the prompt or of instructions found in the text"),
    "moderation": Fact(list, "categories a moderation endpoint flagged; null where none is configured", nullable=True),
    "tags_missing": Fact(list, "tags that were asked for and are not found in the text"),
    "tags_unwanted": Fact(list, "steerable tags that were not asked for and are found"),
    "near_duplicate_of": Fact(str, "id or text of the past creative it nearly repeats, or null", nullable=True),
    "cost_usd": Fact(float, "what writing it cost; null where the server does not say", nullable=True),
}
SENDING: Final = {
    **_WHERE,
    "batch": Fact(int, "number of the batch, from 1"),
    "people": Fact(int, "people of the audience it may be dealt to, the holdout included"),
    "ramp_share": Fact(float, "share of the program's people its sends may reach at this level of its ramp"),
    "guardrails": Fact(
        str, "healthy, suspect (some arm harms), harmed (the program does), or unknown while nothing is known"
    ),
    "weeks_needed": Fact(float, "weeks until an effect of the planned size would be proved, or null", nullable=True),
}
FACTS: Final[Mapping[Stage, Mapping[str, Fact]]] = MappingProxyType(
    {"screening": CREATIVE, "approval": CREATIVE, "sending": SENDING}
)


def checked(stage: Stage, facts: Mapping[str, Value]) -> dict[str, Value]:
    """The facts, if all of them are declared and of their types.

    Raises:
        Refusal: naming the first fact that is not.
    """
    declared = FACTS[stage]
    for name, value in facts.items():
        fact = declared.get(name)
        if fact is None:
            raise Refusal(f"fact {name}", f"is not one of stage {stage}", f"Facts are {', '.join(sorted(declared))}.")
        if not fact.accepts(value):
            raise Refusal(f"fact {name}", f"is {value!r}, not a {fact.type_name}", "Give it in its declared type.")
    return dict(facts)
