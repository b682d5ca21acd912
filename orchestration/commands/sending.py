"""Sending through channels: send, outbox list, outbox resolve."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.commands.console import JsonOption, WarehouseOption, err, out, settings_for
from orchestration.deploy.outbox import NAME, Outbox
from orchestration.deploy.queued import Resolution
from orchestration.edges.clock import SystemClock
from orchestration.errors import Refusal

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.deploy.despatch import Despatch

outbox = typer.Typer(help="Messages in doubt: list them, and say what became of them.", no_args_is_help=True)


def send(
    live: Annotated[
        bool, typer.Option("--live", help="Send in earnest; without it everything is checked and nothing leaves.")
    ] = False,
    channel: Annotated[str, typer.Option(help="email, social, paid or in_app.")] = "email",
    limit: Annotated[int | None, typer.Option(min=1, help="Most messages of this run.")] = None,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
) -> None:
    """Sends what is approved and due through the configured channel; a dry run unless --live."""
    settings = settings_for(warehouse)
    from orchestration.deploy.despatch import despatch
    from orchestration.deploy.senders.configured import CHANNELS, sender_of, variable_of
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.mover import move_spool
    from orchestration.measure.pseudonyms import pseudonym_key
    from orchestration.policy.live import LiveRules
    from orchestration.policy.thresholds import whole_number
    from orchestration.programs.definition import read_programs

    if channel not in CHANNELS:
        raise Refusal(f"--channel {channel}", "is no channel", f"Choose among {', '.join(CHANNELS)}.")
    clock = SystemClock()
    sender = sender_of(channel, clock)
    if live and sender is None:
        raise Refusal(
            f"channel {channel}",
            "has no sender, so its messages are handed over as files",
            f"Set {variable_of(channel)}.",
        )
    house = Warehouse(settings.warehouse.resolve())
    if not house.path.exists():
        raise Refusal(str(settings.warehouse), "holds no warehouse yet", "`loop run` makes it.")
    house.migrate()
    console = err if as_json else out
    try:
        with console.status("sending" if live else "rehearsing") as status:
            done = despatch(
                house,
                channel,
                sender,
                read_programs(settings.programs),
                LiveRules(settings.programs / "rules"),
                clock,
                pseudonym_key=pseudonym_key(house.folder),
                is_live=live,
                take_in=lambda: move_spool(house, clock, whole_number("spool_keep_days")),
                most=limit,
                report=lambda tally: status.update(
                    f"{tally.accepted:,} accepted, {tally.refused:,} refused, {tally.deferred:,} put off, {tally.unknown:,} in doubt"
                ),
            )
    finally:
        if sender is not None:
            sender.close()
    told = {name: value for name, value in asdict(done.tally).items() if name != "in_a_row"}
    console.print(
        f"{'sent' if live else 'dry run, nothing was sent'}: {told['accepted']:,} {'accepted' if live else 'would go'}, "
        f"{told['refused']:,} refused, {told['deferred']:,} put off, {told['withheld']:,} withheld, {told['unknown']:,} in doubt",
        soft_wrap=True,
    )
    _print_rest(console, done)
    if done.sample is not None:
        console.print(
            f"\nthe first one, to {_masked(done.sample.address)}:\n\nSubject: {done.sample.subject}", markup=False
        )
        for name, value in done.sample.headers.items():
            console.print(f"{name}: {value}", markup=False, soft_wrap=True)
        console.print(f"\n{done.sample.text}", markup=False, soft_wrap=True)
    if as_json:
        told |= {"is_live": live, "queued": done.queued, "left_behind": done.left_behind, "states": dict(done.counts)}
        sys.stdout.write(json.dumps(told) + "\n")
    if done.tally.ended is not None:
        raise Refusal(f"channel {channel}", done.tally.ended, "The rest is queued; run it again later.")


@outbox.command("list")
def list_(as_json: JsonOption = False, warehouse: WarehouseOption = None) -> None:
    """Messages that may or may not have been sent, and how many there are of the others."""
    box = _open(warehouse)
    doubts, counts = box.in_doubt(), box.counts()
    if as_json:
        told = [
            {
                "send_id": doubt.message.send_id,
                "user_id": doubt.message.user_id,
                "program": doubt.message.program,
                "experiment_id": doubt.message.experiment_id,
                "attempted_at": doubt.attempted_at.isoformat(),
                "sender": doubt.sender,
                "detail": doubt.detail,
            }
            for doubt in doubts
        ]
        sys.stdout.write(json.dumps({"states": counts, "in_doubt": told}) + "\n")
        return
    out.print(", ".join(f"{number:,} {state}" for state, number in counts.items()) or "the outbox is empty")
    for doubt in doubts:
        line = f"{doubt.message.send_id}  {doubt.attempted_at:%Y-%m-%d %H:%M:%S} UTC  {doubt.sender}  {doubt.detail}"
        out.print(line, markup=False, soft_wrap=True)
    if doubts:
        out.print("`loop outbox resolve SEND_ID --as sent|not_sent|again` settles one.", markup=False)


@outbox.command()
def resolve(
    send_id: Annotated[str, typer.Argument(help="The message, as `loop outbox list` names it, or `all`.")],
    resolution: Annotated[
        str, typer.Option("--as", help="sent; not_sent: and it shall not be; again: it was not, and it shall be.")
    ],
    reason: Annotated[str, typer.Option(help="How you know; it is kept.")] = "the operator says so",
    actor: Annotated[str, typer.Option(help="Who decides.", envvar="USER")] = "somebody",
    warehouse: WarehouseOption = None,
) -> None:
    """Settles a message in doubt."""
    known: dict[str, Resolution] = {"sent": "sent", "not_sent": "not_sent", "again": "again"}
    if resolution not in known:
        raise Refusal(f"--as {resolution}", "is no resolution", f"Choose among {', '.join(known)}.")
    box = _open(warehouse)
    with box.sending():
        names = [doubt.message.send_id for doubt in box.in_doubt()] if send_id == "all" else [send_id]
        for name in names:
            box.resolve(name, known[resolution], f"{reason} ({actor})", SystemClock().now())
    out.print(f"{len(names)} settled as {resolution}")


def _print_rest(console: "Console", done: "Despatch") -> None:
    """Why messages did not leave, and where the others are."""
    from orchestration.deploy.earlier import left_behind

    for state, reason, number in done.reasons:
        console.print(f"  {state}, {number:,}: {reason}", markup=False, soft_wrap=True)
    if done.handed_over:
        console.print(
            f"  {done.handed_over:,} were handed over as files, before the channel had a sender", soft_wrap=True
        )
    if done.left_behind:
        console.print(f"  {left_behind(done.left_behind)}", markup=False, soft_wrap=True)
    if done.next_due is not None:
        waiting = sum(done.counts.get(state, 0) for state in ("queued", "deferred"))
        console.print(f"  {waiting:,} wait, the first until {done.next_due:%Y-%m-%d %H:%M} UTC")


def _open(warehouse: Path | None) -> Outbox:
    settings = settings_for(warehouse)
    path = settings.warehouse.resolve() / NAME
    if not path.exists():
        raise Refusal(str(path), "is not there yet", "`loop send` makes it.")
    return Outbox(path)


def _masked(address: str) -> str:
    """Enough of an address to recognise one's own, too little to keep anybody else's."""
    local, at, domain = address.partition("@")
    return f"{local[:1]}***{at}{domain[:1]}***" if at else "everybody"
