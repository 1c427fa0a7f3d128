"""The panel "Live" in a real browser: it asks when told to, shows what comes, and lets go when nobody looks."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from calza_server.ports import Leg
from calza_wire.minute_block import MinuteFlag
from tests.server.chromium import chromium
from tests.server.test_live_api import SERIAL, served
from tests.server.test_live_hub import minute_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.chromium import Tab

PANEL = "document.querySelector('.live')"


def text_of(tab: Tab, part: str) -> str:
    return str(tab.do(f"{PANEL}.querySelector('{part}').innerText"))


def press(tab: Tab) -> None:
    tab.do(f"{PANEL}.querySelector('button').click()")


def hide(tab: Tab) -> None:
    tab.do(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'));"
        "delete document.hidden"
    )


@pytest.mark.slow
def test_the_panel_from_the_first_press_to_the_end(tmp_path: Path) -> None:
    with served() as here, chromium(tmp_path) as tab:
        here.clinic.clock.ms -= 4 * 86_400_000  # a day on which the order runs
        here.hub.gateway_heard("bedside", online=True, stockings=[SERIAL])
        tab.open(f"http://127.0.0.1:{here.port}/")
        assert text_of(tab, "button") == "Show live"
        assert here.asked == [], "opening the page asks nothing of a stocking"

        press(tab)
        tab.until(f"{PANEL}.querySelector('.says').innerText.includes('within about a minute')")
        assert here.asked == ["calza/v1/down/bedside/live"]
        assert text_of(tab, "button") == "Stop"

        seen = minute_of(SERIAL)
        low = replace(seen.minute, ankle_mmhg=Decimal("15.2"), flags=int(MinuteFlag.MOVING | MinuteFlag.THIGH_FAULT))
        here.hub.live_minute(replace(seen, minute=low, received_ms=here.clinic.clock.ms))
        tab.until(f"!{PANEL}.querySelector('.readings').hidden")
        shown = " ".join(text_of(tab, ".readings").split())
        assert "Ankle 15 mmHg below the ordered 18" in shown
        assert "Thigh sensor faulty" in shown
        assert "Movement moving ripple 1.0 mmHg" in shown
        tab.until(f"/^[12] s since the last minute$/.test({PANEL}.querySelector('.age').innerText)")

        hide(tab)
        assert "not in view" in text_of(tab, ".says")
        here.until(lambda: here.hub.watching() == 0)

        press(tab)
        here.until(lambda: here.hub.watching() == 1)
        press(tab)
        assert text_of(tab, ".says") == "Stopped."
        here.until(lambda: here.hub.watching() == 0)

        press(tab)
        here.until(lambda: here.hub.watching() == 1)
        here.hub.close()
        tab.until(f"{PANEL}.querySelector('button').innerText === 'Go on'")
        assert text_of(tab, ".says") == "The server ended this. Ask again in a moment."
        press(tab)
        tab.until(f"{PANEL}.querySelector('.says').innerText.startsWith('The server cannot show')")
        assert tab.faults == []


@pytest.mark.slow
def test_the_fifth_panel_closes_the_first(tmp_path: Path) -> None:
    """Six open streams would leave the browser no connection for anything else, a reload included."""
    with served() as here, chromium(tmp_path) as tab:
        for number in range(10, 13):
            here.clinic.registry.known.append((Leg(f"p{number}", "left", "Dora", None), (f"CZ-00{number}",)))
        tab.open(f"http://127.0.0.1:{here.port}/")
        assert tab.do("document.querySelectorAll('.live').length") == 6
        tab.do("document.querySelectorAll('.live button').forEach((button) => button.click())")
        here.until(lambda: here.hub.watching() == 4)
        says = tab.do("[...document.querySelectorAll('.live .says')].map((one) => one.innerText)")
        assert [text.startswith("Stopped: at most 4") for text in says] == [True, True, False, False, False, False]
        assert tab.faults == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_screen(tmp_path: Path, width: int) -> None:
    with served() as here, chromium(tmp_path) as tab:
        here.newest[SERIAL] = replace(minute_of(SERIAL), received_ms=here.clinic.clock.ms)
        tab.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        tab.open(f"http://127.0.0.1:{here.port}/")
        press(tab)
        tab.until(f"!{PANEL}.querySelector('.readings').hidden")
        assert tab.do("document.documentElement.scrollWidth <= innerWidth")
        assert tab.faults == []
