"""To whom a box tells how it is: the server over MQTT, Prometheus, the service manager, and that nobody learns who."""

import asyncio
import math
import os
import socket
import urllib.request
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from calza_gateway.adapters import gateway_metrics
from calza_gateway.adapters.gateway_metrics import GatewayMetrics, served
from calza_gateway.adapters.memory_outbox import MemoryOutbox
from calza_gateway.adapters.system_clock import SystemClock
from calza_gateway.adapters.systemd_notify import SystemdNotify
from calza_gateway.box.box import Box
from calza_gateway.box.watchdog import Watchdog
from calza_gateway.ports import Contact, Moment
from calza_gateway.recovery.pulse import SLACK_S, Pulse
from calza_gateway.reporting.events import Broker, Connected, Problem, ReceiptCame, SyncEnded
from calza_gateway.reporting.standing import (
    AdapterStanding,
    AdapterState,
    GatewayStanding,
    StockingStanding,
    StockingState,
)
from calza_gateway.reporting.standing_book import KnownProblem
from calza_gateway.reporting.status_report import CHANGE_GAP_S, EVERY_S, StatusReport
from calza_gateway.reporting.upkeep import Overview
from calza_gateway.settings.box_settings import Listen, MetricsError
from calza_gateway.settings.settings import resolve
from calza_wire.gateway_status import GatewayStatus
from calza_wire.messages import GatewayClock
from calza_wire.records import Record
from tests.gateway.fake_mqtt import FakeMqttLink

SERIAL, TOPIC = "CZ-0001", "calza/v1/up/home/status"
STUCK = AdapterStanding("hci0", AdapterState.STUCK, 5, "stack_stuck", "unplug the adapter", 2, 1)
WELL = StockingStanding(SERIAL, "hci0", StockingState.IN_CONTACT, 6)
FULL = KnownProblem("disk_full", f"free some space for {SERIAL}", SERIAL, 1, 2)


def overview(tick_s: float = 1_000.0, waiting: int = 2, **more: object) -> Overview:
    outbox = MemoryOutbox()
    if waiting:
        outbox.put(SERIAL, bytes(8), [Record(number, b"x") for number in range(waiting)], 7_000)
    contact = Contact(SERIAL, 9_000, "ok", 9_000, backlog=4, clock_error_ms=-2_500, battery_percent=33)
    now = Moment(10.0 + tick_s, tick_s)
    base = Overview(now, 2, GatewayStanding((), (WELL,)), (), outbox.counts(), (contact,), True, 1)
    return replace(base, **more)  # type: ignore[arg-type]  # the fields a test names


# --- the server -------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """A connected link and what was retained on it."""

    link: FakeMqttLink

    @property
    def count(self) -> int:
        return len(self.link.published)

    @property
    def last(self) -> GatewayStatus:
        return GatewayStatus.decode(self.link.retained[TOPIC])


@pytest.fixture
async def told() -> Told:
    link = FakeMqttLink()
    link.is_up = True
    return Told(link)


async def test_the_status_says_how_the_gateway_is_and_nothing_of_anybody(told: Told) -> None:
    report = StatusReport(told.link, "home", "calza 1")
    await report.see(overview(standing=GatewayStanding((STUCK,), (WELL,)), problems=(FULL,), synchronised=None))
    said = told.last
    assert (said.state, said.software) == ("online", "calza 1")
    assert said.report is not None
    assert (said.report.health, said.report.codes) == ("stuck", ("disk_full", "stack_stuck"))
    assert (said.report.stockings, said.report.in_contact, said.report.waiting) == (2, 1, 2)
    assert (said.report.oldest_ms, said.report.clock) == (7_000, GatewayClock.UNKNOWN)
    payload = told.link.retained[TOPIC].decode()
    for secret in (SERIAL, "hci0", "unplug", "free some"):
        assert secret not in payload
    assert len(payload) < 400


async def test_it_is_told_on_change_and_now_and_then_but_not_in_a_stream(told: Told) -> None:
    report = StatusReport(told.link, "home", "calza 1")
    await report.see(overview(0))
    await report.see(overview(EVERY_S - 1, waiting=300))
    assert told.count == 1, "figures that move all the time wait for the next report"
    await report.see(overview(EVERY_S))
    assert told.count == 2
    for second in range(60):
        await report.see(overview(EVERY_S + second, problems=(FULL,) if second % 2 else ()))
    assert told.count <= 2 + 60 / CHANGE_GAP_S


async def test_a_new_connection_is_told_at_once_and_what_could_not_be_told_is_due_again(told: Told) -> None:
    report = StatusReport(told.link, "home", "calza 1")
    told.link.is_up = False
    await report.see(overview(0))
    assert told.count == 0
    told.link.is_up = True
    await report.see(overview(1))
    await report.see(overview(2))
    assert told.count == 1
    await report.see(overview(3, connections=2))
    assert told.count == 2, "the first word on a connection was a bare online"


