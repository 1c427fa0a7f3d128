"""`org.bluez.Agent1` on a real bus: a private dbus-daemon, and on it somebody who asks as bluetoothd does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from calza_gateway.adapters import bluez_agent
from calza_gateway.adapters.bluez_agent import AGENT_PATH, CANCELED, CAPABILITY, REJECTED, asking
from calza_gateway.ports import OobData, RadioError, RadioReason
from tests.gateway.peripheral import PASSKEY, Person
from tests.gateway.private_bus import needs_dbus_daemon, private_bus

ADDRESS = "F0:00:00:00:00:01"
DEVICE = "/org/bluez/hci0/dev_F0_00_00_00_00_01"
OTHER_DEVICE = "/org/bluez/hci0/dev_F0_00_00_00_00_02"
PAIRING_FAILED = RadioError(RadioReason.PAIRING_REFUSED, "as BlueZ puts it")

pytestmark = needs_dbus_daemon


class Bluetoothd:
    """As much of bluetoothd as agents see: it knows them by their connection, and forgets them with it."""

    def __init__(self, bus: MessageBus) -> None:
        self.agents: dict[str, str] = {}
        self.default: str | None = None
        self.refuses: dict[str, str] = {}
        self.silent = False
        self.forgot = asyncio.Event()
        self._bus = bus
        bus.add_message_handler(self._called)

    async def ask(self, member: str, signature: str = "", *body: object) -> Message:
        """One question to the default agent, and its answer."""
        return await self._bus.call(
            Message(
                destination=self.default,
                path=AGENT_PATH,
                interface="org.bluez.Agent1",
                member=member,
                signature=signature,
                body=list(body),
            )
        )

    def _called(self, message: Message) -> Message | bool | None:
        if message.member == "NameOwnerChanged" and message.body[0] in self.agents and not message.body[2]:
            del self.agents[message.body[0]]
            self.forgot.set()
        if message.interface != "org.bluez.AgentManager1":
            return None
        if self.silent:
            return True
        assert message.member is not None
        assert message.sender is not None
        assert message.body[0] == AGENT_PATH
        if message.member in self.refuses:
            return Message.new_error(message, self.refuses[message.member], "no")
        match message.member:
            case "RegisterAgent":
                self.agents[message.sender] = message.body[1]
            case "RequestDefaultAgent":
                self.default = message.sender
        return Message.new_method_return(message)


@pytest.fixture
async def bluez(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bluetoothd]:
    async with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        bus = await MessageBus(bus_address=address).connect()
        bluez = Bluetoothd(bus)
        await bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=["type='signal',member='NameOwnerChanged'"],
            )
        )
        await bus.request_name("org.bluez")
        yield bluez
        bus.disconnect()


async def pair_in_vain(bluez: Bluetoothd, person: Person, question: str, device: str, *number: int) -> None:
    """A pairing whose question is refused, and which BlueZ therefore gives up."""
    async with asking(person, ADDRESS):
        assert (await bluez.ask(question, "ou" if number else "o", device, *number)).error_name == REJECTED
        raise PAIRING_FAILED


async def forgotten(bluez: Bluetoothd) -> bool:
    async with asyncio.timeout(5):
        await bluez.forgot.wait()
    return not bluez.agents


async def test_the_agent_is_there_only_while_one_pairs(bluez: Bluetoothd) -> None:
    async with asking(Person(), ADDRESS):
        assert bluez.agents == {bluez.default: CAPABILITY}
    assert await forgotten(bluez)


async def test_a_label_is_asked_for_its_passkey(bluez: Bluetoothd) -> None:
    person = Person()
    async with asking(person, ADDRESS.lower()):
        answer = await bluez.ask("RequestPasskey", "o", DEVICE)
    assert (answer.signature, answer.body) == ("u", [PASSKEY])
    assert person.asked == ["passkey"]


async def test_a_display_is_compared(bluez: Bluetoothd) -> None:
    person = Person()
    async with asking(person, ADDRESS):
        answer = await bluez.ask("RequestConfirmation", "ou", DEVICE, 42)
    assert answer.message_type is MessageType.METHOD_RETURN
    assert person.asked == [42]


async def test_numbers_that_differ_are_refused_and_that_comes_out_of_the_pairing(bluez: Bluetoothd) -> None:
    with pytest.raises(RadioError, match="numbers are not the same") as caught:
        await pair_in_vain(bluez, Person(agrees=False), "RequestConfirmation", DEVICE, 42)
    assert caught.value.reason is RadioReason.PAIRING_REFUSED


async def test_just_works_is_refused_and_why_comes_out_of_the_pairing(bluez: Bluetoothd) -> None:
    with pytest.raises(RadioError, match="did not ask for its passkey") as caught:
        await pair_in_vain(bluez, Person(), "RequestAuthorization", DEVICE)
    assert caught.value.reason is RadioReason.PAIRING_REFUSED
    assert caught.value.__cause__ is PAIRING_FAILED


@pytest.mark.parametrize(
    ("member", "signature", "more"),
    [("RequestPinCode", "o", []), ("DisplayPinCode", "os", ["1234"]), ("AuthorizeService", "os", ["0000-0"])],
)
async def test_what_no_stocking_needs_is_refused(
    bluez: Bluetoothd, member: str, signature: str, more: list[object]
) -> None:
    async with asking(Person(), ADDRESS):
        assert (await bluez.ask(member, signature, DEVICE, *more)).error_name == REJECTED


@pytest.mark.parametrize("member", ["RequestPasskey", "RequestAuthorization"])
async def test_other_devices_are_none_of_its_business(bluez: Bluetoothd, member: str) -> None:
    person = Person()
    with pytest.raises(RadioError, match="as BlueZ puts it"):
        await pair_in_vain(bluez, person, member, OTHER_DEVICE)
    assert not person.asked


async def test_what_the_agent_raises_comes_out(bluez: Bluetoothd) -> None:
    class NoLabel(Person):
        async def passkey(self, address: str) -> int:
            raise LookupError("no label in sight")

    with pytest.raises(LookupError):
        await pair_in_vain(bluez, NoLabel(), "RequestPasskey", DEVICE)
    assert await forgotten(bluez)


class Slow(Person):
    """Somebody who looks for the label for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.looking = asyncio.Event()
        self.gave_up = asyncio.Event()

    async def passkey(self, address: str) -> int:
        self.looking.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.gave_up.set()
        raise AssertionError("never reached")


