"""The receiver as a command: serve."""

import errno
import logging
import socket
import sys
from contextlib import suppress
from typing import Annotated

import typer

from orchestration.commands.console import WarehouseOption, err, settings_for
from orchestration.edges.clock import SystemClock
from orchestration.errors import Refusal


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; put a proxy with TLS before it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8585,
    warehouse: WarehouseOption = None,
) -> None:
    """Webhooks, product events and one-click unsubscribe; kept in the spool until `loop run` takes them in."""
    settings = settings_for(warehouse)
    import uvicorn

    from orchestration.serve.app import receiver_app
    from orchestration.serve.configuration import SECRETS, WRITE_KEYS, read_configuration

    configuration = read_configuration()
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    silent = [SECRETS[provider] for provider in SECRETS if provider not in configuration.secrets]
    silent += [] if configuration.write_keys else [WRITE_KEYS]
    if silent:
        err.print(f"not set, so their doors answer 503: {', '.join(silent)}", style="yellow", soft_wrap=True)
    app = receiver_app(settings.warehouse.resolve(), configuration, SystemClock())
    # No access log: its lines would hold the tokens of one-click links.
    server = uvicorn.Server(
        uvicorn.Config(app, host=host, port=port, access_log=False, log_level="info", server_header=False)
    )
    with _listening(host, port) as listener, suppress(KeyboardInterrupt):  # it has ended in order by then
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(3)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens; opened here, since uvicorn words what fails in several lines of its own.

    Raises:
        Refusal: if the port is taken, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            remedy = "End what listens there, or choose another with --port."
            raise Refusal(f"port {port} of {host}", "is in use", remedy) from error
        reason = f"cannot be listened on ({error.strerror})"
        raise Refusal(f"port {port} of {host}", reason, "Choose another --host or --port.") from error
