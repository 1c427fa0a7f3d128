"""Why a command of the server cannot do what it was asked for; each sentence says what to do instead."""

from __future__ import annotations

from typing import Final


class SpecError(Exception):
    """What was asked for cannot be meant; the sentence says what can."""

    code: Final = "bad_option"


class RunError(Exception):
    """The server cannot run, though it was asked for rightly; the sentence says what to do."""

    code: Final = "cannot_run"
