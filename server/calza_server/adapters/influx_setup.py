"""Makes ready what the InfluxDB store needs: a bucket that keeps everything, and the name InfluxQL finds it by.

Done again it changes nothing. Never changes or deletes what it did not make; it only says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from influxdb_client.domain.dbrp_create import DBRPCreate
from influxdb_client.rest import ApiException
from influxdb_client.service.dbr_ps_service import DBRPsService
from urllib3.exceptions import HTTPError

from calza_server.adapters.influx_errors import store_error_of
from calza_server.adapters.influx_link import InfluxLink
from calza_server.adapters.influx_query import name
from calza_server.ports import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from calza_server.store_spec import InfluxSpec

    class _Named(Protocol):
        id: str
        name: str

    class _Rule(Protocol):
        every_seconds: int

    class _Bucket(_Named, Protocol):
        org_id: str
        retention_rules: list[_Rule]

    class _Found(Protocol):
        buckets: list[_Bucket] | None

    class _Buckets(Protocol):
        def find_buckets(self, *, name: str, org: str) -> _Found: ...

        def create_bucket(self, *, bucket_name: str, org: str) -> _Bucket: ...

        def delete_bucket(self, bucket: _Bucket) -> None: ...

    class _Mapping(Protocol):
        bucket_id: str
        default: bool

    class _Mappings(Protocol):
        content: list[_Mapping] | None

    class _MappingService(Protocol):
        def get_dbr_ps(self, *, org_id: str, db: str) -> _Mappings: ...

        def post_dbrp(self, dbrp_create: object) -> None: ...


DEFAULT_POLICY: Final = "autogen"  # what 1.x calls it, and what 2.x invents for a bucket by itself


@dataclass(frozen=True, slots=True)
class Ready:
    """What was found and done. `steps` are plain sentences; `kept_s` is how long points are kept, None for good."""

    version: str
    steps: tuple[str, ...]
    kept_s: int | None = None


def prepare(spec: InfluxSpec, token: str | None) -> Ready:
    """Make bucket and mapping where they are missing. Raises StoreError with what to do."""
    link = InfluxLink(spec, token)
    try:
        version = link.version()
        if version.startswith("1."):
            return _prepare_1(link, version)
        if version.startswith("2."):
            return _prepare_2(link, version)
        return Ready(
            version or "unknown", (f"InfluxDB {version} makes the database at the first write: nothing to do",)
        )
    except (ApiException, HTTPError) as error:
        raise store_error_of(error, spec.url) from None
    finally:
        link.close()


def remove(spec: InfluxSpec, token: str | None) -> None:
    """Delete the bucket and all in it: for tests. Raises StoreError."""
    link = InfluxLink(spec, token)
    try:
        if link.version().startswith("2."):
            buckets = cast("_Buckets", link.client.buckets_api())
            for found in buckets.find_buckets(name=spec.bucket, org=spec.org).buckets or ():
                buckets.delete_bucket(found)
        else:
            link.ask(f"DROP DATABASE {name(spec.database)}")
    except (ApiException, HTTPError) as error:
        raise store_error_of(error, spec.url) from None
    finally:
        link.close()


def _prepare_1(link: InfluxLink, version: str) -> Ready:
    spec = link.spec
    (databases,) = link.ask("SHOW DATABASES")
    if spec.database in databases[0].texts("name") if databases else False:
        steps = [f"database {spec.database} was there"]
    else:
        link.ask(f"CREATE DATABASE {name(spec.database)}")
        steps = [f"database {spec.database} made: it keeps everything for good"]
    (policies,) = link.ask(f"SHOW RETENTION POLICIES ON {name(spec.database)}")
    for policy, duration, default in policies[0].rows("name", "duration", "default"):
        if policy == spec.retention_policy or (default and not spec.retention_policy):
            kept_s = _seconds(str(duration))
            return Ready(version, (*steps, *_warning(kept_s)), kept_s)
    raise StoreError(
        "broken", f"database {spec.database} has no retention policy {spec.retention_policy}: make it first"
    )


def _prepare_2(link: InfluxLink, version: str) -> Ready:
    spec = link.spec
    buckets = cast("_Buckets", link.client.buckets_api())
    found = buckets.find_buckets(name=spec.bucket, org=spec.org).buckets
    if found:
        bucket, steps = found[0], [f"bucket {spec.bucket} was there"]
    else:
        bucket = buckets.create_bucket(bucket_name=spec.bucket, org=spec.org)
        steps = [f"bucket {spec.bucket} made: it keeps everything for good"]
    kept_s = next((rule.every_seconds for rule in bucket.retention_rules or () if rule.every_seconds), None)
    mappings = cast("Callable[[object], _MappingService]", DBRPsService)(link.client.api_client)
    there = mappings.get_dbr_ps(org_id=bucket.org_id, db=spec.database).content or []
    if any(each.bucket_id == bucket.id for each in there):
        steps.append(f"InfluxQL finds it as database {spec.database} already")
    elif any(each.default for each in there) and not spec.retention_policy:
        raise StoreError(
            "broken", f"InfluxQL finds another bucket as database {spec.database}: give this one a new name"
        )
    else:
        mappings.post_dbrp(
            cast("Callable[..., object]", DBRPCreate)(
                org_id=bucket.org_id,
                bucket_id=bucket.id,
                database=spec.database,
                retention_policy=spec.retention_policy or DEFAULT_POLICY,
                default=not spec.retention_policy,
            )
        )
        steps.append(f"InfluxQL finds it as database {spec.database} from now on")
    return Ready(version, (*steps, *_warning(kept_s)), kept_s)


def _warning(kept_s: int | None) -> list[str]:
    if kept_s is None:
        return []
    days = kept_s / 86_400
    return [f"it deletes what is older than {days:g} days, and refuses older records: verdicts need it kept for good"]


def _seconds(duration: str) -> int | None:
    """A duration of 1.x such as 168h0m0s; zero is for good."""
    total = 0
    number = ""
    for character in duration:
        if character.isdecimal():
            number += character
        else:
            total += int(number or 0) * {"h": 3600, "m": 60, "s": 1}.get(character, 0)
            number = ""
    return total or None
