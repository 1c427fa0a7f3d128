"""Bumble without the sentences nobody reads: it formats every packet for its debug log, whether or not anybody logs.

That is more than a quarter of what thirty days cost. Nothing but text is left out.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from bumble import hci


def _plain(text: str, *_colours: object, **_more: object) -> str:
    return text


def _no_fields(*_what: object, **_how: object) -> str:
    return ""


@contextmanager
def terse_bumble() -> Iterator[None]:
    """Until the end of the block, packets have no text."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("bumble.") and hasattr(module, "color"):
                stack.enter_context(patch.object(module, "color", _plain))
        stack.enter_context(patch.object(hci.HCI_Object, "format_fields", staticmethod(_no_fields)))
        for packet in (hci.HCI_Command, hci.HCI_Event, hci.HCI_AclDataPacket):
            stack.enter_context(patch.object(packet, "__str__", _name))
        yield


def _name(packet: object) -> str:
    return type(packet).__name__
