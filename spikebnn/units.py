"""Numbers as people read them: three digits, an SI prefix, and an interval in one phrase."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spikebnn.interval import Interval

PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
UNKNOWN = "unknown"


def si(value: float | None, unit: str) -> str:
    """A value with its unit, three significant digits.

    >>> si(2.5e-6, "J"), si(0, "J"), si(None, "s"), si(999.9e-6, "s")
    ('2.50 µJ', '0 J', 'unknown', '1.00 ms')
    """
    if value is None:
        return UNKNOWN
    if value == 0:
        return f"0 {unit}"
    power = _power(value)
    return f"{_digits(value / 10.0**power)} {PREFIXES[power]}{unit}"


def span(value: Interval | None, unit: str, lacks: Sequence[str] = ()) -> str:
    """An interval: the best guess, both ends in the same unit, and the names of what it lacks.

    >>> span(Interval(lo=2e-6, v=2.5e-6, hi=4e-5), "J")
    '2.50 µJ (2.00 to 40.0)'
    >>> span(Interval(lo=2e-6, v=2.5e-6, hi=4e-5), "J", ["spike", "barrier"])
    '2.50 µJ (2.00 to 40.0), plus what is unknown: spike, barrier'
    """
    if value is None:
        return UNKNOWN
    if lacks:
        return f"{span(value, unit)}, plus what is unknown: {', '.join(lacks)}"
    if value.lo == value.hi:
        return si(value.v, unit)
    power = _power(value.v) if value.v else 0
    middle, low, high = (_digits(end / 10.0**power) if end else "0" for end in (value.v, value.lo, value.hi))
    return f"{middle} {PREFIXES[power]}{unit} ({low} to {high})"


def percent(part: float | None, whole: float | None = 1.0) -> str:
    """A share with two decimals; never rounded up to 100 % or down to 0 %.

    >>> percent(9999, 10000), percent(99999, 100000), percent(1.0), percent(1, 10**6)
    ('99.99 %', '> 99.99 %', '100.00 %', '< 0.01 %')
    """
    if part is None or not whole:
        return UNKNOWN
    share = part / whole
    if 0.9999 < share < 1:
        return "> 99.99 %"
    if 0 < share < 0.0001:
        return "< 0.01 %"
    return f"{100 * share:.2f} %"


def whole(value: float) -> str:
    """A count with thin groups of three digits, or three significant digits where it is no whole number.

    >>> whole(1234567), whole(12.3456)
    ('1 234 567', '12.3')
    """
    if float(value).is_integer():
        return f"{int(value):,}".replace(",", " ")
    return _digits(value)


def ticks(count: int) -> str:
    """A number of ticks.

    >>> ticks(1), ticks(25)
    ('1 tick', '25 ticks')
    """
    return f"{whole(count)} tick{'' if count == 1 else 's'}"


def pace(period: int) -> str:
    """How often a frame comes.

    >>> pace(1), pace(25)
    ('a frame every tick', 'a frame every 25 ticks')
    """
    return "a frame every tick" if period == 1 else f"a frame every {ticks(period)}"


def lasting(seconds: float) -> str:
    """A length of time in the unit that fits it, two significant digits or more.

    >>> lasting(90), lasting(5400), lasting(86400 * 12.3), lasting(86400 * 800)
    ('90 s', '90 min', '12 days', '2.2 years')
    """
    for unit, size in (("years", 365.25 * 86400), ("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            count = seconds / size
            return f"{whole(round(count)) if count >= 10 else f'{count:.1f}'} {unit}"
    return f"{seconds:.2g} s"


def _power(value: float) -> int:
    power = 3 * math.floor(math.log10(abs(value)) / 3 + 1e-12)
    if round(abs(value) / 10.0**power, 0) >= 1000:
        power += 3
    return min(max(power, min(PREFIXES)), max(PREFIXES))


def _digits(value: float) -> str:
    size = abs(value)
    if size >= 999.5:
        return f"{value:,.0f}".replace(",", " ")
    if size and size < 0.01:
        return f"{value:.2g}"
    return f"{value:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f}"
