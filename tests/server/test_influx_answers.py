"""What the InfluxDB store makes of what an InfluxDB 2 answers: every refusal in the shape 2.x says it."""

from __future__ import annotations

import logging
import re
import socket
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calza_server.adapters import influx_link
from calza_server.adapters.influx_errors import Busy
from calza_server.adapters.influx_link import InfluxLink
from calza_server.adapters.influx_store import InfluxStore
from calza_server.ports import Appended, StoredBlock, StoreError
from calza_server.store_spec import InfluxSpec
from tests.server.influx_double import TOKEN, Answer, Asked, Double, double, refusal
from tests.server.sealed import START_S, block, stored, sync

PARTIAL = "failure writing points to database: partial write: "
RETENTION = PARTIAL + "dropped 60 points outside retention policy of duration 72h0m0s - oldest point minute,serial=x"
CONFLICT = PARTIAL + 'field type conflict: input field "ankle" on measurement "minute" is type integer, already float'


@pytest.fixture
def two() -> Iterator[Double]:
    with double() as found:
        yield found


@pytest.fixture
def store(two: Double) -> Iterator[InfluxStore]:
    found = InfluxStore(two.spec, TOKEN)
    yield found
    found.close()


def test_minutes_go_before_the_block_that_makes_them_count_packed_and_signed(two: Double, store: InfluxStore) -> None:
    assert store.append([stored(1), stored(2)]) == [Appended.STORED, Appended.STORED]
    minutes, blocks = two.writes
    assert [len(minutes.lines), len(blocks.lines)] == [120, 2]
    assert all(line.startswith("minute,log_id=00112233445566ff,serial=CALZA-0001 ankle=") for line in minutes.lines)
    assert all(line.startswith("block,log_id=00112233445566ff,serial=CALZA-0001 record=") for line in blocks.lines)
    assert minutes.query == {"org": "clinic", "bucket": "calza", "precision": "us"}
    assert blocks.query["precision"] == "ns"
    for asked in two.asked:
        assert asked.headers["authorization"] == f"Token {TOKEN}"
    assert minutes.headers["content-encoding"] == "gzip"


def test_the_same_record_makes_the_same_points(two: Double, store: InfluxStore) -> None:
    store.append([stored(1)])
    store.append([stored(1)])
    first_minutes, first_block, *again = two.writes
    assert [each.lines for each in again] == [first_minutes.lines, first_block.lines]


def refuse_record(number: int, message: str, status: int = 422) -> Callable[[Asked], Answer]:
    """Refuses every request with a minute of this record, as long as it is there."""

    def answer(asked: Asked) -> Answer:
        mine = any(line.endswith(f"{number:06d}") for line in asked.lines if line.startswith("minute"))
        return refusal(status, "unprocessable entity", message) if mine else Answer()

    return answer


@pytest.mark.parametrize("status", [400, 422, 500])  # 500: early releases of 2.x
def test_the_one_record_that_is_refused_is_found_kept_and_told(two: Double, store: InfluxStore, status: int) -> None:
    two.say(*[refuse_record(5, RETENTION, status)] * 40)
    outcomes = store.append([stored(n, minutes=block(n, minutes=2)) for n in range(1, 9)])
    assert outcomes == [Appended.STORED] * 4 + [Appended.REFUSED] + [Appended.STORED] * 3
    held = {line.split("record=")[1].split("i")[0] for each in two.writes for line in each.lines if "record=" in line}
    assert held == {str(n) for n in range(1, 9)} - {"5"}
    (kept,) = [line for each in two.writes for line in each.lines if line.startswith("quarantine")]
    assert "reason=out_of_range" in kept
    assert "older than InfluxDB was told to keep" in kept
    assert "oldest point" not in kept, "what the server said may hold a reading"


def test_a_bucket_others_write_to_is_no_fault_of_the_record(two: Double, store: InfluxStore) -> None:
    two.say(refusal(422, "unprocessable entity", CONFLICT))
    with pytest.raises(StoreError, match="give Calza one of its own") as caught:
        store.append([stored(1)])
    assert caught.value.code == "broken"
    assert len(two.writes) == 1, "nothing was put into quarantine"


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (refusal(401, "unauthorized", "unauthorized access"), "broken", "CALZA_SERVER_STORE_TOKEN_FILE"),
        (refusal(403, "forbidden", "insufficient permissions for write"), "broken", "reads and writes the bucket"),
        (refusal(404, "not found", 'bucket "calza" not found'), "broken", "calza server init"),
        (refusal(404, "not found", 'organization name "clinic" not found'), "broken", "calza server init"),
        (Answer(404, "404 page not found"), "broken", "look at the address"),
        (Answer(301, None, {"Location": "https://elsewhere.example/"}), "broken", "status 301"),
        (refusal(429, "too many requests", "slow down"), "busy", "asks to wait"),
        (refusal(500, "internal error", "unexpected error writing points to database: timeout"), "busy", "status 500"),
        (refusal(500, "internal error", "write /var/lib/x: no space left on device"), "full", "disk"),
        (refusal(503, "unavailable", "service unavailable"), "busy", "asks to wait"),
        (Answer(502, "<html>Bad Gateway</html>"), "busy", "status 502"),
        (Answer(lost=True), "busy", "cannot be reached"),
    ],
)
def test_what_no_record_can_help_is_an_error_and_nothing_is_lost(
    two: Double, store: InfluxStore, answer: Answer, code: str, words: str
) -> None:
    two.say(answer)
    with pytest.raises(StoreError, match=words) as caught:
        store.append([stored(1)])
    assert caught.value.code == code
    assert store.append([stored(1)]) == [Appended.STORED]
    assert not [line for each in two.writes for line in each.lines if line.startswith("quarantine")]


