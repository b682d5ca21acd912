"""Do all six programs beat their own control? The real loop, all of them in one warehouse, one world per seed.

    python tests/bench/programs_benchmark.py [--seeds 10] [--cycles 12] [--first-seed 1] [--json]

Per seed and program: the contrast of `marts.loop_value` between creatives written with the learnings and without them, summed over
the cycles, with its 95 % confidence sequence. A program passes where the whole sequence lies above 0; a seed where five of six do.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from orchestration.programs.definition import FOLDER
from orchestration.sandbox.demo import run_demo

PROGRAMS = sorted(file.stem for file in FOLDER.glob("*.yaml"))
BAR = 5


def run_seed(seed: int, cycles: int, folder: Path) -> list[dict[str, object]]:
    """One world: a row per program."""
    demo = run_demo(folder, cycles=cycles, seed=seed, preset="six_programs", programs=PROGRAMS)
    rows: list[dict[str, object]] = []
    for result in demo.programs:
        told = result.against("control") or {}
        rows.append(
            {
                "seed": seed,
                "program": result.program,
                **{
                    name: told.get(name)
                    for name in ("units", "lift", "difference", "difference_low", "difference_high")
                },
                "passes": bool(told) and told["difference_low"] > 0,
                "proved": list(result.active),
                "false": list(result.false),
            }
        )
    return rows


def main() -> None:
    """Prints a line per program and seed, and whether each seed meets the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    everything, met = [], 0
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            rows = run_seed(seed, options.cycles, Path(folder))
        everything += rows
        passed = sum(bool(row["passes"]) for row in rows)
        met += passed >= BAR
        if not options.json:
            for row in rows:
                _print(row)
            print(
                f"seed {seed}: {passed} of {len(rows)} programs pass, {time.perf_counter() - begun:.0f} s", flush=True
            )
    if options.json:
        print(json.dumps(everything))
    else:
        print(f"{met} of {options.seeds} seeds have at least {BAR} programs that pass")
    sys.exit(met < options.seeds)


def _print(row: dict[str, object]) -> None:
    if row["lift"] is None:
        print(f"  {row['program']:<14} no experiment has closed")
        return
    print(
        f"  {row['program']:<14} {row['lift']:+7.1%}  {row['difference']:+.4f} "
        f"[{row['difference_low']:+.4f}, {row['difference_high']:+.4f}] {row['units']:>8.0f} people  "
        f"{'pass' if row['passes'] else 'not proved'}  proved: {', '.join(row['proved']) or 'none'}  "  # type: ignore[arg-type]
        f"false: {', '.join(row['false']) or 'none'}"  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    main()
