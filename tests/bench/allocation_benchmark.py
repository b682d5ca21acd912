"""What a list is worth under five ways of choosing: cumulative reward over the ideal, in the sandbox's law.

    python -m tests.bench.allocation_benchmark [--seeds 20] [--first-seed 0] [--cycles 26] [--json]

The world is the preset ``reference``: six arms a cycle, 12,000 people in 12 batches. The ideal sends everybody the best tags in the
best of six wordings. The loop's own lines run the modules of the product. Nobody tires of a text in that world, so the last two lines
tell apart what re-sending proven texts is worth.
"""

import argparse
import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from orchestration.deploy.allocation import probabilities, updated
from orchestration.generate.design import focus_tags
from orchestration.generate.slots import Slot, fill_slots
from orchestration.learn.beliefs import Beliefs
from orchestration.learn.planning import POLICY
from orchestration.learn.reading import Posterior
from orchestration.normal import Floats
from orchestration.sandbox.chance import Chance
from orchestration.sandbox.preset import Preset, read_preset
from orchestration.sandbox.response import Response

ARMS, BATCHES, PEOPLE = 6, 12, 1000
SEGMENT = "regular"  # the law is the same in every segment of this preset
EXPLORE = ARMS - 1  # the slot of the twin that explores


class Market:
    """One simulated list: texts are labels whose first part lists their tags, so that no grammar limits the choice.

    Attributes:
        last: Texts, people and outcomes of the cycle before.
    """

    def __init__(self, preset: Preset, seed: int, policy: dict[str, float]) -> None:
        self.tags, self.policy = tuple(preset.effects), policy
        self.response = Response(preset, Chance(seed), lambda text: frozenset(text.split(" ")[0].split("+")) - {""})
        self.rng = np.random.default_rng([seed, 3])
        self.beliefs = Beliefs(dict.fromkeys(self.tags, policy["choice_prior_variance"]), policy["particular_variance"])
        self.last: tuple[list[str], Floats, Floats] | None = None

    def write(self, tags: frozenset[str]) -> str:
        text = f"{'+'.join(sorted(tags))} {len(self.beliefs.texts)}"
        self.beliefs.meet(text, tags)
        return text


Choose = Callable[[Market], list[str]]
Allocate = Callable[[Market, list[str], Floats, Floats], Floats]


def uninformed(market: Market) -> list[str]:
    return [market.write(frozenset(tag for tag in market.tags if market.rng.random() < 0.5)) for _ in range(ARMS)]


def mutants(market: Market) -> list[str]:
    """The last cycle's winner (by rate, weighed with one click in thirty-three) worded anew, and five mutants of it by one tag."""
    if market.last is None:
        return uninformed(market)
    texts, people, sums = market.last
    winner = market.beliefs.carries(texts[int(np.argmax((sums + 1) / (people + 33)))])
    flips = market.rng.choice(market.tags, size=ARMS - 1)
    return [market.write(winner)] + [market.write(winner ^ {str(tag)}) for tag in flips]


def new_texts(market: Market) -> list[str]:
    """Thompson draws over tags; no text is sent twice."""
    return [market.write(slot.tags) for slot in _slots(market, (), ARMS)]


def ours(market: Market, *, resend: bool = True) -> list[str]:
    """Proven and new texts compete for the slots; the last slot explores a twin of the believed leader."""
    slots = _slots(market, market.beliefs.texts if resend else (), ARMS - 1)
    texts = [slot.text or market.write(slot.tags) for slot in slots]
    leader = market.beliefs.carries(texts[int(np.argmax(market.beliefs.of(texts).mean))])
    known = [Posterior("all", tag, mean, sd, 0) for tag, (mean, sd) in market.beliefs.effects().items()]
    (flipped,) = focus_tags(market.tags, known, 1, market.rng)
    return [*texts, market.write(leader ^ {flipped})]


def ours_new(market: Market) -> list[str]:
    return ours(market, resend=False)


def _slots(market: Market, proven: tuple[str, ...], count: int) -> list[Slot]:
    return fill_slots(
        market.beliefs,
        proven,
        count,
        market.rng,
        width=market.policy["draw_width"],
        particular_variance=market.policy["particular_variance"],
    )


