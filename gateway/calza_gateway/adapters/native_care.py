"""What can be done for the adapter of a system that lets no program do anything for it: macOS, Windows, Android."""

from calza_gateway.ports import RadioError, RadioReason


class NativeCare:
    """See `calza_gateway.ports.AdapterCare`."""

    name = "native"

    async def present(self) -> bool:
        """Believed: what does not work shows by itself."""
        return True

    async def reset(self) -> None:
        """Nobody but a person can. Raises RadioError."""
        raise RadioError(RadioReason.STACK_STUCK, "switch Bluetooth off and on in the settings of this system")

    async def restart_stack(self) -> None:
        """As `reset`."""
        await self.reset()
