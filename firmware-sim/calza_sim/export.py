"""Write the truth beside a log, for people (CSV) and for programs (JSON). Knows files, nothing of sensors."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np

from calza_sim.truth import MINUTE_S, Truth


def truth_csv(known: Truth) -> str:
    """One line per UTC minute: `minute_s,utc,worn,posture,reason`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("minute_s", "utc", "worn", "posture", "reason"))
    iso = np.datetime_as_string(known.minute_s.astype("datetime64[s]"), unit="m").tolist()
    rows = zip(known.minute_s.tolist(), iso, known.worn.tolist(), known.posture, known.reason, strict=True)
    writer.writerows((at, f"{utc}Z", int(on), posture, reason) for at, utc, on, posture, reason in rows)
    return out.getvalue()


def truth_json(known: Truth) -> str:
    """The same facts as runs of equal minutes, which is a hundred times shorter.

    {"minute_s": 60, "runs": [{"from_s", "minutes", "worn", "posture", "reason"}], "contact": [[from_s, to_s or null]]}
    """
    runs: list[dict[str, object]] = []
    state: tuple[bool, str, str] | None = None
    minutes = 0
    for at, *now in zip(known.minute_s.tolist(), known.worn.tolist(), known.posture, known.reason, strict=True):
        if tuple(now) != state:
            state = (now[0], now[1], now[2])
            runs.append({"from_s": at, "minutes": 0, "worn": now[0], "posture": now[1], "reason": now[2]})
            minutes = 0
        minutes += 1
        runs[-1]["minutes"] = minutes
    contact = [[start, None if math.isinf(end) else end] for start, end in known.contact]
    return json.dumps({"minute_s": MINUTE_S, "runs": runs, "contact": contact}, separators=(",", ":")) + "\n"


def export_truth(known: Truth, path: Path) -> None:
    """Write `path` as CSV or JSON, chosen by its suffix. Raises ValueError for another suffix, OSError as files do."""
    writers = {".csv": truth_csv, ".json": truth_json}
    if path.suffix not in writers:
        raise ValueError(f"the truth is written as .csv or .json, not {path.suffix or 'without a suffix'}")
    path.write_text(writers[path.suffix](known), encoding="utf-8", newline="")
