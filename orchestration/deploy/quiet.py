"""Quiet hours in the person's own time zone."""

import datetime as dt
import os
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from orchestration.errors import Refusal

VARIABLE = "LOOP_TIMEZONE"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of the local day in which nobody is written to: from ``starts`` up to ``ends``, over midnight where it starts later.

    Attributes:
        starts, ends: Whole hours, 0 to 23; equal ones mean that there are none.
        zone: For people whose time zone is not known.
    """

    starts: int
    ends: int
    zone: str = "UTC"

    def until(self, now: dt.datetime, zone: str | None) -> dt.datetime | None:
        """When the quiet hours end that a person is in, UTC; None if they are in none.

        Args:
            now: UTC without offset.
            zone: IANA name; None or a name nobody knows means the zone of those who have none.
        """
        place = self._place(zone)
        local = now.replace(tzinfo=dt.UTC).astimezone(place)
        if not self._holds(local.hour):
            return None
        day = local.date() if local.hour < self.ends else local.date() + dt.timedelta(days=1)
        # Where clocks change at that very hour, a time that does not exist maps to the one after the gap.
        ends = dt.datetime.combine(day, dt.time(self.ends), place).astimezone(dt.UTC).replace(tzinfo=None)
        return max(ends, now)

    def next_day(self, time: dt.datetime, zone: str | None) -> dt.datetime:
        """When the day after that of ``time`` begins where a person is, UTC; both as in :meth:`until`."""
        place = self._place(zone)
        day = time.replace(tzinfo=dt.UTC).astimezone(place).date() + dt.timedelta(days=1)
        return dt.datetime.combine(day, dt.time(), place).astimezone(dt.UTC).replace(tzinfo=None)

    def _holds(self, hour: int) -> bool:
        if self.starts <= self.ends:
            return self.starts <= hour < self.ends
        return hour >= self.starts or hour < self.ends

    def _place(self, zone: str | None) -> ZoneInfo:
        try:
            return ZoneInfo(zone or self.zone)
        except (KeyError, ValueError, OSError):
            return ZoneInfo(self.zone)


def configured_zone() -> str:
    """The zone of people whose own is not known, from ``LOOP_TIMEZONE``; UTC where it is not set.

    Raises:
        Refusal: if it names no zone.
    """
    name = os.environ.get(VARIABLE) or "UTC"
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Refusal(
            VARIABLE, f"{name!r} is no time zone", "Set an IANA name such as Europe/Berlin, or unset it."
        ) from error
    return name