def test_too_large_is_halved_and_only_a_single_record_too_large_is_an_error(two: Double, store: InfluxStore) -> None:
    limit = 130  # lines

    def narrow(asked: Asked) -> Answer:
        return Answer(413, {"error": "Request Entity Too Large"}) if len(asked.lines) > limit else Answer()

    two.say(*[narrow] * 40)
    assert store.append([stored(n) for n in range(1, 9)]) == [Appended.STORED] * 8
    limit = 30
    with pytest.raises(StoreError, match="max-body-size") as caught:
        store.append([stored(20)])
    assert caught.value.code == "broken"


def test_retry_after_is_kept(two: Double) -> None:
    now = [1000.0]
    link = InfluxLink(two.spec, TOKEN, lambda: now[0])
    two.say(refusal(429, "too many requests", "slow down", **{"Retry-After": "7"}))
    for wait_s in (0.0, 6.9):
        now[0] = 1000.0 + wait_s
        with pytest.raises(Busy, match="asks to wait"):
            link.write(b"a b=1i 1", "ns")
    assert len(two.writes) == 1, "it was not asked again before its time"
    now[0] = 1007.0
    link.write(b"a b=1i 1", "ns")
    link.close()


def held_by_another(asked: Asked, block: StoredBlock, *, torn: bool = False) -> Answer:
    """What another worker's write of this block looks like; `torn`: only its number can be seen yet."""
    at = (START_S + 3600 * block.record) * 10**9
    whole = {"time": at, "record": block.record, "body": b64encode(block.body).decode(), "gateway": "elsewhere"}
    whole |= {"received_ms": 77, "nth_log": 4, "points": 1, "records": 1}
    seen = {"time", "record", "points", "records"} if torn else whole
    results = []
    for number, statement in enumerate(asked.statements):
        columns = ["time", *re.findall(r"\w+(?=,| FROM)", statement.split(" WHERE ")[0])]
        series = {"name": "block", "tags": {"log_id": block.log_id.hex()}, "columns": columns}
        row = [whole[name] if name in seen else None for name in columns]
        results.append({"statement_id": number, "series": [{**series, "values": [row]}]})
    return Answer(200, {"results": results})


def test_what_another_worker_holds_is_made_sure_of_as_it_is(two: Double, store: InfluxStore) -> None:
    """InfluxDB shows a point before it is on its disk; a receipt for it must not hang on the other worker's luck."""
    once = stored(1)
    two.found = lambda asked: held_by_another(asked, once)
    assert store.append([once, once]) == [Appended.DUPLICATE, Appended.DUPLICATE]
    (asked,) = two.writes
    (line,) = asked.lines
    assert line.startswith("block,")
    assert 'gateway="elsewhere",received_ms=77i,nth_log=4i' in line, "the same point, not one of our own"


def test_what_was_said_to_be_stored_and_is_not_there_is_written_again(two: Double, store: InfluxStore) -> None:
    """1.6.7 answers 204 to all who open a shard at the same moment, and may drop some of it: seen of minutes."""
    two.found = lambda asked: two.written(asked) if len(two.writes) > 3 else Double().written(asked)
    assert store.append([stored(1)]) == [Appended.STORED]
    minutes, blocks, *again = [each.lines for each in two.writes]
    assert again == [minutes, blocks]
    two.found = Double().written
    with pytest.raises(StoreError, match="does not show") as caught:
        store.append([stored(2)])
    assert caught.value.code == "busy"


def test_half_a_point_is_none_yet(two: Double, store: InfluxStore) -> None:
    """A point becomes visible field by field: seen on 1.6.7 with four workers, once in some hundred groups."""
    two.found = lambda asked: two.written(asked) if two.writes else held_by_another(asked, stored(1), torn=True)
    assert store.held("CALZA-0001") == []
    assert len(store.read("CALZA-0001", 0, 2**40)) == 0
    assert store.append([stored(1)]) == [Appended.STORED]
    assert [len(each.lines) for each in two.writes] == [60, 1]


