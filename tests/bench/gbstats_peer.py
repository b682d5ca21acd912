"""GrowthBook's statistics engine over a simulated world; run by an interpreter that has gbstats 0.8.0, never imported.

    python gbstats_peer.py claims|seconds UNITS < conversions.json     conversions [program][cycle][arm][segment]

claims   share of programs in which a rule ever calls a tag in a segment (tag against baseline, all people so far)
seconds  time per comparison (tag against baseline within a segment, all people so far), one by one
"""

import json
import sys
import time
import warnings

import numpy as np
from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig
from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest
from gbstats.gbstats import process_experiment_results
from gbstats.models.statistics import ProportionStatistic

WON = 0.95  # GrowthBook's default bar for "chance to win"


def bayesian(control, treated):
    return EffectBayesianABTest(control, treated, EffectBayesianConfig()).compute_result()


def sequential(control, treated):
    return SequentialTwoSidedTTest(control, treated, SequentialConfig()).compute_result()


def of(people, conversions):
    return ProportionStatistic(n=int(people), sum=int(conversions))


def claims(world, units):
    seen = world.cumsum(1)
    rules = {
        "GrowthBook Bayesian, chance to win": lambda a, b: abs(bayesian(a, b).chance_to_win - 0.5) > WON - 0.5,
        "GrowthBook sequential test": lambda a, b: sequential(a, b).p_value < 0.05,
    }

    def calls(rule, look, people):
        controls = [of(people, y) for y in look[0]]
        return any(rule(controls[segment], of(people, arm[segment])) for arm in look[1:] for segment in range(len(arm)))

    report = {}
    for name, rule in rules.items():
        looks = [[(look, (cycle + 1) * units) for cycle, look in enumerate(program)] for program in seen]
        ever = np.mean([any(calls(rule, *look) for look in program) for program in looks])
        last = np.mean([calls(rule, *program[-1]) for program in looks])
        report[name] = {"ever": float(ever), "last_look": float(last), "programs": len(looks)}
    return report


def seconds(world, units):
    seen = world.cumsum(1)
    looks = list(np.ndindex(*seen.shape[:2]))
    arms, segments = seen.shape[2:]
    comparisons = len(looks) * (arms - 1) * segments
    report = {}
    for name, rule in {"Bayesian": bayesian, "sequential": sequential}.items():
        begin = time.perf_counter()
        for program, cycle in looks:
            people = (cycle + 1) * units
            for segment in range(segments):
                control = of(people, seen[program, cycle, 0, segment])
                for arm in range(1, arms):
                    rule(control, of(people, seen[program, cycle, arm, segment]))
        report[name] = {"seconds_each": (time.perf_counter() - begin) / comparisons, "comparisons": comparisons}
    for name, engine in {"Bayesian, whole engine": "bayesian", "sequential, whole engine": "frequentist"}.items():
        begin = time.perf_counter()
        for program, cycle in looks[:: max(len(looks) // 20, 1)]:
            process_experiment_results(asked(seen[program, cycle], (cycle + 1) * units, engine))
        done = len(looks[:: max(len(looks) // 20, 1)]) * (arms - 1) * segments
        report[name] = {"seconds_each": (time.perf_counter() - begin) / done, "comparisons": done}
    return report


def asked(look, people, engine):
    """One look as GrowthBook's server asks for it: every arm of every segment, the segments as a dimension."""
    ids = [str(arm) for arm in range(len(look))]
    rows = [
        {"dimension": f"s{segment}", "variation": ids[arm], "users": people, "count": people}
        | {"main_sum": float(look[arm, segment]), "main_sum_squares": float(look[arm, segment])}
        for arm, segment in np.ndindex(*look.shape)
    ]
    analysis = {"var_names": ids, "var_ids": ids, "weights": [1 / len(ids)] * len(ids), "dimension": "segment"}
    analysis |= {"stats_engine": engine, "sequential_testing_enabled": engine == "frequentist"}
    metric = {"id": "m", "name": "m", "statistic_type": "mean", "main_metric_type": "binomial"}
    prefixed = [
        {
            key if key in {"dimension", "variation", "users", "count"} else f"m0_{key}": value
            for key, value in row.items()
        }
        for row in rows
    ]
    return {"metrics": {"m": metric}, "analyses": [analysis], "query_results": [{"rows": prefixed, "metrics": ["m"]}]}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    task = {"claims": claims, "seconds": seconds}[sys.argv[1]]
    print(json.dumps(task(np.array(json.load(sys.stdin)), int(sys.argv[2]))))
