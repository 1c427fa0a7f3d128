"""In the machine: carries HCI packets between the kernel's virtual adapter and the port to the simulated radio.

The adapter takes and gives whole packets, the port is a stream of octets; so packets are put together in one direction.
"""

import os
import sys
import threading
from pathlib import Path

# Where a packet says how long it is, by its first octet (Core Specification 5.4, Vol 4, Part A, 2): type, octets before
# the length, octets of the length.
HEADERS = {0x02: (3, 2), 0x04: (2, 1)}
CREATE_PRIMARY_ADAPTER = b"\xff\x00"
VENDOR_PACKET = 0xFF
MOST_OCTETS = 65_536


def port_named(name: str) -> Path:
    """The device of a virtio port; without udev there are no names in /dev."""
    for entry in Path("/sys/class/virtio-ports").iterdir():
        if (entry / "name").read_text(encoding="ascii").strip() == name:
            return Path("/dev", entry.name)
    sys.exit(f"this machine has no port {name}")


def packets(octets: bytearray) -> list[bytes]:
    """Take every whole packet (ACL data or event) off the front."""
    whole = []
    while octets and octets[0] in HEADERS:
        before, width = HEADERS[octets[0]]
        body = before + width
        end = body + int.from_bytes(octets[before:body], "little")
        if len(octets) < body or len(octets) < end:
            break
        whole.append(bytes(octets[:end]))
        del octets[:end]
    else:
        if octets:
            sys.exit(f"the radio sent a packet of type {octets[0]:#04x}")
    return whole


def to_kernel(port: int, adapter: int) -> None:
    """From the radio to the adapter, for ever."""
    waiting = bytearray()
    while arrived := os.read(port, MOST_OCTETS):
        waiting += arrived
        for packet in packets(waiting):
            os.write(adapter, packet)
    os._exit(1)  # the other direction would wait for ever


def to_radio(port: int, adapter: int) -> None:
    """From the adapter to the radio, for ever."""
    while packet := os.read(adapter, MOST_OCTETS):
        if packet[0] == VENDOR_PACKET:  # the kernel's answer to our own request
            continue
        while packet:
            packet = packet[os.write(port, packet) :]


def main() -> None:
    """Shuttle until either end is closed."""
    port = os.open(port_named("hci"), os.O_RDWR)
    adapter = os.open("/dev/vhci", os.O_RDWR)
    os.write(adapter, CREATE_PRIMARY_ADAPTER)
    threading.Thread(target=to_kernel, args=(port, adapter), daemon=True).start()
    to_radio(port, adapter)


if __name__ == "__main__":
    main()
