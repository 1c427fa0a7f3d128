"""What the page says, in plain words. Pure: values in, sentences out; knows no HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from calza_server.domain.alerting.alert_values import Severity
from calza_server.domain.orders.prescription import Mode
from calza_server.domain.verdicts.verdict import DayOutcome, Verdict
from calza_wire.minute_block import MinuteFlag

if TYPE_CHECKING:
    from datetime import date as datetime_date
    from datetime import tzinfo
    from decimal import Decimal

    from calza_server.domain.ledgers.dose import DoseSummary
    from calza_server.domain.orders.prescription import Phase, Prescription
    from calza_server.domain.recording.completeness import Completeness
    from calza_server.domain.verdicts.verdict import DayResult, PhaseResult, VerdictReport
    from calza_wire.live_minute import LiveMinute

HEADLINES: Final = {
    Verdict.MET: "Met",
    Verdict.NOT_MET: "Not met",
    Verdict.CANNOT_TELL: "Cannot tell",
    Verdict.NOT_APPLICABLE: "Nothing ordered",
    Verdict.ALREADY_MET: "Already met",
    Verdict.CAN_BE_MET: "Can still be met",
    Verdict.CANNOT_BE_MET: "Can no longer be met",
}

OUTCOMES: Final = {
    DayOutcome.MET: "reached",
    DayOutcome.NOT_MET: "missed",
    DayOutcome.CANNOT_TELL: "cannot tell",
    DayOutcome.OPEN: "still open",
}

SEVERITIES: Final = {Severity.TODAY: "Today:", Severity.SOON: "Soon:", Severity.NOTE: "Note:"}

MODES: Final = {Mode.CONTINUOUS: "day and night", Mode.DAYTIME: "in the daytime"}


def sentence(report: VerdictReport) -> str:
    """One or two sentences under the headline: why, and what could change it."""
    unclear = sum(day.outcome is DayOutcome.CANNOT_TELL for day in report.days)
    match report.verdict:
        case Verdict.MET:
            return "The stocking was worn as ordered. Nothing that is missing could change this."
        case Verdict.NOT_MET:
            return "Too few days reached what was ordered, even if all that is missing had been worn."
        case Verdict.CANNOT_TELL:
            return f"Data is missing on {count(unclear, 'day')}, and it could change the answer either way."
        case Verdict.NOT_APPLICABLE:
            return "No compression was ordered for this leg, so there is nothing to meet."
        case Verdict.ALREADY_MET:
            return "Enough days are reached, though the order still runs."
        case Verdict.CAN_BE_MET:
            return f"The order still runs. {_open_part(unclear)}"
        case Verdict.CANNOT_BE_MET:
            return "Too many days are missed for the days that remain, even if all that is missing had been worn."


def _open_part(unclear: int) -> str:
    if not unclear:
        return "So far nothing stands in the way."
    return f"Data is missing on {count(unclear, 'day')}; it may still arrive."


def count(number: int, what: str) -> str:
    """'1 day', '3 days'."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def span(minutes: float) -> str:
    """'9 h 05 min', '40 min', '23 h'."""
    hours, rest = divmod(round(minutes), 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest:02d} min" if rest else f"{hours} h"


def worn_hours(report: VerdictReport) -> str:
    """'212 h', or '212 to 230 h' where minutes are unknown."""
    lower, upper = (
        int(report.worn_hours_lower),
        int(report.worn_hours_upper),
    )  # cut, not rounded: never more than is known
    return f"{lower} h" if lower == upper else f"{lower} to {upper} h"


def phase_title(phase: Phase) -> str:
    """What a phase asks for: '4 days, day and night, 23 h a day'."""
    floor = "" if phase.ankle_floor_mmhg is None else f", {phase.ankle_floor_mmhg:g} mmHg or more at the ankle"
    return f"{count(phase.days, 'day')} {MODES[phase.mode]}, {phase.hours:g} h a day{floor}"


def phase_count(phase: PhaseResult) -> str:
    """How far a phase is: '12 days reached, 12 needed', or '10 days reached, 13 possible, 12 needed'."""
    lower, upper = phase.days_met_lower, phase.days_met_upper
    possible = "" if lower == upper else f" {upper} possible,"
    return f"{count(lower, 'day')} reached,{possible} {phase.days_required} needed"


