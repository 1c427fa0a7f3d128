"""The fingerprint of an answer: equal inputs, equal fingerprint, on any machine. Knows what it rests on, no verdict.

It proves that two people judged the same thing by the same rule. It is no signature: whoever changes a file can work
out a fitting fingerprint. That a reading came from its stocking is proved by the tag of its record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from calza_server.domain.states import State

if TYPE_CHECKING:
    import numpy.typing as npt

_WORDS: Final = tuple(State(number).word for number in range(len(State)))
_NO_STATE: Final = np.uint8(255)


def fingerprint(rule_version: str, evidence: str) -> str:
    """SHA-256 (64 hex digits) over the rule's version and the digest of what it was applied to."""
    return digest({"rule": rule_version, "evidence": evidence})


def evidence_digest(order_document: Mapping[str, object], start_minute: int, states: npt.NDArray[np.uint8]) -> str:
    """SHA-256 (64 hex digits) over the order's document and the state of every minute judged, from `start_minute` on.

    Reasons are left out: no rule reads them, and a late battery report that only renames *why* a minute is unknown must
    not make a new answer. Dose is left out because it is an axis of its own: a verdict is about wear, and a sensor
    calibrated anew may not alter it. Provenance is left out because the same minutes sent in other records are the same
    minutes. The export carries all three beside the fingerprint.
    """
    starts = np.flatnonzero(np.diff(states, prepend=_NO_STATE))
    lengths = np.diff(starts, append=len(states)).tolist()
    words = [_WORDS[state] for state in states[starts].tolist()]
    runs = [list(run) for run in zip(words, lengths, strict=True)]
    ledger = {"start_minute": start_minute, "states": runs}
    return _sha256({"order": _plain(order_document), "ledger": ledger})  # the runs are whole numbers as they are


def digest(document: Mapping[str, object]) -> str:
    """SHA-256 (64 hex digits) of a JSON document, however its fields are ordered and its whole numbers spelled."""
    return _sha256(_plain(document))


def _sha256(document: object) -> str:
    """Names sorted, no blanks, whatever is not ASCII escaped."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: object) -> object:
    """The same value with whole numbers as such: 10.0 and 10 are one order, and no language spells them alike."""
    if isinstance(value, Mapping):
        return {name: _plain(field) for name, field in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