def equally(market: Market, texts: list[str], people: Floats, sums: Floats) -> Floats:
    return np.full(ARMS, 1 / ARMS)


def thompson(width: float | None) -> Allocate:
    """Thompson allocation of a given width; None takes the policy's width and floors."""

    def allocate(market: Market, texts: list[str], people: Floats, sums: Floats) -> Floats:
        belief = updated(market.beliefs.of(texts), people, sums)
        if width is not None:
            return probabilities(belief, [0.0] * ARMS, market.rng, width=width)
        least = [market.policy["arm_floor"]] * EXPLORE + [market.policy["explore_floor"]]
        return probabilities(belief, least, market.rng, width=market.policy["allocation_width"])

    return allocate


@dataclass(frozen=True, slots=True)
class Contender:
    """A way of choosing texts and dividing batches, with the figure the brief of this benchmark states for it."""

    choose: Choose
    allocate: Allocate
    stated: float | None


CONTENDERS = {
    "uniform": Contender(uninformed, equally, 0.70),
    "mutate the winner + Thompson": Contender(mutants, thompson(1.0), 0.84),
    "Thompson over tags, half-width draws": Contender(new_texts, thompson(0.5), 0.895),
    "loopwright, every text new": Contender(ours_new, thompson(None), None),
    "loopwright": Contender(ours, thompson(None), None),
}


def play(contender: Contender, preset: Preset, policy: dict[str, float], seed: int, cycles: int) -> list[float]:
    """Reward over ideal: of all cycles together first, then of each."""
    market = Market(preset, seed, policy)
    best = market.response.rate_with([tag for tag in market.tags if market.response.effect(tag, SEGMENT) > 0], SEGMENT)
    best *= best_of(ARMS, preset.noise.creative)
    rewards, ideals = [], []
    for cycle in range(cycles):
        texts = contender.choose(market)
        rates = np.array([market.response.rate(text, SEGMENT, send=str(cycle)) for text in texts])
        people, sums = np.zeros((BATCHES, ARMS)), np.zeros((BATCHES, ARMS))
        for batch in range(BATCHES):
            chance = contender.allocate(market, texts, people, sums)
            people[batch] = market.rng.multinomial(PEOPLE, chance / chance.sum())
            sums[batch] = market.rng.binomial(people[batch].astype(int), rates)
        market.beliefs.learn(texts, updated(market.beliefs.of(texts), people, sums))
        market.last = texts, people.sum(axis=0), sums.sum(axis=0)
        level = rates[0] / market.response.rate(texts[0], SEGMENT)
        rewards.append(float(people.sum(axis=0) @ rates))
        ideals.append(float(people.sum() * best * level))
    return [sum(rewards) / sum(ideals), *(reward / ideal for reward, ideal in zip(rewards, ideals, strict=True))]


def best_of(count: int, sd: float) -> float:
    """Expected factor of the best of some log-normal wordings (midpoint rule on the maximum's quantiles)."""
    levels = ((np.arange(200_000) + 0.5) / 200_000) ** (1 / count)
    return float(np.exp(sd * ndtri(levels)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--cycles", type=int, default=26)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    preset = read_preset("reference")
    with POLICY.open(encoding="utf-8", newline="") as file:
        policy = {row["name"]: float(row["value"]) for row in csv.DictReader(file)}
    report = {}
    for name, contender in CONTENDERS.items():
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        runs = np.array([play(contender, preset, policy, seed, arguments.cycles) for seed in seeds])
        late = runs[:, 1:][:, -4:]
        report[name] = {
            "reward / ideal": round(float(runs[:, 0].mean()), 3),
            "standard error": round(float(runs[:, 0].std(ddof=1) / math.sqrt(len(runs))), 3) if len(runs) > 1 else None,
            "first cycle": round(float(runs[:, 1].mean()), 3),
            "last four cycles": round(float(late.mean()), 3),
            "stated": contender.stated,
        }
    if arguments.json:
        print(json.dumps(report))
        return
    for name, figures in report.items():
        print(name, *(f"  {key:18s}{value}" for key, value in figures.items() if value is not None), sep="\n")


if __name__ == "__main__":
    main()
