"""The service's files: systemd itself judges the unit, and what it allows is what the gateway needs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from calza_gateway.settings.settings import PREFIX, SETTINGS

FOLDER = Path(__file__).parents[2] / "gateway" / "systemd"
UNIT = (FOLDER / "calza-gateway.service").read_text(encoding="utf-8")
EXPOSURE_MAX = 1.5  # of 10; measured 1.2 with systemd 252
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed on this machine")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a command that exists here, beside a bluetooth.service."""
    path = tmp_path / "calza-gateway.service"
    path.write_text(UNIT.replace("/opt/calza/bin/calza gateway run", "/bin/true"))
    (tmp_path / "bluetooth.service").write_text("[Service]\nExecStart=/bin/true\n")
    return path


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_a_mistake_in_the_unit_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHome=perhaps"))
    assert "perhaps" in analyze("verify", str(unit)).stderr


@needs_systemd
def test_the_unit_exposes_little(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(unit))
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd cannot judge a unit that is not loaded")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX


@needs_systemd
def test_the_question_after_the_clock_is_allowed_after_all_that_is_forbidden() -> None:
    filters = re.findall(r"^SystemCallFilter=(.*)$", UNIT, re.MULTILINE)
    assert filters[-1].startswith("adjtimex "), "a later line would take it away again"
    assert "ProtectClock" not in re.sub(r"^#.*$", "", UNIT, flags=re.MULTILINE)
    assert "adjtimex" in analyze("syscall-filter", "@clock").stdout


def test_every_setting_in_the_files_exists() -> None:
    text = UNIT + (FOLDER / "gateway.env").read_text(encoding="utf-8")
    named = set(re.findall(rf"{PREFIX}(\w+)", text))
    assert {name.lower() for name in named} <= set(SETTINGS)


def test_the_user_is_the_same_everywhere() -> None:
    (user,) = re.findall(r"^User=(\S+)$", UNIT, re.MULTILINE)
    rules = (FOLDER / "50-calza-gateway.rules").read_text(encoding="utf-8")
    assert f'subject.user === "{user}"' in rules
    assert f"u {user} " in (FOLDER / "calza-gateway.sysusers").read_text(encoding="utf-8")


POLKIT = """
const polkit = { Result: { YES: "yes", NOT_HANDLED: null }, addRule: (rule) => { polkit.rule = rule; } };
%s
const ask = (id, unit, verb, user) => polkit.rule({ id, lookup: (key) => ({ unit, verb })[key] }, { user });
const manage = "org.freedesktop.systemd1.manage-units", gateway = "calza-gateway";
const answers = [
    ask(manage, "bluetooth.service", "restart", gateway),
    ask(manage, "bluetooth.service", "restart", "mallory"),
    ask(manage, "bluetooth.service", "stop", gateway),
    ask(manage, "ssh.service", "restart", gateway),
    ask(manage, "bluetooth.service", undefined, gateway),
    ask("org.freedesktop.login1.reboot", "bluetooth.service", "restart", gateway),
];
console.log(answers.map(String).join(" "));
"""


def test_the_rule_lets_the_gateway_restart_bluetooth_and_nothing_else() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("polkit's rules are JavaScript, and there is no node on this machine to run them")
    rules = (FOLDER / "50-calza-gateway.rules").read_text(encoding="utf-8")
    done = subprocess.run([node, "-"], input=POLKIT % rules, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["yes", "null", "null", "null", "null", "null"]
