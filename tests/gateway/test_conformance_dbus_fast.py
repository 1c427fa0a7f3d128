"""Canaries for dbus-fast and for what bleak does on BlueZ: what the pairing agent and the care of adapters lean on.

On a private bus that the test starts itself; no Bluetooth service is needed and none is touched.
"""

import asyncio
import inspect
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from bleak.backends import BleakBackend, get_default_backend
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolErrorCode
from dbus_fast import BusType, DBusError, Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

WITHIN_S = 5.0
HANGING_S = 0.3  # long enough that any answer on a local socket would have come
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
"""
DAEMON = shutil.which("dbus-daemon")
if DAEMON is None:
    pytest.skip("no dbus-daemon on this machine", allow_module_level=True)


@dataclass
class Bus:
    address: str
    daemon: "subprocess.Popen[bytes]"

    def die(self) -> None:
        self.daemon.kill()
        self.daemon.wait()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    assert DAEMON is not None
    config, socket = tmp_path / "bus.conf", tmp_path / "bus"
    config.write_text(CONFIG.format(socket=socket))
    arguments = [DAEMON, f"--config-file={config}", "--nofork", "--nopidfile", "--print-address=1"]
    daemon = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert daemon.stdout is not None
    address = daemon.stdout.readline().decode().strip()  # printed once it listens
    assert address, "the bus did not start"
    yield Bus(address, daemon)
    daemon.kill()
    daemon.communicate()


@asynccontextmanager
async def connected(bus: Bus) -> AsyncIterator[MessageBus]:
    connection = await MessageBus(bus_address=bus.address).connect()
    try:
        yield connection
    finally:
        connection.disconnect()


class Agent(ServiceInterface):
    """As the pairing agent: typed arguments, slow answers, refusals by name."""

    def __init__(self) -> None:
        super().__init__("org.calza.Test1")
        self.asked: list[tuple[str, int]] = []
        self.waiting = asyncio.Event()
        self.answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @dbus_method()
    async def Ask(self, device: DBusObjectPath) -> DBusUInt32:
        self.waiting.set()
        self.asked.append((device, 0))
        return await self.answer

    @dbus_method()
    async def Refuse(self, device: DBusObjectPath) -> DBusStr:
        raise DBusError("org.bluez.Error.Rejected", f"no: {device}")

    @dbus_method()
    def Show(self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16) -> None:
        self.asked.append((device, passkey))

    @dbus_method()
    def Cancel(self) -> None:
        self.answer.cancel()


def call(to: MessageBus, member: str, signature: str = "", *body: object, path: str = "/agent") -> Message:
    return Message(
        destination=str(to.unique_name),
        path=path,
        interface="org.calza.Test1",
        member=member,
        signature=signature,
        body=list(body),
    )


@asynccontextmanager
async def two(bus: Bus) -> AsyncIterator[tuple[MessageBus, MessageBus, Agent]]:
    """Who asks, who is asked, and the exported object."""
    async with connected(bus) as asking, connected(bus) as asked:
        agent = Agent()
        asked.export("/agent", agent)
        yield asking, asked, agent


async def answer(asking: MessageBus, message: Message) -> Message:
    async with asyncio.timeout(WITHIN_S):
        reply = await asking.call(message)
    assert reply is not None
    return reply


async def ended(connection: MessageBus) -> None:
    await connection.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast leaves it untyped


# --- what `bluez_agent` and `bluez_care` build on ---------------------------------------------------------------------


async def test_the_system_bus_is_found_by_its_variable(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    connection = MessageBus(bus_type=BusType.SYSTEM)
    async with asyncio.timeout(WITHIN_S):
        await connection.connect()
    assert connection.connected
    assert str(connection.unique_name).startswith(":")
    connection.disconnect()


async def test_a_bus_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    """`radio_errors` makes `no_adapter` of it."""
    with pytest.raises(OSError, match=r"No such file|refused"):
        await MessageBus(bus_address=f"unix:path={tmp_path / 'none'}").connect()


async def test_annotations_become_d_bus_signatures(bus: Bus) -> None:
    async with two(bus) as (_, _, agent):
        methods = {method.name: method for method in agent.introspect().methods}
        signatures = {
            name: ("".join(str(a.signature) for a in one.in_args), "".join(str(a.signature) for a in one.out_args))
            for name, one in methods.items()
        }
    assert signatures == {"Ask": ("o", "u"), "Refuse": ("o", "s"), "Show": ("ouq", ""), "Cancel": ("", "")}


def test_a_method_without_a_value_must_not_have_its_annotations_postponed() -> None:
    """Why a module with a `ServiceInterface` must not have `from __future__ import annotations`."""

    def postponed(self: object) -> "None":
        del self

    with pytest.raises(TypeError, match="signature"):
        dbus_method()(postponed)
    from calza_gateway.adapters import bluez_agent

    assert "from __future__ import annotations" not in inspect.getsource(bluez_agent)


async def test_an_answer_may_take_its_time_and_others_are_served_meanwhile(bus: Bus) -> None:
    """The person types while BlueZ may cancel; a library that served one call at a time would deadlock both."""
    async with two(bus) as (asking, asked, agent):
        question = asyncio.ensure_future(answer(asking, call(asked, "Ask", "o", "/device")))
        async with asyncio.timeout(WITHIN_S):
            await agent.waiting.wait()
        shown = await answer(asking, call(asked, "Show", "ouq", "/device", 42_017, 0))
        assert shown.message_type is MessageType.METHOD_RETURN
        agent.answer.set_result(42_017)
        assert (await question).body == [42_017]
        assert agent.asked == [("/device", 0), ("/device", 42_017)]


async def test_a_refusal_keeps_its_name_and_sentence(bus: Bus) -> None:
    async with two(bus) as (asking, asked, _):
        reply = await answer(asking, call(asked, "Refuse", "o", "/device"))
    assert (reply.message_type, reply.error_name) == (MessageType.ERROR, "org.bluez.Error.Rejected")
    assert reply.body == ["no: /device"]


async def test_an_error_is_an_answer_and_no_exception(bus: Bus) -> None:
    """`call` raises nothing for an error reply: whoever calls has to look at `message_type`."""
    async with two(bus) as (asking, asked, _):
        for message in (
            call(asked, "Nothing"),
            call(asked, "Cancel", path="/nowhere"),
            call(asked, "Show", "s", "wrong"),
        ):
            reply = await answer(asking, message)
            assert reply.message_type is MessageType.ERROR
            assert str(reply.error_name).startswith("org.freedesktop.DBus.Error.")


async def test_a_service_that_has_ended_has_these_names(bus: Bus) -> None:
    """`BLUEZ_REASONS` makes `stack_stuck` of them."""
    async with connected(bus) as asking:
        message = Message(destination="org.bluez", path="/", interface="org.bluez.Adapter1", member="Any")
        assert (await answer(asking, message)).error_name == "org.freedesktop.DBus.Error.ServiceUnknown"
        message = Message(
            destination="org.bluez",
            path="/",
            interface="org.bluez.Adapter1",
            member="Any",
            flags=MessageFlag.NO_AUTOSTART,
        )
        assert str((await answer(asking, message)).error_name).endswith(("NameHasNoOwner", "ServiceUnknown"))


async def test_a_call_that_is_never_answered_never_ends_by_itself(bus: Bus) -> None:
    """Why every call of ours has a limit of its own. When this fails, dbus-fast has one, and ours may be longer."""
    async with two(bus) as (asking, asked, agent):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HANGING_S):
                await asking.call(call(asked, "Ask", "o", "/device"))
        agent.answer.set_result(1)  # the late answer goes to nobody
        assert (await answer(asking, call(asked, "Show", "ouq", "/device", 1, 0))).message_type is (
            MessageType.METHOD_RETURN
        ), "and disturbs nobody"
        assert "timeout" not in inspect.signature(MessageBus.call).parameters


async def test_closing_a_connection_is_what_the_others_hear_of(bus: Bus) -> None:
    """BlueZ forgets an agent whose connection ends: closing it is all the cleaning up there is."""
    gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with connected(bus) as watching:
        leaving = await MessageBus(bus_address=bus.address).connect()
        name = str(leaving.unique_name)

        def filtered(message: Message) -> None:
            if message.member == "NameOwnerChanged" and message.body[0] == name and not gone.done():
                gone.set_result(message.body[2])

        watching.add_message_handler(filtered)
        rule = Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="AddMatch",
            signature="s",
            body=["type='signal',member='NameOwnerChanged'"],
        )
        assert (await answer(watching, rule)).message_type is MessageType.METHOD_RETURN
        assert not inspect.iscoroutinefunction(leaving.disconnect), "it cannot be cancelled half way"
        leaving.disconnect()
        async with asyncio.timeout(WITHIN_S):
            assert await gone == ""
        watching.remove_message_handler(filtered)


async def test_the_end_of_the_bus_is_told_and_ends_what_waits(bus: Bus) -> None:
    """bluetoothd's bus may go too: `radio_errors` makes `stack_stuck` of an EOFError or a ConnectionError."""
    async with two(bus) as (asking, asked, agent):
        question = asyncio.ensure_future(asking.call(call(asked, "Ask", "o", "/device")))
        async with asyncio.timeout(WITHIN_S):
            await agent.waiting.wait()
            bus.die()
            with pytest.raises((EOFError, ConnectionError)):
                await question
            with pytest.raises((EOFError, ConnectionError)):
                await ended(asking)
            with pytest.raises((EOFError, ConnectionError)):
                await ended(asked)
        assert not asking.connected
        agent.answer.cancel()


