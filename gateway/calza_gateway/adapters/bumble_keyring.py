"""The gateway's Bluetooth identity and its bonds on the simulated radio, kept in `bonds.json`.

A bond holds between two addresses, so the gateway's own random static address is kept beside the keys and stays the
same over restarts. Must not know links or scanning. Without a state folder everything is kept in memory only.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from bumble.hci import Address
from bumble.keys import KeyStore, PairingKeys

from calza_gateway.state.bonds import (
    PRIVATE_FILE_MODE,
    PRIVATE_FOLDER_MODE,
    StateError,
    damaged,
    read_private,
    write_private,
)
from calza_gateway.state.file_lock import lock_file

BONDS_FILE = "bonds.json"
LOCK_FILE = "bonds.lock"
FORMAT_VERSION = 1
ADDRESS_OCTETS = 6
IRK_OCTETS = 16
STATIC_MARK = 0xC0  # the two top bits of a random static address are 1 (Core Specification, Vol 6, Part B, 1.3.2.1)


class Keyring(KeyStore):
    """Bumble's key store over one private file: written whole and in one step at every change.

    Opening takes a lock that ends with the process: two processes with one address on the air, or two writers of one
    file, would lose bonds.
    """

    def __init__(self, state: Path | None, draw: Callable[[int], bytes]) -> None:
        self._path = None if state is None else state / BONDS_FILE
        self._draw = draw
        self._lock: int | None = None
        self._bonds: dict[str, PairingKeys] = {}
        self._address: Address | None = None

    @property
    def address(self) -> Address:
        """This gateway's random static address; known once the keyring is open."""
        if self._address is None:
            raise ValueError("the keyring is not open")
        return self._address

    def draw_irk(self) -> bytes:
        """An identity resolving key, 16 octets; never given to a peer, since the address never changes."""
        return self._draw(IRK_OCTETS)

    def open(self) -> None:
        """Load, or draw and keep, the identity. Raises StateError, also when another process holds the bonds."""
        if self._address is not None:
            return
        if self._path is None:
            self._address = self._draw_address()
            return
        self._lock = _take_lock(self._path.with_name(LOCK_FILE))
        try:
            parsed = read_private(self._path)
            if parsed is None:
                self._address = self._draw_address()
                self._save(self._bonds)
            else:
                self._address, self._bonds = _decode(self._path, parsed)
        except StateError:
            self._address = None
            self.close()
            raise

    def close(self) -> None:
        """Let another process have the bonds."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._path is not None:
            self._address = None

    def has(self, address: str) -> bool:
        """Whether there is a bond with the stocking at this address."""
        return _name(address) in self._bonds

    def forget(self, address: str) -> bool:
        """Drop the bond; False if there was none. Raises StateError, and then the bond is still there."""
        remaining = {name: keys for name, keys in self._bonds.items() if name != _name(address)}
        if len(remaining) == len(self._bonds):
            return False
        self._save(remaining)
        return True

    async def delete(self, name: str) -> None:
        """As `forget`, under the name Bumble calls it by."""
        self.forget(name)

    async def update(self, name: str, keys: PairingKeys) -> None:
        """Keep the keys of a new bond. Raises StateError, and then nothing has changed."""
        self._save({**self._bonds, _name(name): keys})

    async def get(self, name: str) -> PairingKeys | None:
        """The keys of the bond with a peer."""
        return self._bonds.get(_name(name))

    async def get_all(self) -> list[tuple[str, PairingKeys]]:
        """Every bond."""
        return list(self._bonds.items())

    async def get_resolving_keys(self) -> list[tuple[bytes, Address]]:
        """None, ever: stockings keep their address, and with a key here Bumble would scan before each connect."""
        return []

    def _save(self, bonds: dict[str, PairingKeys]) -> None:
        if self._path is not None:
            entries = {name: keys.to_dict() for name, keys in bonds.items()}
            content = {"version": FORMAT_VERSION, "address": self.address.to_string(False), "bonds": entries}
            write_private(self._path, json.dumps(content, indent=2) + "\n")
        self._bonds = bonds

    def _draw_address(self) -> Address:
        octets = self._draw(ADDRESS_OCTETS)
        # Address octets are little-endian: the last one is the most significant.
        return Address(octets[:-1] + bytes((octets[-1] | STATIC_MARK,)), Address.RANDOM_DEVICE_ADDRESS)


def _name(address: str) -> str:
    """Bumble marks public addresses with a suffix; bleak does not know it."""
    return address.removesuffix("/P").upper()


def _take_lock(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE_MODE)
    except OSError as error:
        raise StateError("state_unwritable", f"cannot write {path}: {error.strerror or error}") from error
    try:
        lock_file(descriptor)
    except OSError as error:
        os.close(descriptor)
        sentence = f"another gateway is using the bonds in {path.parent}: stop it first, or give another --state"
        raise StateError("state_in_use", sentence) from error
    return descriptor


def _decode(path: Path, parsed: object) -> tuple[Address, dict[str, PairingKeys]]:
    if not isinstance(parsed, dict) or set(parsed) != {"version", "address", "bonds"}:
        raise damaged(path, "it does not have exactly the keys version, address and bonds")
    if parsed["version"] != FORMAT_VERSION:
        raise damaged(path, f"its version is not {FORMAT_VERSION}")
    try:
        address = Address(parsed["address"], Address.RANDOM_DEVICE_ADDRESS)
        bonds = {_name(name): PairingKeys.from_dict(keys) for name, keys in parsed["bonds"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, "an address or a key in it cannot be read") from error
    if not address.is_static:
        raise damaged(path, "its address is not a random static one")
    return address, bonds
