"""Words for an explanation: spans, days, moments and reasons as a patient reads them. Pure; knows no verdict.

Names of days and months are written here rather than asked of the machine, whose language setting would change them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from calza_server.domain.states import Reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
HOUR_MINUTES: Final = 60

SHORT_REASONS: Final = {
    Reason.NO_DATA: "no data received",
    Reason.AMBIGUOUS: "signs unclear",
    Reason.SENSOR_FAULT: "sensor fault",
    Reason.CLOCK_UNTRUSTED: "clock not known",
    Reason.BATTERY_FLAT: "battery flat",
    Reason.UNSENSED_BY_DESIGN: "under a bandage or pad",
    Reason.NOT_PAIRED: "stocking never heard",
    Reason.DATA_REJECTED: "data could not be accepted",
}
REASONS: Final = {
    Reason.NO_DATA: "no data has been received",
    Reason.AMBIGUOUS: "the stocking's signs were unclear",
    Reason.SENSOR_FAULT: "the stocking's sensors could not be trusted",
    Reason.CLOCK_UNTRUSTED: "there is data, but the stocking's clock cannot say when it was recorded",
    Reason.BATTERY_FLAT: "the stocking's battery was flat",
    Reason.UNSENSED_BY_DESIGN: "a bandage or pad was ordered, which no sensor sees",
    Reason.NOT_PAIRED: "no stocking of this leg has been heard",
    Reason.DATA_REJECTED: "the data that was sent could not be accepted",
    Reason.ON_LEG: "pressure, warmth and life were seen together",
    Reason.SAME_AS_BEFORE_GAP: "after a gap, pressure and warmth were as before it",
    Reason.NO_PRESSURE: "there was no pressure",
    Reason.NOT_A_LEG: "there was neither the warmth of a leg nor movement",
    Reason.CHARGING: "the stocking was being charged",
    Reason.PAUSED: "the clinic had paused the order",
}
MAY_ARRIVE: Final = frozenset({Reason.NO_DATA, Reason.CLOCK_UNTRUSTED, Reason.NOT_PAIRED, Reason.DATA_REJECTED})
"""Reasons of an unknown minute that late data, or a look at the stocking's clock, may still settle."""


def count(number: int, one: str, many: str | None = None) -> str:
    """'1 day', '3 days'."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def between(lower: int, upper: int) -> str:
    """'12', or '10 to 13'."""
    return f"{lower}" if lower == upper else f"{lower} to {upper}"


def span(minutes: int) -> str:
    """'9 h 05 min', '40 min', '23 h'."""
    hours, rest = divmod(minutes, HOUR_MINUTES)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest:02d} min" if rest else f"{hours} h"


def spans(lower: int, upper: int) -> str:
    """'9 h', or '6 h to 10 h'."""
    return span(lower) if lower == upper else f"{span(lower)} to {span(upper)}"


def listed(parts: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def day_name(day: date) -> str:
    """'Tue 3 March'."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def day_names(days: Sequence[date]) -> str:
    """'Tue 3 March', 'Tue 3 to Thu 5 March and Sat 7 March': days that follow each other as a stretch; days rise."""
    stretches: list[tuple[date, date]] = []
    for day in days:
        if stretches and day - stretches[-1][1] == timedelta(days=1):
            stretches[-1] = (stretches[-1][0], day)
        else:
            stretches.append((day, day))
    return listed([first_to_last(first, last) for first, last in stretches])


def first_to_last(first: date, last: date) -> str:
    """'Tue 3 March', 'Tue 3 to Thu 5 March', 'Tue 31 March to Wed 1 April'."""
    if first == last:
        return day_name(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{_DAYS[first.weekday()]} {first.day} to {day_name(last)}"
    return f"{day_name(first)} to {day_name(last)}"


def clock(minute: int, zone: ZoneInfo, *, with_zone: bool = False) -> str:
    """'14:05' in the order's zone, or '01:30 BST' where that time comes twice on its day."""
    local = local_time(minute, zone)
    name = f" {local.tzname()}" if with_zone else ""
    return f"{local.hour:02d}:{local.minute:02d}{name}"


def moment(minute: int, zone: ZoneInfo) -> str:
    """'Tue 3 March 2026, 14:05' in the order's zone."""
    local = local_time(minute, zone)
    return f"{day_name(local.date())} {local.year}, {local.hour:02d}:{local.minute:02d}"


def local_time(minute: int, zone: ZoneInfo) -> datetime:
    """The wall time at the beginning of a minute since 1970-01-01T00:00Z."""
    return datetime.fromtimestamp(minute * 60, UTC).astimezone(zone)
