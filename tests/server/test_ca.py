"""The private authority: what it makes, what it keeps, what it refuses to replace, and its command."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from typer.testing import CliRunner

from calza_server.access.tls_files import TlsError, load, refuse_in_clear, tls_files
from calza_server.adapters.certificates import CertificateError, Pair, belongs, days_left, read_facts
from calza_server.ca import LOCAL_NAMES, CaError, establish, expiry_warnings, kept, names, parse_host
from calza_server.commands.ca_cli import app
from calza_server.errors import RunError
from calza_server.files.folder_lock import only_one
from calza_wire.tls import trusting
from tests.server.authority import self_signed, today_ms
from tests.wire.test_tls_rules import shake

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MACHINE = "bedside-server"


def make(state: Path, hosts: Sequence[str] = (), *, days: float = 0, renew: bool = False) -> list[str]:
    """The names of the files made, on a day so many days from now."""
    return [path.name for path in establish(state, hosts, MACHINE, today_ms(days), renew=renew)]


def octets(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in tls_files(state).folder.iterdir()}


def test_one_step_makes_all_that_is_needed(tmp_path: Path) -> None:
    assert make(tmp_path) == ["ca.pem", "broker.pem", "server.pem"]
    files = tls_files(tmp_path)
    modes = {path.name: path.stat().st_mode & 0o777 for path in files.folder.iterdir()}
    assert {name for name, mode in modes.items() if mode == 0o600} == {"ca.key", "broker.key", "server.key"}
    assert files.folder.stat().st_mode & 0o777 == 0o700
    for leaf in (files.broker, files.server):
        assert names(leaf.certificate) == (MACHINE, *LOCAL_NAMES)
        for host in (MACHINE, "localhost", "127.0.0.1", "::1"):
            shake(trusting(files.ca), load(leaf), host)
    limits = [
        x509.load_pem_x509_certificate(path.read_bytes()).extensions for path in (files.ca, files.broker.certificate)
    ]
    constraints = [each.get_extension_for_class(x509.BasicConstraints).value for each in limits]
    assert [(each.ca, each.path_length) for each in constraints] == [(True, 0), (False, None)]
    assert days_left(files.ca, today_ms()) == pytest.approx(3_650, abs=0.1)
    assert days_left(files.broker.certificate, today_ms()) == pytest.approx(397, abs=0.1)


def test_the_file_is_what_another_program_reads_the_same_way(tmp_path: Path) -> None:
    """OpenSSL's own program verifies the chain and prints the same fingerprint, where it is installed."""
    make(tmp_path, ["clinic.example"])
    files = tls_files(tmp_path)
    try:
        told = subprocess.run(
            [
                *("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "clinic.example"),
                *("-CAfile", str(files.ca), str(files.server.certificate)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl program on this machine")
    assert told.returncode == 0, told.stderr
    printed = subprocess.run(
        ["openssl", "x509", "-in", str(files.ca), "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip().rpartition("=")[2] == read_facts(files.ca.read_text()).fingerprint


def test_done_again_it_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path, ["clinic.example"])
    before = octets(tmp_path)
    assert make(tmp_path) == []
    assert make(tmp_path, ["clinic.example"]) == []
    assert octets(tmp_path) == before


def test_renewing_makes_new_keys_for_the_same_names_and_leaves_the_authority(tmp_path: Path) -> None:
    make(tmp_path, ["clinic.example", "192.0.2.7"])
    before = octets(tmp_path)
    assert make(tmp_path, renew=True) == ["broker.pem", "server.pem"]
    after = octets(tmp_path)
    assert {name for name in after if after[name] == before[name]} == {"ca.pem", "ca.key"}
    assert names(tls_files(tmp_path).broker.certificate) == ("clinic.example", "192.0.2.7", *LOCAL_NAMES)
    shake(trusting(tls_files(tmp_path).ca), load(tls_files(tmp_path).broker), "clinic.example")


def test_other_names_are_asked_for_in_so_many_words(tmp_path: Path) -> None:
    make(tmp_path, ["old.example"])
    before = octets(tmp_path)
    with pytest.raises(CaError, match=r"without new\.example.*--renew") as caught:
        make(tmp_path, ["new.example"])
    assert caught.value.code == "other_names"
    assert octets(tmp_path) == before
    make(tmp_path, ["new.example"], renew=True)
    assert names(tls_files(tmp_path).server.certificate) == ("new.example", *LOCAL_NAMES)


def test_a_key_kept_offline_is_missed_only_when_something_is_signed(tmp_path: Path) -> None:
    make(tmp_path)
    key = tls_files(tmp_path).ca_key
    away = key.rename(tmp_path / "usb-stick")
    before = octets(tmp_path)
    assert make(tmp_path) == []
    with pytest.raises(CaError, match="put it back for this one step") as caught:
        make(tmp_path, renew=True)
    assert caught.value.code == "ca_key_away"
    assert octets(tmp_path) == before, "above all no new authority"
    away.rename(key)
    assert make(tmp_path, renew=True) == ["broker.pem", "server.pem"]


@pytest.mark.parametrize("lost", ["ca.pem", "broker.pem", "broker.key", "server.pem", "server.key"])
def test_what_a_crash_left_out_is_made_good(tmp_path: Path, lost: str) -> None:
    """An authority whose certificate is lost gets one for the same key: what it made stays good, old pins too."""
    make(tmp_path, ["clinic.example"])
    files = tls_files(tmp_path)
    pinned = trusting(files.ca)
    (files.folder / lost).unlink()
    assert make(tmp_path) == [lost.replace(".key", ".pem")]
    for leaf in (files.broker, files.server):
        shake(pinned, load(leaf), "clinic.example")
        shake(trusting(files.ca), load(leaf), "clinic.example")


def test_a_key_without_its_certificate_is_half_a_renewal_and_is_finished(tmp_path: Path) -> None:
    make(tmp_path)
    leaf = tls_files(tmp_path).broker
    leaf.key.write_bytes(tls_files(tmp_path).server.key.read_bytes())
    with pytest.raises(TlsError, match="do not fit together"):
        load(leaf)
    assert make(tmp_path) == ["broker.pem"]
    assert belongs(Pair(leaf.certificate.read_text(), leaf.key.read_text()))


def test_a_certificate_somebody_put_there_is_not_replaced_by_accident(tmp_path: Path) -> None:
    make(tmp_path)
    files = tls_files(tmp_path)
    own = self_signed(tmp_path)
    files.server.certificate.write_bytes(own.certificate.read_bytes())
    files.server.key.write_bytes(own.key.read_bytes())
    before = octets(tmp_path)
    with pytest.raises(CaError) as caught:
        make(tmp_path)
    assert caught.value.code == "foreign_certificate"
    assert octets(tmp_path) == before


def test_the_key_of_another_authority_signs_nothing(tmp_path: Path) -> None:
    make(tmp_path / "one")
    make(tmp_path / "two")
    tls_files(tmp_path / "one").ca_key.write_bytes(tls_files(tmp_path / "two").ca_key.read_bytes())
    with pytest.raises(CertificateError, match="does not belong"):
        make(tmp_path / "one", renew=True)


def test_a_certificate_never_outlives_its_authority_and_an_expired_one_makes_none(tmp_path: Path) -> None:
    make(tmp_path, days=-3_600)
    make(tmp_path, renew=True)
    authority, broker, server = (each.facts.ends for each in kept(tmp_path))
    assert authority == broker == server
    with pytest.raises(CertificateError, match="the authority has expired"):
        make(tmp_path, days=51, renew=True)


def test_it_warns_a_month_before_the_end_and_says_what_to_do(tmp_path: Path) -> None:
    make(tmp_path)
    assert expiry_warnings(tmp_path, today_ms(366)) == ()
    soon = expiry_warnings(tmp_path, today_ms(368))
    assert [("broker.pem" in one, "server.pem" in one) for one in soon] == [(True, False), (False, True)]
    assert all("ends in 29 days; run `calza server ca --renew`" in one for one in soon)
    over = expiry_warnings(tmp_path, today_ms(3_651))
    assert len(over) == 3
    assert all("has expired" in one for one in over)
    assert "give the new ca.pem to every gateway" in over[0]
    assert days_left(tls_files(tmp_path).ca, today_ms(3_651)) == pytest.approx(-1, abs=0.1)
    assert expiry_warnings(tmp_path / "elsewhere", today_ms()) == ()


def test_two_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    with only_one(tmp_path, "ca"), pytest.raises(RunError, match="another ca is running"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Clinic.Example.", "clinic.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:DB8::7]", "2001:db8::7"),
        ("mosquitto", "mosquitto"),
        ("calza_broker", "calza_broker"),
    ],
)
def test_hosts(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "*", "*.example", "clinic.example:8883", "https://x", "0.0.0.0", "::", "fe80::1%eth0", "300.1.1.1"),
        *("a b", "-x", "x" * 64, ".".join(["x" * 60] * 5), "spital-zürich.example", "a\nb"),
    ],
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(CaError) as caught:
        parse_host(text)
    assert caught.value.code == "bad_host"


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    files = tls_files(tmp_path)
    files.broker.certificate.write_bytes(b"\xff\xfe")
    with pytest.raises(TlsError, match=r"broker\.pem"):
        expiry_warnings(tmp_path, today_ms())
    with pytest.raises(TlsError, match=r"broker\.pem"):
        make(tmp_path)
    with pytest.raises(TlsError) as caught:
        load(files.broker)
    assert caught.value.code == "tls_bad_certificate"


def test_in_clear_to_this_machine_alone() -> None:
    refuse_in_clear("127.0.0.1", "--http-host", tls=False)
    refuse_in_clear("0.0.0.0", "--http-host", tls=True)
    with pytest.raises(TlsError, match=r"--http-host 0\.0\.0\.0 .*--tls") as caught:
        refuse_in_clear("0.0.0.0", "--http-host", tls=False)
    assert caught.value.code == "tls_needed"


# --- the command ------------------------------------------------------------------------------------------------------


def command(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.stdout, done.stderr


def test_the_command_makes_says_and_shows(tmp_path: Path) -> None:
    code, said, _ = command("--state", str(tmp_path), "--host", "clinic.example")
    assert code == 0
    fingerprint = read_facts(tls_files(tmp_path).ca.read_text()).fingerprint
    assert f"SHA-256 {fingerprint}" in said, "to the letter: `:AB:` is no picture"
    assert "in 3650 days" in said
    assert "in 397 days" in said
    assert "keep it offline" in said
    assert "Give" in said
    assert "--ca-file" in said
    code, shown, _ = command("show", "--state", str(tmp_path), "--json")
    files = json.loads(shown)["files"]
    assert (code, [each["days_left"] for each in files]) == (0, [3650.0, 397.0, 397.0])
    assert files[0]["sha256"] == fingerprint
    assert files[1]["names"] == ["clinic.example", *LOCAL_NAMES]
    assert [key for key in (tls_files(tmp_path).ca_key.read_text(),) if key in said + shown] == []


def test_the_command_says_plainly_what_it_will_not_do(tmp_path: Path) -> None:
    code, _, told = command("show", "--state", str(tmp_path))
    assert (code, "`calza server ca` makes them" in told) == (1, True)
    code, _, told = command("--state", str(tmp_path), "--host", "https://clinic")
    assert (code, "is no host" in told) == (2, True)
    assert not tls_files(tmp_path).folder.exists(), "nothing was made on the way"
    code, _, told = command("--state", str(tmp_path), "show")
    assert (code, "--state comes after `show`" in told) == (2, True)
    assert command("--state", str(tmp_path))[0] == 0
    code, _, told = command("--state", str(tmp_path), "--host", "new.example")
    assert (code, "--renew" in told) == (1, True)


def test_without_tls_nothing_of_it_is_loaded() -> None:
    """A gateway or a server on loopback pays nothing for what it does not use."""
    loaded = "calza_server.adapters.mosquitto_broker, calza_server.commands.ca_cli"
    script = f"import sys, {loaded}; print('cryptography' in sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.strip() == "False"
    assert ssl.OPENSSL_VERSION_INFO >= (1, 1, 1), "TLS 1.3"
