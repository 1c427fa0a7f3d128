"""What can be done for the simulated radio: close its HCI transport and open it again. Must not know when."""

from bleak.exc import BleakError

from calza_gateway.adapters.bleak_errors import radio_errors
from calza_gateway.adapters.bumble_host import BumbleHost
from calza_gateway.ports import RadioReason


class BumbleCare:
    """See `calza_gateway.ports.AdapterCare`. There is no service to restart: both remedies are one."""

    def __init__(self, host: BumbleHost, name: str) -> None:
        self._host = host
        self._name = name

    @property
    def name(self) -> str:
        """As the person gave it: "sim:tcp://127.0.0.1:7800"."""
        return self._name

    async def present(self) -> bool:
        """Whether the transport opens and the controller answers."""
        try:
            await self._host.wake()
        except BleakError:
            return False
        return True

    async def reset(self) -> None:
        """Close the transport, which ends every link, and open it. Raises RadioError."""
        with radio_errors(self._name, RadioReason.NO_ADAPTER):
            await self._host.close()
            await self._host.wake()

    async def restart_stack(self) -> None:
        """As `reset`: the stack of this radio is part of this program."""
        await self.reset()
