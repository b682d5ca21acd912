"""Time inside the sandbox: whole microseconds since 1970, UTC, so that it goes into arrays and stays exact."""

import datetime as dt

import numpy as np
import numpy.typing as npt

Instants = npt.NDArray[np.int64]
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = np.iinfo(np.int64).max
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def micros(time: dt.datetime) -> int:
    """The instant of a time; one without offset is UTC."""
    aware = time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time
    return (aware - _EPOCH) // dt.timedelta(microseconds=1)


def moment(instant: int) -> dt.datetime:
    """The time of an instant, without offset, as the warehouse stores it."""
    return (_EPOCH + dt.timedelta(microseconds=instant)).replace(tzinfo=None)
