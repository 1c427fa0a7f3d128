"""One gateway's visit: what it subscribed to, which procedure runs, and what is being sent to it.

Bound to one connection. When that ends every task of the visit is cancelled, so nothing late can reach the next one.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from bumble.device import Connection

from calza_sim.gatt.attributes import (
    CCCD_INDICATE,
    CCCD_NOTIFY,
    ERROR_CCCD_OFF,
    ERROR_COMMAND_NOT_SUPPORTED,
    ERROR_INVALID_LENGTH,
    ERROR_PROCEDURE_RUNNING,
    Bytes,
    att_error,
)
from calza_sim.gatt.device import StockingDevice
from calza_sim.gatt.sender import Loss, NotSentError, Sender
from calza_sim.ports import RecordTransfer, StockingFirmware
from calza_wire import uuids
from calza_wire.errors import WireError
from calza_wire.racp import Abort, GeneralResponse, RacpOp, ResponseCode, decode_request, encode_response
from calza_wire.records import encode_record
from calza_wire.stocking_service import ControlOp, ControlReply, ControlResult

LIVE_START = b"\x01"
LIVE_STOP = b"\x02"
LIVE_SUCCESS = b"\x80"

logger = logging.getLogger(__name__)


class Session:
    """The state of one connection, and the procedures a peer can run on it."""

    def __init__(
        self,
        device: StockingDevice,
        connection: Connection,
        firmware: StockingFirmware,
        table: dict[str, Bytes],
        clock: Callable[[], float],
        loss: Loss,
    ) -> None:
        """`table` maps characteristic UUIDs to this stocking's characteristics; `clock` gives true Unix seconds."""
        self.connection = connection
        self.firmware = firmware
        self.live = False
        self._device = device
        self._table = table
        self._clock = clock
        self._sender = Sender(device.gatt, connection, loss, lambda: device.refusal(connection) is not None)
        self._tasks: set[asyncio.Task[None]] = set()
        self._transferring = False
        self._aborted = False
        self._battery_told: int | None = None

    # Peer (see attributes.py) -------------------------------------------------------------------------------------

    def require_bond(self) -> None:
        """Refuse a peer whose link is not protected by an authenticated bond."""
        refusal = self._device.refusal(self.connection)
        if refusal is not None:
            raise att_error(refusal)

    def cccd(self, characteristic: Bytes) -> bytes:
        """The configuration of one characteristic for this peer."""
        return self._device.gatt.read_cccd(self.connection, characteristic)

    def set_cccd(self, characteristic: Bytes, value: bytes) -> None:
        """Change it; it lasts as long as the connection."""
        self._device.gatt.write_cccd(self.connection, characteristic, value)

    @property
    def now_s(self) -> float:
        """True Unix seconds."""
        return self._clock()

    # Stored records -----------------------------------------------------------------------------------------------

    def write_racp(self, pdu: bytes) -> None:
        """Record Access Control Point: one procedure at a time, except Abort; never while live sending runs."""
        self._require_indications(uuids.RACP)
        if _is_abort(pdu):
            if self._transferring:
                self._aborted = True
            else:
                self._reply(uuids.RACP, self.firmware.racp_abort())
            return
        if self._transferring:
            raise att_error(ERROR_PROCEDURE_RUNNING)
        if self.live:
            busy = GeneralResponse(pdu[0] if pdu else 0, ResponseCode.SERVER_BUSY)
            self._reply(uuids.RACP, encode_response(busy))
            return
        answer = self.firmware.racp(pdu, self.now_s)
        if isinstance(answer, bytes):
            self._reply(uuids.RACP, answer)
        elif not self._sender.subscribed(self._table[uuids.STORED_OBSERVATIONS], CCCD_NOTIFY):
            raise att_error(ERROR_CCCD_OFF)
        else:
            self._transferring = True
            self._spawn(self._transfer(answer))

    async def _transfer(self, transfer: RecordTransfer) -> None:
        stored = self._table[uuids.STORED_OBSERVATIONS]
        sent = 0
        try:
            for number in transfer.numbers:
                if self._aborted:
                    break
                body = self.firmware.record(number)
                if body is not None:
                    await self._sender.segments(stored, encode_record(number, body))
                    sent += 1
            reply = self.firmware.racp_abort() if self._aborted else transfer.response(sent)
        except NotSentError:
            reply = encode_response(GeneralResponse(RacpOp.COMBINED_REPORT, ResponseCode.NOT_COMPLETED))
        # The peer may ask again as soon as it has the reply, which is before its confirmation gets here.
        self._transferring = self._aborted = False
        await self._sender.indicate(self._table[uuids.RACP], reply)

    # Live minutes -------------------------------------------------------------------------------------------------

    def write_ghs_control_point(self, command: bytes) -> None:
        """GHS Control Point: start or stop sending live minutes."""
        if len(command) != 1:
            raise att_error(ERROR_INVALID_LENGTH)
        self._require_indications(uuids.GHS_CONTROL_POINT)
        if self._transferring:
            raise att_error(ERROR_PROCEDURE_RUNNING)
        if command not in (LIVE_START, LIVE_STOP):
            raise att_error(ERROR_COMMAND_NOT_SUPPORTED)
        self.live = command == LIVE_START
        self._spawn(self._answer_live())

    async def _answer_live(self) -> None:
        await self._sender.indicate(self._table[uuids.GHS_CONTROL_POINT], LIVE_SUCCESS)
        await self._send_live()

    async def _send_live(self) -> None:
        live = self._table[uuids.LIVE_OBSERVATIONS]
        if not self.live or not self._sender.subscribed(live, CCCD_NOTIFY):
            return
        observation = self.firmware.live_minute(self.now_s)
        if observation is not None:
            await self._sender.segments(live, observation)

    # The stocking's own control point -------------------------------------------------------------------------------

    def write_control_point(self, octets: bytes) -> None:
        """Close the open block, or hang up; the result travels in the reply because browsers hide ATT errors."""
        self._require_indications(uuids.STOCKING_CONTROL_POINT)
        op = octets[0] if octets else 0
        result = ControlResult.INVALID
        if len(octets) == 1 and op not in tuple(ControlOp):
            result = ControlResult.UNSUPPORTED
        elif len(octets) == 1:
            result = ControlResult.SUCCESS if op == ControlOp.HANG_UP else self.firmware.close_block(self.now_s)
        reply = ControlReply(op, result).encode()
        if op == ControlOp.HANG_UP and result is ControlResult.SUCCESS:
            self._spawn(self._hang_up(reply))
        else:
            self._reply(uuids.STOCKING_CONTROL_POINT, reply)

    async def _hang_up(self, reply: bytes) -> None:
        await self._sender.indicate(self._table[uuids.STOCKING_CONTROL_POINT], reply)
        await self.connection.disconnect()

    # Clock and battery ----------------------------------------------------------------------------------------------

    def write_clock(self, octets: bytes) -> None:
        """Set the device clock from nine octets."""
        refusal = self.firmware.set_elapsed_time(octets, self.now_s)
        if refusal:
            raise att_error(refusal)

    def clock_subscribed(self) -> None:
        """A peer that asks for clock changes gets the present state at once, as Elapsed Time servers do."""
        self._reply(uuids.CURRENT_ELAPSED_TIME, self.firmware.elapsed_time(self.now_s).encode())

    def tick(self) -> None:
        """Send what a new minute brought."""
        self._spawn(self._send_live())
        percent = self.firmware.battery_percent(self.now_s)
        battery = self._table[uuids.BATTERY_LEVEL]
        if percent != self._battery_told and self._sender.subscribed(battery, CCCD_NOTIFY):
            self._battery_told = percent
            self._spawn(self._sender.notify(battery, bytes((percent,)), clinical=False))

    # Life -----------------------------------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Wait until nothing is being sent or waited for."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """The connection ended: stop everything that was meant for it."""
        self.live = False
        self._sender.close()
        self._device.unwatch(self.connection)
        for task in self._tasks:
            task.cancel()

    def _require_indications(self, uuid: str) -> None:
        if not self._sender.subscribed(self._table[uuid], CCCD_INDICATE):
            raise att_error(ERROR_CCCD_OFF)

    def _reply(self, uuid: str, value: bytes) -> None:
        self._spawn(self._sender.indicate(self._table[uuid], value))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._device.lookup_connection(self.connection.handle) is not self.connection:
            self._device.gatt.forget(self.connection)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except NotSentError as error:
            logger.info("a value was not sent: %s", error)
        except TimeoutError:
            # An unconfirmed indication blocks the bearer for good; the specification has the server hang up.
            logger.warning("the peer did not confirm an indication within 30 s; hanging up")
            await self.connection.disconnect()


def _is_abort(pdu: bytes) -> bool:
    try:
        return isinstance(decode_request(pdu), Abort)
    except WireError:
        return False
