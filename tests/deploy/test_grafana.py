"""Grafana cannot be run here, so its files are read as it would: references lead somewhere, names are ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calza_server.adapters import influx_lines
from tests.deploy.compose_file import COMPOSE, example, read, yaml
from tests.deploy.dashboards import DASHBOARDS, PROVISIONING, Query, datasource, queries

GRAFANA = read(COMPOSE, environment=example()).services["grafana"]
INFLUX = read(COMPOSE, environment=example()).services["influxdb"]
WRITTEN = {  # as docs/influxdb.md says; test_by_hand asks a real engine whether it is so
    influx_lines.MINUTE: {"serial", "log_id", "ankle", "calf", "thigh", "ripple", "skin", "flags"},
    influx_lines.BLOCK: {"serial", "log_id", "record", "body", "gateway", "received_ms", "nth_log"},
    influx_lines.EVIDENCE: {"serial", "log_id", "record", "body", "gateway", "received_ms", "place"},
    influx_lines.QUARANTINE: {"serial", "reason", "payload", "digest", "detail", "gateway", "received_ms", "place"},
    influx_lines.SYNC: {"serial", "report", "battery_percent", "rssi", "fetched", "received_ms", "place"},
}


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    return document


def test_the_data_source_is_the_influxdb_beside_it_and_reads_as_its_reader() -> None:
    found = datasource()
    assert found["url"] == "http://influxdb:8086"
    assert found["jsonData"]["version"] == "InfluxQL"
    assert found["jsonData"]["dbName"] == INFLUX.environment["DOCKER_INFLUXDB_INIT_BUCKET"]
    secret = found["secureJsonData"]["basicAuthPassword"].removeprefix("$__file{/run/secrets/").removesuffix("}")
    assert secret in GRAFANA.secrets
    assert secret in INFLUX.secrets
    (script,) = [mount for mount in INFLUX.mounts if mount.target.startswith("/docker-entrypoint-initdb.d/")]
    text = (COMPOSE.parent / script.source).read_text(encoding="utf-8")
    assert f"/run/secrets/{secret}" in text
    assert f"--username {found['basicAuthUser']}" in text
    assert "--write-bucket" not in text


def test_dashboards_are_where_grafana_looks() -> None:
    document = yaml.safe_load((PROVISIONING / "dashboards/calza.yml").read_text(encoding="utf-8"))
    (provider,) = document["providers"]
    places = {mount.target: mount.source for mount in GRAFANA.mounts}
    assert (COMPOSE.parent / places[provider["options"]["path"]]).resolve() == DASHBOARDS[0].parent
    home = Path(GRAFANA.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert home.name in {path.name for path in DASHBOARDS}
    assert places["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"


def test_every_panel_asks_the_provisioned_data_source(dashboard: dict[str, Any]) -> None:
    uid = datasource()["uid"]
    panels = dashboard["panels"]
    asked = [each["datasource"] for panel in panels for each in (panel, *panel["targets"])]
    asked += [variable["datasource"] for variable in dashboard["templating"]["list"]]
    assert asked == [{"type": "influxdb", "uid": uid}] * len(asked)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] for panel in panels)


def test_panels_do_not_lie_on_one_another(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_what_was_asked_for_is_shown() -> None:
    titles = " ".join(query.title for query in queries())
    assert all(word in titles for word in ("Pressure", "Ripple", "Completeness", "Backlog"))


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.title)
def test_a_query_names_nothing_but_what_the_store_writes(query: Query) -> None:
    (measurement,) = query.names & WRITTEN.keys()
    assert query.names - {measurement} <= WRITTEN[measurement]
