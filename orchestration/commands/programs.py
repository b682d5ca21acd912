"""Programs as files: what there is, and the JSON Schema by which an editor completes and checks them."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.commands.console import out
from orchestration.programs.definition import Program, read_programs
from orchestration.settings import read_settings

programs = typer.Typer(help="The programs, and the JSON Schema of their files.", no_args_is_help=True)


@programs.command()
def schema(
    to: Annotated[Path | None, typer.Option(help="File to write; by default standard output.")] = None,
) -> None:
    """Prints the JSON Schema of a program's YAML, for editors (`# yaml-language-server: $schema=program.schema.json`)."""
    content = Program.model_json_schema() | {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A program of the loop",
    }
    text = json.dumps(content, indent=2) + "\n"
    if to is None:
        sys.stdout.write(text)
    else:
        to.write_text(text, encoding="utf-8")
        out.print(f"wrote {to}", markup=False)


@programs.command("list")
def list_() -> None:
    """Lists the configured programs: channel, audience, objective, guardrails and tags."""
    for program in read_programs(read_settings().programs):
        guardrails = ", ".join(metric.name for metric in program.metrics if metric.role == "guardrail") or "none"
        out.print(
            f"{program.program}: {program.channel}, {program.audience} people in {', '.join(program.segments)}; "
            f"moves {program.objective.name}, guarded by {guardrails}; steers {', '.join(program.tags)}",
            markup=False,
            soft_wrap=True,
        )
