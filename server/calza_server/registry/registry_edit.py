"""Changes the registry's file: read, change, write whole, one at a time. What to change is the caller's affair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calza_server.files.folder_lock import only_one
from calza_server.files.private_files import write_private
from calza_server.registry.registry import REGISTRY_NAME, RegistryContent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def read_registry(state: Path) -> RegistryContent:
    """What the registry of a state folder holds; nothing if there is none yet. Raises RegistryError, OSError."""
    path = state / REGISTRY_NAME
    return RegistryContent.decode(path.read_text(encoding="utf-8")) if path.exists() else RegistryContent()


def edit_registry(state: Path, change: Callable[[RegistryContent], RegistryContent]) -> RegistryContent:
    """Put `change(content)` in place of the content. Raises RegistryError, RunError, OSError and what `change` raises.

    Whoever edits at the same time is refused, so that no change is lost.
    """
    with only_one(state, "registry"):
        after = change(read_registry(state))
        write_private(state / REGISTRY_NAME, after.encode())
        return after
