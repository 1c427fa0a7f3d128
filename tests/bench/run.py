"""`make bench`: measures the figures and writes them down with the machine they were measured on."""

import argparse
import asyncio
import os
import platform
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.bench import backlog, ingest_influx, store  # noqa: E402 - the tests are found from the root, which is no package
from tests.server import influx_engine  # noqa: E402 - the same

RUNS = 3
NO_INFLUX = "influxd is not installed here: `make setup` as root installs it."


def machine() -> str:
    """What it ran on, in one line."""
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{len(models)} cores ({models[0]}), {memory:.0f} GiB, Linux {platform.release()},"
        f" Python {platform.python_version()}"
    )


def page() -> str:
    """The whole document."""
    fetched = [asyncio.run(backlog.fetch()) for _ in range(RUNS)]
    figures = store.measure()
    influx = ingest_influx.page(ingest_influx.measure()) if influx_engine.program() else NO_INFLUX
    legs = [leg for run in fetched for leg in run]
    first = legs[0]
    fetch_s, visit_s = (statistics.median(times) for times in ([a.fetch_s for a in legs], [a.visit_s for a in legs]))
    resident = max(leg.resident_octets for leg in legs) / 2**20
    rows = [
        (
            f"14-day backlog of one leg over the paced radio, {first.records} records",
            f"<= {backlog.ALLOWED} x the pacing limit",
            f"{fetch_s:.2f} s = {fetch_s / first.limit_s:.2f} x",
        ),
        ("the same, from the connection to the last record durable", "", f"{visit_s:.2f} s"),
        ("gateway memory with 2 stockings, resident", "<= 80 MB", f"{resident:.0f} MB"),
        ("embedded store, indexes included", "<= 16 octets a minute", f"{figures.octets_per_minute:.1f}"),
        ("14 days of one leg from the store into numpy, p50", "<= 1 ms", f"{figures.read_s * 1e3:.2f} ms"),
        ("verdict of one leg, 14 days, from the store, p50", "<= 10 ms", f"{figures.verdict_s * 1e3:.1f} ms"),
        (
            f"blocks appended to the store, groups of {store.GROUP}, synchronous=FULL",
            "",
            f"{figures.appended_per_s:,.0f} a second",
        ),
    ]
    table = "\n".join(f"| {what} | {goal} | {found} |" for what, goal, found in rows)
    rate = backlog.PACKETS_PER_EVENT * backlog.PACKET_OCTETS / backlog.EVENT_S / 1000
    spread = ", ".join(f"{leg.fetch_s:.2f}" for leg in legs)
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC):%d %B %Y}; everything on this machine at once:
{machine()}.

| what | figure to reach | measured |
|---|---|---|
{table}

## The backlog

The simulated radio is paced like a real link: 6 packets of 251 octets in each connection event of 15 ms, which is
{rate:.1f} kB/s. {first.records} records are {first.octets:,} octets of payload, so the limit is {first.limit_s:.2f} s
with no overhead of any layer. The figure is the median of {len(legs)} legs in {RUNS} runs ({spread} s):
from the gateway's first request to the last record durable in its outbox, while it forwards to Mosquitto and the server
commits. The ATT MTU is 247, so one notification fills one packet; at 517 a third of the air would be lost to half-empty
packets.

## Memory and store

The gateway's memory is that of the simulated radio's host stack (Bumble) as well; on BlueZ that part is not there. The
store was filled with {store.LEGS} legs of {store.DAYS} days in order of time, as they arrive.

## Ingest into InfluxDB

{influx}
"""


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the file to write; default: standard output")
    target = parser.parse_args().write
    text = page()
    if target is None:
        sys.stdout.write(text)
    else:
        target.write_text(text, encoding="utf-8")
        sys.stdout.write(f"written to {target}\n")


if __name__ == "__main__":
    main()
