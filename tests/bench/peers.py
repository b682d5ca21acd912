"""How rules that people use today fare in the same simulated worlds, each read at every look, in numpy.

A world is an array of conversions [program, cycle, arm, segment]; arm 0 is the baseline, arm k alone carries tag k.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
ALPHA, RHO = 0.05, 0.25
GBSTATS = Path(__file__).parent / "gbstats_peer.py"


def known_variance(conversions: Floats, units: int) -> Bools:
    """mSPRT: experiments are replicates, but their spread is taken to be binomial; e-BH over the tags. [program, cycle, tag]"""
    rate = np.log((conversions + 0.5) / (units + 1))
    variance = 1 / (conversions + 0.5) - 1 / units
    contrast, spread = rate[:, :, 1:] - rate[:, :, :1], variance[:, :, 1:] + variance[:, :, :1]
    x = (contrast / spread).sum(3) / np.sqrt((1 / spread).sum(3))
    looks = np.arange(1, x.shape[1] + 1)[None, :, None]
    z = x.cumsum(1) / np.sqrt(looks)
    return e_bh(looks * RHO / (1 + looks * RHO) * z**2 / 2 - np.log1p(looks * RHO) / 2)


def e_bh(log_e: Floats) -> Bools:
    """Which claims e-BH keeps along the last axis (Wang and Ramdas 2022)."""
    claims = log_e.shape[-1]
    ordered = -np.sort(-log_e, axis=-1)
    bars = np.log(claims / (ALPHA * np.arange(1, claims + 1)))
    kept = np.max(np.where(ordered >= bars, np.arange(1, claims + 1), 0), axis=-1, keepdims=True)
    return np.asarray((kept > 0) & (log_e >= np.log(claims / (ALPHA * np.maximum(kept, 1)))))


def pooled_impressions(conversions: Floats, units: int) -> Bools:
    """Everybody who ever saw the tag against everybody who saw the baseline, two-proportion z-test at 5 %. [program, cycle, tag]"""
    seen = conversions.sum(3).cumsum(1)
    people = (np.arange(1, conversions.shape[1] + 1) * units * conversions.shape[3])[None, :, None]
    with_tag, without = seen[:, :, 1:] / people, seen[:, :, :1] / people
    both = (with_tag + without) / 2
    z = (with_tag - without) / np.sqrt(both * (1 - both) * 2 / people)
    return np.asarray(np.abs(z) > stats.norm.ppf(1 - ALPHA / 2))


RULES: dict[str, Callable[[Floats, int], Bools]] = {
    "pooled impressions, z-test": pooled_impressions,
    "known variance (mSPRT), e-BH": known_variance,
}


def any_claim(conversions: Floats, units: int) -> dict[str, dict[str, float]]:
    """Share of null programs in which each rule ever claims anything, and in which it does at the last look alone."""
    found = {name: rule(conversions, units) for name, rule in RULES.items()}
    return {
        name: {
            "ever": float(claimed.any((1, 2)).mean()),
            "last_look": float(claimed[:, -1].any(1).mean()),
            "programs": len(claimed),
        }
        for name, claimed in found.items()
    }


def gbstats(python: Path, conversions: Floats, units: int, task: str) -> dict[str, dict[str, float]]:
    """What GrowthBook's engine says (``task`` claims) or how long it takes (``task`` seconds), in its own interpreter."""
    ran = subprocess.run(
        [str(python), str(GBSTATS), task, str(units)],
        input=json.dumps(conversions.astype(int).tolist()),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return dict(json.loads(ran.stdout))


def gbstats_python(cache: Path) -> Path:
    """An interpreter with gbstats 0.8.0, which pins an older numpy than ours; made once under ``cache``."""
    python = cache / "gbstats" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(cache / "gbstats")], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "gbstats==0.8.0"], check=True)
    return python
