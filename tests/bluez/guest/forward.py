"""In the machine: makes TCP ports of the host reachable on the machine's own loopback, under the same number.

So the gateway's broker is 127.0.0.1, as on a box that runs the broker itself. The ports are its arguments.
"""

import asyncio
import sys
from contextlib import suppress

HOST = "10.0.2.2"  # the host, as QEMU's user network shows it
CHUNK_OCTETS = 65_536


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction of one connection."""
    with suppress(ConnectionError):  # the end of a connection is passed on, however it came about
        while octets := await reader.read(CHUNK_OCTETS):
            writer.write(octets)
            await writer.drain()
    writer.close()


async def listen(port: int) -> None:
    """Forward one port for ever."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, port)
        except OSError:
            writer.transport.abort()  # as if nobody listened here either
            return
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    server = await asyncio.start_server(accepted, "127.0.0.1", port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await server.serve_forever()


async def main() -> None:
    """Forward every port named on the command line."""
    await asyncio.gather(*(listen(int(word)) for word in sys.argv[1:]))


if __name__ == "__main__":
    asyncio.run(main())