# --- Prometheus -------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        sample.name.removeprefix("calza_gateway_") + "".join(f" {k}={v}" for k, v in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_figures_are_scraped_over_http_and_name_no_stocking(tmp_path: Path) -> None:
    metrics = GatewayMetrics(tmp_path)
    for event in (
        Connected(SERIAL),
        SyncEnded(SERIAL, 5, 5, 0, -2.5, True, 33),
        Problem("disconnected", f"{SERIAL} went away", SERIAL),
        Problem("disconnected", f"{SERIAL} went away", SERIAL),
        ReceiptCame(SERIAL, 4, 1, 2),
        Broker(True, "up", "connected"),
    ):
        metrics.hear(event)
    await metrics.see(overview(standing=GatewayStanding((STUCK,), (WELL,)), problems=(FULL,), synchronised=False))
    port = free_port()
    with served(metrics, Listen("127.0.0.1", port)):
        found = await asyncio.to_thread(scrape, port)
        with pytest.raises(MetricsError, match=str(port)), served(metrics, Listen("127.0.0.1", port)):
            pass
    expected = {
        "contacts_total": 1,
        "syncs_total": 1,
        "fetched_records_total": 5,
        "problems_total code=disconnected": 2,
        "receipts_total": 1,
        "stored_records_total": 4,
        "refused_records_total": 1,
        "broker_up": 1,
        "adapter_resets adapter=hci0": 2,
        "stack_restarts adapter=hci0": 1,
        "adapter_state adapter=hci0 state=stuck": 1,
        "adapter_state adapter=hci0 state=ok": 0,
        "stockings state=in_contact": 1,
        "stockings state=away": 0,
        "health health=stuck": 1,
        "health health=ok": 0,
        "waiting_records": 2,
        "oldest_record_age_seconds": 1_003,
        "stocking_backlog_records": 4,
        "stocking_clock_error_seconds": 2.5,
        "stocking_battery_percent": 33,
        "clock_synchronised": 0,
    }
    assert {name: found[name] for name in expected} == expected
    assert math.isnan(found["contact_age_seconds"]), "one of the two stockings has never synced"
    assert found["disk_free_bytes"] > 0
    assert not [name for name in found if "CZ" in name]
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(scrape, port)


async def test_two_gateways_in_one_process_do_not_share_figures(tmp_path: Path) -> None:
    one, other = GatewayMetrics(tmp_path), GatewayMetrics(tmp_path)
    one.hear(Connected(SERIAL))
    assert one.registry.get_sample_value("calza_gateway_contacts_total") == 1
    assert other.registry.get_sample_value("calza_gateway_contacts_total") == 0
    await other.see(overview(waiting=0, contacts=(), synchronised=None, stockings=0))
    assert other.registry.get_sample_value("calza_gateway_oldest_record_age_seconds") == 0


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("::1", False), ("192.0.2.1", True)])
def test_metrics_for_others_than_this_machine_come_with_a_warning(
    host: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gateway_metrics, "served", lambda _metrics, _where: nullcontext())
    flags = {"id": "home", "radio": "bluez", "state": str(tmp_path), "metrics": f"[{host}]:9464"}
    box = Box(resolve(flags, {}), SystemClock(), print, {})
    with ExitStack() as stack:
        assert len(box._metrics(stack)) == 1
    assert bool([one for one in caplog.records if "no sign-in" in one.getMessage()]) is warned


# --- the service manager ----------------------------------------------------------------------------------------------


@dataclass
class Lines:
    """What the service manager and the log were told."""

    said: list[str]
    complaints: list[str]


def watchdog(pulse: Pulse) -> tuple[Watchdog, Lines]:
    lines = Lines([], [])
    return Watchdog(lines.said.append, lines.complaints.append, pulse), lines


async def test_ready_once_and_alive_at_every_look() -> None:
    dog, lines = watchdog(Pulse())
    await dog.see(overview())
    await dog.see(overview())
    await dog.see(overview(waiting=0))
    assert lines.said == [
        "READY=1\nSTATUS=ok: 1 of 2 stockings in contact, 2 records wait for the server\nWATCHDOG=1",
        "WATCHDOG=1",
        "STATUS=ok: 1 of 2 stockings in contact, 0 records wait for the server\nWATCHDOG=1",
    ]
    assert SERIAL not in "".join(lines.said)


async def test_a_task_that_hangs_is_told_and_the_watchdog_not_fed() -> None:
    pulse = Pulse()
    dog, lines = watchdog(pulse)
    pulse.beat("relay", 0.0, 300.0)
    pulse.beat("rounds", 0.0, 600.0)
    await dog.see(overview(300.0 + SLACK_S))
    assert "WATCHDOG=1" in lines.said[-1]
    await dog.see(overview(301.0 + SLACK_S))
    assert lines.complaints == ["the watchdog is not fed because of relay; the service will be restarted"]
    assert "WATCHDOG=1" not in "".join(lines.said[1:])
    pulse.beat("relay", 400.0, 300.0)
    await dog.see(overview(400.0))
    assert "WATCHDOG=1" in lines.said[-1]
    pulse.ended("rounds")
    await dog.see(overview(700.0))
    assert "WATCHDOG=1" in lines.said[-1]


@pytest.mark.parametrize(("code", "fed"), [("outbox_unusable", False), ("outbox_damaged", False), ("disk_full", True)])
async def test_a_restart_is_for_what_it_can_cure(code: str, fed: bool) -> None:
    dog, lines = watchdog(Pulse())
    await dog.see(overview(problems=(replace(FULL, code=code),)))
    assert ("WATCHDOG=1" in "".join(lines.said)) is fed


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_it_speaks_to_the_socket_it_was_started_with(tmp_path: Path, kind: str) -> None:
    name = str(tmp_path / "notify") if kind == "path" else f"@calza-test-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(5)
        notify = SystemdNotify.of({"NOTIFY_SOCKET": name})
        assert notify is not None
        notify.say("READY=1\nSTATUS=ok: süß")
        assert manager.recv(4096).decode() == "READY=1\nSTATUS=ok: süß"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_service_manager_nobody_is_told(environment: dict[str, str]) -> None:
    assert SystemdNotify.of(environment) is None


def test_a_service_manager_that_is_gone_is_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notify = SystemdNotify(str(tmp_path / "nowhere"))
    notify.say("WATCHDOG=1")
    notify.say("WATCHDOG=1")
    assert len(caplog.records) == 1
