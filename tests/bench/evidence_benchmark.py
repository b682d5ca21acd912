"""The evidence engine against its promises: does it learn from noise, what does it find, and how long does it take?

    python -m tests.bench.evidence_benchmark [--only NAME ...] [--programs 1000] [--worlds 100] [--json]

Simulated programs go through `loop backtest`'s own path; nothing is computed beside the models. Peers and speeds are measured in the
same run. Parts: null, noisy, skewed, effects, permuted, archive, engine, growthbook, peers.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import numpy as np

from orchestration.edges.clock import SystemClock
from orchestration.edges.dbt import DbtProject
from orchestration.edges.warehouse import Warehouse
from orchestration.learn.audit import Setting, judge, simulate
from orchestration.learn.backtest import Backtest, backtest
from orchestration.learn.taxonomy import Taxonomy
from orchestration.measure.imports import import_file
from orchestration.measure.mapping import Mapping
from tests.bench import evidence_archive as archive
from tests.bench import peers
from tests.bench.plain_evidence import plain_evidence

Figures = dict[str, object]
NO_TESTS = ("resource_type:test", "resource_type:unit_test")
CHAIN = (
    "int_experiments__increments",
    "int_experiments__comparisons",
    "int_experiments__closed_arms",
    "int_learnings__creative_noise",
    "int_learnings__tag_contrasts",
    "int_learnings__claims",
    "int_learnings__new_creatives",
    "int_learnings__tag_totals",
    "tag_evidence",
)
UP = math.log(1.1)
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Bench:
    """What the parts share. `folder` holds this run's files; `cache` what may stay for the next one."""

    programs: int
    worlds: int
    seed: int
    folder: Path
    dbt: DbtProject
    python: Path | None
    cache: Path

    def setting(self, effects: tuple[float, ...] = (0.0,) * 5, sd: float = 0.0, *, skewed: bool = False) -> Setting:
        return Setting(self.programs, 52, 3, 2000, 0.03, effects, sd, skewed)

    def run(self, results: Path, name: str, mapping: Mapping | None = None) -> tuple[Backtest, float]:
        """A backtest and its wall time in seconds."""
        columns, begin = mapping or Mapping.of({"kind": "results"}), time.perf_counter()
        done = backtest(
            results, self.folder / name, columns, SystemClock(), dbt=self.dbt, taxonomy=Taxonomy.load(), progress=say
        )
        return done, time.perf_counter() - begin

    def simulated(self, setting: Setting, name: str) -> Path:
        path = self.folder / f"{name}.parquet"
        simulate(setting, np.random.default_rng(self.seed)).to_parquet(path, index=False)
        return path

    def gbstats(self) -> Path:
        return self.python or peers.gbstats_python(self.cache)


def say(message: str) -> None:
    sys.stderr.write(f"  {message}\n")


def audited(bench: Bench, name: str, setting: Setting) -> Figures:
    done, seconds = bench.run(bench.simulated(setting, name), name)
    found = judge(setting, done.learnings)
    return {**{key: value for key, value in asdict(found).items() if key != "setting"}, "backtest_seconds": seconds}


def permuted(bench: Bench) -> Figures:
    past = archive.history(bench.folder / "split")
    results = bench.folder / "permuted.parquet"
    archive.permuted(past, bench.worlds, np.random.default_rng(bench.seed)).to_parquet(results, index=False)
    done, seconds = bench.run(results, "permuted")
    claimed = archive.worlds_with_claims(done.learnings)
    return {
        "share": claimed / bench.worlds,
        "claimed": claimed,
        "worlds": bench.worlds,
        "tests": past.experiment_id.nunique(),
        "backtest_seconds": seconds,
    }


def real_archive(bench: Bench) -> Figures:
    learned, seconds = bench.run(archive.ARCHIVE, "archive", Mapping.named("upworthy_tests"))
    tests = bench.folder / "tests.parquet"
    archive.whole_tests().to_parquet(tests, index=False)
    whole, _ = bench.run(tests, "whole_tests")
    return {
        "active_at_last": archive.active_at_last(learned.learnings),
        "published": archive.published(learned.learnings),
        "alarms": archive.alarms(whole.health),
        "backtest_seconds": seconds,
    }


