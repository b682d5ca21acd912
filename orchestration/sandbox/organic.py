"""A day without mail: people move on in life, invite others, sign up, visit and buy."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from orchestration.sandbox import shop
from orchestration.sandbox.chance import Chance, Floats, Keys
from orchestration.sandbox.crowd import Crowd
from orchestration.sandbox.eventlog import EventLog
from orchestration.sandbox.instants import DAY, HOUR, MINUTE, SECOND, Instants
from orchestration.sandbox.preset import Preset

_LONGEST_REPLY = 5  # days until an invitation is accepted
_FIRST_VISIT, _FIRST_ORDER, _VISIT_ORDER = 0.7, 0.1, 0.06
_FLOOR, _SCALE_DAYS, _DECAY = 0.15, 4.0, 0.9  # visits fall off as a power of age towards a floor


def introduce(preset: Preset, crowd: Crowd, log: EventLog, now: int) -> None:
    """Tells of everybody there is when the world begins: one identify event each, in the first minute."""
    keys = crowd.chance.derive(crowd.keys, "introduced")
    at = now + (crowd.chance.uniform(keys, "moment") * MINUTE).astype(np.int64)
    log.web(None, keys, crowd.ids, at, crowd.traits(np.arange(len(crowd)), at, preset))


def live(preset: Preset, crowd: Crowd, log: EventLog, day: int, first_day: int) -> Crowd:
    """Adds one day's events and returns the crowd as the day found it, with those who signed up.

    Args:
        day: Days since 1970.
        first_day: The world's first day; nobody was invited before.
    """
    crowd = _move_on(preset, crowd, log, day)
    _visit(preset, crowd, log, day)
    return _sign_up(preset, crowd, log, day, first_day)


def _move_on(preset: Preset, crowd: Crowd, log: EventLog, day: int) -> Crowd:
    names = list(preset.segments)
    hazard = np.array([1 / segment.after_days if segment.becomes else 0.0 for segment in preset.segments.values()])
    target = np.array(
        [names.index(segment.becomes or name) for name, segment in preset.segments.items()], dtype=np.int8
    )
    keys = crowd.chance.derive(crowd.keys, f"life {day}")
    moved = np.flatnonzero(crowd.chance.happens(keys, "moves", hazard[crowd.segment]))
    segment = crowd.segment.copy()
    segment[moved] = target[segment[moved]]
    crowd = replace(crowd, segment=segment)
    # A nightly job: over before the day's first mail can change what it says about consent.
    at = day * DAY + ((1 + 3 * crowd.chance.uniform(keys[moved], "moment")) * MINUTE).astype(np.int64)
    log.web(None, keys[moved], crowd.ids[moved], at, crowd.traits(moved, at, preset))
    return crowd


def _visit(preset: Preset, crowd: Crowd, log: EventLog, day: int) -> None:
    chance = crowd.chance
    age = (day * DAY - crowd.since) / DAY
    per_day = np.array([segment.visits_per_week / 7 for segment in preset.segments.values()])[crowd.segment]
    liveliness = _FLOOR + (1 - _FLOOR) * (1 + np.maximum(age, 0) / _SCALE_DAYS) ** -_DECAY
    keys = chance.derive(crowd.keys, f"visit {day}")
    probability = per_day * liveliness * crowd.propensity(preset.noise.person)
    came = np.flatnonzero(chance.happens(keys, "comes", probability))
    visits, users, at = keys[came], crowd.ids[came], day * DAY + _daytime(chance, keys[came])
    shop.view(log, chance, visits, users, at)
    bought = chance.happens(visits, "buys", _VISIT_ORDER)
    shop.order(log, chance, visits[bought], users[bought], at[bought] + 8 * MINUTE)


def _sign_up(preset: Preset, crowd: Crowd, log: EventLog, day: int, first_day: int) -> Crowd:
    chance, growth = crowd.chance, preset.growth
    inviters, invites, at = _invitations(preset, crowd, day)
    properties = [f'{{"invite_id": "i{key:016x}"}}' for key in invites.tolist()]
    log.web("Invite Sent", invites, crowd.ids[inviters], at, properties)

    strangers = np.random.default_rng(int(chance.of_names([f"sign-ups {day}"])[0])).poisson(growth.per_week / 7)
    inviter = [np.full(strangers, -1)]
    for back in range(1, min(_LONGEST_REPLY, day - first_day) + 1):
        who, keys, _ = _invitations(preset, crowd, day - back)
        reply = 1 + (chance.uniform(keys, "reply") * _LONGEST_REPLY).astype(int)
        inviter.append(who[chance.happens(keys, "accepted", growth.invite_accepted) & (reply == back)])
    invited_by = np.concatenate(inviter)

    keys = chance.of_numbers(f"sign-up {day}", np.arange(len(invited_by)))
    at = day * DAY + _daytime(chance, keys)
    grown = crowd.joined_by(preset, at, list(preset.segments).index(growth.segment))
    who = np.arange(len(crowd), len(grown))
    users = grown.ids[who]
    by = [f'{{"invited_by": "{grown.ids[index]}"}}' if index >= 0 else "{}" for index in invited_by.tolist()]
    log.web("Signed Up", keys, users, at, by)
    log.web(None, chance.derive(keys, "identify"), users, at + SECOND, grown.traits(who, at, preset))
    looked = chance.happens(keys, "looks", _FIRST_VISIT)
    shop.view(log, chance, keys[looked], users[looked], at[looked] + MINUTE)
    bought = looked & chance.happens(keys, "buys", _FIRST_ORDER)
    shop.order(log, chance, keys[bought], users[bought], at[bought] + 9 * MINUTE)
    return grown


def _invitations(preset: Preset, crowd: Crowd, day: int) -> tuple[npt.NDArray[np.int64], Keys, Instants]:
    keys = crowd.chance.derive(crowd.keys, f"invite {day}")
    invites = crowd.chance.happens(keys, "invites", preset.growth.invites_per_week / 7)
    who = np.flatnonzero(invites & (crowd.since < day * DAY))
    return who, keys[who], day * DAY + _daytime(crowd.chance, keys[who])


def _daytime(chance: Chance, keys: Keys) -> Instants:
    hour: Floats = 7 + 7.5 * (chance.uniform(keys, "hour") + chance.uniform(keys, "minute"))
    return (hour * HOUR).astype(np.int64)
