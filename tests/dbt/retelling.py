"""What one program's history should have taught by each cycle, told again in plain Python from the formulas of tests/references.py."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tests import references as ref
from tests.dbt.past_experiments import Increment

ALPHA, Q, RHO, ROBUST, HALF_LIFE = 0.05, 0.05, 0.25, 0.25, 26
PRIOR_FREEDOM, PRIOR_VARIANCE = 5, 0.01
MIN_UNITS, MIN_CONVERSIONS, MIN_EXPERIMENTS, MIN_TEXTS = 100, 5, 5, 5
SRM_STRENGTH, SRM_BAR, ALARM_SHARE, ALARM_LEAST, ALARM_UNHEALTHY = 1000.0, 1000.0, 0.2, 3, 2
RATE = ref.tuning_constant(ALPHA, 10_000)


class Comparison(NamedTuple):
    metric: str
    experiment: str


class Claim(NamedTuple):
    metric: str
    segment: str
    tag: str


@dataclass(frozen=True)
class Replicate:
    """A contrast with what decides whether and when it counts."""

    contrast: ref.Contrast
    cycle: int
    is_randomised: bool

    @property
    def x(self) -> float:
        return self.contrast.value / self.contrast.error


@dataclass(frozen=True)
class Evidence:
    """What a claim amounts to at one look."""

    experiments: int
    creatives: int
    log_e: float
    log_e_robust: float
    recent_z: float | None
    is_significant: bool
    interval: tuple[float, float] | None


class Retelling:
    """One program's history; every answer is as of a cycle."""

    def __init__(self, rows: Sequence[Increment]) -> None:
        self.rows = rows
        self.cycles = sorted({row.cycle for row in rows})
        self.by_experiment: dict[str, list[Increment]] = defaultdict(list)
        for row in rows:
            self.by_experiment[row.experiment_id].append(row)

    @cached_property
    def srm(self) -> dict[tuple[str, int], float]:
        """(experiment, cycle) -> log e-value, at the looks at which it gained people."""
        found = {}
        for experiment, rows in self.by_experiment.items():
            first = min((row.cycle, -_total(rows, row.metric, row.cycle), row.metric) for row in rows)
            counted = [row for row in rows if row.metric == first[2]]
            for cycle in {row.cycle for row in counted}:
                so_far = [row for row in counted if row.cycle <= cycle]
                found[experiment, cycle] = sum(_segment_srm(rows, so_far, seg) for seg in {r.segment for r in so_far})
        return found

    @cached_property
    def status(self) -> dict[tuple[str, int], str]:
        """(experiment, cycle) -> health."""
        peak = {
            (experiment, cycle): max(v for (e, c), v in self.srm.items() if e == experiment and c <= cycle)
            for experiment, cycle in self.srm
        }
        alone = {experiment for experiment, rows in self.by_experiment.items() if _most_arms(rows) < 2}
        found = {}
        for (experiment, cycle), value in peak.items():
            others = [v >= np.log(SRM_BAR) for (e, c), v in peak.items() if c == cycle and e not in alone]
            is_alarm = len(others) >= ALARM_LEAST and sum(others) >= ALARM_UNHEALTHY and np.mean(others) >= ALARM_SHARE
            if experiment in alone:
                found[experiment, cycle] = "not_comparable"
            elif value >= np.log(SRM_BAR):
                found[experiment, cycle] = "unhealthy"
            else:
                found[experiment, cycle] = "suspect" if is_alarm else "healthy"
        return found

    @cached_property
    def arms(self) -> dict[Comparison, list[ref.Arm]]:
        """Arms that may be believed, of closed and healthy experiments."""
        found = {}
        for experiment, rows in self.by_experiment.items():
            looks = [cycle for e, cycle in self.srm if e == experiment and cycle <= rows[0].closes_in_cycle]
            if not looks or self.status[experiment, max(looks)] != "healthy":
                continue
            for metric in {row.metric for row in rows}:
                here = [row for row in rows if row.metric == metric and row.cycle <= rows[0].closes_in_cycle]
                arms = [arm for seg in {row.segment for row in here} for arm in _believed(here, seg)]
                if arms:
                    found[Comparison(metric, experiment)] = arms
        return found

    def noise_before(self, metric: str, cycle: int) -> float:
        """Variance between creatives known before a cycle."""
        earlier = []
        for comparison, arms in self.arms.items():
            if comparison.metric == metric and self._closed(comparison) < cycle:
                segments = {arm.segment for arm in arms}
                earlier += [[arm for arm in arms if arm.segment == segment] for segment in segments]
        freedom = sum(len(arms) - 1 for arms in earlier)
        told = ref.creative_variance(earlier) if freedom else 0.0
        return (PRIOR_FREEDOM * PRIOR_VARIANCE + freedom * told) / (PRIOR_FREEDOM + freedom)

    @cached_property
    def replicates(self) -> dict[Claim, dict[str, Replicate]]:
        """Claim -> experiment -> replicate."""
        found: dict[Claim, dict[str, Replicate]] = defaultdict(dict)
        for comparison, arms in self.arms.items():
            cycle = self._closed(comparison)
            tau2 = self.noise_before(comparison.metric, cycle)
            is_randomised = all(row.is_randomised for row in self.by_experiment[comparison.experiment])
            for tag in {tag for arm in arms for tag in arm.tags}:
                for segment, contrast in ref.tag_contrasts(arms, tag, tau2).items():
                    claim = Claim(comparison.metric, segment, tag)
                    found[claim][comparison.experiment] = Replicate(contrast, cycle, is_randomised)
        return found

    def evidence(self, cycle: int) -> dict[Claim, Evidence]:
        """Every claim tried by the end of a cycle."""
        tried = {
            claim: [one for one in sorted(of.values(), key=lambda one: one.cycle) if one.cycle <= cycle]
            for claim, of in self.replicates.items()
        }
        tried = {claim: ones for claim, ones in tried.items() if ones}
        counted = {claim: [one for one in ones if one.is_randomised] for claim, ones in tried.items()}
        log_e = {claim: ref.log_e_t([one.x for one in ones], RHO, MIN_EXPERIMENTS) for claim, ones in counted.items()}
        kept: dict[Claim, tuple[bool, float]] = {}
        for metric in {claim.metric for claim in tried}:
            pooled = [c for c in tried if c.metric == metric and c.segment == "all" and counted[c]]
            kept |= _judged(pooled, log_e)
            passed = {claim.tag for claim in pooled if kept[claim][0]}
            kept |= _judged(
                [c for c in tried if c.metric == metric and c.segment != "all" and c.tag in passed and counted[c]],
                log_e,
            )
        return {
            claim: Evidence(
                len(ones),
                self._texts(claim, cycle),
                log_e[claim],
                ref.log_e_robust([one.x for one in ones], ROBUST),
                self._recent(ones),
                kept.get(claim, (False, 0.0))[0],
                ref.t_interval([o.x for o in ones], [o.contrast.error for o in ones], RHO, kept[claim][1])
                if claim in kept and len(ones) >= MIN_EXPERIMENTS
                else None,
            )
            for claim, ones in counted.items()
        }

    def _recent(self, ones: Iterable[Replicate]) -> float | None:
        weights = [2 ** (self.cycles.index(one.cycle) / HALF_LIFE) for one in ones]
        total = sum(weight * one.x for weight, one in zip(weights, ones, strict=True))
        return total / float(np.linalg.norm(weights)) if weights else None

    def _texts(self, claim: Claim, cycle: int) -> int:
        texts = {(row.experiment_id, row.creative_id): (row.text or "").strip().lower() for row in self.rows}
        return len({
            texts[comparison.experiment, arm.creative]
            for comparison, arms in self.arms.items()
            for arm in arms
            if comparison.metric == claim.metric and self._closed(comparison) <= cycle
            and all(row.is_randomised for row in self.by_experiment[comparison.experiment])
            and claim.tag in arm.tags and claim.segment in ("all", arm.segment)
        })  # fmt: skip

    def _closed(self, comparison: Comparison) -> int:
        return self.by_experiment[comparison.experiment][0].closes_in_cycle


