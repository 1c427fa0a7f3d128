"""The console command imports a part only when it is asked for."""

import subprocess
import sys

import pytest

HEAVY = ("bumble", "bleak", "fastapi", "numpy", "paho", "amqtt", "uvicorn", "influxdb_client", "cryptography")


@pytest.mark.parametrize("arguments", [["--help"], ["wire", "--help"]])
def test_help_imports_no_heavy_library(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom calza.__main__ import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "LOADED []" in done.stdout
