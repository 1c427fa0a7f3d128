"""This machine's clocks."""

import time

from calza_gateway.ports import Moment
from calza_wire.elapsed_time import QUARTER_S


class SystemClock:
    """See `calza_gateway.ports.Clock`."""

    def now(self) -> Moment:
        return Moment(time.time(), time.monotonic())

    def offset_quarters(self) -> int:
        return time.localtime().tm_gmtoff // QUARTER_S
