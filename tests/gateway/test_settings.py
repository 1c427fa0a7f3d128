"""Settings from flags and environment, and what a broker spec means."""

from pathlib import Path

import pytest

from calza_gateway.settings.box_settings import Listen
from calza_gateway.settings.broker_spec import BrokerSpecError, Protocol, parse_broker
from calza_gateway.settings.radio_spec import SimulatedRadio
from calza_gateway.settings.settings import PREFIX, SETTINGS, SettingsError, resolve

GOOD = {"id": "home", "radio": "sim:tcp://127.0.0.1:7800"}


def test_a_flag_goes_before_its_variable_and_that_before_the_default() -> None:
    settings = resolve(GOOD, {"CALZA_GATEWAY_INTERVAL": "5", "CALZA_GATEWAY_ID": "away", "PATH": "/bin"})
    assert (settings.gateway, settings.interval_s, settings.timeout_s) == ("home", 5.0, 300.0)
    assert settings.state == Path(SETTINGS["state"] or "")
    assert settings.radios == (SimulatedRadio("127.0.0.1", 7800),)
    several = resolve({"id": "home"}, {"CALZA_GATEWAY_RADIO": "bluez:hci0,bluez:hci1"})
    assert [spec.name for spec in several.radios] == ["bluez:hci0", "bluez:hci1"]
    assert (settings.broker.host, settings.broker.port, settings.broker.tls) == ("127.0.0.1", 1883, False)


@pytest.mark.parametrize(
    ("flags", "environment", "words"),
    [
        ({}, {}, "--id"),
        (GOOD, {"CALZA_GATEWAY_INTREVAL": "5"}, "CALZA_GATEWAY_INTREVAL"),
        ({**GOOD, "id": "Home!"}, {}, "Home!"),
        ({**GOOD, "interval": "soon"}, {}, "interval"),
        ({**GOOD, "interval": "0"}, {}, "interval"),
        ({**GOOD, "interval": "nan"}, {}, "interval"),
        ({**GOOD, "timeout": "1e9"}, {}, "timeout"),
        ({**GOOD, "radio": "wifi"}, {}, "wifi"),
        ({**GOOD, "broker": "http://x"}, {}, "http://x"),
        ({**GOOD, "ca_file": "/nowhere/ca.pem"}, {}, "/nowhere/ca.pem"),
        ({**GOOD, "password_file": "/nowhere/secret"}, {}, "/nowhere/secret"),
    ],
)
def test_what_cannot_be_meant_is_named(flags: dict[str, str], environment: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(flags, environment)
    assert words in str(caught.value)


def test_every_setting_has_a_variable() -> None:
    known = {PREFIX + name.upper() for name in SETTINGS} - {"CALZA_GATEWAY_PASSWORD_FILE", "CALZA_GATEWAY_CA_FILE"}
    values = {
        "CALZA_GATEWAY_ID": "a",
        "CALZA_GATEWAY_RADIO": "bluez",
        "CALZA_GATEWAY_BROKER": "mqtts://b",
        "CALZA_GATEWAY_PASSWORD": "c",
        "CALZA_GATEWAY_STATE": "d",
        "CALZA_GATEWAY_INTERVAL": "5",
        "CALZA_GATEWAY_TIMEOUT": "6",
        "CALZA_GATEWAY_METRICS": "9464",
        "CALZA_GATEWAY_OUTBOX_LIMIT": "700",
        "CALZA_GATEWAY_FREE_DISK": "8",
    }
    assert values.keys() == known
    settings = resolve({}, values)
    assert (settings.gateway, settings.broker.host, settings.broker.password) == ("a", "b", "c")
    assert (settings.state, settings.interval_s, settings.timeout_s) == (Path("d"), 5.0, 6.0)
    assert settings.metrics == Listen("127.0.0.1", 9464)
    assert (settings.outbox_limit, settings.free_disk) == (700, 8_000_000)


def test_a_password_from_a_file_goes_before_all_others(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-file\n")
    flags = {**GOOD, "password_file": str(file), "broker": "mqtts://u:from-url@h"}
    assert resolve(flags, {"CALZA_GATEWAY_PASSWORD": "from-env"}).broker.password == "from-file"
    del flags["password_file"]
    assert resolve(flags, {"CALZA_GATEWAY_PASSWORD": "from-env"}).broker.password == "from-env"
    assert resolve(flags, {}).broker.password == "from-url"


def test_no_printed_form_shows_the_password() -> None:
    settings = resolve({**GOOD, "broker": "mqtts://home:hush-hush@h"}, {})
    assert "hush-hush" not in repr(settings) + repr(settings.broker) + settings.broker.place
    with pytest.raises(BrokerSpecError) as caught:
        parse_broker("ftp://home:hush-hush@h", "home")
    assert "hush-hush" not in str(caught.value)
    with pytest.raises(BrokerSpecError) as caught:
        parse_broker("mqtt://home:hush-hush@h:port", "home")
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "host", "port", "tls", "protocol"),
    [
        ("mqtt://localhost", "localhost", 1883, False, Protocol.AUTO),
        ("mqtts://h", "h", 8883, True, Protocol.AUTO),
        ("mqtt://127.0.0.1:99/", "127.0.0.1", 99, False, Protocol.AUTO),
        ("mqtt311://localhost", "localhost", 1883, False, Protocol.V311),
        ("mqtt+insecure://h", "h", 1883, False, Protocol.AUTO),
        ("mqtts311://h:7", "h", 7, True, Protocol.V311),
        ("mqtt://[::1]:5", "::1", 5, False, Protocol.AUTO),
    ],
)
def test_broker_specs(text: str, host: str, port: int, tls: bool, protocol: Protocol) -> None:
    spec = parse_broker(text, "home")
    assert (spec.host, spec.port, spec.tls, spec.protocol, spec.username) == (host, port, tls, protocol, None)


def test_credentials_may_hold_any_character_and_the_id_is_the_default_user() -> None:
    spec = parse_broker("mqtts://ward%2F3:p%40ss%3Aword@h", "home")
    assert (spec.username, spec.password) == ("ward/3", "p@ss:word")
    assert parse_broker("mqtts://h", "home", "secret").username == "home"
    assert parse_broker("mqtts://ward@h", "home", "secret").username == "ward"


@pytest.mark.parametrize("text", ["", "h", "mqtt://", "mqtts://h/topic", "mqtts://h?x=1", "mqtts://h:99999", "ws://h"])
def test_what_is_no_broker(text: str) -> None:
    with pytest.raises(BrokerSpecError):
        parse_broker(text, "home")


@pytest.mark.parametrize("text", ["mqtt://h", "mqtt311://192.0.2.7:1883", "mqtt://home:hush-hush@localhost.example"])
def test_nothing_goes_in_clear_to_another_machine_by_accident(text: str) -> None:
    with pytest.raises(BrokerSpecError, match=r"in clear.*mqtts://.*mqtt\+insecure://") as caught:
        parse_broker(text, "home")
    assert "hush-hush" not in str(caught.value)