def dose(summary: DoseSummary) -> str:
    """Whether the ordered pressure was reached: 'the ordered pressure reached 190 h, uncertain 12 h 05 min'."""
    asked = (
        ("reached", summary.reached_minutes),
        ("uncertain", summary.uncertain_minutes),
        ("not reached", summary.below_minutes),
    )
    parts = [f"{word} {span(minutes)}" for word, minutes in asked if minutes]
    return f"the ordered pressure {', '.join(parts)}" if parts else "no pressure was ordered"


def records(completeness: Completeness, unplaced_minutes: int, clock_unsure_minutes: int) -> str:
    """How complete the data is, and how well its time is known."""
    if not completeness.expected:
        return "nothing received yet"
    missing = f"{completeness.missing} missing" if completeness.missing else "none missing"
    text = f"{completeness.held} of {completeness.expected} held, {missing}"
    if unplaced_minutes:
        text += f"; {span(unplaced_minutes)} held under a clock that cannot be trusted"
    if clock_unsure_minutes:
        text += f"; the time of {span(clock_unsure_minutes)} not confirmed by a good clock"
    return text


def day_hours(day: DayResult) -> str:
    """What was worn: '21 h 05 min', or '6 h to 10 h' where minutes are unknown; nothing yet is a dash."""
    if day_outcome(day) == "to come":
        return "\N{EN DASH}"
    if not day.unknown_minutes:
        return span(day.worn_minutes)
    return f"{span(day.worn_minutes)} to {span(day.worn_minutes + day.unknown_minutes)}"


def day_outcome(day: DayResult) -> str:
    """The answer for a day; one that has not begun is 'to come'."""
    begun = day.worn_minutes or day.not_worn_minutes or day.unknown_minutes
    return OUTCOMES[day.outcome] if begun or day.outcome is not DayOutcome.OPEN else "to come"


def tolerance(order: Prescription) -> str:
    """How the needed hours of a day follow from the ordered ones."""
    shares = sorted({f"{phase.tolerance:.0%}" for phase in order.phases}, key=len)
    return f"Needed hours are the ordered ones less {' or '.join(shares)}, and less any pause."


def ago(then_ms: int, now_ms: int) -> str:
    """'just now', '12 minutes ago', '3 days ago'. A moment ahead (a gateway's clock runs fast) is 'just now' too."""
    minutes = (now_ms - then_ms) // 60_000
    for size, what in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return f"{count(minutes // size, what)} ago"
    return "just now"


def moment(unix_ms: int, zone: tzinfo) -> str:
    """'Mon 2 Mar 2026, 10:30'."""
    local = datetime.fromtimestamp(unix_ms / 1000, UTC).astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def date(day: datetime_date) -> str:
    """'Mon 2 Mar'."""
    return f"{day:%a} {day.day} {day:%b}"


def day_in_words(day: DayResult) -> str:
    """A day's strip for those who do not see it: 'worn 10 h, not worn 3 h; 9 h needed'."""
    parts = [
        f"{name} {span(minutes)}"
        for name, minutes in (
            ("worn", day.worn_minutes),
            ("not worn", day.not_worn_minutes),
            ("unknown", day.unknown_minutes),
            ("excused", day.excused_minutes),
            ("still ahead", day.ahead_minutes),
        )
        if minutes
    ]
    return f"{', '.join(parts) or 'nothing'}; {span(day.required_minutes)} needed."


def live(minute: LiveMinute) -> str:
    """What the newest live minute shows: 'ankle 26, calf 19, thigh 10 mmHg, skin 31.4 °C'."""
    sites = (
        ("ankle", minute.ankle_mmhg, MinuteFlag.ANKLE_FAULT),
        ("calf", minute.calf_mmhg, MinuteFlag.CALF_FAULT),
        ("thigh", minute.thigh_mmhg, MinuteFlag.THIGH_FAULT),
    )
    pressures = ", ".join(f"{name} {_reading(value, 0, minute.flags & fault)}" for name, value, fault in sites)
    return f"{pressures} mmHg, skin {_reading(minute.skin_c, 1, minute.flags & MinuteFlag.SKIN_FAULT)} °C"


def _reading(value: Decimal, decimals: int, fault: int) -> str:
    return "faulty" if fault else f"{value:.{decimals}f}"