def test_a_write_whose_answer_was_lost_is_harmless_to_repeat(two: Double, store: InfluxStore) -> None:
    two.say(Answer(), Answer(lost=True))  # the block's point was taken, and the connection broke
    with pytest.raises(StoreError):
        store.append([stored(1)])
    two.taken = []
    store.append([stored(1)])
    minutes, blocks, *again = [each.lines for each in two.writes]
    assert again == [minutes, blocks], "the same points, so nothing is there twice"


def test_a_time_out_in_the_middle_is_busy(two: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_link, "ANSWER_LIMIT_MS", 50)
    hold = [True]

    def slow(_: Asked) -> Answer:
        while hold[0]:
            time.sleep(0.01)
        return Answer()

    store = InfluxStore(two.spec, TOKEN)
    two.say(slow)
    with pytest.raises(StoreError, match="does not answer") as caught:
        store.append([stored(1)])
    hold[0] = False
    assert caught.value.code == "busy"
    store.close()


def test_nobody_there_is_busy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        store = InfluxStore(InfluxSpec(f"http://127.0.0.1:{taken.getsockname()[1]}", "", "calza"), None)
        for work in (lambda: store.append([stored(1)]), lambda: store.held("CALZA-0001")):
            with pytest.raises(StoreError, match="cannot be reached") as caught:
                work()
            assert caught.value.code == "busy"
        store.close()
        with pytest.raises(StoreError, match="closed"):
            store.held("CALZA-0001")


def test_a_name_that_leads_nowhere_is_busy() -> None:
    """The network may be down; a wrong name looks just the same."""
    store = InfluxStore(InfluxSpec("http://no-such-host.invalid:8086", "", "calza"), None)
    with pytest.raises(StoreError, match="cannot be reached"):
        store.count("CALZA-0001")
    store.close()


def block_rows(log_id: str, record: object, **more: bool) -> Answer:
    columns = ["time", "record", "nth_log"]
    series = {"name": "block", "tags": {"log_id": log_id}, "columns": columns, "values": [[1, record, 0]], **more}
    return Answer(200, {"results": [{"statement_id": 0, "series": [series]}]})


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (refusal(404, "not found", "no dbrp mapping found"), "broken", "calza server init"),
        (Answer(200, {"results": [{"error": "database not found: calza"}]}), "broken", "calza server init"),
        (refusal(400, "invalid", "error parsing query: found FOO"), "broken", "makes no sense"),
        (Answer(200, {"results": [{"error": "query timeout reached"}]}), "busy", "no time"),
        (Answer(200, {"results": []}), "broken", "makes no sense"),
        (Answer(200, ["not", "an", "answer"]), "broken", "makes no sense"),
        (block_rows("00", 1, partial=True), "broken", "max-row-limit"),
        (block_rows("no hex", 1), "broken", "makes no sense"),
        (block_rows("00", "x"), "broken", "makes no sense"),
    ],
)
def test_an_answer_that_is_none_is_an_error(
    two: Double, store: InfluxStore, answer: Answer, code: str, words: str
) -> None:
    two.found = lambda _: answer
    with pytest.raises(StoreError, match=words) as caught:
        store.held("CALZA-0001")
    assert caught.value.code == code


def test_the_token_shows_nowhere(two: Double, store: InfluxStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    two.say(refusal(401, "unauthorized", "unauthorized access"))
    with pytest.raises(StoreError) as caught:
        store.append([stored(1)])
    chain = [str(caught.value), repr(caught.value), repr(store), repr(vars(store)), caplog.text]
    error: BaseException | None = caught.value
    while error is not None:
        chain.append(repr(error) + repr(error.args))
        error = error.__cause__
    assert not [text for text in chain if TOKEN in text]


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "ä"])
def test_a_token_that_cannot_be_one_is_refused_unseen(two: Double, token: str) -> None:
    with pytest.raises(ValueError, match="token") as caught:
        InfluxStore(two.spec, token)
    assert not token or token not in str(caught.value)


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with double(context) as secured:
        store = InfluxStore(secured.spec, TOKEN)
        with pytest.raises(StoreError, match="certificate") as caught:
            store.append([stored(1)])
        assert caught.value.code == "broken"
        assert not secured.asked, "the token was never sent"
        store.close()


def test_what_has_to_be_kept_and_is_refused_stops_everything(two: Double, store: InfluxStore) -> None:
    """A sync report or a quarantined record is no record to put aside: better nothing is acknowledged."""
    two.say(refusal(422, "unprocessable entity", RETENTION))
    with pytest.raises(StoreError) as caught:
        store.add_sync(sync(1), 1000)
    assert caught.value.code == "broken"
