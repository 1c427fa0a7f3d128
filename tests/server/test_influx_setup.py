"""`calza server init`: on the real 1.x engine, and against what InfluxDB 2 answers to the same questions."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from calza_server.adapters.influx_setup import prepare
from calza_server.commands.cli import app
from calza_server.ports import StoreError
from calza_server.store_spec import InfluxSpec
from tests.server.influx_double import TOKEN, Answer, Asked, double, refusal
from tests.server.influx_engine import engine

if TYPE_CHECKING:
    from pathlib import Path

ORG_ID, BUCKET_ID, OTHER_ID = "0" * 15 + "1", "0" * 15 + "2", "0" * 15 + "3"
JSON = {"Content-Type": "application/json"}


class Two:
    """The few questions of setting up, as InfluxDB 2 answers them."""

    def __init__(self, version: str = "v2.7.11") -> None:
        self.version = version
        self.buckets: list[dict[str, object]] = []
        self.mappings: list[dict[str, object]] = []
        self.made: list[str] = []

    def bucket(self, kept_s: int = 0) -> None:
        rules = [{"type": "expire", "everySeconds": kept_s}]
        self.buckets = [{"id": BUCKET_ID, "orgID": ORG_ID, "name": "calza", "retentionRules": rules}]

    def map(self, bucket: str, *, default: bool = True) -> None:
        more = {"retention_policy": "autogen", "default": default, "orgID": ORG_ID, "id": OTHER_ID}
        self.mappings.append({"database": "calza", "bucketID": bucket, **more})

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/ping":
            return Answer(204, None, {"X-Influxdb-Version": self.version})
        if asked.path == "/api/v2/orgs":
            return Answer(200, {"orgs": [{"id": ORG_ID, "name": "clinic"}]}, JSON)
        if asked.path == "/api/v2/buckets" and not asked.body:
            assert (asked.query["name"], asked.query["org"]) == ("calza", "clinic")
            return Answer(200, {"buckets": self.buckets}, JSON)
        if asked.path == "/api/v2/buckets":
            told = json.loads(asked.body)
            assert (told["name"], told["orgID"]) == ("calza", ORG_ID)
            assert told["retentionRules"] == [], "no rule: kept for good"
            self.made.append("bucket")
            self.bucket()
            return Answer(201, self.buckets[0], JSON)
        assert asked.path == "/api/v2/dbrps"
        if not asked.body:
            assert asked.query == {"orgID": ORG_ID, "db": "calza"}
            return Answer(200, {"content": self.mappings}, JSON)
        told = json.loads(asked.body)
        assert told["bucketID"] == BUCKET_ID
        assert (told["database"], told["retention_policy"], told["default"]) == ("calza", "autogen", True)
        self.made.append("mapping")
        self.map(BUCKET_ID)
        return Answer(201, self.mappings[-1], JSON)


def test_on_2_x_it_makes_bucket_and_mapping_once() -> None:
    with double() as two:
        two.found = told = Two()
        first = prepare(two.spec, TOKEN)
        assert told.made == ["bucket", "mapping"]
        assert first.version == "2.7.11"
        assert "for good" in first.steps[0]
        assert first.kept_s is None
        again = prepare(two.spec, TOKEN)
        assert told.made == ["bucket", "mapping"]
        assert ["was there" in again.steps[0], "already" in again.steps[1]] == [True, True]


def test_on_2_x_a_bucket_that_forgets_is_told() -> None:
    with double() as two:
        two.found = told = Two()
        told.bucket(kept_s=30 * 86_400)
        ready = prepare(two.spec, TOKEN)
        assert ready.kept_s == 30 * 86_400
        assert "older than 30 days" in ready.steps[-1]


def test_on_2_x_a_name_that_leads_to_another_bucket_is_no_place_to_write() -> None:
    with double() as two:
        two.found = told = Two()
        told.bucket()
        told.map(OTHER_ID)
        with pytest.raises(StoreError, match="another bucket"):
            prepare(two.spec, TOKEN)
        assert told.made == []


def test_what_2_x_refuses_is_told() -> None:
    with double() as two:
        two.found = lambda asked: Two()(asked) if asked.path == "/ping" else refusal(401, "unauthorized", "no")
        with pytest.raises(StoreError, match="token"):
            prepare(two.spec, TOKEN)


def test_3_needs_nothing() -> None:
    with double() as three:
        three.found = Two("3.1.0")
        assert "nothing to do" in prepare(three.spec, TOKEN).steps[0]


def test_on_1_x_by_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with engine() as own:
        monkeypatch.setenv("CALZA_SERVER_STORE", f'influx+{own.url}?bucket=a clinic\'s "own"')
        told = [CliRunner().invoke(app, ["init", *more]) for more in ((), ("--json",))]
        assert [each.exit_code for each in told] == [0, 0]
        assert "made: it keeps everything for good" in told[0].stdout
        document = json.loads(told[1].stdout)
        assert document["steps"] == ['database a clinic\'s "own" was there']
        assert document["kept_days"] is None
        with own.bucket() as spec, pytest.raises(StoreError, match="no retention policy"):
            prepare(InfluxSpec(spec.url, "", f"{spec.bucket}/year"), None)


def test_a_file_needs_no_influxdb(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom calza_server.commands.cli import app\n"
        f"try:\n    app(['init', '--state', {str(tmp_path / 'state')!r}])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print('LOADED', [name for name in sys.modules if name.startswith('influxdb_client')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert "series.db is ready" in done.stdout
    assert "LOADED []" in done.stdout


def test_a_misspelled_store_is_misuse(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["init", "--state", str(tmp_path), "--store", "influx:there"])
    assert told.exit_code == 2
    assert "influx+http" in told.stderr
