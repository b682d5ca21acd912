"""What a cycle needs before it begins: programs of its cadence, tags that exist, readable rules, and a model to ask."""

import os

from orchestration.errors import Refusal
from orchestration.learn.taxonomy import Taxonomy
from orchestration.policy.rules import Rules
from orchestration.programs.definition import NO_PRICES, Program, read_programs
from orchestration.settings import Settings


def require_ready(settings: Settings) -> None:
    """Refuses at once what a cycle would refuse only after it has measured, built and learned.

    Raises:
        Refusal: if a program or a rule cannot be read, none has this cadence, or one asks for a tag or a model that is not there.
    """
    programs = [program for program in read_programs(settings.programs) if program.cadence == settings.cadence]
    if not programs:
        raise Refusal(
            str(settings.programs),
            f"holds no {settings.cadence} program",
            "Add one, or set LOOP_CADENCE to the other cadence.",
        )
    require_tags(programs)
    Rules.load(settings.programs / "rules")
    for program in programs:
        if lacks := lacks_of(program):
            raise Refusal(
                f"program {program.program}",
                f"asks for a model, but {lacks}",
                "Set it, or choose `generator: offline`.",
            )


def require_tags(programs: list[Program]) -> None:
    """Refuses tags that no text can show, and elements that are such tags.

    Raises:
        Refusal: naming the first.
    """
    names = Taxonomy.load().names
    for program in programs:
        if unknown := [tag for tag in program.text_tags if tag not in names]:
            raise Refusal(
                f"program {program.program}",
                f"names the unknown tag {unknown[0]}",
                f"Choose among {', '.join(names)}, or make it an element.",
            )
        if read := [element.tag for element in program.elements if element.tag in names]:
            raise Refusal(
                f"program {program.program}",
                f"its element {read[0]} is a tag that texts show",
                "Name it in tags alone, or rename the element.",
            )


def lacks_of(program: Program) -> str | None:
    """What is missing to ask the program's model; None if it asks for none."""
    if program.model.generator == "offline":
        return None
    if not os.environ.get("OPENAI_API_KEY") and not program.model.base_url:
        return "OPENAI_API_KEY is not set"
    if not program.model.name:
        return "its model has no name"
    return NO_PRICES if program.model.lacks_prices else None
