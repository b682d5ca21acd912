"""Growth metrics from what people really did, counted person by person; shares nothing with the SQL."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from tests.dbt.histories import History

WEEK, DAY = dt.timedelta(weeks=1), dt.timedelta(days=1)
Person = dict[str, Any]


def monday(day: dt.date) -> dt.date:
    return day - DAY * day.weekday()


class Reference:
    """What a careful person with a pencil would count.

    Attributes:
        unseen_from: First day not seen in full.
    """

    def __init__(self, history: History) -> None:
        self._days: dict[str, set[dt.date]] = {}
        self._doings: dict[str, list[tuple[dt.datetime, str]]] = {}
        for row in history.doings.itertuples():
            at = row.at.to_pydatetime()
            self._days.setdefault(row.user_id, set()).add(at.date())
            self._doings.setdefault(row.user_id, []).append((at, row.event_name))
        self._people: list[Person] = []
        for row in history.people.itertuples():
            sign_ups = [at for at, name in self._doings.get(row.user_id, []) if name == "Signed Up"]
            inviter = row.invited_by if isinstance(row.invited_by, str) else None
            self._people.append(
                {"id": row.user_id, "segment": row.segment, "inviter": inviter, "at": min(sign_ups, default=None)}
            )
        last_day = max(max(days) for days in self._days.values())
        self.unseen_from = min(history.as_of.date(), last_day + DAY)

    def user_days(self) -> set[tuple[str, dt.date]]:
        return {(user, day) for user, days in self._days.items() for day in days}

    def _cohorts(self) -> dict[tuple[dt.date, str], list[Person]]:
        cohorts: dict[tuple[dt.date, str], list[Person]] = {}
        for person in self._people:
            if person["at"] is not None:
                for segment in ("all", person["segment"]):
                    cohorts.setdefault((monday(person["at"].date()), segment), []).append(person)
        return cohorts

    def retention_weekly(self) -> pd.DataFrame:
        rows = []
        for (week, segment), people in self._cohorts().items():
            age = 0
            while week + age * WEEK < self.unseen_from:
                spans = [[p["at"].date() + age * WEEK + DAY * d for d in range(7)] for p in people]
                back = sum(bool(self._days[p["id"]] & set(span)) for p, span in zip(people, spans, strict=True))
                mature = week + DAY * 6 + age * WEEK + DAY * 6 < self.unseen_from
                rows.append((week, segment, age, len(people), back if mature else None, mature))
                age += 1
        return pd.DataFrame(rows, columns=["cohort_week", "segment", "age_weeks", "people", "retained", "is_mature"])

    def retention_daily(self, last_day: int) -> pd.DataFrame:
        cohorts = {str(week): people for (week, segment), people in self._cohorts().items() if segment == "all"}
        cohorts["all"] = [person for people in list(cohorts.values()) for person in people]
        rows = []
        for cohort, people in cohorts.items():
            for number in range(last_day + 1):
                due = [p for p in people if p["at"].date() + number * DAY < self.unseen_from]
                back = sum(p["at"].date() + number * DAY in self._days[p["id"]] for p in due)
                whole_week = cohort != "all" and dt.date.fromisoformat(cohort) + DAY * (6 + number) < self.unseen_from
                mature = bool(due) if cohort == "all" else whole_week
                rows.append((cohort, number, len(people), len(due), back if mature else None, mature))
        return pd.DataFrame(rows, columns=["cohort", "day_number", "people", "n", "retained", "is_mature"])

    def weekly_actives(self) -> pd.DataFrame:
        rows = []
        for segment in ["all", *{person["segment"] for person in self._people}]:
            members = [p["id"] for p in self._people if segment in {"all", p["segment"]} and p["id"] in self._days]
            weeks = {user: {monday(day) for day in self._days[user]} for user in members}
            week = min((min(active) for active in weeks.values()), default=self.unseen_from)
            while week < self.unseen_from:
                now = {user for user in members if week in weeks[user]}
                last = {user for user in members if week - WEEK in weeks[user]}
                before = {user for user in members if min(weeks[user]) < week}
                counts = [len(now), len(now - before), len(now & last), len(now & before - last), len(last - now)]
                over = week + WEEK <= self.unseen_from
                rows.append((week, segment, *(counts if over else [None] * 5), len(last), over))
                week += WEEK
        names = ["week", "segment", "wau", "new", "retained", "resurrected", "lost", "n", "is_mature"]
        return pd.DataFrame(rows, columns=names)

    def activation(self, steps: Sequence[str], within_days: int) -> pd.DataFrame:
        rows = []
        for (week, segment), people in self._cohorts().items():
            due = [p for p in people if p["at"] + DAY * within_days <= dt.datetime.combine(self.unseen_from, dt.time())]
            done = sum(self._takes(p, steps, within_days) for p in due)
            rows.append(
                (week, segment, len(people), len(due), done, week + WEEK + DAY * within_days <= self.unseen_from)
            )
        return pd.DataFrame(rows, columns=["cohort_week", "segment", "people", "n", "activated", "is_mature"])

    def _takes(self, person: Person, steps: Sequence[str], within_days: int) -> bool:
        left = list(steps)
        for at, name in sorted(self._doings[person["id"]]):
            if left and name == left[0] and person["at"] <= at < person["at"] + DAY * within_days:
                left.pop(0)
        return not left

    def referral(self, days: int) -> pd.DataFrame:
        sent: dict[tuple[dt.date, str], int] = {}
        brought: dict[tuple[dt.date, str], int] = {}
        for user, doings in self._doings.items():
            for at, name in doings:
                if name == "Invite Sent":
                    sent[monday(at.date()), user] = sent.get((monday(at.date()), user), 0) + 1
        for person in self._people:
            invites = [at for at, name in self._doings.get(person["inviter"], []) if name == "Invite Sent"]
            recent = [at for at in invites if person["at"] and at <= person["at"] < at + DAY * days]
            if recent:
                key = monday(max(recent).date()), person["inviter"]
                brought[key] = brought.get(key, 0) + 1
        rows = []
        actives = self.weekly_actives()
        idle = {row.week for row in actives.itertuples() if row.segment == "all" and row.is_mature and row.wau}
        for week in {week for week, _ in sent} | idle:
            users = [user for sent_in, user in sent if sent_in == week]
            came = [brought.get((week, user), 0) for user in users]
            invites_of = [sent[week, user] for user in users]
            mature = week + WEEK + DAY * days <= self.unseen_from
            converted = sum(min(pair) for pair in zip(came, invites_of, strict=True))
            rows.append(
                (week, len(users), sum(invites_of), *((sum(came), converted) if mature else (None, None)), mature)
            )
        names = ["week", "inviters", "invites", "invited_sign_ups", "converted", "is_mature"]
        return pd.DataFrame(rows, columns=names)

    def retention(self, last_day: int, bracket_days: int) -> pd.DataFrame:
        """Every definition, on both clocks, by brute force over each person's events."""
        cohorts: dict[tuple[str, str], list[Person]] = {}
        for (week, segment), people in self._cohorts().items():
            for cohort in (str(week), "all"):
                cohorts.setdefault((cohort, segment), []).extend(people)
        spans = [(name, day, day) for name in ("exact", "unbounded") for day in range(last_day + 1)]
        spans += [
            ("bracket", first, first + bracket_days - 1)
            for first in range(1, last_day - bracket_days + 2, bracket_days)
        ]
        rows = []
        for (cohort, segment), people in cohorts.items():
            for clock in ("calendar", "24 hours"):
                ages = {p["id"]: self._ages(p, clock) for p in people}
                for name, first, last in spans:
                    wait = last + (clock == "24 hours")
                    due = [p for p in people if p["at"].date() + wait * DAY < self.unseen_from]
                    end = 10**6 if name == "unbounded" else last
                    back = sum(any(first <= age <= end for age in ages[p["id"]]) for p in due)
                    whole = cohort != "all" and dt.date.fromisoformat(cohort) + DAY * (6 + wait) < self.unseen_from
                    mature = bool(due) if cohort == "all" else whole
                    rows.append(
                        (cohort, segment, name, clock, first, len(people), len(due), back if mature else None, mature)
                    )
        names = ["cohort", "segment", "definition", "clock", "from_day", "people", "n", "retained", "is_mature"]
        return pd.DataFrame(rows, columns=names)

    def _ages(self, person: Person, clock: str) -> set[int]:
        at = person["at"]
        if clock == "calendar":
            return {(moment.date() - at.date()).days for moment, _ in self._doings[person["id"]]}
        return {(moment - at) // DAY for moment, _ in self._doings[person["id"]]}

    def daily(self, month_days: int) -> pd.DataFrame:
        """Day by day: who is active in the windows, where they came from, who is dormant. Days that are over."""
        rows = []
        for segment in ["all", *{person["segment"] for person in self._people}]:
            lives = [
                self._days[p["id"]] for p in self._people if segment in {"all", p["segment"]} and p["id"] in self._days
            ]
            day = min((min(days) for days in lives), default=self.unseen_from)
            while day < self.unseen_from:
                active = {
                    span: sum(any(day - DAY * ago in days for ago in range(span)) for days in lives)
                    for span in (1, 7, month_days)
                }
                known = sum(min(days) <= day for days in lives)
                new = sum(min(days) == day for days in lives)
                retained = sum(
                    day in days and any(day - DAY * ago in days for ago in range(1, month_days + 1)) for days in lives
                )
                counts = [active[1], active[7], active[month_days], new, retained, active[1] - new - retained]
                rows.append((day, segment, *counts, known - active[month_days]))
                day += DAY
        names = ["day", "segment", "active", "wau", "mau", "new", "retained", "resurrected", "dormant"]
        return pd.DataFrame(rows, columns=names)
