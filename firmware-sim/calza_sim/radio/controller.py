"""A Bluetooth controller on the virtual radio: Bumble's, with the gaps closed that a gateway would stumble over.

Every override below replaces a method of Bumble 0.0.236 that does less than the specification (Core 5.4, Vol 4 Part E)
asks; the reason stands at each. It knows HCI and the link layer, nothing above.
"""

import asyncio
from typing import TYPE_CHECKING

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.transport.common import TransportSink

from calza_sim.radio.link import LinkEnd
from calza_sim.radio.pacing import CONTROLLER_BUFFERS, PACKET_OCTETS

if TYPE_CHECKING:
    from calza_sim.radio.air import Radio

ConnectRequest = hci.HCI_LE_Create_Connection_Command | hci.HCI_LE_Extended_Create_Connection_Command
Report = hci.HCI_LE_Advertising_Report_Event

# What this controller really does. Bumble claims privacy and extended advertising too, and a Linux host that believes
# it waits two seconds per connect for events that never come.
LE_FEATURES = (
    hci.LeFeatureMask.LE_ENCRYPTION
    | hci.LeFeatureMask.PERIPHERAL_INITIATED_FEATURE_EXCHANGE
    | hci.LeFeatureMask.LE_DATA_PACKET_LENGTH_EXTENSION
)
SCAN_TYPE_ACTIVE = 1
ADVERTISING_STEP_MS = 0.625
MIN_ADVERTISING_MS = 20  # the shortest interval the specification allows