async def test_a_connection_that_was_closed_ends_quietly(bus: Bus) -> None:
    connection = await MessageBus(bus_address=bus.address).connect()
    connection.disconnect()
    async with asyncio.timeout(WITHIN_S):
        await ended(connection)
    connection.disconnect()  # again, harmless: `finally` may come twice


def test_properties_are_written_as_variants() -> None:
    powered = Message(
        destination="org.bluez",
        path="/org/bluez/hci0",
        interface="org.freedesktop.DBus.Properties",
        member="Set",
        signature="ssv",
        body=["org.bluez.Adapter1", "Powered", Variant("b", False)],
    )
    assert powered.body[2].signature == "b"


# --- what bleak does on BlueZ -----------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="bleak's choice on Linux")
def test_bleak_takes_bluez_on_linux() -> None:
    assert get_default_backend() is BleakBackend.BLUEZ_DBUS


@pytest.mark.parametrize(
    ("system", "expected"), [("Darwin", BleakBackend.CORE_BLUETOOTH), ("Windows", BleakBackend.WIN_RT)]
)
def test_and_its_own_backend_elsewhere(system: str, expected: BleakBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    assert get_default_backend() is expected
    monkeypatch.setenv("P4A_BOOTSTRAP", "sdl2")
    assert get_default_backend() is BleakBackend.P4ANDROID


def test_a_d_bus_error_keeps_its_name_and_text() -> None:
    """`_bluez_error` decides by them."""
    error = BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"])
    assert isinstance(error, BleakError)
    assert (error.dbus_error, error.dbus_error_details) == ("org.bluez.Error.Failed", "le-connection-abort-by-local")
    assert BleakDBusError("org.bluez.Error.InProgress", []).dbus_error_details is None


def test_att_errors_have_their_numbers() -> None:
    codes = BleakGATTProtocolErrorCode
    assert (codes.INSUFFICIENT_AUTHENTICATION, codes.INSUFFICIENT_ENCRYPTION) == (0x05, 0x0F)
    assert int(codes.UNLIKELY_ERROR) == 0x0E  # what BlueZ says when an operation races the end of its link


def test_what_a_pairing_is_on_bluez() -> None:
    """`Trusted` and `Device1.Pair`, and no agent: who asks for the passkey is ours to bring (`bluez_agent`)."""
    from bleak.backends.bluezdbus import client

    source = inspect.getsource(client)
    assert '"Trusted", Variant("b", True)' in source
    assert 'member="Pair"' in source
    package = Path(inspect.getfile(client)).parent
    agents = [path.name for path in package.glob("*.py") if "RegisterAgent" in path.read_text(encoding="utf-8")]
    assert agents == [], "bleak brings an agent now: two default agents would take each other's questions"


def test_bleak_keeps_what_bluez_says_of_a_device() -> None:
    """`BluezBackend.has_key` reads `Bonded` there."""
    from bleak.backends.bluezdbus import scanner

    assert '"props"' in inspect.getsource(scanner)
