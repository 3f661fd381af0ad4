"""Files and folders that operating systems, network drives and photo programs leave among images.

They are passed over in silence, like hidden ones: nobody put them there, and no image is lost with them.
"""

from __future__ import annotations

# In lower case, as all names here: some of these systems do not tell upper case from lower.
_FOLDERS = frozenset(
    {
        "__macosx",  # macOS, in zip files
        "lost+found",  # Linux, at the root of a disk
        "$recycle.bin",  # Windows, at the root of a disk, as the next two
        "system volume information",
        "found.000",
        "@eadir",  # Synology's network drives: thumbnails; the next two: deleted files, earlier states
        "#recycle",
        "#snapshot",
        "@recycle",  # QNAP's network drives
        "@recently-snapshot",
        "network trash folder",  # Apple's file sharing, as the next one
        "thevolumesettingsfolder",
    }
)
_FILES = frozenset(
    {
        "thumbs.db",  # Windows: thumbnails
        "thumbs.db:encryptable",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",  # Windows: how a folder is shown
        "icon\r",  # macOS: the picture of a folder
        "picasa.ini",
    }
)
_FILE_ENDINGS = (
    ".aae",  # Apple Photos: edits of the image beside it
    ".xmp",  # Adobe and others: edits and keywords of the image beside it
    ":zone.identifier",  # Windows: where a file was downloaded from, once it is copied to Linux
)

# The last characters of all of them. They rule out nearly every name, at little cost: folders hold a hundred
# thousand.
_LAST = 4
_SUSPECTS = frozenset(name[-_LAST:] for name in (*_FILES, *_FILE_ENDINGS))


def without_leftover_folders(names: list[str]) -> list[str]:
    """Return the names of folders that are not leftovers."""
    return [name for name in names if name.lower() not in _FOLDERS]


def without_leftover_files(names: list[str]) -> list[str]:
    """Return the names of files that are not leftovers."""
    return [name for name in names if name[-_LAST:].lower() not in _SUSPECTS or not _is_leftover(name)]


def _is_leftover(name: str) -> bool:
    return name.lower() in _FILES or name.lower().endswith(_FILE_ENDINGS)
