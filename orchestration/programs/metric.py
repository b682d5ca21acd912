"""What a program counts: outcomes of a person after exposure."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """Part of a definition: unknown fields are refused and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(Strict):
    """An outcome of a person after exposure.

    Attributes:
        event: Canonical event name that counts, or one of those that growth metrics are made of: ``Any Activity``,
            ``Net Revenue``, ``Friend Signed Up``, ``Activation Step``.
        after_days: Start of the window; 7 with ``within_days: 8`` is the eighth day after assignment (days of 24 hours).
        within_days: End of the window; a person counts once it has passed.
        value: ``any`` (0/1), ``count`` of events, ``sum`` of their value, ``days`` with one, ``sessions`` they form, or
            ``steps`` (0/1) for the program's activation steps in order.
        cap: Largest value a person may contribute, or None.
        at_least: Turns a number into 0/1: what a person must reach.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    event: str
    after_days: int = Field(default=0, ge=0, le=89)
    within_days: int = Field(ge=1, le=90)
    value: Literal["any", "count", "sum", "days", "sessions", "steps"] = "any"
    cap: float | None = Field(default=None, gt=0)
    at_least: int | None = Field(default=None, ge=1)
    role: Literal["objective", "guardrail", "diagnostic"] = "diagnostic"
    harm: Literal["up", "down"] | None = None
    margin: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _guardrails_have_direction(self) -> Self:
        if self.role == "guardrail" and (self.harm is None or self.margin is None):
            raise ValueError("a guardrail needs harm (up or down) and margin")
        if self.role == "objective" and self.event == "Email Opened":
            raise ValueError("opens are never an objective: machines open mail")
        return self

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        if self.after_days >= self.within_days:
            raise ValueError("after_days must be below within_days")
        if (self.value == "steps") != (self.event == "Activation Step"):
            raise ValueError("value steps and event Activation Step go together")
        if self.at_least is not None and self.value not in ("count", "days", "sessions"):
            raise ValueError("at_least needs value count, days or sessions")
        return self
