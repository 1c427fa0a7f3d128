"""The air itself: who hears whom, how loud, and which links exist.

Any number of controllers share one `Radio`. All timing goes through the event loop it is given and all chance through
its seed, so a test with a virtual clock replays exactly.
"""

import asyncio
import random

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

from calza_sim.radio.controller import ConnectRequest, RadioController
from calza_sim.radio.link import AirLink
from calza_sim.radio.pacing import PACED, Pacing

# A stocking on a leg, a gateway in the same flat: mean signal per pair and its flutter from packet to packet, in dBm.
RSSI_NEAR_DBM = -48
RSSI_FAR_DBM = -82
RSSI_FLUTTER_DB = 4


class Radio(LocalLink):
    """The shared medium of all simulated controllers."""

    def __init__(self, *, seed: int = 0, pacing: Pacing = PACED, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """`seed` fixes signal strengths; `loop` defaults to the running one."""
        super().__init__()  # type: ignore[no-untyped-call]  # Bumble leaves this constructor untyped
        self._loop = loop or asyncio.get_running_loop()
        self._seed = seed
        self._pacing = pacing
        self._members: dict[RadioController, None] = {}  # ordered, so that a seed replays the same order of events
        self._links: list[AirLink] = []
        self._away: set[RadioController] = set()
        self._dropped: dict[RadioController, asyncio.TimerHandle] = {}
        self._signal: dict[tuple[str, str], random.Random] = {}

    # Membership ---------------------------------------------------------------------------------------------------

    def add_controller(self, controller: Controller) -> None:
        """Put a controller on the air."""
        if not isinstance(controller, RadioController):
            raise TypeError("only RadioController objects fit this radio")
        self._members[controller] = None
        self.controllers.add(controller)

    def remove_controller(self, controller: Controller) -> None:
        """Take a controller off the air; call its `remove` so that its links end as well."""
        assert isinstance(controller, RadioController)  # noqa: S101 - add_controller let nothing else in
        super().remove_controller(controller)
        del self._members[controller]
        self._away.discard(controller)
        if timer := self._dropped.pop(controller, None):
            timer.cancel()

    @property
    def links(self) -> tuple[AirLink, ...]:
        """The links that are up, oldest first."""
        return tuple(self._links)

    def set_pacing(self, pacing: Pacing) -> None:
        """Change how fast packets move on every link, present and future."""
        self._pacing = pacing
        for link in self._links:
            link.set_pacing(pacing)

    # Range --------------------------------------------------------------------------------------------------------

    def hears(self, one: RadioController, other: RadioController) -> bool:
        """True if both are on the air and in range."""
        return self.in_range(one) and self.in_range(other)

    def in_range(self, controller: RadioController) -> bool:
        """True if the controller is on the air, neither carried away nor in a drop-out."""
        return controller in self._members and controller not in self._away and controller not in self._dropped

    def carry_away(self, controller: RadioController) -> None:
        """Out of range until `bring_back`: not seen in scans; its links end by supervision timeout (reason 0x08)."""
        self._away.add(controller)
        self._range_changed()

    def bring_back(self, controller: RadioController) -> None:
        """Back in range; a link whose supervision timeout has not passed goes on where it stood."""
        self._away.discard(controller)
        if timer := self._dropped.pop(controller, None):
            timer.cancel()
        self._range_changed()

    def drop_out(self, controller: RadioController, seconds: float) -> None:
        """Out of range for `seconds` (> 0): shorter than the supervision timeout it is a stall, longer a lost link."""
        if timer := self._dropped.pop(controller, None):
            timer.cancel()
        self._dropped[controller] = self._loop.call_later(seconds, self._drop_out_over, controller)
        self._range_changed()

    def _drop_out_over(self, controller: RadioController) -> None:
        self._dropped.pop(controller, None)
        self._range_changed()

    def _range_changed(self) -> None:
        for link in self.links:
            link.set_heard(self.hears(link.central.owner, link.peripheral.owner))

    def cut(self, controller: RadioController) -> None:
        """End every link of a controller at once, at both sides, with reason 0x08; it stays in range."""
        for link in self.links:
            if controller in (link.central.owner, link.peripheral.owner):
                link.cut()

    def rssi_dbm(self, sender: RadioController, receiver: RadioController) -> int:
        """Signal strength of the next packet from `sender` at `receiver`; each pair has its own mean and flutter."""
        pair = (sender.name, receiver.name)
        signal = self._signal.get(pair)
        if signal is None:
            signal = self._signal[pair] = random.Random(f"{self._seed}/{sender.name}/{receiver.name}")
        mean = random.Random(f"{self._seed}/mean/{sender.name}/{receiver.name}").uniform(RSSI_FAR_DBM, RSSI_NEAR_DBM)
        return round(mean + signal.uniform(-RSSI_FLUTTER_DB, RSSI_FLUTTER_DB))

    # Traffic ------------------------------------------------------------------------------------------------------

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Spread an advertisement to everybody else in range."""
        if not isinstance(packet, ll.AdvInd) or not isinstance(sender_controller, RadioController):
            raise TypeError(f"this radio carries connectable undirected advertisements only, not {packet!r}")
        for member in self._members:
            if member is not sender_controller and (member.le_scan_enable or member.pending_le_connection):
                self._loop.call_soon(member.hear, sender_controller, packet)

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: PhysicalTransport, data: bytes
    ) -> None:
        """Data travels in an `AirLink`; nothing may call this."""
        raise NotImplementedError("data travels in an AirLink")

    def connect(self, central: RadioController, peripheral: RadioController, request: ConnectRequest) -> bool:
        """Make a link if the advertiser still accepts one; False if another central was faster."""
        advertiser = peripheral.le_legacy_advertiser
        own = (
            central.public_address if request.own_address_type == hci.OwnAddressType.PUBLIC else central.random_address
        )
        if not advertiser.enabled or own in peripheral.le_connections:
            return False
        if isinstance(request, hci.HCI_LE_Extended_Create_Connection_Command):
            interval, latency = request.connection_interval_mins[0], request.max_latencies[0]
            timeout = request.supervision_timeouts[0]
        else:
            interval, latency = request.connection_interval_min, request.max_latency
            timeout = request.supervision_timeout
        central.pending_le_connection = None
        advertiser.stop()
        link = AirLink(
            self._loop,
            self._pacing,
            central.open_end(hci.Role.CENTRAL, own, advertiser.address, interval, latency, timeout),
            peripheral.open_end(hci.Role.PERIPHERAL, advertiser.address, own, interval, latency, timeout),
            self._links.remove,
        )
        link.set_parameters(interval, timeout)
        self._links.append(link)
        return True
