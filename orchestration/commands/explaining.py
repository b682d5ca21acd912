"""Why did this person get this, and why does this learning say so: explain."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from orchestration.commands.console import JsonOption, WarehouseOption, out, settings_for
from orchestration.errors import Refusal


def explain(
    subject: Annotated[str, typer.Argument(help="A person's id, a tag, tag:segment, or an evidence id.")],
    program: Annotated[str | None, typer.Option("--program", help="This program alone.")] = None,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
) -> None:
    """Why a person got what they got, or why a learning says what it says."""
    settings = settings_for(warehouse)
    from orchestration.deploy.explaining import sentences, why_person
    from orchestration.edges.warehouse import Warehouse
    from orchestration.learn.explaining import why_learning
    from orchestration.measure.pseudonyms import hold_key, pseudonym, pseudonym_key

    house = Warehouse(settings.warehouse)
    if not house.path.exists():
        raise Refusal(str(settings.warehouse), "holds no warehouse yet", "`loop run` makes it.")
    house.migrate()
    names = [subject]
    if (house.folder / "pseudonym.key").exists():
        with house.connect() as connection:
            hold_key(connection, pseudonym_key(house.folder))
            names += [
                str(row[0])
                for row in connection.execute(f"select {pseudonym('$plain')}", {"plain": subject}).fetchall()
            ]
    for name in names:
        sends = [
            one for one in why_person(house, name) if program is None or one.experiment_id.startswith(f"{program}-")
        ]
        if sends and as_json:
            sys.stdout.write(json.dumps([asdict(one) for one in sends], default=str) + "\n")
        for one in [] if as_json else sends:
            for line in sentences(one, one.experiment_id.rsplit("-", 2)[0], name):
                out.print(line, markup=False, soft_wrap=True)
        if sends:
            return
    has_marts = house.rows(
        "select 1 from information_schema.tables where table_schema = 'marts' and table_name = 'learnings'"
    )
    lines = why_learning(house, subject, program) if has_marts else []
    if not lines:
        remedy = "Give a person's id, a tag such as question, question:SEGMENT, or an evidence id."
        raise Refusal(subject, "is neither a person of a send nor a learning of this warehouse", remedy)
    if as_json:
        sys.stdout.write(json.dumps(lines) + "\n")
        return
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
