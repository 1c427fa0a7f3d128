"""A Bumble host for one stocking that knows which key protects each link and never answers on the wrong one.

Gaps of Bumble 0.0.236 closed here: its `authenticated` flag is set by any encryption; an answer that comes after its
link died goes out on whichever link has the same handle by then; a link can be paired only once; a write needs no
permission; some requests for protected values are never answered.
"""

from bumble import att
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import GATT_PRIMARY_SERVICE_ATTRIBUTE_TYPE
from bumble.gatt_server import Server
from bumble.hci import Address
from bumble.host import Host

from calza_sim.gatt.bonds import BondStore
from calza_sim.gatt.pairing import StockingSession
from calza_sim.radio import RadioController

# One notification of this ATT MTU fills one link packet of 251 octets; 517 would need three and waste a third.
ATT_MTU = 247
ADVERTISING_INTERVAL_MS = 100


class StockingGattServer(Server):
    """Bumble's GATT server, bound to live connections."""

    def send_gatt_pdu(self, bearer: att.Bearer, pdu: bytes) -> None:
        """Send to a connection that still exists; drop what comes too late."""
        if isinstance(bearer, Connection) and self.device.lookup_connection(bearer.handle) is bearer:
            super().send_gatt_pdu(bearer, pdu)

    def on_gatt_pdu(self, bearer: att.Bearer, att_pdu: att.ATT_PDU) -> None:
        """Refuse what Bumble would grant or never answer; pass on all others."""
        refusal = self._refusal(att_pdu)
        if refusal is None:
            super().on_gatt_pdu(bearer, att_pdu)
        elif not isinstance(att_pdu, att.ATT_Write_Command):  # a command has no answer
            handle, code = refusal
            self.send_response(
                bearer,
                att.ATT_Error_Response(
                    request_opcode_in_error=att_pdu.op_code, attribute_handle_in_error=handle, error_code=code
                ),
            )

    def _refusal(self, pdu: att.ATT_PDU) -> tuple[int, int] | None:
        """Attribute handle and ATT error code, None to go on."""
        match pdu:
            case att.ATT_Write_Request() | att.ATT_Write_Command() | att.ATT_Prepare_Write_Request():
                # Bumble checks no permission: anybody could rename the device or overwrite a declaration.
                attribute = self.get_attribute(pdu.attribute_handle)
                if attribute is not None and not attribute.permissions & att.Attribute.Permissions.WRITEABLE:
                    return pdu.attribute_handle, att.ATT_WRITE_NOT_PERMITTED_ERROR
            case att.ATT_Find_By_Type_Value_Request():
                # Meant for finding services; for a protected value Bumble's handler dies without an answer.
                if pdu.attribute_type != GATT_PRIMARY_SERVICE_ATTRIBUTE_TYPE:
                    return pdu.starting_handle, att.ATT_ATTRIBUTE_NOT_FOUND_ERROR
            case att.ATT_Read_Multiple_Request() | att.ATT_Read_Multiple_Variable_Request():
                return 0, att.ATT_REQUEST_NOT_SUPPORTED_ERROR  # optional, and it dies the same way
        return None

    def forget(self, connection: Connection) -> None:
        """Drop what a cancelled indication left behind after `on_disconnection`."""
        self.pending_confirmations.pop(connection, None)
        self.indication_semaphores.pop(connection, None)


class StockingDevice(Device):
    """The host of one stocking."""

    def __init__(self, name: str, address: str, controller: RadioController, bonds: BondStore) -> None:
        """`address` is a random static one; `bonds` outlives the device."""
        config = DeviceConfiguration(
            name=name,
            address=Address(address),
            irk=bonds.irk,
            advertising_interval_min=ADVERTISING_INTERVAL_MS,
            advertising_interval_max=ADVERTISING_INTERVAL_MS,
            gap_service_enabled=False,  # they belong to the server made below
            gatt_service_enabled=False,
        )
        host = Host()
        host.controller = controller
        super().__init__(config=config, host=host)
        self.keystore = self._bonds = bonds
        self.smp_manager.session_proxy = StockingSession
        self._offered_keys: dict[Connection, bytes] = {}
        self._keys_in_use: dict[Connection, bytes] = {}
        self.gatt: StockingGattServer = StockingGattServer(self)
        self.gatt.max_mtu = ATT_MTU
        self.gatt_server = self.gatt
        self.add_default_services(add_gap_service=True, add_gatt_service=True)

    async def get_long_term_key(self, connection_handle: int, rand: bytes, ediv: int) -> bytes | None:
        """The key a central asks to encrypt with; remembered until encryption really starts."""
        key = await super().get_long_term_key(connection_handle, rand, ediv)
        connection = self.lookup_connection(connection_handle)
        if connection is not None and key is not None:
            self._offered_keys[connection] = key
        return key

    def watch(self, connection: Connection) -> None:
        """Follow which key protects a new connection, and let it be paired more than once."""

        def encrypted() -> None:
            if connection.is_encrypted and connection in self._offered_keys:
                self._keys_in_use[connection] = self._offered_keys[connection]

        connection.on(connection.EVENT_CONNECTION_ENCRYPTION_CHANGE, encrypted)
        connection.on(connection.EVENT_CONNECTION_ENCRYPTION_KEY_REFRESH, encrypted)

        def pairing_over(_outcome: object) -> None:
            # Bumble keeps the finished session until the link ends; a second attempt would wait in it for ever.
            if session := self.smp_manager.sessions.get(connection.handle):
                session.on_disconnection(0)

        connection.on(connection.EVENT_PAIRING, pairing_over)
        connection.on(connection.EVENT_PAIRING_FAILURE, pairing_over)

    def unwatch(self, connection: Connection) -> None:
        """Forget the keys of a connection that ended."""
        self._offered_keys.pop(connection, None)
        self._keys_in_use.pop(connection, None)

    def refusal(self, connection: Connection) -> int | None:
        """Why a peer may not have clinical data now, as an ATT error code; None if it may.

        It may when the key that encrypts this very link is the one kept from a pairing by label. The address alone
        proves nothing: it can be copied, and a pairing without the label encrypts as well.
        """
        bond = self._bonds.bond(str(connection.peer_address))
        if not connection.is_encrypted:
            return att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR if bond is None else att.ATT_INSUFFICIENT_ENCRYPTION_ERROR
        key = self._keys_in_use.get(connection)
        if key is None or bond is None or bond.ltk is None or not bond.ltk.authenticated or bond.ltk.value != key:
            return att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR
        return None
