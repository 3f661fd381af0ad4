"""Addresses of folders in stores: `Path` would make gs:/bucket/photos of gs://bucket/photos."""

from __future__ import annotations


class Address(str):
    """The address of a folder, which is put together as a path is."""

    __slots__ = ()

    def __truediv__(self, name: str) -> Address:
        return Address(f"{self.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> Address:
        """The address without its last part."""
        return Address(self.rstrip("/").rpartition("/")[0])
