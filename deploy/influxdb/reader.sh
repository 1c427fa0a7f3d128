#!/bin/bash
# Run once, by the image of InfluxDB when it makes its database: lets Grafana read the bucket, and nothing else.
# A user of the 1.x kind, because dashboards ask in InfluxQL.
set -eu
influx v1 auth create \
    --username grafana \
    --password "$(cat /run/secrets/grafana_influx_password)" \
    --org "$DOCKER_INFLUXDB_INIT_ORG" \
    --read-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID" >/dev/null
