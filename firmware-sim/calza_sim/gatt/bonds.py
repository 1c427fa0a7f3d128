"""The bonds of one stocking: keys of the gateways paired by its label, kept in a file so that they survive a restart.

Only keys from an authenticated LE Secure Connections pairing are kept: a pairing without the label leaves no trace
and can never replace one made with it. This module knows Bumble's key store and nothing of connections.
"""

import json
from collections.abc import Callable
from pathlib import Path

from bumble.keys import KeyStore, PairingKeys

from calza_sim.private_files import write_private

IRK_OCTETS = 16


class BondStore(KeyStore):
    """Bumble key store in memory, written through to a JSON file of mode 0600 when a path is given."""

    def __init__(self, path: Path | None, draw: Callable[[int], bytes]) -> None:
        """Read `path` if it exists; `draw(n)` gives n random octets for the identity key of a new stocking.

        Raises OSError, or ValueError when the file is not a bond file.
        """
        self._path = path
        self._bonds: dict[str, PairingKeys] = {}
        if path is not None and path.exists():
            self.irk = self._load(path)
        else:
            self.irk = draw(IRK_OCTETS)
            self._save()

    def bond(self, peer: str) -> PairingKeys | None:
        """The keys shared with a peer identity address, or None."""
        return self._bonds.get(peer)

    @property
    def count(self) -> int:
        """How many gateways are bonded. (Not `__len__`: Bumble takes an empty store for none at all.)"""
        return len(self._bonds)

    async def get(self, name: str) -> PairingKeys | None:
        """See `bond`."""
        return self._bonds.get(name)

    async def get_all(self) -> list[tuple[str, PairingKeys]]:
        """Every bond, oldest first."""
        return list(self._bonds.items())

    async def update(self, name: str, keys: PairingKeys) -> None:
        """Keep the keys of a pairing, if it was authenticated."""
        if keys.ltk is not None and keys.ltk.authenticated:
            self._bonds[name] = keys
            self._save()

    async def delete(self, name: str) -> None:
        """Forget one peer; unknown names change nothing."""
        if self._bonds.pop(name, None) is not None:
            self._save()

    async def delete_all(self) -> None:
        """Forget every peer; the identity key stays."""
        self._bonds.clear()
        self._save()

    def _load(self, path: Path) -> bytes:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self._bonds = {name: PairingKeys.from_dict(keys) for name, keys in document["bonds"].items()}
            return bytes.fromhex(document["irk"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not a bond file of a simulated stocking: remove it and pair again") from error

    def _save(self) -> None:
        if self._path is None:
            return
        document = {"irk": self.irk.hex(), "bonds": {name: keys.to_dict() for name, keys in self._bonds.items()}}
        write_private(self._path, json.dumps(document, indent=1) + "\n")
