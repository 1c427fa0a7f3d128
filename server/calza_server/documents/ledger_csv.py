"""A ledger as CSV, one row a minute: the same from the API and from the command line. Knows no HTTP and no files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.states import Dose, Reason, State

if TYPE_CHECKING:
    from calza_server.domain.ledgers.ledger import Ledger

CSV_HEADER: Final = "time,state,reason,dose"


def ledger_csv(ledger: Ledger) -> str:
    """The ledger as CSV, one row a minute: time (UTC), state, reason, dose (yes, no, uncertain or empty)."""
    states, reasons, doses = ({one.value: one.word for one in words} for words in (State, Reason, Dose))
    minutes = np.arange(ledger.start_minute, ledger.end_minute).astype("datetime64[m]")
    times: list[str] = np.datetime_as_string(minutes, unit="m").tolist()
    rows = zip(times, ledger.state.tolist(), ledger.reason.tolist(), ledger.dose.tolist(), strict=True)
    lines = [f"{time}Z,{states[state]},{reasons[reason]},{doses[dose]}" for time, state, reason, dose in rows]
    return "\n".join([CSV_HEADER, *lines, ""])
