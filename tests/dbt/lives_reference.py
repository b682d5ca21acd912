"""Sessions, engagement, referral, revenue and attribution from what people really did, person by person; nothing of the SQL."""

import datetime as dt
import itertools
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pandas as pd

from tests.dbt.lives import RATES, START, Doing, Lives

DAY, WEEK, GAP = dt.timedelta(days=1), dt.timedelta(weeks=1), dt.timedelta(minutes=30)
CLICKS = ("Email Link Clicked",)
Z = 1.959963984540054


def monday(at: dt.datetime | dt.date) -> dt.date:
    day = at.date() if isinstance(at, dt.datetime) else at
    return day - DAY * day.weekday()


def ratio_interval(y: list[float], x: list[float]) -> tuple[float, float, float]:
    """sum(y) / sum(x) and its interval from the residuals of each unit."""
    ys, xs = np.array(y, float), np.array(x, float)
    ratio = ys.sum() / xs.sum()
    error = np.sqrt(len(ys) * np.var(ys - ratio * xs, ddof=1)) / xs.sum()
    return float(ratio), float(ratio - Z * error), float(ratio + Z * error)


class LivesReference:
    """What a careful person with a pencil would count.

    Attributes:
        unseen_from: First day not seen in full.
    """

    def __init__(self, lives: Lives, as_of: dt.datetime) -> None:
        self.doings: dict[str, list[Doing]] = defaultdict(list)
        for doing in sorted(lives.doings, key=lambda doing: doing.at):
            self.doings[doing.user].append(doing)
        self.active = {
            user: [doing for doing in mine if doing.name != "Order Refunded"] for user, mine in self.doings.items()
        }
        last = max(doing.at for mine in self.active.values() for doing in mine)
        self.unseen_from = min(as_of.date(), last.date() + DAY)

    def sessions(self) -> pd.DataFrame:
        by_day: dict[dt.date, dict[str, list[list[Doing]]]] = defaultdict(lambda: defaultdict(list))
        for user, mine in self.active.items():
            for session in _sessions(mine):
                by_day[session[0].at.date()][user].append(session)
        rows = []
        for day, users in by_day.items():
            seconds = [sum((s[-1].at - s[0].at).total_seconds() for s in sessions) for sessions in users.values()]
            counts = [float(len(sessions)) for sessions in users.values()]
            clicked = sum(any(d.name in CLICKS and d.creative for d in s) for ss in users.values() for s in ss)
            mature = day + DAY < self.unseen_from
            known = mature and len(users) >= 5
            mean = ratio_interval(seconds, counts) if known else (None, None, None)
            rows.append((day, len(users), sum(counts), clicked, *mean, mature))
        names = ["day", "people", "sessions", "clicked", "mean_seconds", "mean_seconds_low", "mean_seconds_high"]
        return pd.DataFrame(rows, columns=[*names, "is_mature"])

    def engaged_retention(self, least: int) -> pd.DataFrame:
        engaged: dict[dt.date, set[str]] = defaultdict(set)
        for user, mine in self.active.items():
            weeks = Counter(monday(day) for day in {doing.at.date() for doing in mine})
            for week in (week for week, days in weeks.items() if days >= least):
                engaged[week].add(user)
        rows = []
        for week in {*engaged, *(week + WEEK for week in engaged)}:
            now, before = engaged.get(week, set()), engaged.get(week - WEEK, set())
            over = week + WEEK <= self.unseen_from
            if week < self.unseen_from:
                rows.append((week, *((len(now), len(now & before)) if over else (None, None)), len(before), over))
        return pd.DataFrame(rows, columns=["week", "engaged", "retained", "n", "is_mature"])

    def referral_funnel(self, days: int) -> pd.DataFrame:
        invites = {u: [d.at for d in mine if d.name == "Invite Sent"] for u, mine in self.active.items()}
        newcomers: dict[dt.date, list[tuple[str, float, bool]]] = defaultdict(list)
        for user, mine in self.doings.items():
            joined = next(doing for doing in mine if doing.name == "Signed Up")
            recent = [at for at in invites.get(joined.inviter or "", []) if at <= joined.at < at + DAY * days]
            if recent:
                passed_on = any(joined.at <= at < joined.at + DAY * days for at in invites[user])
                took = (joined.at - max(recent)) / DAY
                newcomers[monday(max(recent))].append((joined.inviter or "", took, passed_on))
        rows = []
        told = {monday(at) for sent in invites.values() for at in sent}
        seen = {monday(doing.at) for mine in self.active.values() for doing in mine}
        for week in told | {week for week in seen if week + WEEK <= self.unseen_from}:
            active = {u for u, mine in self.active.items() if any(monday(d.at) == week for d in mine)}
            came = newcomers[week]
            mature = week + WEEK + DAY * 2 * days <= self.unseen_from
            per_person = [float(sum(inviter == user for inviter, *_ in came)) for user in active]
            k = ratio_interval(per_person, [1.0] * len(active))
            cycle = [took for _, took, _ in came]
            is_told = len(came) >= 5 and mature
            rows.append(
                (
                    week,
                    len(active),
                    len(came) if mature else None,
                    sum(p for *_, p in came) if mature else None,
                    *(k if mature and week in told else (None, None, None)),
                    *(ratio_interval(cycle, [1.0] * len(cycle)) if is_told else (None, None, None)),
                    float(np.median(cycle)) if is_told else None,
                    mature,
                )
            )
        names = ["week", "n", "newcomers", "passed_on", "k_factor", "k_low", "k_high"]
        cycle_names = ["cycle_days", "cycle_days_low", "cycle_days_high", "cycle_days_median"]
        return pd.DataFrame(rows, columns=[*names, *cycle_names, "is_mature"])

    def revenue_retention(self) -> pd.DataFrame:
        paid: dict[str, Counter[dt.date]] = defaultdict(Counter)
        lost: Counter[dt.date] = Counter()
        entries: Counter[dt.date] = Counter()
        for user, mine in self.doings.items():
            for doing in mine:
                if doing.name in ("Order Completed", "Order Refunded") and doing.value is not None:
                    month = doing.at.date().replace(day=1)
                    entries[month] += 1
                    rate = _rate(doing)
                    lost[month] += rate is None
                    signed = -abs(doing.value) if doing.name == "Order Refunded" else doing.value
                    if rate is not None:
                        paid[user][month] += signed * rate
        months = [dt.date(2026, month, 1) for month in (1, 2, 3, 4)]
        rows = []
        for before, month in itertools.pairwise([dt.date(2025, 12, 1), *months]):
            if month >= self.unseen_from:
                continue
            moves = dict.fromkeys(["new", "expansion", "contraction", "churn", "reactivation"], 0.0)
            pairs = []
            for sums in paid.values():
                now, then = max(sums[month], 0), max(sums[before], 0)
                earlier = any(sums[m] > 0 for m in sums if m < before)
                if now or then:
                    kind = (
                        ("reactivation" if earlier else "new") if not then
                        else "churn" if not now else "expansion" if now > then else "contraction"
                    )  # fmt: skip
                    moves[kind] += now - then
                    pairs.append((now, then))
            kept = [pair for pair in pairs if pair[1] > 0]
            net = sum(sums[month] for sums in paid.values())
            over = (month.replace(day=28) + 4 * DAY).replace(day=1) <= self.unseen_from
            told = over and len(kept) >= 5 and not lost[month] + lost[before]
            rate = ratio_interval([now for now, _ in kept], [then for _, then in kept]) if told else (None,) * 3
            gross = ratio_interval([min(p) for p in kept], [p[1] for p in kept]) if told else (None,) * 3
            rows.append((month, entries[month], lost[month], *moves.values(), net, len(kept), *rate, *gross, over))
        names = ["month", "entries", "unconverted_entries"]
        names += [f"{kind}_revenue" for kind in ("new", "expansion", "contraction", "churn", "reactivation")]
        names += ["net_revenue", "n", "rate", "ci_low", "ci_high", "gross_rate", "gross_low", "gross_high"]
        return pd.DataFrame(rows, columns=[*names, "is_mature"])

    def credits(self, days: int, half_life: float, first: float, last: float) -> pd.DataFrame:
        """One row per order, rule and touch."""
        rows: list[dict[str, Any]] = []
        for mine in self.doings.values():
            touches = _touches(mine)
            orders = [doing for doing in mine if doing.name == "Order Completed" and (doing.value or 0) >= 0]
            for order in orders:
                way = [d for d in touches if d.at <= order.at < d.at + DAY * days]
                k = len(way)
                middle = [first, *[(1 - first - last) / (k - 2)] * (k - 2), last] if k > 2 else [first, last]
                weights: dict[str, list[float]] = {
                    "first": [1.0] + [0.0] * (k - 1),
                    "last": [0.0] * (k - 1) + [1.0],
                    "linear": [1.0] * k,
                    "position": [1.0] if k == 1 else middle,
                    "time_decay": [0.5 ** ((order.at - d.at) / DAY / half_life) for d in way],
                }
                names = [_source(doing) for doing in way] or ["unattributed"]
                for rule, shares in weights.items():
                    told = shares if way else [1.0]
                    for name, share in zip(names, told, strict=True):
                        row = {"week": monday(order.at), "rule": rule, "source": name, "order": id(order)}
                        rows.append({**row, "credit": share / sum(told), "path": _path(names)})
        return pd.DataFrame(rows)


