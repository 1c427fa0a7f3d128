"""Opens the radio that `--radio` means.

The one place that knows the radio adapters by name; they are imported only when one is opened, so that a gateway on
BlueZ loads no simulator and a simulated one no D-Bus.
"""

import secrets
from pathlib import Path

from calza_gateway.ports import Radio
from calza_gateway.settings.radio_spec import BluezRadio, NativeRadio, RadioSpec, SimulatedRadio, resolved


def open_radio(spec: RadioSpec, state: Path | None) -> Radio:
    """The radio, to be closed after use. Touches neither the network nor the bus before its first use.

    The bonds of a simulated radio are kept in `state` (BlueZ keeps its own); without it they end with the radio. To
    be called in the event loop that uses it.
    """
    from calza_gateway.adapters.bleak_radio import BleakRadio

    match resolved(spec):
        case BluezRadio(adapter):
            from calza_gateway.adapters.bleak_backend import BluezBackend
            from calza_gateway.adapters.bluez_care import BluezCare

            named = adapter or "hci0"
            return BleakRadio(BluezBackend(named), BluezCare(named))
        case NativeRadio():
            from calza_gateway.adapters.native_backend import NativeBackend
            from calza_gateway.adapters.native_care import NativeCare

            return BleakRadio(NativeBackend(), NativeCare())
        case SimulatedRadio(host, port):
            from calza_gateway.adapters.bumble_backend import BumbleBackend
            from calza_gateway.adapters.bumble_care import BumbleCare

            backend = BumbleBackend(host, port, state, secrets.token_bytes)
            return BleakRadio(backend, BumbleCare(backend.host, spec.name))
