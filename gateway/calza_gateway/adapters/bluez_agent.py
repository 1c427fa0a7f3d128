"""The pairing agent as BlueZ wants it: an object `org.bluez.Agent1` on the system bus, there only while one pairs.

bleak registers no agent, and without one BlueZ cannot ask anybody: `Device1.Pair` fails, and a read that needs a
pairing is never answered. Must not know GATT, nor where the agent has its answers from.

Out-of-band data never gets here. BlueZ (5.66, and its newest sources) has no D-Bus call that takes the LE Secure
Connections data of a peer; the kernel's "Add Remote Out Of Band Data" is for whoever may administer the network, which
a gateway may not. A scanned label pairs by the passkey that is on it too.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Final, NoReturn, TypeVar

from bleak.exc import BleakDBusError
from dbus_fast import BusType, DBusError, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

from calza_gateway.adapters.bleak_errors import JUST_WORKS, NUMBERS_DIFFER, radio_errors
from calza_gateway.ports import PairingAgent, RadioError, RadioReason

AGENT_PATH: Final = "/org/calza/gateway/agent"
CAPABILITY: Final = "KeyboardDisplay"
"""What makes passkey entry against a label and numeric comparison against a display (Core Specification, Vol 3, Part H,
table 2.8); "KeyboardOnly" would never compare numbers, "DisplayYesNo" would make Just Works of a label."""
REGISTER_LIMIT_S: Final = 10.0  # two calls to a daemon on the same machine; one that hangs is stuck
REJECTED: Final = "org.bluez.Error.Rejected"
CANCELED: Final = "org.bluez.Error.Canceled"

T = TypeVar("T")


class Agent1(ServiceInterface):
    """Passes BlueZ's questions about one device on to a `PairingAgent`; what that raises is kept in `failure`.

    BlueZ takes any error as a no. Questions about other devices are refused: this agent is the default one of the
    whole machine while it is there.
    """

    def __init__(self, agent: PairingAgent, address: str) -> None:
        super().__init__("org.bluez.Agent1")
        self.failure: Exception | None = None
        self._agent = agent
        self._address = address
        self._device = "/dev_" + address.upper().replace(":", "_")
        self._question: asyncio.Task[object] | None = None

    @dbus_method()
    async def RequestPasskey(self, device: DBusObjectPath) -> DBusUInt32:
        """Passkey entry: the six digits on the label."""
        return await self._ask(device, self._agent.passkey(self._address))

    @dbus_method()
    async def RequestConfirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:
        """Numeric comparison: whether the stocking shows the same number."""
        if not await self._ask(device, self._agent.confirm(self._address, passkey)):
            self._refuse(NUMBERS_DIFFER)

    @dbus_method()
    def RequestAuthorization(self, device: DBusObjectPath) -> None:
        """Just Works, which says nothing about who is at the other end: refused."""
        if device.endswith(self._device):
            self._refuse(JUST_WORKS)
        self._reject()

    @dbus_method()
    def AuthorizeService(self, device: DBusObjectPath, uuid: DBusStr) -> None:
        """A stocking is no client of this machine's services."""
        self._reject()

    @dbus_method()
    def RequestPinCode(self, device: DBusObjectPath) -> DBusStr:
        """The old pairing of Bluetooth Classic: refused."""
        self._reject()

    @dbus_method()
    def DisplayPinCode(self, device: DBusObjectPath, pincode: DBusStr) -> None:
        """As `RequestPinCode`."""
        self._reject()

    @dbus_method()
    def DisplayPasskey(self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16) -> None:
        """A passkey to be typed at the stocking, which has no keyboard: nobody will, and the pairing ends by itself."""

    @dbus_method()
    def Cancel(self) -> None:
        """The question is void: the stocking has gone, or has waited long enough."""
        self.withdraw()

    @dbus_method()
    def Release(self) -> None:
        """BlueZ has forgotten this agent."""
        self.withdraw()

    def withdraw(self) -> None:
        """Stop waiting for an answer."""
        if self._question is not None:
            self._question.cancel()

    async def _ask(self, device: str, question: Coroutine[object, object, T]) -> T:
        if not device.endswith(self._device):
            question.close()
            self._reject()
        asking = asyncio.ensure_future(question)
        self._question = asking
        await asyncio.wait({asking})
        if asking.cancelled():
            raise DBusError(CANCELED, "nobody waits for the answer any more")
        try:
            return asking.result()
        except Exception as error:
            self.failure = error
            raise DBusError(REJECTED, "there is no answer") from error

    def _refuse(self, why: str) -> NoReturn:
        self.failure = RadioError(RadioReason.PAIRING_REFUSED, f"{self._address} was not paired: {why}")
        self._reject()

    def _reject(self) -> NoReturn:
        raise DBusError(REJECTED, "not for a stocking")


@asynccontextmanager
async def asking(agent: PairingAgent, address: str) -> AsyncIterator[None]:
    """While this lasts BlueZ asks `agent` when the device at `address` is paired; what the agent raised comes out.

    Raises RadioError when BlueZ does not take an agent. BlueZ forgets an agent when its connection to the bus ends,
    so closing that one connection is all there is to clean up, and it cannot fail, hang or be cancelled.
    """
    speaker = Agent1(agent, address)
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        with radio_errors("the pairing agent", RadioReason.STACK_STUCK):
            await _register(bus, speaker)
        yield
    except Exception as error:
        if speaker.failure is not None:
            raise speaker.failure from error
        raise
    finally:
        speaker.withdraw()
        bus.disconnect()


async def _register(bus: MessageBus, speaker: Agent1) -> None:
    try:
        async with asyncio.timeout(REGISTER_LIMIT_S):
            await bus.connect()
            bus.export(AGENT_PATH, speaker)
            await _call_manager(bus, "RegisterAgent", "os", [AGENT_PATH, CAPABILITY])
            await _call_manager(bus, "RequestDefaultAgent", "o", [AGENT_PATH])
    except TimeoutError as error:
        sentence = f"BlueZ took no pairing agent within {REGISTER_LIMIT_S:g} s: restart the bluetooth service"
        raise RadioError(RadioReason.STACK_STUCK, sentence) from error


async def _call_manager(bus: MessageBus, member: str, signature: str, body: list[object]) -> None:
    reply = await bus.call(
        Message(
            destination="org.bluez",
            path="/org/bluez",
            interface="org.bluez.AgentManager1",
            member=member,
            signature=signature,
            body=body,
        )
    )
    if reply.message_type is MessageType.ERROR:
        raise BleakDBusError(str(reply.error_name), reply.body)
