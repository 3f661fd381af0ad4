"""What `pip install .` puts on a computer: all files that the program reads, and the licences of what others made."""

from __future__ import annotations

import configparser
from pathlib import Path

from tests.conftest import PROJECT

PACKAGE = PROJECT / "retraining"


def matched(section: str, key: str, folder: Path) -> set[Path]:
    """Return the files below a folder that the patterns of an entry in setup.cfg match."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", encoding="utf-8")
    patterns = config[section][key].split()
    found = [set(folder.glob(pattern)) for pattern in patterns]
    assert all(found), dict(zip(patterns, found, strict=True))
    return set.union(*found)


def test_every_file_that_is_not_code_is_installed_with_the_package() -> None:
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    others = {path for path in files if path.suffix != ".py"}
    assert matched("options.package_data", "retraining", PACKAGE) == others


def test_licences_are_installed_where_tools_look_for_them() -> None:
    found = {
        path.relative_to(PACKAGE / "modules" / "builtin").as_posix() for path in PACKAGE.rglob("LICENSE")
    }
    assert found == {"efficientnet_lite0/LICENSE"}
    listed = matched("metadata", "license_files", PROJECT)
    assert {path.name for path in listed} == {"LICENSE", "NOTICE"}
    assert set(PACKAGE.rglob("LICENSE")) | set(PACKAGE.rglob("NOTICE")) == listed
