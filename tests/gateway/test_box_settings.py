"""How the settings of a box are written, and what their defaults are good for."""

import pytest

from calza_gateway.settings.box_settings import (
    FREE_DISK_DEFAULT,
    OUTBOX_LIMIT_DEFAULT,
    Listen,
    parse_free_disk,
    parse_listen,
    parse_records,
)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("9464", "127.0.0.1", 9464, True),
        (":9464", "127.0.0.1", 9464, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("localhost:65535", "localhost", 65_535, True),
        ("[::1]:9464", "::1", 9464, True),
        ("::1:9464", "::1", 9464, True),
        ("0.0.0.0:9464", "0.0.0.0", 9464, False),
        ("[::]:9464", "::", 9464, False),
        ("box.ward:9464", "box.ward", 9464, False),
    ],
)
def test_where_to_listen(text: str, host: str, port: int, loopback: bool) -> None:
    found = parse_listen(text)
    assert (found, found.loopback) == (Listen(host, port), loopback)


@pytest.mark.parametrize("text", ["", "127.0.0.1", "127.0.0.1:", "h:0", "h:65536", "h:-1", "h:٣", "h: 1"])
def test_what_is_no_place_to_listen(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_listen(text)


@pytest.mark.parametrize("text", ["", "99", "1e4", "10000001", "-5"])
def test_what_is_no_number_of_records(text: str) -> None:
    with pytest.raises(ValueError, match="outbox_limit is a whole number of 100"):
        parse_records(text)


def test_the_default_limit_holds_sixty_days_of_two_stockings() -> None:
    blocks_a_day = 24 + 96  # the stocking's own, and one closed by a visit every quarter of an hour
    assert parse_records(OUTBOX_LIMIT_DEFAULT) >= 60 * 2 * blocks_a_day
    assert parse_free_disk(FREE_DISK_DEFAULT) == 200_000_000
