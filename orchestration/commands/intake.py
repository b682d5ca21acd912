"""What comes in: consume a topic, look into what was set aside, and take back what was wrong."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration.commands.console import JsonOption, WarehouseOption, err, out, settings_for
from orchestration.edges.clock import SystemClock
from orchestration.errors import Refusal

imports = typer.Typer(help="What was imported: list, take back, or say where a file is now.", no_args_is_help=True)
quarantine = typer.Typer(help="Rows that could not be taken in: list, show, replay.", no_args_is_help=True)


def consume(
    topic: Annotated[str, typer.Argument(help="Topic of events, CloudEvents in binary mode with JSON.")],
    servers: Annotated[str, typer.Option(help="host:port of brokers.", envvar="LOOP_KAFKA_SERVERS")] = "localhost:9092",
    group: Annotated[str | None, typer.Option(help="Share the partitions with others of this group.")] = None,
    idle: Annotated[float, typer.Option(min=0.1, help="End when nothing came for so many seconds.")] = 5.0,
    option: Annotated[list[str] | None, typer.Option(help="name=value for librdkafka; may repeat.")] = None,
    opaque_ids: Annotated[bool, typer.Option("--opaque-ids", help="Ids of people are pseudonyms already.")] = False,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
) -> None:
    """Events of a Kafka topic into raw, exactly once; goes on where the warehouse says it stopped."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.kafka import Stream
    from orchestration.measure.kafka import consume as take

    options = {}
    for setting in option or []:
        name, separator, value = setting.partition("=")
        if not separator or not name:
            raise Refusal(f"--option {setting}", "is not name=value", "Write, for example, security.protocol=ssl.")
        options[name] = value
    stream = Stream(servers, topic, group, idle_seconds=idle, options=options)
    with err.status(f"reading {topic}") as status:
        done = take(Warehouse(settings.warehouse), stream, SystemClock(), status.update, is_opaque=opaque_ids)
    if as_json:
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
        return
    out.print(
        f"{done.messages:,} messages read, {done.accepted:,} accepted, {done.quarantined:,} quarantined, "
        f"{done.duplicates + done.repeated:,} there already"
    )


@imports.command("list")
def imports_list(as_json: JsonOption = False, warehouse: WarehouseOption = None) -> None:
    """Every file taken in, the newest first, with the id that `withdraw` takes."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.withdrawals import imported

    rows = imported(Warehouse(settings.warehouse))
    if as_json:
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
        return
    for row in rows:
        taken_back = f"; taken back on {row['withdrawn_at']:%Y-%m-%d}: {row['reason']}" if row["withdrawn_at"] else ""
        out.print(
            f"{row['import_id'][:12]} {row['imported_at']:%Y-%m-%d} {row['kind']} {row['subject']}: "
            f"{row['rows_read']:,} rows read, {row['rows_accepted']:,} accepted, {row['rows_quarantined']:,} quarantined{taken_back}",
            markup=False,
            soft_wrap=True,
        )
    if not rows:
        out.print("nothing was imported yet")


@imports.command("withdraw")
def imports_withdraw(
    import_id: Annotated[str, typer.Argument(help="Id of the import, or its start.")],
    reason: Annotated[str, typer.Option(help="Why; kept beside the import.")],
    warehouse: WarehouseOption = None,
) -> None:
    """Takes past experiments or events read in place back: nothing of that import counts from the next build on."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.withdrawals import withdraw

    row = withdraw(Warehouse(settings.warehouse), import_id, reason, SystemClock())
    out.print(
        f"{row['subject']} is taken back: {row['rows_accepted']:,} rows count no more from the next build on (loop build)",
        markup=False,
        soft_wrap=True,
    )


@imports.command("move")
def imports_move(
    import_id: Annotated[str, typer.Argument(help="Id of the import, or its start.")],
    path: Annotated[Path, typer.Argument(help="Where the file is now.")],
    warehouse: WarehouseOption = None,
) -> None:
    """Reads events in place where their file lies now."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.in_place import move

    move(Warehouse(settings.warehouse), import_id, path)
    out.print(f"{path.name} is read where it lies now", markup=False, soft_wrap=True)


@quarantine.command("list")
def list_(as_json: JsonOption = False, warehouse: WarehouseOption = None) -> None:
    """What waits in quarantine, by source and reason."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.quarantine import waiting

    rows = waiting(Warehouse(settings.warehouse))
    if as_json:
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
        return
    for row in rows:
        out.print(
            f"{row['rows']:,} of {row['subject'] or 'unknown'}: {row['reason']} "
            f"(loop quarantine show {row['import_id'][:16]} {row['first_row']})",
            markup=False,
            soft_wrap=True,
        )
    if not rows:
        out.print("nothing waits in quarantine")


@quarantine.command("show")
def show_(
    import_id: Annotated[str, typer.Argument(help="Id of the import, or its start.")],
    row: Annotated[int, typer.Argument(help="Number of the line, row or message.")],
    warehouse: WarehouseOption = None,
) -> None:
    """One row as it came, with the reason; needs the key of the pseudonyms."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.quarantine import show

    found = show(Warehouse(settings.warehouse), import_id, row)
    out.print(f"{found['reason']} (row {found['row_number']}, {found['quarantined_at']})", markup=False, soft_wrap=True)
    out.print(found["original"], markup=False, soft_wrap=True)


@quarantine.command("replay")
def replay_(
    import_id: Annotated[str, typer.Argument(help="Only this import; the start of its id is enough.")] = "",
    reason: Annotated[str, typer.Option(help="Only rows whose reason has this in it.")] = "",
    opaque_ids: Annotated[bool, typer.Option("--opaque-ids", help="Ids of people are pseudonyms already.")] = False,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
) -> None:
    """Judges rows and deliveries again, after contract, field list or parser were mended; what holds goes in once."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.quarantine import replay

    done = replay(
        Warehouse(settings.warehouse), SystemClock(), import_id=import_id, reason=reason, is_opaque=opaque_ids
    )
    if as_json:
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
        return
    mended = (
        f", {done.not_replayable:,} of mapped files (mend the file and import it again)" if done.not_replayable else ""
    )
    if done.lost:
        mended += f", {done.lost:,} damaged stretches of the spool that only their senders can send again"
    out.print(
        f"{done.judged:,} judged again ({done.deliveries:,} deliveries), {done.accepted:,} accepted, "
        f"{done.duplicates:,} there already, "
        f"{done.still_refused:,} still refused{mended}"
    )
