"""Asks the running server what any program would ask it, over HTTP. Knows the API, not the server's code."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

ANSWER_WITHIN_S = 30.0


class NoAnswer(Exception):
    """The server did not answer; the message is one plain sentence."""


@dataclass(frozen=True, slots=True)
class LegAnswer:
    """What the server says of one leg: the verdict with its bounds, and how complete the data is."""

    leg: str
    side: str
    verdict: str
    worn_hours: float
    worn_hours_upper: float
    days_met_lower: int
    days_met_upper: int
    days_required: int
    expected: int
    stored: int
    missing: int

    @classmethod
    def of(cls, answer: Mapping[str, object]) -> "LegAnswer":
        """From the JSON of `/api/v1/legs/{id}/verdict`."""
        leg, hours, records = (_object(answer[key]) for key in ("leg", "worn_hours", "completeness"))
        return cls(
            leg=str(leg["id"]),
            side=str(leg["side"]),
            verdict=str(answer["verdict"]),
            worn_hours=_number(hours["lower"]),
            worn_hours_upper=_number(hours["upper"]),
            days_met_lower=int(_number(answer["days_met_lower"])),
            days_met_upper=int(_number(answer["days_met_upper"])),
            days_required=int(_number(answer["days_required"])),
            expected=int(_number(records["records_expected"])),
            stored=int(_number(records["records_held"])),
            missing=int(_number(records["records_missing"])),
        )


async def ask(url: str) -> Mapping[str, object]:
    """The JSON object at an address of the server. Raises NoAnswer."""

    def fetch() -> Mapping[str, object]:
        with urllib.request.urlopen(url, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310 - the address is our own server's
            return _object(json.load(answer))

    try:
        return await asyncio.to_thread(fetch)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise NoAnswer(f"the server did not answer at {url}: {error}") from error


async def ask_legs(server_url: str) -> list[LegAnswer]:
    """The verdict on every leg the server knows."""
    listed = (await ask(f"{server_url}/api/v1/legs"))["legs"]
    if not isinstance(listed, list):
        raise NoAnswer("the server's list of legs is no list")
    ids = [str(_object(leg)["id"]) for leg in listed]
    return [LegAnswer.of(await ask(f"{server_url}/api/v1/legs/{leg}/verdict")) for leg in ids]


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise NoAnswer("the server sent something else than was asked for")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoAnswer("the server sent something else than a number")
    return value
