"""One CEL expression over declared facts, checked before it is ever asked (https://github.com/google/cel-spec).

cel-python finds unknown names and wrong types only when it meets them, so an expression is read for its names and tried on plain
values of every fact when it is made. What is wrong with a rule shows when it is written, not when it should have blocked something.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final

import celpy
import lark
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.celtypes import BoolType
from celpy.celtypes import Value as CelValue
from celpy.evaluation import CELEvalError, Result, base_functions

from orchestration.policy.facts import Fact, Value

_MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})
_FUNCTIONS: Final = frozenset(base_functions)
_OVERLOAD: Final = re.compile(
    r"found no matching overload for Token\('RULE', '(?P<rule>\w+)'\) applied to '(?P<types>.*)'"
)
_TYPE: Final = re.compile(r"(\w+?)Type'")
_SIGNS: Final = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
_PLAIN: Final[dict[type, tuple[Value, ...]]] = {
    str: ("", "plain"),
    int: (0, 1),
    float: (0.0, 1.0),
    bool: (False, True),
    list: ([], ["plain"]),
}


def _equal(left: Result, right: Result) -> Result:
    """Equality as the specification has it: null equals null alone. cel-python finds no answer for null and a number."""
    for side in (left, right):
        if isinstance(side, CELEvalError):
            return side
    if left is None or right is None:
        return BoolType(left is None and right is None)
    return base_functions["_==_"](left, right)


def _unequal(left: Result, right: Result) -> Result:
    answer = _equal(left, right)
    return BoolType(not answer) if isinstance(answer, BoolType) else answer


_OWN: Final = {"_==_": _equal, "_!=_": _unequal}


class ExpressionError(ValueError):
    """What is wrong with an expression, and where.

    Attributes:
        line, column: From 1; None where the expression is wrong as a whole.
    """

    def __init__(self, what: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(what)
        self.what, self.line, self.column = what, line, column


class Expression:
    """A question that is answered with true or false.

    Args:
        facts: What it may ask about.

    Raises:
        ExpressionError: if it does not parse, asks for something else, or has no answer to some values of the facts.
    """

    def __init__(self, text: str, facts: Mapping[str, Fact]) -> None:
        environment = celpy.Environment()
        try:
            tree = environment.compile(text)
        except CELParseError as error:
            raise ExpressionError("it does not parse", error.line, error.column) from error
        self._facts = facts
        self.reads = frozenset(_names(tree, facts))
        self._program = environment.program(tree, _OWN)
        for sample in self._samples():
            self.holds(sample)
        for part, must_be_bool in _parts(tree):
            self._try(environment.program(part, _OWN), part, must_be_bool=must_be_bool)

    def holds(self, facts: Mapping[str, Value]) -> bool:
        """The answer to these facts.

        Raises:
            ExpressionError: if there is none, because types do not go together or a null was not provided for.
        """
        try:
            answer = self._program.evaluate({name: self._cel(name, facts[name]) for name in self.reads})
        except CELEvalError as error:
            nulls = sorted(name for name in self.reads if facts[name] is None)
            if nulls:
                raise ExpressionError(
                    f"it has no answer if {nulls[0]} is null: ask `{nulls[0]} != null &&` first"
                ) from error
            raise ExpressionError(_told(error)) from error
        if not isinstance(answer, BoolType):
            raise ExpressionError("it is neither true nor false")
        return bool(answer)

    def _try(self, program: celpy.Runner, part: lark.Tree[lark.Token], *, must_be_bool: bool) -> None:
        """Asks a part by itself, for its types: before it another part may answer for all samples, and in a run it may not."""
        values = {name: self._cel(name, _PLAIN[self._facts[name].kind][1]) for name in self.reads}
        try:
            answer = program.evaluate(values)
        except CELEvalError as error:
            if "overload" in str(error.args[:1]):  # other faults may be what the part before it guards against
                raise ExpressionError(_told(error), *_place(part)) from error
            return
        if must_be_bool and not isinstance(answer, BoolType):
            raise ExpressionError("a part of it is neither true nor false", *_place(part))

    def _cel(self, name: str, value: Value) -> CelValue:
        return json_to_cel(float(value) if self._facts[name].kind is float and isinstance(value, int) else value)

    def _samples(self) -> Iterator[dict[str, Value]]:
        """Plain values of every fact: all the first ones and all the second ones, and each with one fact changed."""
        values = {
            name: (*_PLAIN[self._facts[name].kind], *((None,) if self._facts[name].nullable else ()))
            for name in self.reads
        }
        for base in ({name: some[at] for name, some in values.items()} for at in (0, 1)):
            yield base
            yield from (base | {name: value} for name, some in values.items() for value in some if value != base[name])


def _parts(tree: lark.Tree[lark.Token]) -> Iterator[tuple[lark.Tree[lark.Token], bool]]:
    """What ``&&``, ``||`` and ``?:`` are made of, and whether it must be true or false."""
    for node in tree.iter_subtrees_topdown():  # type: ignore[no-untyped-call]
        if node.data in ("conditionalor", "conditionaland", "expr") and len(node.children) > 1:
            for number, child in enumerate(node.children):
                if isinstance(child, lark.Tree):
                    yield child, node.data != "expr" or number == 0


def _place(part: lark.Tree[lark.Token]) -> tuple[int | None, int | None]:
    token = next(part.scan_values(lambda value: isinstance(value, lark.Token)), None)
    return (token.line, token.column) if token is not None else (None, None)


def _told(error: CELEvalError) -> str:
    """What cel-python says, without the names of its classes."""
    said = str(error.args[0]).split(" (in activation")[0] if error.args else "types do not go together"
    if (found := _OVERLOAD.fullmatch(said)) is None:
        return "a function is called with what it does not take" if said == "no such overload" else said
    types = " and ".join(_TYPE.findall(found["types"])).lower()
    return f"`{_SIGNS.get(found['rule'], found['rule'])}` does not go with {types}"


def plain(facts: Mapping[str, Fact]) -> dict[str, Value]:
    """A plain value of every fact: empty, nought, false, or null where it may be."""
    return {name: None if fact.nullable else _PLAIN[fact.kind][0] for name, fact in facts.items()}


def _names(
    tree: lark.Tree[lark.Token], facts: Mapping[str, Fact], bound: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Facts that an expression reads; names bound by a macro such as ``exists(name, ...)`` are its own."""
    if tree.data == "ident":
        name = _token(tree)
        if str(name) not in bound:
            yield _known(name, facts)
        return
    if tree.data == "ident_arg" and str(_token(tree)) not in _FUNCTIONS:
        name = _token(tree)
        raise ExpressionError(f"there is no function {name}", name.line, name.column)
    if tree.data == "member_dot_arg" and str(tree.children[1]) in _MACROS and len(tree.children) > 2:
        subject, _, arguments = tree.children
        assert isinstance(subject, lark.Tree)
        assert isinstance(arguments, lark.Tree)
        yield from _names(subject, facts, bound)
        first = arguments.children[0]
        assert isinstance(first, lark.Tree)
        variables = {str(_token(ident)) for ident in first.find_data("ident")}
        yield from _names(arguments, facts, bound | variables)
        return
    for child in tree.children:
        if isinstance(child, lark.Tree):
            yield from _names(child, facts, bound)


def _known(name: lark.Token, facts: Mapping[str, Fact]) -> str:
    if str(name) in facts:
        return str(name)
    near = difflib.get_close_matches(str(name), facts, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ExpressionError(f"there is no fact {name}{hint}", name.line, name.column)


def _token(tree: lark.Tree[lark.Token]) -> lark.Token:
    token = tree.children[0]
    assert isinstance(token, lark.Token)
    return token
