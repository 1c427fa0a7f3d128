"""The tables of the outbox file, and how an older file becomes a newer one. Statements only: opens nothing.

A box updates itself and may be rolled back, and neither may cost a record. Hence two numbers in the file:

* `about.version`: how far the steps below have been taken. A program takes those that are missing, all in one
  transaction; a power cut leaves the file as it was. Files of version 1 have no `about`.
* `pragma user_version`: the version of the oldest program that may open the file. A program older than that refuses
  ("outbox_too_new") and touches nothing; one that is not opens it, however new the file is, and leaves what it does
  not know alone. (Version 1 compared `user_version` with its own version, which is this very rule.)

The rule for a new step: **add tables, or columns that are null or have a default, and keep the meaning of what is
there**; then the step's `oldest` stays what it was, and a rolled-back program goes on. Columns only in tables all
programs since `oldest` write by naming columns: version 1 wrote `contact` without, which is why `found` is a table of
its own. A program that comes back after a rollback must bear rows the older one wrote beside it. A step that cannot
keep to this raises `oldest` to its own version: then a rollback needs an empty outbox, and the CHANGELOG says so.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """What makes a file of the version before into this one; `oldest` is the oldest program that may open it then."""

    oldest: int
    statements: tuple[str, ...]


STEPS: Final = (
    Step(
        oldest=1,
        statements=(
            # AUTOINCREMENT: a key must never be used again, because the relay remembers keys that are under way.
            """create table record (
                key integer primary key autoincrement, serial text not null, log_id blob not null,
                number integer not null, digest text not null, payload blob not null, put_ms integer not null,
                reason text, detail text, refused_ms integer, readings integer not null default 1,
                unique (serial, log_id, number, digest)) strict""",
            "create index record_waiting on record (key) where reason is null",
            "create index record_by_digest on record (serial, digest)",
            """create table receipted (
                serial text not null, log_id blob not null, first integer not null, last integer not null,
                primary key (serial, log_id, first)) strict, without rowid""",
            """create table report (
                key integer primary key autoincrement, serial text not null, payload blob not null) strict""",
            """create table contact (
                serial text primary key, tried_ms integer not null, outcome text not null, synced_ms integer)
                strict, without rowid""",
        ),
    ),
    Step(
        oldest=1,
        statements=(
            # What a visit found, beside its row in `contact`; of that visit only if `tried_ms` is the same in both.
            """create table found (
                serial text primary key, tried_ms integer not null, backlog integer, clock_error_ms integer,
                battery_percent integer) strict, without rowid""",
            "create table about (version integer not null) strict",
            "insert into about (version) values (0)",
        ),
    ),
    # Why the server does not take a sync report; null while it waits. An older program sends those too, once.
    Step(oldest=1, statements=("alter table report add column reason text",)),
)
SCHEMA_VERSION: Final = len(STEPS)


def statements_from(version: int) -> list[str]:
    """Everything that makes a file of this version (0: an empty one) into one of `SCHEMA_VERSION`, numbers included."""
    steps = STEPS[version:]
    if not steps:
        return []
    return [
        *(statement for step in steps for statement in step.statements),
        f"update about set version = {SCHEMA_VERSION}",  # noqa: S608 - the number is a constant of this module
        f"pragma user_version = {max(step.oldest for step in STEPS)}",
    ]
