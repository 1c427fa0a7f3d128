"""A stocking's flash that writes down every record it ever sealed, so that what the ring has overwritten counts too.

The journal is a file, not memory: what the soak remembers must not look like a leak. Knows nothing of the gateway.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from calza_sim.firmware.flash import SealedRecord, formatted
from calza_sim.firmware.flash_file import FileFlash

Sealed = tuple[bytes, int, bytes]
"""Log id, record number, SHA-256 of the body."""


class JournaledFlash(FileFlash):
    """A `FileFlash` with a line in the journal for each record."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._journal = path.with_suffix(".journal").open("a", encoding="ascii")
        self.sealed = 0

    def append(self, records: Sequence[SealedRecord]) -> None:
        """See `Flash`."""
        log_id = formatted(self.head).log_id.hex()
        first = self.next_record
        super().append(records)
        for number, each in enumerate(records, start=first):
            self._journal.write(f"{log_id} {number} {sha256(each.body).hexdigest()}\n")
        self._journal.flush()
        self.sealed += len(records)

    def close(self) -> None:
        """See `Flash`."""
        self._journal.close()
        super().close()


def journal(flash: Path) -> Iterator[Sealed]:
    """Every record the flash at that path ever sealed, in order."""
    with flash.with_suffix(".journal").open(encoding="ascii") as lines:
        for line in lines:
            log_id, number, digest = line.split()
            yield bytes.fromhex(log_id), int(number), bytes.fromhex(digest)
