"""One connection on the air: two ends, two ordered queues, connection events and a supervision timeout.

Data and link control travel in one queue per direction, so nothing overtakes anything. The link knows controllers only
as the owners of its ends and time only through the loop it is given.
"""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from bumble import hci, ll
from bumble.controller import Connection

from calza_sim.radio.pacing import TIMEOUT_STEP_S, Pacing

if TYPE_CHECKING:
    from calza_sim.radio.controller import RadioController

Packet = hci.HCI_AclDataPacket | ll.ControlPdu

# A virtual clock stands exactly on an event, and then the number of those passed must not round to one less.
ROUNDING = 1e-6


@dataclasses.dataclass(eq=False)
class LinkEnd(Connection):
    """One side of a link, as its controller sees it; what it sends goes into `outbox`, in order."""

    outbox: deque[Packet] = dataclasses.field(default_factory=deque)
    air_link: "AirLink | None" = None
    open: bool = True

    @property
    def owner(self) -> "RadioController":
        """The controller this end belongs to."""
        return self.controller  # type: ignore[return-value]  # only RadioController makes LinkEnds

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Queue one data packet of the host; its completion is reported when it has been on the air."""
        self._send(packet)

    def send_ll_control_pdu(self, packet: ll.ControlPdu) -> None:
        """Queue one link-layer message behind the data already queued."""
        self._send(packet)

    def _send(self, packet: Packet) -> None:
        if self.air_link is not None and self.open:
            self.outbox.append(packet)
            self.air_link.wake()

    def receive(self, packet: Packet) -> None:
        """Hand a packet that crossed the air to this side's controller; a closed end hears nothing."""
        if not self.open:
            return
        if isinstance(packet, ll.ControlPdu):
            self.owner.on_ll_control_pdu(self.peer_address, packet)
        else:
            first = packet.pb_flag != hci.HCI_ACL_PB_CONTINUATION
            pb_flag = hci.HCI_ACL_PB_FIRST_FLUSHABLE if first else hci.HCI_ACL_PB_CONTINUATION
            self.owner.send_hci_packet(hci.HCI_AclDataPacket(self.handle, pb_flag, 0, len(packet.data), packet.data))

    def report_sent(self, count: int) -> None:
        """Tell this side's host that `count` of its data packets left the controller."""
        if self.open and count:
            self.owner.send_hci_packet(
                hci.HCI_Number_Of_Completed_Packets_Event(
                    connection_handles=[self.handle], num_completed_packets=[count]
                )
            )


class AirLink:
    """A live connection between two controllers."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pacing: Pacing,
        central: LinkEnd,
        peripheral: LinkEnd,
        on_closed: Callable[["AirLink"], None],
    ) -> None:
        """`on_closed` is called once, when both ends are gone."""
        self.central = central
        self.peripheral = peripheral
        self._loop = loop
        self._pacing = pacing
        self._on_closed = on_closed
        self._heard = True
        self._abandoned = False
        self._event: asyncio.TimerHandle | None = None
        self._supervision: asyncio.TimerHandle | None = None
        self._anchor_s = loop.time()
        self._interval_steps = 0
        self._spacing_s = 0.0
        self._budget = 1
        self._supervision_s = 0.0
        central.air_link = peripheral.air_link = self

    @property
    def ends(self) -> tuple[LinkEnd, LinkEnd]:
        """Central and peripheral side."""
        return self.central, self.peripheral

    def set_parameters(self, interval_steps: int, timeout_steps: int) -> None:
        """Apply a connection interval (steps of 1.25 ms) and a supervision timeout (steps of 10 ms)."""
        self._interval_steps = interval_steps
        self._supervision_s = timeout_steps * TIMEOUT_STEP_S
        self.set_pacing(self._pacing)

    def set_pacing(self, pacing: Pacing) -> None:
        """Change how fast packets move, from the next connection event on."""
        self._pacing = pacing
        self._spacing_s = pacing.event_spacing_s(self._interval_steps)
        self._budget = pacing.packets_per_event(self._interval_steps)

    def wake(self) -> None:
        """Schedule the next connection event, unless one is due or the sides cannot hear each other."""
        if self._event is None and self._heard and not self._abandoned:
            self._event = self._loop.call_at(self._next_event_s(), self._connection_event)

    def set_heard(self, heard: bool) -> None:
        """Say whether the sides hear each other; silence longer than the supervision timeout ends the link."""
        self._heard = heard
        if heard and not self._abandoned:
            if self._supervision is not None:
                self._supervision.cancel()
                self._supervision = None
            self.wake()
        else:
            self._stop_event()
            if self._supervision is None:
                self._supervision = self._loop.call_later(self._supervision_s, self.cut)

    def abandon(self, end: LinkEnd) -> None:
        """One side is gone without a word (its host died or reset it): the other one notices by supervision timeout."""
        end.open = False
        self._abandoned = True
        self.set_heard(False)
        self.end_closed()

    def cut(self) -> None:
        """End the link now, at both sides, with reason 0x08 (connection timeout)."""
        for end in self.ends:
            if end.open:
                end.owner.on_le_disconnected(end, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def end_closed(self) -> None:
        """An end was closed; when both are, stop all timers and forget the link."""
        if any(end.open for end in self.ends):
            return
        self._stop_event()
        if self._supervision is not None:
            self._supervision.cancel()
            self._supervision = None
        self._on_closed(self)

    def _stop_event(self) -> None:
        if self._event is not None:
            self._event.cancel()
            self._event = None

    def _next_event_s(self) -> float:
        now_s = self._loop.time()
        if not self._spacing_s:
            return now_s
        passed = int((now_s - self._anchor_s) / self._spacing_s + ROUNDING)
        return self._anchor_s + (passed + 1) * self._spacing_s

    def _connection_event(self) -> None:
        self._event = None
        # Both sides send what they had queued when the event began: an answer waits for the next event.
        batches = [[end.outbox.popleft() for _ in range(min(self._budget, len(end.outbox)))] for end in self.ends]
        for batch, sender, receiver in zip(batches, self.ends, reversed(self.ends), strict=True):
            for packet in batch:
                receiver.receive(packet)
            sender.report_sent(sum(not isinstance(packet, ll.ControlPdu) for packet in batch))
        if any(end.outbox for end in self.ends):
            self.wake()
