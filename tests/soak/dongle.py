"""The gateway's Bluetooth adapter as a thing that can be pulled out: an HCI transport within the process.

What `HciPort` does over TCP, with two sinks instead of a socket: each opening gets a radio chip of its own, and when
the adapter dies the chip falls silent without a word to its links. Knows nothing of GATT or stockings.
"""

import asyncio
from dataclasses import dataclass, field

from bumble.transport.common import BaseSource, Transport

from calza_sim.radio import Radio, RadioController

ADDRESS = "CA:12:A0:00:00:01"
NAME = "dongle"  # always the same one: the radio remembers each pair that ever heard each other


class _Chip(BaseSource):
    """What the host reads from, and the way to the controller."""

    def __init__(self, radio: Radio) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self.hung = False
        self.alive = True
        self.controller = RadioController(NAME, radio, public_address=ADDRESS, host_sink=_ToHost(self))

    def on_packet(self, packet: bytes) -> None:
        """From the host. A hung chip takes it and does nothing."""
        if self.alive and not self.hung:
            self._loop.call_soon(self._take, packet)

    def _take(self, packet: bytes) -> None:
        if self.alive and not self.hung:
            self.controller.on_packet(packet)

    def close(self) -> None:
        """The host lets go of the transport."""
        if self.alive:
            self.alive = False
            self.controller.remove()

    def die(self) -> None:
        """Pulled out: the host is told by its transport, the peers by nobody."""
        self.close()
        self.on_transport_lost()


class _ToHost:
    def __init__(self, chip: _Chip) -> None:
        self._chip = chip
        self._loop = asyncio.get_running_loop()

    def on_packet(self, packet: bytes) -> None:
        """From the controller; later, as through a socket, so that neither side runs inside the other."""
        self._loop.call_soon(self._give, packet)

    def _give(self, packet: bytes) -> None:
        chip = self._chip
        if chip.alive and not chip.hung and chip.sink is not None:
            chip.sink.on_packet(packet)


@dataclass(slots=True)
class Dongle:
    """One adapter on a radio. `open` is what a `BumbleHost` is given."""

    radio: Radio
    plugged: bool = True
    _chip: _Chip | None = field(default=None)

    async def open(self) -> Transport:
        """A fresh chip. Raises ConnectionRefusedError while it is pulled out."""
        if not self.plugged:
            raise ConnectionRefusedError("the adapter is not there")
        self._chip = _Chip(self.radio)
        return Transport(self._chip, self._chip)

    def pull_out(self) -> None:
        """Gone, as when a USB adapter loses contact, until `plug_in`."""
        self.plugged = False
        if self._chip is not None and self._chip.alive:
            self._chip.die()

    def plug_in(self) -> None:
        """There again; whoever wants it has to open it."""
        self.plugged = True

    def hang(self) -> None:
        """Take every command and answer none, as a controller whose firmware has crashed; opening it anew helps."""
        if self._chip is not None and self._chip.alive:
            self._chip.hung = True
            self._chip.controller.fall_silent()

    def go_deaf(self) -> None:
        """Answer every command and hear nobody any more, without a word; opening it anew helps."""
        if self._chip is not None and self._chip.alive:
            self.radio.carry_away(self._chip.controller)
