"""The rules: CEL expressions with a name, a stage and what follows if they hold.

Every rule of a stage is asked. Of those that hold the highest ``precedence`` decides, among equals the strictest (block before
require_approval before allow), among those the first in the file. Where none holds, approval is required: the default withholds.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.edges import yaml_text
from orchestration.edges.faults import told
from orchestration.errors import Refusal
from orchestration.policy.expressions import Expression, ExpressionError, plain
from orchestration.policy.facts import FACTS, Stage, Value, checked

Decision = Literal["allow", "require_approval", "block"]
SHIPPED: Final = Path(__file__).parent / "rules.yaml"
_STRICT: Final = ("allow", "require_approval", "block")


class Example(BaseModel):
    """A case beside a rule: these facts, the others plain, and whether the rule must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    given: dict[str, str | bool | int | float | list[str] | None]
    holds: bool


class Rule(BaseModel):
    """One rule as its file says it.

    Attributes:
        when: CEL expression over the facts of its stage; true or false.
        then: ``never`` takes a shipped rule of the same name out.
        code: One word that can be counted, kept with every decision.
        precedence: Rules that hold with a higher one overrule those with a lower one, also stricter ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    stage: Stage
    when: str
    then: Literal["allow", "require_approval", "block", "never"]
    reason: str = Field(min_length=1)
    code: str = Field(default="policy", pattern=r"^[a-z][a-z0-9_]*$")
    precedence: int = 0
    examples: list[Example] = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    rules: list[Rule]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules said.

    Attributes:
        rule: The rule that decided, or ``default``.
        held: Every rule that held, in the order of the files.
        version: Of the rules.
    """

    stage: Stage
    decision: Decision
    rule: str
    code: str
    reason: str
    held: tuple[str, ...]
    version: str
    facts: Mapping[str, Value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """One example of a rule, and what came out."""

    rule: Rule
    number: int
    expected: bool
    found: bool

    @property
    def is_passed(self) -> bool:
        """Whether the rule does what its example says."""
        return self.expected == self.found


class Rules:
    """Rules that were checked: they parse, ask only for facts of their stage, and have an answer to all of them.

    Args:
        rules: In the order of the files.
        origin: Rule -> where it stands, for refusals.

    Raises:
        Refusal: naming the rule, where it stands, and what is wrong at which position.
    """

    def __init__(self, rules: Sequence[Rule], origin: Mapping[str, str] | None = None) -> None:
        self.rules = tuple(rule for rule in rules if rule.then != "never")
        self._asked: dict[str, Expression] = {}
        for rule in self.rules:
            where = (origin or {}).get(rule.name, "rules")
            self._asked[rule.name] = _expression(rule, where)
            for number, example in enumerate(rule.examples, 1):
                _check_example(rule, number, example, where)

    @classmethod
    def load(cls, own: Path | None = None) -> "Rules":
        """The shipped rules, with those of a file or of a folder's files in place of shipped ones of the same name, or after them.

        Args:
            own: A YAML file, or a folder of them, which need not exist.
        """
        found = ([own] if own.is_file() else sorted(own.glob("*.yaml"))) if own else []
        files = [SHIPPED, *(file for file in found if file.resolve() != SHIPPED)]
        rules: dict[str, Rule] = {}
        origin: dict[str, str] = {}
        for file in files:
            for rule, where in _read(file):
                if origin.get(rule.name, "").startswith(f"{file.name} "):
                    raise Refusal(where, f"rule {rule.name} stands in the file twice", "Give each rule its own name.")
                rules[rule.name], origin[rule.name] = rule, where
        return cls(list(rules.values()), origin)

    @cached_property
    def canonical_json(self) -> str:
        """The rules as JSON, without their examples, which decide nothing."""
        return json.dumps([rule.model_dump(exclude={"examples"}) for rule in self.rules], sort_keys=True)

    @cached_property
    def version(self) -> str:
        """sha256 of the canonical JSON: equal rules in the same order are one version."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()

    def reads(self, stage: Stage) -> frozenset[str]:
        """Facts that the rules of a stage ask for, and so must be given."""
        return frozenset(name for rule in self.rules if rule.stage == stage for name in self._asked[rule.name].reads)

    def judge(self, stage: Stage, facts: Mapping[str, Value]) -> Judgement:
        """Asks every rule of a stage.

        Args:
            facts: At least those that the stage's rules read; null only where a fact may be null.

        Raises:
            Refusal: if a fact is missing, unknown or of another type, or a rule has no answer to it.
        """
        given = checked(stage, facts)
        held = [rule for rule in self.rules if rule.stage == stage and self._holds(rule, given)]
        names = tuple(rule.name for rule in held)
        if not held:
            return Judgement(
                stage, "require_approval", "default", "default", "no rule allows it", names, self.version, given
            )
        best = max(held, key=lambda rule: (rule.precedence, _STRICT.index(rule.then)))
        assert best.then != "never"
        return Judgement(stage, best.then, best.name, best.code, best.reason, names, self.version, given)

    def test(self) -> list[Case]:
        """Runs the examples beside the rules; facts that an example leaves out are plain ones."""
        return [
            Case(rule, number, example.holds, self._holds(rule, plain(FACTS[rule.stage]) | example.given))
            for rule in self.rules
            for number, example in enumerate(rule.examples, 1)
        ]

    def _holds(self, rule: Rule, facts: Mapping[str, Value]) -> bool:
        asked = self._asked[rule.name]
        if missing := sorted(asked.reads - facts.keys()):
            raise Refusal(f"rule {rule.name}", f"needs the fact {missing[0]}, which was not given", "Give it.")
        try:
            return asked.holds(facts)
        except ExpressionError as error:
            raise Refusal(f"rule {rule.name}", error.what, "Mend the rule; `loop policy test` tries it.") from error


def _expression(rule: Rule, where: str) -> Expression:
    try:
        return Expression(rule.when, FACTS[rule.stage])
    except ExpressionError as error:
        at = f" (`when`, line {error.line}, column {error.column})" if error.line else ""
        raise Refusal(
            where, f"rule {rule.name}: {error.what}{at}", "Mend the rule; `loop policy facts` lists facts."
        ) from error


def _check_example(rule: Rule, number: int, example: Example, where: str) -> None:
    try:
        checked(rule.stage, example.given)
    except Refusal as error:
        raise Refusal(
            where, f"rule {rule.name}, example {number}: {error.subject} {error.reason}", error.remedy
        ) from error


def _read(file: Path) -> list[tuple[Rule, str]]:
    """Rules of a file, each with where it stands."""
    content, node = yaml_text.read_nodes(file, remedy="Mend it.")
    lines = _lines(node)
    try:
        found = _File.model_validate(content).rules
    except ValidationError as error:
        first = error.errors()[0]
        number = next((part for part in first["loc"] if isinstance(part, int)), None)
        entries = content.get("rules") if isinstance(content, dict) else None
        entry = entries[number] if number is not None and isinstance(entries, list) else None
        name = f"rule {entry.get('name', number + 1)}: " if isinstance(entry, dict) and number is not None else ""
        line = f" line {lines[number]}" if number is not None and number < len(lines) else ""
        fault = told([first], _File) if number is None else told([{**first, "loc": first["loc"][2:]}], Rule)
        raise Refusal(f"{file.name}{line}", f"{name}{fault}", "Mend the rule.") from error
    return [(rule, f"{file.name} line {line}") for rule, line in zip(found, lines, strict=True)]


def _lines(node: yaml.Node | None) -> list[int]:
    """Line of each rule in its file, from 1."""
    if not isinstance(node, yaml.MappingNode):
        return []
    entries = next((value for key, value in node.value if key.value == "rules"), None)
    return [entry.start_mark.line + 1 for entry in entries.value] if isinstance(entries, yaml.SequenceNode) else []
