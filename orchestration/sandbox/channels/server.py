"""The played channels on loopback: one address, one path per provider, and a door for whoever directs the play."""

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from orchestration.errors import Refusal
from orchestration.sandbox.channels import (
    bluesky,
    google_ads,
    klaviyo,
    language_model,
    linkedin,
    mail,
    mailchimp,
    mastodon,
    meta,
    receivers,
    tiktok,
)
from orchestration.sandbox.channels.answering import Asked, route, told
from orchestration.sandbox.channels.deliveries import CERTIFICATE_URL, SECRETS, TOPIC, certificate
from orchestration.sandbox.channels.world import KEYS, PLATFORMS, ChannelWorld

PROVIDERS = (meta, google_ads, linkedin, tiktok, klaviyo, mailchimp, bluesky, mastodon, mail, receivers, language_model)


def channels_app(world: ChannelWorld) -> Starlette:
    """The server's application."""
    routes: list[Route] = [made for provider in PROVIDERS for made in provider.routes(world)]
    pem = Route(urlsplit(CERTIFICATE_URL).path, lambda request: Response(certificate()))
    return Starlette(routes=[*routes, pem, route(world, "_play", "", _direct, "POST")])


def _direct(asked: Asked) -> Response:
    """Takes {"provider", "faults"} to be played next, or {"now"} to move the platforms' clock."""
    wanted = asked.json or {}
    if "now" in wanted:
        asked.world.now = dt.datetime.fromisoformat(wanted["now"])
    if "provider" in wanted:
        asked.world.play(wanted["provider"], *wanted["faults"])
    return told({"now": asked.world.now.isoformat()})


def listening(port: int) -> socket.socket:
    """A socket on loopback; 0 takes a free port.

    Raises:
        Refusal: if the port is taken.
    """
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
    except OSError as error:
        made.close()
        raise Refusal(f"port {port}", f"cannot be had ({error.strerror})", "Choose another with --port.") from error
    return made


@contextmanager
def played_channels(world: ChannelWorld) -> Iterator[str]:
    """Serves a world on a free port of loopback; yields the address."""
    server = uvicorn.Server(uvicorn.Config(channels_app(world), log_level="error", lifespan="off"))
    heard = listening(0)
    thread = threading.Thread(target=server.run, args=([heard],), daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise OSError("the server of the played channels did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{heard.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def variables(world: ChannelWorld, address: str) -> dict[str, str]:
    """The environment in which ``loop pull`` asks the played channels and ``loop serve`` believes their deliveries."""
    found = {f"LOOP_{name}_URL": f"{address}/{name.lower()}" for name in (
        "META", "GOOGLE_ADS", "LINKEDIN", "TIKTOK", "KLAVIYO", "MAILCHIMP", "BLUESKY", "MASTODON",
    )}  # fmt: skip
    for platform in PLATFORMS:
        accounts = [account for told_platform, account in world.ads if told_platform == platform]
        found |= {
            f"LOOP_{platform.upper()}_TOKEN": KEYS[platform],
            f"LOOP_{platform.upper()}_ACCOUNTS": " ".join(accounts),
        }
    return found | {
        **SECRETS,
        "LOOP_SES_TOPIC_ARN": TOPIC,
        "LOOP_SNS_ENDPOINT": address,
        "LOOP_GOOGLE_ADS_DEVELOPER_TOKEN": "developer",
        "LOOP_KLAVIYO_KEY": KEYS["klaviyo"],
        "LOOP_KLAVIYO_CONVERSION_METRIC": "MPlacedOrder",
        "LOOP_KLAVIYO_ACCOUNTS": "main",
        "LOOP_MAILCHIMP_KEY": KEYS["mailchimp"],
        "LOOP_MAILCHIMP_ACCOUNTS": "main",
        "LOOP_BLUESKY_ACCOUNTS": "did:plc:acme",
        "LOOP_MASTODON_ACCOUNTS": "7",
    }