class RadioController(Controller):
    """One radio chip: a host above it (in this process or behind an HCI port), the air below it."""

    le_features = LE_FEATURES
    le_acl_data_packet_length = PACKET_OCTETS
    total_num_le_acl_data_packets = CONTROLLER_BUFFERS
    supported_max_tx_octets = PACKET_OCTETS
    supported_max_rx_octets = PACKET_OCTETS

    def __init__(
        self, name: str, radio: "Radio", *, public_address: str | None = None, host_sink: TransportSink | None = None
    ) -> None:
        """Put a controller on the air of `radio`; `host_sink` receives its events."""
        self.radio = radio
        self._reported: set[tuple[hci.Address, int]] = set()
        super().__init__(name, host_sink=host_sink, link=radio, public_address=public_address)

    # Connections ------------------------------------------------------------------------------------------------

    def open_end(
        self, role: hci.Role, own: hci.Address, peer: hci.Address, interval: int, latency: int, timeout: int
    ) -> LinkEnd:
        """Create this side of a new link and tell the host; units are those of HCI (1.25 ms, events, 10 ms)."""
        end = LinkEnd(
            controller=self,
            handle=self.allocate_connection_handle(),
            role=role,
            self_address=own,
            peer_address=peer,
            link=self.radio,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
        )
        self.le_connections[peer] = end
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.SUCCESS,
                connection_handle=end.handle,
                role=role,
                peer_address_type=peer.address_type,
                peer_address=peer,
                connection_interval=interval,
                peripheral_latency=latency,
                supervision_timeout=timeout,
                central_clock_accuracy=0,
            )
        )
        return end

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """Close this side of a link and tell the host why."""
        assert isinstance(connection, LinkEnd)  # noqa: S101 - states what only RadioController can have put there
        connection.open = False
        super().on_le_disconnected(connection, reason)
        if connection.air_link is not None:
            connection.air_link.end_closed()

    def on_hci_le_connection_update_command(self, command: hci.HCI_LE_Connection_Update_Command) -> None:
        """Change interval and timeout for real; Bumble only says so."""
        end = self.find_le_connection_by_handle(command.connection_handle)
        super().on_hci_le_connection_update_command(command)
        if isinstance(end, LinkEnd) and end.air_link is not None:
            end.air_link.set_parameters(command.connection_interval_max, command.supervision_timeout)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Forget the pending request and send the event that ends it (7.8.13); Bumble does neither."""
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        cancelled = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        # The command must complete before the event that ends the procedure.
        asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    # Advertising and scanning -------------------------------------------------------------------------------------

    def hear(self, advertiser: "RadioController", pdu: ll.AdvInd) -> None:
        """An advertisement arrived: report it if scanning (with the scan response if asking), join it if wanted."""
        if not self.radio.hears(self, advertiser):
            return
        if self.le_scan_enable:
            self._report(Report.EventType.ADV_IND, advertiser, pdu.advertiser_address, pdu.data)
            if self.le_scan_type == SCAN_TYPE_ACTIVE:
                answer = advertiser.le_legacy_advertiser.scan_response_data
                self._report(Report.EventType.SCAN_RSP, advertiser, pdu.advertiser_address, answer)
        wanted = self.pending_le_connection
        if wanted is not None and wanted.peer_address == pdu.advertiser_address:
            self.radio.connect(self, advertiser, wanted)

    def _report(self, kind: Report.EventType, advertiser: "RadioController", address: hci.Address, data: bytes) -> None:
        if self.filter_duplicates:
            if (address, kind) in self._reported:
                return
            self._reported.add((address, kind))
        report = Report.Report(
            event_type=kind,
            address_type=address.address_type,
            address=address,
            data=data,
            rssi=self.radio.rssi_dbm(advertiser, self),
        )
        self.send_hci_packet(Report([report]))

    def on_hci_le_set_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Advertising_Parameters_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Take over the parameters; the interval comes in steps of 0.625 ms, which Bumble mistakes for milliseconds."""
        result = super().on_hci_le_set_advertising_parameters_command(command)
        interval_ms = max(MIN_ADVERTISING_MS, round(command.advertising_interval_min * ADVERTISING_STEP_MS))
        self.le_legacy_advertiser.advertising_interval_min = interval_ms
        return result

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Start or stop scanning; each start reports every advertiser afresh."""
        self._reported.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_hci_read_rssi_command(self, command: hci.HCI_Read_RSSI_Command) -> hci.HCI_Read_RSSI_ReturnParameters:
        """Signal strength of a live link; Bumble lists the command and does not answer it."""
        end = self.find_le_connection_by_handle(command.handle)
        if not isinstance(end, LinkEnd) or end.air_link is None:
            unknown = hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR
            return hci.HCI_Read_RSSI_ReturnParameters(status=unknown, handle=command.handle, rssi=0)
        near, far = end.air_link.ends if end is end.air_link.central else reversed(end.air_link.ends)
        rssi = self.radio.rssi_dbm(far.owner, near.owner)
        return hci.HCI_Read_RSSI_ReturnParameters(hci.HCI_ErrorCode.SUCCESS, handle=command.handle, rssi=rssi)

    # Life and death -----------------------------------------------------------------------------------------------

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Forget everything (7.3.2); Bumble keeps links, scans and advertisements of the host that went away."""
        self.fall_silent()
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def fall_silent(self) -> None:
        """Stop advertising, scanning and connecting, and leave every link without a word."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self._reported.clear()
        self.pending_le_connection = None
        ends = [end for end in self.le_connections.values() if isinstance(end, LinkEnd)]
        self.le_connections.clear()
        for end in ends:
            if end.air_link is not None:
                end.air_link.abandon(end)

    def power_off(self) -> None:
        """Lose power under a host that stays: it learns at once that its links are gone, the peers by timeout."""
        self.le_legacy_advertiser.stop()
        for end in [end for end in self.le_connections.values() if isinstance(end, LinkEnd)]:
            link, end.air_link = end.air_link, None
            self.on_le_disconnected(end, hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
            if link is not None:
                link.abandon(end)

    def remove(self) -> None:
        """The host is gone for good: fall silent and leave the air."""
        self.set_packet_sink(None)
        self.fall_silent()
        self.radio.remove_controller(self)
