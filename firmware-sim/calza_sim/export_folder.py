"""A lived scenario as a folder of files that any program can read: minutes, truth, order, and what else happened.

Everything follows from scenario, seed, start and zone; the same four give the same octets.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from calza_sim.export import truth_csv
from calza_sim.export_minutes import Circumstances, Held, held_minutes, minutes_csv
from calza_sim.scenarios.model import Scenario
from calza_sim.scenarios.moments import At, Note
from calza_sim.stocking import World
from calza_sim.truth import TrueVerdict, Truth, truth, truth_open

SERIAL: Final = "CALZA-0001"  # names the draws of leg and sensors; the left stocking of `calza sim run`
USUAL_START: Final = "2026-03-02T09:00"  # local; any would do, but always the same
FILES: Final = ("minutes.csv", "truth.csv", "truth.json", "prescription.json", "events.json")
SECOND_ORDER: Final = "prescription-2.json"


@dataclass(frozen=True, slots=True)
class Wish:
    """Who lives what from when, and for how many days. None: as the scenario says, or as usual."""

    scenario: Scenario
    seed: int = 1
    days: int | None = None
    start: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """The texts of all files by name, and the answer of the truth on the first order."""

    texts: Mapping[str, str]
    answer: TrueVerdict
    worn_hours: float


def file_names(scenario: Scenario) -> tuple[str, ...]:
    """What a folder of this scenario holds."""
    return FILES if scenario.second_order is None else (*FILES, SECOND_ORDER)


def exported(wish: Wish) -> Exported:
    """Live the scenario and write everything down. Raises ValueError for a start or zone there is not."""
    lived = wish.scenario
    timezone = wish.timezone or lived.timezone
    zone = _zone(timezone)
    start_s = _start(wish.start or lived.starts or USUAL_START, zone)
    end_s = At(lived.length_days if wish.days is None else wish.days).true_s(start_s, zone)
    world = World(lived, seed=wish.seed, name=SERIAL, start_s=start_s, zone=zone)
    known = truth(world.life(end_s), lived, until_s=end_s, zone=zone)
    circumstances = circumstances_of(lived, known, start_s, end_s, zone)
    held = held_minutes(circumstances)
    order = lived.order.document(start_s, timezone)
    answer = truth_open(known, order, end_s)
    verdicts: dict[str, object] = {"scenario": lived.name, "seed": wish.seed, **_verdict(answer)}
    texts = {
        "minutes.csv": minutes_csv(world, held.minute_s[held.held]),
        "truth.csv": truth_csv(known),
        "prescription.json": _text(order),
        "events.json": _text(_events(lived, circumstances, held, start_s, zone)),
    }
    if lived.second_order is not None:
        second_s = lived.second_order.at.true_s(start_s, zone)
        second = lived.second_order.order.document(second_s, timezone)
        texts[SECOND_ORDER] = _text(second)
        verdicts["second_order"] = _verdict(truth_open(known, second, end_s)) if second_s < end_s else None
    texts["truth.json"] = _text(verdicts)
    return Exported(texts, answer, float(known.worn.sum()) / 60.0)


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files, making the folder if need be. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")


def circumstances_of(lived: Scenario, known: Truth, start_s: float, end_s: float, zone: ZoneInfo) -> Circumstances:
    """Power, clock and phone of a scenario, in true Unix seconds."""
    late_s = math.inf if lived.late_upload_day is None else At(lived.late_upload_day).true_s(start_s, zone)
    never = lived.never_uploaded or (lived.late_upload_day is not None and late_s >= end_s)
    return Circumstances(
        start_s=start_s,
        end_s=end_s,
        outages=lived.outage_spans(start_s, zone),
        clock_resets=lived.clock_reset_times(start_s, zone),
        contact=known.contact,
        lost=phone_away(lived, start_s, zone) if never else (),
    )


def phone_away(lived: Scenario, start_s: float, zone: ZoneInfo) -> tuple[tuple[float, float], ...]:
    """When no phone is near, true Unix seconds from..to."""
    return tuple(
        (At(first).true_s(start_s, zone), At(last + 1).true_s(start_s, zone)) for first, last in lived.phone_away
    )


def _verdict(answer: TrueVerdict) -> dict[str, object]:
    return {
        "verdict": answer.verdict,
        "label": answer.label,
        "phases": [
            {"days": each.days, "days_met": each.days_met, "days_required": each.days_required}
            for each in answer.phases
        ],
        "days": [
            {
                "date": each.day.isoformat(),
                "phase": each.phase,
                "worn_min": each.worn_min,
                "needed_min": round(each.needed_min, 3),
                "excused_min": each.excused_min,
                "met": each.met,
            }
            for each in answer.days
        ],
    }


def _events(lived: Scenario, of: Circumstances, held: Held, start_s: float, zone: ZoneInfo) -> dict[str, object]:
    def note(each: Note) -> dict[str, object]:
        return {"at": _iso(each.at.true_s(start_s, zone)), "text": each.text}

    late = lived.late_upload_day
    return {
        "outages": [[_iso(start), _iso(end)] for start, end in of.outages],
        "clock_resets": [_iso(at) for at in of.clock_resets],
        "phone_near": [[_iso(start), None if math.isinf(end) else _iso(end)] for start, end in of.contact],
        "phone_away": [[_iso(start), _iso(end)] for start, end in phone_away(lived, start_s, zone)],
        "late_upload": None if late is None else _iso(At(late).true_s(start_s, zone)),
        "never_uploaded": lived.never_uploaded,
        "left_out_minutes": {
            "no_power": int(held.without_power.sum()),
            "time_unknown": int(held.without_time.sum()),
            "not_uploaded": int(held.not_sent.sum()),
        },
        "self_reports": [note(each) for each in lived.self_reports],
        "symptom_report": None if lived.symptom_report is None else note(lived.symptom_report),
        "replayed": lived.replayed,
        "expected": lived.expected,
        "expects": lived.expects,
    }


def _text(document: object) -> str:
    return json.dumps(document, indent=1) + "\n"


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"no time zone is called {name!r}") from None


def _start(text: str, zone: ZoneInfo) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment; write it like {USUAL_START}, local, or with its offset") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
