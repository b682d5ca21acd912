"""What is asked of platforms: pull; and the played channels to try it with: sandbox-server."""

import datetime as dt
import json
import sys
from typing import Annotated

import typer

from orchestration.commands.console import JsonOption, WarehouseOption, err, out, settings_for
from orchestration.edges.clock import SystemClock
from orchestration.errors import Refusal


def pull(
    source: Annotated[str | None, typer.Argument(help="Source by name; all that are configured if left out.")] = None,
    begin: Annotated[str | None, typer.Option("--from", help="First day (ISO); else the days still restated.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last day (ISO); else today.")] = None,
    as_json: JsonOption = False,
    warehouse: WarehouseOption = None,
) -> None:
    """Reports of advertising, email and social platforms into raw; goes on where it stopped."""
    settings = settings_for(warehouse)
    from orchestration.edges.warehouse import Warehouse
    from orchestration.measure.pulls.definition import missing_variables, read_sources

    first, last = _day("--from", begin), _day("--to", end)
    sources = read_sources()
    if source is not None and source not in sources:
        raise Refusal(f"source {source}", "does not exist", f"Choose one of {', '.join(sources)}.")
    missing = {name: missing_variables(sources[name]) for name in sources}
    wanted = [source] if source is not None else [name for name in sources if not missing[name]]
    if not wanted:
        raise Refusal(
            "pull", "no source is configured", "Set the variables of one, such as " + ", ".join(missing["meta"]) + "."
        )
    from orchestration.measure.pulls.patience import Pace
    from orchestration.measure.pulls.pulling import pull as take

    house, reports = Warehouse(settings.warehouse), []
    for name in wanted:
        with err.status(name) as status:
            pace = Pace(tell=status.update)
            reports.append(take(house, sources[name], SystemClock(), first=first, last=last, pace=pace))
        report = reports[-1]
        if not as_json:
            out.print(f"{name}: {report.windows:,} windows, {report.rows:,} rows, {report.quarantined:,} quarantined")
        if report.refused_windows:
            err.print(
                f"source {name} -> {report.quarantined:,} rows break its contract ({report.reason}); "
                f"{report.refused_windows:,} windows keep what was known. Look at `loop quarantine list`.",
                style="red", markup=False, soft_wrap=True,
            )  # fmt: skip
        if report.stopped is not None:
            err.print(str(report.stopped), style="red", markup=False, soft_wrap=True)
    if as_json:
        told = [
            {
                "source": report.source, "windows": report.windows, "rows": report.rows,
                "quarantined": report.quarantined, "stopped": str(report.stopped) if report.stopped else None,
            }
            for report in reports
        ]  # fmt: skip
        sys.stdout.write(json.dumps(told) + "\n")
    if any(report.stopped or report.refused_windows for report in reports):
        raise typer.Exit(2)


def sandbox_server(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 8686,
    seed: Annotated[int, typer.Option(help="Seed of the world.")] = 7,
    begin: Annotated[
        str | None, typer.Option("--now", help="The platforms' time (ISO, UTC); else the clock's.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--push", help="A `loop serve` to push webhooks at, once it answers.")
    ] = None,
) -> None:
    """Plays every channel on loopback, and says how to point `loop pull` and `loop serve` at it."""
    import threading

    import uvicorn

    from orchestration.sandbox.channels.pushing import deliveries_of, push, wait_for
    from orchestration.sandbox.channels.server import channels_app, listening, variables
    from orchestration.sandbox.channels.world import seeded_world

    try:
        now = dt.datetime.fromisoformat(begin) if begin else SystemClock().now()
    except ValueError as error:
        raise Refusal(f"--now {begin}", "is no instant", "Write it as 2026-11-01T12:00.") from error
    world = seeded_world(seed, now)
    socket = listening(port)
    socket.listen()  # the deliveries' certificate is asked for before the server may be up
    for name, value in variables(world, f"http://127.0.0.1:{socket.getsockname()[1]}").items():
        sys.stdout.write(f"export {name}='{value}'\n")
    sys.stdout.flush()
    server = uvicorn.Server(uvicorn.Config(channels_app(world), log_level="warning", lifespan="off"))

    def push_at(address: str) -> None:
        wait_for(address)
        pushed = push(address, deliveries_of(world))
        kept = sum(one.is_kept for one in pushed)
        err.print(
            f"pushed {len(pushed)} deliveries at {address}: {kept} kept, {len(pushed) - kept} refused (a foreign topic)"
        )

    if target is not None:
        threading.Thread(target=push_at, args=(target,), daemon=True).start()
    server.run(sockets=[socket])


def _day(option: str, text: str | None) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Refusal(f"{option} {text}", "is not a date", "Write it as 2026-11-01.") from error
