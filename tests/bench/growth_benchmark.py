"""The growth marts against a script by hand and pandas: a full build, a new day, a late day, an idle build, a history twice as long."""

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import Refusal
from orchestration.settings import ROOT
from tests.bench.growth_events import FIRST_DAY, generate

Figures = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ratios:
    """What is promised. Engine time is that of the load and of all statements of models; start-up is a whole command with nothing new.

    Load is the check of a file that is then read in place. What dbt takes beside the engine, model by model, is shown apart.

    Attributes:
        ratio_hand_written: Load and the script's four marts, by the models / by the script.
        ratio_all_marts: All growth marts by the models / the script's four.
        ratio_pandas: pandas / the models, the same four marts; how many times faster.
        ratio_new_day: A new day / the full build, all growth marts.
        ratio_history: A new day after twice the days / after the days, the same events a day.
        peak_gb: Peak memory of the process of the full build.
    """

    ratio_hand_written: float
    ratio_all_marts: float
    ratio_pandas: float
    ratio_new_day: float
    ratio_late_day: float
    ratio_history: float
    startup_seconds: float
    peak_gb: float
    rows_per_second: float
    events: int
    days: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Ratios and what they are made of: seconds by step of every part."""

    ratios: Ratios
    seconds: dict[str, dict[str, float]]


def benchmark(folder: Path, events: int, days: int, say: Say) -> Measured:
    """Measures in processes of their own, one after another.

    Args:
        folder: For the events and warehouses; some 250 bytes an event.
        events: Events of the history, about.
        days: Days it is spread over.
    """
    say(f"events: {events:,} over {days} days")
    files = generate(folder / "events", events, days)
    end = dt.date.fromisoformat(FIRST_DAY) + dt.timedelta(days=days)
    at = [(end + dt.timedelta(days=later)).isoformat() for later in range(3)]
    say("script by hand")
    script = _step("by_hand", folder, files.history)
    say("full build")
    full = _step("full", folder / "whole", files.history, at[0])
    if full["received"] != full["kept"] + full["duplicates"]:
        raise Refusal("bench", "kept and duplicates are not what was received", "Mend the models.")
    say("new day")
    new = _step("add", folder / "whole", files.new_day, at[1])
    say("late day")
    late = _step("add", folder / "whole", files.late_day, at[2])
    say("nothing new")
    begin = time.perf_counter()
    idle = _step("idle", folder / "whole")
    startup = time.perf_counter() - begin
    say("all anew, to compare with what was built step by step")
    if different := _step("anew", folder / "whole")["different"]:
        raise Refusal("bench", f"built step by step and anew, {', '.join(different)} differ", "Mend the models.")
    say("pandas")
    pandas = _step("in_pandas", folder, files.history)
    short, long = (_new_day_after(folder, events // 2 * times, days * times, say) for times in (1, 2))
    four, everything, hand = _sum(full, "models") + full["load"], _engine(full), _sum(script, "steps")
    return Measured(
        Ratios(
            ratio_hand_written=four / hand,
            ratio_all_marts=everything / hand,
            ratio_pandas=_sum(pandas, "steps") / four,
            ratio_new_day=_engine(new) / everything,
            ratio_late_day=_engine(late) / everything,
            ratio_history=_engine(long) / _engine(short),
            startup_seconds=startup,
            peak_gb=full["peak_gb"],
            rows_per_second=full["received"] / everything,
            events=full["received"],
            days=days,
        ),
        {
            "script by hand": script["steps"],
            "models, the same marts": {"load": full["load"], **full["models"]},
            "models, the other growth marts": full["rest"],
            "pandas": pandas["steps"],
            "new day": {"load": new["load"], **new["models"]},
            "late day": {"load": late["load"], **late["models"]},
            "nothing new": idle["models"],
            "dbt, beside the engine": {
                "full build": full["dbt"] + full["rest_dbt"],
                "new day": new["dbt"],
                "late day": late["dbt"],
                "nothing new": idle["dbt"],
            },
        },
    )


def _new_day_after(folder: Path, events: int, days: int, say: Say) -> Figures:
    """A new day's figures after a history of its own."""
    say(f"new day after {days} days of {events // days:,} events")
    files = generate(folder / "events", events, days)
    end = dt.date.fromisoformat(FIRST_DAY) + dt.timedelta(days=days)
    place = folder / f"days_{days}"
    _step("full", place, files.history, end.isoformat())
    return _step("add", place, files.new_day, (end + dt.timedelta(days=1)).isoformat())


def _step(step: str, folder: Path, path: Path | None = None, at: str = "") -> Figures:
    os.sync()  # else a step waits for what the one before left to be written, in proportion to the history
    command = [sys.executable, "-m", "tests.bench.growth_build", step, str(folder), str(path or ""), at]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except KeyboardInterrupt:
        raise Refusal(
            f"bench {step}", "interrupted by you", "Run it again: it starts over, and its folder is removed."
        ) from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Refusal(f"bench {step}", last[:500], "Mend what it names, or try with fewer events.")
    figures: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _sum(figures: Figures, part: str) -> float:
    return float(sum(figures[part].values()))


def _engine(figures: Figures) -> float:
    return _sum(figures, "models") + float(sum(figures.get("rest", {}).values())) + float(figures.get("load", 0.0))


def as_json(measured: Measured) -> str:
    return json.dumps(asdict(measured.ratios))
