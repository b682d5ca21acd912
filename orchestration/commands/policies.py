"""The rules of screening, approval and sending: policy test, policy facts."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from orchestration.commands.console import JsonOption, out, settings_for
from orchestration.errors import Refusal

policy = typer.Typer(help="The rules of screening, approval and sending.", no_args_is_help=True, rich_markup_mode=None)


@policy.command("test")
def run_examples(
    file: Annotated[
        Path | None, typer.Argument(help="A file of rules, or a folder; default: the folder `rules` of the programs.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Runs the examples beside the rules; ends with 1 if a rule does not do what its examples say."""
    from orchestration.policy.rules import Rules

    if file is not None and not file.exists():
        raise Refusal(str(file), "does not exist", "Name a YAML file of rules, or a folder of them.")
    rules = Rules.load(file or settings_for(None).programs / "rules")
    cases = rules.test()
    failed = [case for case in cases if not case.is_passed]
    if as_json:
        told = [
            {"rule": case.rule.name, "example": case.number, "expected": case.expected, "found": case.found}
            for case in cases
        ]
        sys.stdout.write(json.dumps({"version": rules.version, "cases": told}) + "\n")
    else:
        table = Table("stage", "rule", "then", "precedence", "examples", "failed")
        for rule in rules.rules:
            wrong = [str(case.number) for case in failed if case.rule is rule]
            numbers = (str(rule.precedence), str(len(rule.examples)))
            table.add_row(rule.stage, rule.name, rule.then, *numbers, ", ".join(wrong))
        out.print(table)
        for case in failed:
            said = "holds" if case.found else "does not hold"
            out.print(
                f"{case.rule.name}, example {case.number}: it {said}, against what the example says.", style="red"
            )
        out.print(
            f"{len(cases)} examples of {len(rules.rules)} rules, {len(failed)} failed. Version {rules.version[:12]}."
        )
    sys.exit(1 if failed else 0)


@policy.command("facts")
def list_facts() -> None:
    """What a rule may ask about, by stage."""
    from orchestration.policy.facts import FACTS

    table = Table("stage", "fact", "type", "means")
    for stage, declared in FACTS.items():
        for name, fact in declared.items():
            table.add_row(stage, name, fact.type_name, fact.means)
    out.print(table)