def engine(bench: Bench) -> Figures:
    """Engine time of the models from experiment_statistics to tag_evidence, and of the plain script.

    Of each the best of five rounds: what else runs on the machine only adds.
    """
    results = bench.simulated(bench.setting(), "engine")
    with tempfile.TemporaryDirectory(dir=bench.folder) as scratch:
        warehouse = Warehouse(Path(scratch))
        warehouse.migrate()
        import_file(warehouse, results, Mapping.of({"kind": "results"}), SystemClock())
        bench.dbt.build(warehouse, select=("+tag_evidence",), exclude=NO_TESTS)
        chains: list[dict[str, float]] = []
        plain: dict[str, list[float]] = {"in_memory": [], "same_file": []}
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            nodes = bench.dbt.build(warehouse, select=CHAIN, exclude=NO_TESTS)
            chains.append({node.unique_id.split(".")[-1]: node.seconds for node in nodes})
            with warehouse.connect() as connection:
                plain["same_file"].append(plain_evidence(connection))
            with duckdb.connect() as connection:
                connection.execute(f"create schema raw; create table raw.results as from '{results}'")
                plain["in_memory"].append(plain_evidence(connection))
        with warehouse.connect() as connection:
            query = """select corr(log_e, log_e_value), count(*), current_setting('threads') from plain.evidence
                inner join marts.tag_evidence using (program, cycle, segment, tag)"""
            agreement, rows, threads = connection.execute(query).fetchall()[0]
    best = min(chains, key=lambda chain: sum(chain.values()))
    seconds = sum(best.values())
    scripts = {name: min(rounds) for name, rounds in plain.items()}
    return {
        "ratio_in_memory": seconds / scripts["in_memory"],
        "ratio_same_file": seconds / scripts["same_file"],
        "models_seconds": seconds,
        "plain_seconds": scripts,
        "models": best,
        "rounds": {"models": [sum(chain.values()) for chain in chains], **plain},
        "correlation_of_log_e": agreement,
        "claims_and_looks": rows,
        "threads": threads,
    }


def growthbook(bench: Bench) -> Figures:
    """Wall time of the backtest against GrowthBook's engine over the same comparisons, extrapolated from four programs."""
    results = bench.simulated(bench.setting(), "growthbook")
    _, seconds = bench.run(results, "growthbook")
    timed = peers.gbstats(bench.gbstats(), conversions(results, 4), 2000, "seconds")
    comparisons = bench.programs * 52 * 15
    report: Figures = {"backtest_seconds": seconds, "comparisons": comparisons}
    for name, figure in timed.items():
        whole = figure["seconds_each"] * comparisons
        report[name] = {"seconds": whole, "ratio": whole / seconds, "timed": figure["comparisons"]}
    return report


def compared(bench: Bench) -> Figures:
    settings = {"null": bench.setting(), "noisy": bench.setting(sd=0.25), "skewed": bench.setting(sd=0.25, skewed=True)}
    report: Figures = {}
    for name, setting in settings.items():
        results = bench.simulated(setting, f"peers_{name}")
        rules = peers.any_claim(conversions(results, bench.programs), setting.units)
        sample = conversions(results, min(bench.programs, 50))
        report[name] = rules | peers.gbstats(bench.gbstats(), sample, setting.units, "claims")
    return report


def conversions(results: Path, programs: int) -> peers.Floats:
    """Conversions [program, cycle, arm, segment] of the first programs of a simulated file, in the order simulate() wrote them."""
    rows = duckdb.execute(f"select sum_y from '{results}'").fetchnumpy()["sum_y"]
    return np.asarray(rows, dtype=float).reshape(-1, 52, 6, 3)[:programs]


PARTS: dict[str, Callable[[Bench], Figures]] = {
    "null": lambda bench: audited(bench, "null", bench.setting()),
    "noisy": lambda bench: audited(bench, "noisy", bench.setting(sd=0.25)),
    "skewed": lambda bench: audited(bench, "skewed", bench.setting(sd=0.25, skewed=True)),
    "effects": lambda bench: audited(bench, "effects", bench.setting((UP, UP, 0.0, 0.0, 0.0))),
    "permuted": permuted,
    "archive": real_archive,
    "engine": engine,
    "growthbook": growthbook,
    "peers": compared,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--worlds", type=int, default=100, help="noise worlds made from the archive")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument(
        "--gbstats", type=Path, help="an interpreter that has gbstats 0.8.0; made under --cache if not given"
    )
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "loopwright-bench")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not archive.ARCHIVE.exists() and {"permuted", "archive"} & set(arguments.only):
        sys.exit(
            f"evidence benchmark -> {archive.ARCHIVE.name} is not there. Leave out permuted and archive with --only."
        )
    dbt = DbtProject(target=arguments.cache / "target")
    report: dict[str, Figures] = {}
    for name in arguments.only:
        say(name)
        with tempfile.TemporaryDirectory(prefix="evidence-bench-") as folder:
            bench = Bench(
                arguments.programs,
                arguments.worlds,
                arguments.seed,
                Path(folder),
                dbt,
                arguments.gbstats,
                arguments.cache,
            )
            load = os.getloadavg()[0]
            report[name] = PARTS[name](bench) | {"load": [round(load, 2), round(os.getloadavg()[0], 2)]}
    if arguments.json:
        sys.stdout.write(json.dumps(report, default=str) + "\n")
        return
    from tests.bench.evidence_table import table

    sys.stdout.write(table(report))


if __name__ == "__main__":
    main()
