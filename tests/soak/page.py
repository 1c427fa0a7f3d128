"""What a soak came to, for people: the page `docs/soak.md`, and the same as one JSON document."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version

from tests.bench.run import machine
from tests.soak.forecast import HABITS, MEAN_GAP_S, Habit, Kind
from tests.soak.judge import NO_HINDRANCE, TO_DELIVERY
from tests.soak.outages import Service
from tests.soak.soak import QUIET_S, Outcome
from tests.soak.vitals import BLOCKS_GROWTH, CACHES_FULL_DAY, RESIDENT_GROWTH, SETTLED_DAY, Vitals

MIB = 2**20
WHAT: Mapping[Kind, str] = {
    Kind.STALL: "a stocking is not heard for a moment",
    Kind.CUT: "a link is cut",
    Kind.AWAY: "a stocking is out of range",
    Kind.REBOOT: "a stocking loses power; what was open in its RAM and its clock are gone",
    Kind.LOSSY: "2 to 40 % of notifications are lost above the radio, half the times indications too",
    Kind.ADAPTER_OUT: "the Bluetooth adapter is pulled out and plugged in again",
    Kind.ADAPTER_DEAD: "the same, for an hour",
    Kind.ADAPTER_HANGS: "the adapter answers no command until it is opened anew",
    Kind.ADAPTER_DEAF: "the adapter answers, and hears nobody until it is opened anew",
    Kind.BROKER_GONE: "the broker cannot be reached",
    Kind.BROKER_KICKS: "the broker ends the connection",
    Kind.BROKER_FORGETS: "the broker acknowledges what it takes and loses it",
    Kind.SERVER_STOPS: "the server is down",
    Kind.SERVER_DIES: "the server commits, and dies before it can answer",
    Kind.RECEIPTS_LOST: "30 to 100 % of the receipts do not arrive",
    Kind.DISK_FULL: "the gateway's disk is full",
    Kind.CLOCK_JUMPS: "the gateway's clock is a minute to six hours off, and then right again",
    Kind.ZONE_CHANGES: "the gateway's time zone changes",
}


def page(outcome: Outcome) -> str:
    """The whole document."""
    plan = outcome.plan
    contact = [service for service in outcome.services if service is not outcome.services[-1]]
    delivery = outcome.services[-1]
    first, last = outcome.looks[0], outcome.looks[-1]
    settled = next((look for look in outcome.looks if look.day >= SETTLED_DAY), last)
    cached = next((look for look in outcome.looks if look.day >= CACHES_FULL_DAY), last)
    records = outcome.records.values()
    verdict = "Passed." if outcome.passed else "**Failed:** " + "; ".join(outcome.complaints[:10])
    faults = "\n".join(_fault_row(outcome, kind) for kind in Kind)
    found = {
        "records sealed by the stockings": f"{sum(each.sealed for each in records):,}",
        "of these missing, altered; in the store and never sealed, or twice": _sums(outcome),
        "records that reached the server twice, and are stored once": f"{outcome.came_twice:,}",
        "left in the outbox at the end": str(outcome.left_in_outbox),
        "outages of the contact to a stocking": f"{sum(each.tally.outages for each in contact):,}",
        "its longest recovery after the last fault ended": _of_bound(contact),
        "the longest time without contact, faults included": _time(max(each.longest_silence_s for each in contact)),
        "outages of the delivery to the server": f"{delivery.tally.outages:,}",
        "its longest recovery after the last fault ended ": _of_bound([delivery]),
        "visits: connected, completed": f"{outcome.told.get('Connected', 0):,}, {outcome.told.get('SyncEnded', 0):,}",
        "outages that were not recovered in time": str(sum(len(each.complaints) for each in outcome.services)),
        "times the gateway reset its adapter": f"{outcome.remedies:,}",
        "restarts of the gateway": "0",
    }
    figures = "\n".join(f"| {what} | {figure} |" for what, figure in found.items())
    memory = "\n".join(
        f"| {what} | {' | '.join(row)} |" for what, row in _memory([first, settled, cached, last]).items()
    )
    return f"""# The soak

Written by `make soak` on {datetime.now(UTC):%d %B %Y}, everything on this machine at once:
{machine()}.

{verdict} {outcome.simulated_days:.1f} simulated days, two stockings visited every {plan.interval_s / 60:g} minutes,
{sum(outcome.struck.values()):,} faults drawn from seed {plan.seed}, one every {MEAN_GAP_S / 60:g} minutes in the mean;
the gateway (calza {version("calza")}) was started once. It took {outcome.wall_s / 60:.0f} minutes.

Simulated stockings on a paced virtual radio, the gateway's own bleak path, SQLite on disk on both sides and the
server's own ingest, on one event loop whose clock jumps to the next timer. Two things are in memory, because such a
clock cannot see into a socket: the HCI transport and the broker. To play it again:
`make soak SEED={plan.seed} DAYS={plan.days:g}`.

