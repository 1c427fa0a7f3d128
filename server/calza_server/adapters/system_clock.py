"""The computer's clock, and nothing else."""

import time


class SystemClock:
    """Keeps `calza_server.ports.Clock`."""

    def now_ms(self) -> int:
        """Unix time in milliseconds, as this computer believes it."""
        return time.time_ns() // 1_000_000
