"""Durable answers per second: the receiver against a bare Starlette handler that appends and flushes each request, in one run.

    python -m tests.bench.receiver_benchmark [--requests 6000] [--connections 64] [--rounds 3] [--json]

Both run under the same uvicorn settings and are asked by the same load generator, in turns; each side's best round counts, since a busy
machine only ever slows down.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.receiving import free_port, post_all, running, sendgrid, start, start_receiver, track

BARE = """
import os, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

kept = os.open(os.environ["KEPT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)

async def keep(request):
    os.write(kept, await request.body() + b"\\n")
    os.fsync(kept)
    return JSONResponse({"success": True})

uvicorn.run(Starlette(routes=[Route("/{rest:path}", keep, methods=["POST"])]), port=int(sys.argv[1]), access_log=False)
"""


def answers_per_second(port: int, requests: Sequence[bytes], connections: int) -> float:
    """Rate of 200s; anything else is an error of the benchmark."""
    began = time.perf_counter()
    statuses = asyncio.run(post_all(port, requests, connections))
    seconds = time.perf_counter() - began
    assert set(statuses) == {200}, set(statuses)
    return len(requests) / seconds


def measure(requests: int, connections: int, rounds: int) -> dict[str, float]:
    """Best rate of each kind, and the ratios."""
    best = {"bare": 0.0, "track": 0.0, "sendgrid": 0.0}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = start(BARE, free_port(), {"KEPT": str(folder / "kept")})
        ours = start_receiver(folder / "warehouse")
        with running(bare), running(ours):
            for _ in range(rounds):
                tracks = [track(number) for number in range(requests)]
                mails = [sendgrid([number]) for number in range(requests // 2)]
                for kind, port, sent in (
                    ("bare", bare.port, tracks), ("track", ours.port, tracks), ("sendgrid", ours.port, mails)
                ):  # fmt: skip
                    best[kind] = max(best[kind], answers_per_second(port, sent, connections))
    return {
        **{f"{kind}_per_second": round(rate, 1) for kind, rate in best.items()},
        "ratio_track": round(best["track"] / best["bare"], 2),
        "ratio_sendgrid": round(best["sendgrid"] / best["bare"], 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(chosen.requests, chosen.connections, chosen.rounds)
    if chosen.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:24}{value:>10}")
