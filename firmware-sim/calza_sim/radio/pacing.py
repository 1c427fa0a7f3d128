"""How fast a link may carry packets: the one place that holds the figures of a real radio.

Pure values; no Bumble, no clock.
"""

from dataclasses import dataclass

# One exchange on LE 1M: 251 octets of data (2120 us), 150 us of silence, an empty answer (80 us), 150 us of silence.
EXCHANGE_S = 0.0025
# A connection interval counts in steps of 1.25 ms, a supervision timeout in steps of 10 ms (Core 5.4, Vol 6 B 4.5).
INTERVAL_STEP_S = 0.00125
TIMEOUT_STEP_S = 0.01
# The data length every controller since Bluetooth 4.2 offers; one ATT notification at MTU 247 fills it exactly.
PACKET_OCTETS = 251
# Two connection events' worth: a host learns soon that the air is full, as it does from a chip with little memory.
CONTROLLER_BUFFERS = 12
# Without pacing the air takes whatever is queued; the bound only keeps one link from starving the rest of the loop.
UNPACED_BATCH = 64


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a radio spends its air time; `real` False delivers as fast as the process can."""

    real: bool

    def event_spacing_s(self, interval_steps: int) -> float:
        """Seconds between two connection events for an interval in steps of 1.25 ms."""
        return interval_steps * INTERVAL_STEP_S if self.real else 0.0

    def packets_per_event(self, interval_steps: int) -> int:
        """Packets each side may send in one connection event: 6 at 15 ms, 12 at 30 ms, never less than one."""
        if not self.real:
            return UNPACED_BATCH
        return max(1, round(interval_steps * INTERVAL_STEP_S / EXCHANGE_S))


PACED = Pacing(real=True)
UNPACED = Pacing(real=False)
