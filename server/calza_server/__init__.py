"""Calza's server: records come in over MQTT and are kept; verdicts come out over HTTP.

`ingest` and `domain` are the core and know only `ports`; everything that touches a library lives under `adapters`,
`api`, `web` and `app`; `running` and `commands` put the parts together. Next file to read: `ports`.
"""