| what | found |
|---|---|
{figures}

## Faults

A fault counts as recovered when what it hindered worked again after its end, and after the end of every other fault
that came meanwhile; the last column is the longest time from there. A fault that strikes between two visits shows, and
is recovered, in the next one, up to {plan.interval_s / 60:g} minutes later. Most faults of a link wait for a visit to
strike in.

| fault | lasts | times | recovered | longest recovery |
|---|---|---|---|---|
{faults}

## Memory

Once a simulated day, between two visits and after a collection; medians of three days at either end are compared.
Objects may differ by {BLOCKS_GROWTH:.0%} from day {SETTLED_DAY} to the end, memory by {RESIDENT_GROWTH:.0%} from day
{CACHES_FULL_DAY} to the end: until then SQLite fills the page caches of five files that grow. Mapped files are not
counted. Stockings, broker and server are in the same process and are counted with it.

| | day {first.day:.0f} | day {settled.day:.0f} | day {cached.day:.0f} | day {last.day:.0f} |
|---|---|---|---|---|
{memory}

## What it does not show

BlueZ is in `make test-bluez`; a real broker, and a gateway that is killed, are in `tests/e2e`; real chips in neither.
Time is simulated: what needs thirty real days (a kernel that leaks, a card that wears out) cannot come up here.
After the last fault come {QUIET_S / 60:.0f} quiet minutes, and then every record is counted, octet by octet.
"""


def as_json(outcome: Outcome) -> str:
    """The figures for programs."""
    document = {
        "passed": outcome.passed,
        "complaints": outcome.complaints,
        "seed": outcome.plan.seed,
        "days": outcome.simulated_days,
        "interval_s": outcome.plan.interval_s,
        "wall_s": round(outcome.wall_s, 1),
        "faults": outcome.struck,
        "services": [
            {
                "name": service.name,
                "outages": service.tally.outages,
                "bound_s": service.bound_s,
                "longest_recovery_s": round(service.tally.longest_s, 3),
                "longest_recovery_after": service.tally.longest_after,
                "longest_silence_s": round(service.longest_silence_s, 3),
                "recovered": service.tally.recovered,
            }
            for service in outcome.services
        ],
        "records": {serial: asdict(found) for serial, found in outcome.records.items()},
        "left_in_outbox": outcome.left_in_outbox,
        "came_twice": outcome.came_twice,
        "remedies": outcome.remedies,
        "events": outcome.told,
        "problems": outcome.problems,
        "vitals": [asdict(look) for look in outcome.looks],
    }
    return json.dumps(document, indent=2)


def recovered(outcome: Outcome, kind: Kind) -> tuple[int, float] | None:
    """How many faults of a kind were recovered, and the longest recovery; None for a kind that hinders nothing.

    What hinders several services is recovered when the last of them works again.
    """
    if kind in NO_HINDRANCE:
        return None
    tallies = [each.tally for each in outcome.services if kind in each.tally.recovered]
    if kind in TO_DELIVERY and kind is not Kind.DISK_FULL:
        tallies = [outcome.services[-1].tally]
    longest = max((tally.longest_of.get(kind, 0.0) for tally in tallies), default=0.0)
    shared = not HABITS[kind].of_a_stocking
    counts = [tally.recovered[kind] for tally in tallies]
    return (min(counts, default=0) if shared else sum(counts)), longest


def _fault_row(outcome: Outcome, kind: Kind) -> str:
    found = recovered(outcome, kind)
    count, longest = ("nothing to recover", "") if found is None else (f"{found[0]:,}", f"{found[1]:,.0f} s")
    return f"| {WHAT[kind]} | {_lasts(HABITS[kind])} | {outcome.struck.get(kind, 0):,} | {count} | {longest} |"


def _lasts(habit: Habit) -> str:
    if not habit.longest_s:
        return ""
    shortest, longest = _time(habit.shortest_s), _time(habit.longest_s)
    return longest if shortest == longest else f"{shortest} to {longest}"


def _time(seconds: float) -> str:
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"


def _sums(outcome: Outcome) -> str:
    found = outcome.records.values()
    columns = zip(*((each.missing, each.altered, each.extra) for each in found), strict=True)
    return ", ".join(str(sum(column)) for column in columns)


def _of_bound(services: Sequence[Service]) -> str:
    longest = max(each.tally.longest_s for each in services)
    return f"{longest:,.0f} s (allowed: {services[0].bound_s:,.0f} s)"


def _memory(looks: Sequence[Vitals]) -> dict[str, list[str]]:
    return {
        "allocated objects": [f"{look.blocks:,}" for look in looks],
        "resident memory": [f"{look.resident / MIB:.0f} MiB" for look in looks],
        "threads": [str(look.threads) for look in looks],
        "tasks": [str(look.tasks) for look in looks],
        "open files": [str(look.files) for look in looks],
    }
