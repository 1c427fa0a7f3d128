"""What a Mosquitto of its own reads: all it needs, nothing else, and written only when it changes."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from calza_server.access.credentials import SERVER_USER, Credentials
from calza_server.access.tls_files import TlsError
from calza_server.adapters.mosquitto_broker import CONFIG, RULES
from calza_server.ca import establish
from calza_server.commands import broker_files_cli, cli
from calza_server.running.broker_files import write_broker_files, write_who_may_log_in
from tests.deploy.compose_file import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NOW_MS = 1_790_000_000_000
NOT_SETTINGS = ("listener", "certfile", "keyfile", "tls_version", "use_username_as_clientid")


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / "state", lambda count: bytes(range(count)))


def test_the_folder_holds_what_the_broker_needs_and_no_key_of_ours(tmp_path: Path, credentials: Credentials) -> None:
    establish(tmp_path / "state", ["clinic.example"], "here", NOW_MS, renew=False)
    credentials.add("bedside")
    write_broker_files(tmp_path / "state", tmp_path / "broker", credentials)
    made = {path.name: path for path in (tmp_path / "broker").iterdir()}
    assert made.keys() == {"passwords", "rules", "ca.pem", "broker.pem", "broker.key"}
    users = [line.partition(":")[0] for line in made["passwords"].read_text(encoding="utf-8").splitlines()]
    assert users == ["bedside", SERVER_USER]
    assert made["rules"].read_text(encoding="utf-8") == RULES
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.values()} == {0o600}


def test_without_certificates_there_are_passwords_and_rules(tmp_path: Path, credentials: Credentials) -> None:
    written = write_broker_files(tmp_path / "state", tmp_path / "broker", credentials)
    assert [path.name for path in written] == ["rules", "passwords"]


def test_a_key_that_does_not_fit_is_never_handed_over(tmp_path: Path, credentials: Credentials) -> None:
    state, folder = tmp_path / "state", tmp_path / "broker"
    establish(state, ["clinic.example"], "here", NOW_MS, renew=False)
    write_broker_files(state, folder, credentials)
    before = (folder / "broker.key").read_bytes()
    (state / "tls/broker.key").write_bytes((state / "tls/server.key").read_bytes())
    with pytest.raises(TlsError):
        write_broker_files(state, folder, credentials)
    assert (folder / "broker.key").read_bytes() == before
    credentials.add("bedside")
    assert write_who_may_log_in(folder, credentials) == (folder / "passwords",), "gateways come and go all the same"


def test_a_file_is_written_only_when_it_changes(tmp_path: Path, credentials: Credentials) -> None:
    state, folder = tmp_path / "state", tmp_path / "broker"
    write_broker_files(state, folder, credentials)
    assert write_broker_files(state, folder, credentials) == ()
    credentials.add("bedside")
    assert write_broker_files(state, folder, credentials) == (folder / "passwords",)


def test_letting_a_gateway_in_and_out_is_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(broker_files_cli.FOLDER_VARIABLE, str(tmp_path / "broker"))
    state = ["--state", str(tmp_path / "state")]
    for words, there in ((["add", "ward"], True), (["remove", "ward"], False)):
        done = CliRunner().invoke(cli.app, ["gateway", *words, *state])
        assert done.exit_code == 0, done.output
        text = (tmp_path / "broker/passwords").read_text(encoding="utf-8")
        assert ("ward:" in text) == there
    done = CliRunner().invoke(cli.app, ["broker-files", "--to", str(tmp_path / "broker"), *state, "--json"])
    assert json.loads(done.output) == {"event": "written", "files": []}


def test_the_shipped_mosquitto_has_the_settings_of_our_own() -> None:
    """Reasons stand beside `CONFIG`; the file for containers may differ in places and listeners alone."""

    def settings(text: str) -> dict[str, str]:
        lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return {name: value for name, value in lines if name not in NOT_SETTINGS}

    own = settings(CONFIG.format(listeners="", folder="FOLDER"))
    shipped = settings((ROOT / "deploy/mosquitto/mosquitto.conf").read_text(encoding="utf-8"))
    places = {"password_file", "acl_file", "persistence_location"}
    assert shipped.keys() == own.keys()
    assert {name: value for name, value in shipped.items() if name not in places} == {
        name: value for name, value in own.items() if name not in places
    }


def test_each_shipped_listener_is_encrypted_and_only_gateways_have_their_name_for_an_id() -> None:
    text = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text(encoding="utf-8")
    _, *listeners = text.split("\nlistener ")
    assert [each.split()[0] for each in listeners] == ["8883", "8884"]
    assert ["use_username_as_clientid true" in each for each in listeners] == [True, False]
    assert all("certfile " in each and "keyfile " in each and "tls_version tlsv1.2" in each for each in listeners)