def _total(rows: Iterable[Increment], metric: str, cycle: int) -> float:
    return sum(row.n for row in rows if row.metric == metric and row.cycle == cycle)


def _most_arms(rows: Iterable[Increment]) -> int:
    arms = defaultdict(set)
    for row in rows:
        arms[row.segment].add(row.creative_id)
    return max(len(of) for of in arms.values())


def _segment_srm(planned: Sequence[Increment], so_far: Sequence[Increment], segment: str) -> float:
    shares = {row.creative_id: row.planned_share for row in planned if row.segment == segment}
    counts = [sum(r.n for r in so_far if r.segment == segment and r.creative_id == arm) for arm in shares]
    return ref.log_e_srm(counts, [share or 1 / len(shares) for share in shares.values()], SRM_STRENGTH)


def _believed(rows: Sequence[Increment], segment: str) -> list[ref.Arm]:
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    tags = {row.creative_id: frozenset(row.tags or []) for row in rows}
    for row in rows:
        if row.segment == segment:
            parts = (row.n, row.sum_y, row.sum_y if row.sum_y2 is None else row.sum_y2)
            sums[row.creative_id] = [one + other for one, other in zip(sums[row.creative_id], parts, strict=True)]
    counted = {creative: (n, y, y2) for creative, (n, y, y2) in sums.items() if n >= MIN_UNITS}
    if not counted:
        return []
    rates = ref.log_rates(counted, all(y == y2 for _, y, y2 in counted.values()))
    arms = [ref.Arm(segment, creative, *rate, tags[creative]) for creative, rate in rates.items()]
    people, total, squares = (sum(of[place] for of in counted.values()) for place in range(3))
    conversions = total**2 / squares if squares > 0 else 0.0
    arms = [arm for arm in arms if counted[arm.creative][0] / people * conversions >= MIN_CONVERSIONS]
    return arms if len(arms) >= 2 else []


def _judged(family: Sequence[Claim], log_e: dict[Claim, float]) -> dict[Claim, tuple[bool, float]]:
    """Claim -> kept by e-BH, and the log e-value its interval is drawn at."""
    kept = ref.e_bh([log_e[claim] for claim in family], Q)
    ordered = sorted(family, key=lambda claim: (-log_e[claim], claim.segment, claim.tag))
    return {
        claim: (rank <= kept, float(np.log(len(family) / (Q * max(kept, 1))))) for rank, claim in enumerate(ordered, 1)
    }