def _sessions(mine: list[Doing]) -> list[list[Doing]]:
    sessions: list[list[Doing]] = []
    part_began = START
    for before, doing in zip([None, *mine], mine, strict=False):
        is_new_day = before is not None and before.at.date() < doing.at.date()
        midnight = dt.datetime.combine(before.at.date(), dt.time()) if before else START
        if before is None or doing.at - before.at > GAP or (is_new_day and part_began - midnight <= GAP):
            sessions.append([doing])
            part_began = doing.at
        else:
            sessions[-1].append(doing)
            part_began = doing.at if is_new_day else part_began
    return sessions


def _touches(mine: list[Doing]) -> list[Doing]:
    """Clicks on mail and visits of a campaign, each once until it has rested; the page a mail leads to is the mail's."""
    touches: list[Doing] = []
    last_of: dict[Any, dt.datetime] = {}
    last_mail = START - DAY
    for doing in (doing for doing in mine if doing.said or doing.name in CLICKS):
        goes_on = doing.at - last_of.get(doing.said, START - DAY) <= GAP
        is_landing = doing.said is not None and doing.said[1] == "email" and doing.at - last_mail <= GAP
        last_of[doing.said] = doing.at
        last_mail = doing.at if doing.said is None else last_mail
        if not goes_on and not is_landing:
            touches.append(doing)
    return touches


def _rate(doing: Doing) -> float | None:
    if doing.currency == "GBP":
        return 1.0
    held = [rate for currency, since, rate in RATES if currency == doing.currency and since <= str(doing.at.date())]
    return held[-1] if held else None


def _source(doing: Doing) -> str:
    if doing.said is None:
        return "email"
    source, medium, _ = doing.said
    return {"facebook": "meta", "google": "google_ads"}[source] if medium == "cpc" else source


def _path(names: list[str]) -> str:
    return " > ".join(name for name, _ in itertools.groupby(names))