@pytest.mark.parametrize("member", ["Cancel", "Release"])
async def test_a_question_that_bluez_takes_back_is_no_longer_put(bluez: Bluetoothd, member: str) -> None:
    person = Slow()
    async with asyncio.timeout(5), asking(person, ADDRESS):
        question = asyncio.ensure_future(bluez.ask("RequestPasskey", "o", DEVICE))
        await person.looking.wait()
        await bluez.ask(member)
        assert (await question).error_name == CANCELED
        assert person.gave_up.is_set()


async def test_a_pairing_that_is_cancelled_leaves_neither_agent_nor_question(bluez: Bluetoothd) -> None:
    person = Slow()

    async def pair() -> None:
        async with asking(person, ADDRESS):
            await bluez.ask("RequestPasskey", "o", DEVICE)

    pairing = asyncio.ensure_future(pair())
    await person.looking.wait()
    pairing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pairing
    async with asyncio.timeout(5):
        await person.gave_up.wait()
    assert await forgotten(bluez)


async def test_scanned_data_cannot_be_given_to_bluez(bluez: Bluetoothd) -> None:
    """The passkey on the same label pairs instead; the data are never asked for."""

    class Scanned(Person):
        def oob(self, address: str) -> OobData | None:
            raise AssertionError("BlueZ has no use for it")

    async with asking(Scanned(), ADDRESS):
        assert (await bluez.ask("RequestPasskey", "o", DEVICE)).body == [PASSKEY]


@pytest.mark.parametrize(
    ("member", "error", "reason"),
    [
        ("RegisterAgent", "org.bluez.Error.AlreadyExists", RadioReason.STACK_STUCK),
        ("RequestDefaultAgent", "org.freedesktop.DBus.Error.NoReply", RadioReason.STACK_STUCK),
        ("RegisterAgent", "org.bluez.Error.NotPermitted", RadioReason.NOT_PAIRED),
    ],
)
async def test_when_bluez_takes_no_agent_nothing_is_paired(
    bluez: Bluetoothd, member: str, error: str, reason: RadioReason
) -> None:
    bluez.refuses[member] = error
    with pytest.raises(RadioError, match="the pairing agent") as caught:
        async with asking(Person(), ADDRESS):
            raise AssertionError("never reached")
    assert caught.value.reason is reason


async def test_a_bluez_that_does_not_answer_is_not_waited_for_for_ever(
    bluez: Bluetoothd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bluez_agent, "REGISTER_LIMIT_S", 0.2)
    bluez.silent = True
    with pytest.raises(RadioError) as caught:
        async with asking(Person(), ADDRESS):
            raise AssertionError("never reached")
    assert caught.value.reason is RadioReason.STACK_STUCK


async def test_without_bluetoothd_there_is_no_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        with pytest.raises(RadioError) as caught:
            async with asking(Person(), ADDRESS):
                raise AssertionError("never reached")
    assert caught.value.reason is RadioReason.STACK_STUCK


async def test_without_a_bus_there_is_no_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(RadioError) as caught:
        async with asking(Person(), ADDRESS):
            raise AssertionError("never reached")
    assert caught.value.reason is RadioReason.NO_ADAPTER
