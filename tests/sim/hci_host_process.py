"""A gateway host in a process of its own: connects to an HCI port, pairs, fetches, and says what it sees, line by line.

python -m tests.sim.hci_host_process PORT OWN_ADDRESS STOCKING_ADDRESS PASSKEY
"""

import asyncio
import sys

from bumble.device import Device, DeviceConfiguration, Peer
from bumble.hci import Address
from bumble.host import Host
from bumble.pairing import PairingConfig
from bumble.transport import open_transport

from calza_wire import uuids
from calza_wire.racp import CombinedReport, Operator, Selection, encode_request
from tests.sim.central import Keyboard, characteristics_of


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(port: str, own: str, stocking: str, passkey: str) -> None:
    async with await open_transport(f"tcp-client:127.0.0.1:{port}") as transport:
        host = Host(controller_source=transport.source, controller_sink=transport.sink)
        config = DeviceConfiguration(name="host", address=Address(own), irk=bytes(range(16)))
        device = Device(config=config, host=host)
        device.pairing_config_factory = lambda _: PairingConfig(
            delegate=Keyboard(int(passkey)), identity_address_type=PairingConfig.AddressType.RANDOM
        )
        await device.power_on()
        say("public", device.public_address.to_string(False))
        connection = await device.connect(Address(stocking))
        connection.on(connection.EVENT_DISCONNECTION, lambda reason: say("disconnected", reason))
        say("connected")
        peer = Peer(connection)
        say("mtu", await peer.request_mtu(517))
        await peer.discover_services()
        await peer.discover_characteristics()
        await device.pair(connection)
        say("paired")
        table = characteristics_of(peer)
        await table[uuids.STORED_OBSERVATIONS].subscribe(lambda segment: say("segment", len(segment)))
        await table[uuids.RACP].subscribe(lambda answer: say("answer", answer.hex()), prefer_notify=False)
        everything = encode_request(CombinedReport(Selection(Operator.ALL)))
        await table[uuids.RACP].write_value(everything, with_response=True)
        await transport.source.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
