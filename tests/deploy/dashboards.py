"""What Grafana would ask InfluxDB: the queries of the dashboards, with what Grafana puts into them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.deploy.compose_file import ROOT, yaml

PROVISIONING = ROOT / "deploy/grafana/provisioning"
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
INTERVAL = re.compile(r"\$__interval\b|\$interval\b")


@dataclass(frozen=True, slots=True)
class Query:
    """One query and the panel, or the variable, it belongs to."""

    title: str
    text: str

    def asked(self, since_s: int, until_s: int, serials: str) -> str:
        """As it reaches InfluxDB, for a span of Unix seconds and stockings by a pattern."""
        text = INTERVAL.sub("1h", self.text)
        text = text.replace("$timeFilter", f"time >= {since_s}s and time <= {until_s}s")
        text = text.replace("$serial", f"({serials})")
        assert "$" not in text.replace("$/", ""), f"{self.title}: nobody fills in {text}"
        return text

    @property
    def names(self) -> set[str]:
        """Everything in double quotes: measurements, fields, tags, and names it gives itself."""
        given = set(re.findall(r'AS "([^"]+)"', self.text))
        return set(re.findall(r'"([^"]+)"', self.text)) - given


def datasource() -> dict[str, Any]:
    """The one data source that is provisioned."""
    document = yaml.safe_load((PROVISIONING / "datasources/calza.yml").read_text(encoding="utf-8"))
    (found,) = document["datasources"]
    return dict(found)


def queries() -> list[Query]:
    """Every query of every dashboard."""
    found = []
    for path in DASHBOARDS:
        document = json.loads(path.read_text(encoding="utf-8"))
        found += [Query(each["name"], each["query"]) for each in document["templating"]["list"]]
        found += [Query(each["title"], target["query"]) for each in document["panels"] for target in each["targets"]]
    return found
