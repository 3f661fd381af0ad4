"""A whole list of images, read and checked; and its images in the order and the sets of a folder."""

from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import gc
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from retraining.data import list_format
from retraining.data.image_list import BadLine, Known, ListedImage, shown
from retraining.data.list_format import LineFormat
from retraining.data.split import Split, split_names
from retraining.errors import BadRequest, Message, setting_named
from retraining.progress import byte_progress
from retraining.settings.data import HeldOut, SplitSettings

_NAMED_LINES = 10  # at most so many bad lines are named
_LINES_AT_ONCE = 4096
_LOOKED_FOR = 10  # files, of which one must be there
_TRAINING = Split.TRAINING

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Listing:
    """The images of a list, column by column, since there may be millions; `labels` are sorted.

    `classes` are indices of `labels`; `splits` are the sets that the list gives, None where it gives none.
    """

    path: Path
    labels: tuple[str, ...]
    files: list[str]
    classes: list[int]
    splits: list[Split | None]
    known: list[Known | None]
    lines: array.array[int]  # their numbers in the list


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """Keep Python from looking for garbage, again and again, among the millions of tuples of a list."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class SetRule(NamedTuple):
    """How the images of a list come into sets: which are cut, and the percentages that are cut off from them.

    These are the images without a set or, if the list gives all images one, those of the training set.
    """

    is_cut: Split | None
    to_cut: HeldOut

    def splits(self, files: Sequence[str], given: Sequence[Split | None]) -> list[Split]:
        """Return the set of each image, by its file and the set that the list gives."""
        rows = [row for row, split in enumerate(given) if split is None or split is self.is_cut]
        names = [os.path.basename(files[row]) for row in rows]  # noqa: PTH119 - a million of them
        cut = split_names(
            names,
            validation_percentage=self.to_cut.validation,
            testing_percentage=self.to_cut.testing,
        )
        found = [split or _TRAINING for split in given]
        for row, split in zip(rows, cut, strict=True):
            found[row] = split
        return found


def read(path: Path) -> Listing:
    """Return the images of a list, those that it repeats only once. Paths in it are relative to its folder.

    Raises BadRequest if it cannot be read, and for bad lines, with the numbers of the first ones.
    """
    listing = _without_repeats(_read(path))
    check_labels(path, listing.labels)
    return listing


def check_labels(path: Path | str, labels: Sequence[str]) -> None:
    """Raise BadRequest unless the list at `path` has at least two labels."""
    if len(labels) < 2:
        raise BadRequest(
            "{image_list} needs at least two labels; '{path}' has {found}. Add images of another class.",
            path=path,
            found=f"only '{labels[0]}'" if labels else "none",
        )


def check_files(listing: Listing) -> None:
    """Raise BadRequest if images whose vectors are not known yet cannot be opened from here.

    Only the first files are looked for: a list that is in the wrong folder has none of them.
    """
    unknown = [row for row, known in enumerate(listing.known) if known is None]
    for row in unknown:
        if list_format.is_elsewhere(listing.files[row]):
            raise BadRequest(
                "{image_list} '{path}' has images that are not on this computer, first '{file}' in line "
                "{line:,}. Give it to python -m retraining.distribute, which writes a list with which they "
                "need not be here.",
                path=listing.path,
                file=shown(listing.files[row]),
                line=listing.lines[row],
            )
    first = unknown[:_LOOKED_FOR]
    if first and not any(os.path.exists(listing.files[row]) for row in first):  # noqa: PTH110 - also a broken path
        raise BadRequest(
            "{image_list} '{path}' names files that are not there, first '{file}' in line {line:,}. Correct "
            "the paths: they are relative to the folder of the list.",
            path=listing.path,
            file=shown(listing.files[first[0]]),
            line=listing.lines[first[0]],
        )


def set_rule(path: Path | str, counts: Mapping[Split | None, int], settings: SplitSettings) -> SetRule:
    """Return how images come into sets, given how many have each set in the list at `path`, None for no set.

    Logs it, if the list gives sets. Raises BadRequest if one of them was given a percentage, since that would
    be ignored.
    """
    given = {split for split in (Split.VALIDATION, Split.TESTING) if counts.get(split)}
    for split in given:
        _check_not_given(path, split, settings)
    is_cut = None if counts.get(None) else Split.TRAINING
    held_out = settings.held_out
    to_cut = HeldOut(
        testing=0 if Split.TESTING in given else held_out.testing,
        validation=0 if Split.VALIDATION in given else held_out.validation,
    )
    if any(counts.get(split) for split in Split):
        log.info("%s", _described(path, counts, to_cut))
    return SetRule(is_cut, to_cut)


def decided_bits(listing: Listing) -> int | None:
    """Return how many bits are used in 16-bit images that do not record it, if the list knows of such."""
    # Of lists that were put together, each may have fewer: the largest number is enough for all.
    decided = {known.bits for known in listing.known if known is not None and known.decided}
    return max(decided, default=None)


def in_order_of_folders(listing: Listing) -> list[int]:
    """Return the rows by class, folder and name, as a walk through the folders would find the files."""
    by_class: list[list[int]] = [[] for _ in listing.labels]
    for row, label in enumerate(listing.classes):
        by_class[label].append(row)
    files = listing.files
    # Class by class, so that only the keys of one class take memory at a time.
    return [row for rows in by_class for row in sorted(rows, key=lambda row: _place(files[row]))]


def _place(file: str) -> str:
    """Return what sorts files as a walk does: those of a folder by name, then its sub-folders by name."""
    folder, _, name = file.rpartition("/")
    return f"{folder.replace('/', _ENDS + _IS_FOLDER)}{_ENDS}{_IS_FILE}{name}"


# No name has the first of these in it, so no name is sorted between a folder and what is in it.
_ENDS, _IS_FILE, _IS_FOLDER = "\0", "\0", "\1"


class BadLines:
    """The bad lines of a list: how many there are, and the first of them."""

    def __init__(self) -> None:
        self._first: list[BadLine] = []
        self._count = 0

    def add(self, error: BadLine) -> None:
        """Add one."""
        self._count += 1
        if len(self._first) < _NAMED_LINES:
            self._first.append(error)

    def check(self, path: Path | str) -> None:
        """Raise BadRequest if there are any in the list at `path`."""
        if not self._count:
            return
        reasons = [str(error) for error in self._first]
        if self._count > len(reasons):
            reasons.append(f"and {self._count - len(reasons):,} more")
        raise BadRequest(
            "{image_list} '{path}' has {lines} that cannot be used: {reasons}. Correct or remove {them}.",
            path=path,
            lines="1 line" if self._count == 1 else f"{self._count:,} lines",
            reasons="; ".join(reasons),
            them="it" if self._count == 1 else "them",
        )


class _Reading:
    """The columns of a list while its lines are read, and the lines that are bad."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}  # of the labels, in the order in which they came
        self.files: list[str] = []
        self.classes: list[int] = []
        self.splits: list[Split | None] = []
        self.known: list[Known | None] = []
        self.lines = array.array("q")
        self.bad = BadLines()

    def add(self, image: ListedImage, line: int) -> None:
        self.files.append(image.file)
        self.classes.append(self.numbers.setdefault(image.label, len(self.numbers)))
        self.splits.append(image.split)
        self.known.append(image.known)
        self.lines.append(line)

    def listing(self, path: Path) -> Listing:
        """Return the columns, with the labels sorted."""
        labels = tuple(sorted(self.numbers))
        place = {label: number for number, label in enumerate(labels)}
        sorted_number = [place[label] for label in self.numbers]
        classes = [sorted_number[number] for number in self.classes]
        return Listing(path, labels, self.files, classes, self.splits, self.known, self.lines)


def _read(path: Path) -> Listing:
    reading = _Reading()
    with _opened(path) as file:
        head = file.read(list_format.HEAD_BYTES)
        format_ = list_format.recognized(head, list_name=str(path), folder=_folder_of(path))
        file.seek(format_.beginning.bytes)
        for number, line in enumerate(_lines(file), start=format_.beginning.lines + 1):
            _read_line(reading, format_, line, number)
    reading.bad.check(path)
    return reading.listing(path)


def _read_line(reading: _Reading, format_: LineFormat, line: bytes, number: int) -> None:
    try:
        image = format_.image(line, number)
    except BadLine as error:
        reading.bad.add(error)
    else:
        if image is not None:
            reading.add(image, number)


def _folder_of(path: Path) -> str:
    return "" if path.parent == Path() else str(path.parent)


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise BadRequest(
            "{image_list} must be a file that lists images; '{path}' {found}.",
            path=path,
            found="is not a file" if path.exists() else "does not exist",
        )
    try:
        return path.open("rb")
    except OSError as error:
        raise BadRequest(
            "{image_list} '{path}' cannot be read: {reason}.", path=path, reason=error.strerror
        ) from error


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, while a progress bar shows how far it has been read."""
    begun = file.tell()
    with byte_progress(os.fstat(file.fileno()).st_size - begun, task="List") as bar:
        waiting = 0
        for number, line in enumerate(file):
            yield line
            waiting += len(line)
            if number % _LINES_AT_ONCE == 0:
                bar.update(waiting)
                waiting = 0
        bar.update(waiting)


def _without_repeats(listing: Listing) -> Listing:
    """Return a list with each file once, and what any of its lines knows of it.

    Raises BadRequest if lines about a file contradict each other.
    """
    if len(set(listing.files)) == len(listing.files):
        return listing
    first: dict[str, int] = {}
    known = list(listing.known)
    bad = BadLines()
    for row, file in enumerate(listing.files):
        earlier = first.setdefault(file, row)
        known[earlier] = known[earlier] or known[row]
        other = _other(listing, earlier, row) or _other_known(known[earlier], known[row])
        if other:
            line, earlier_line = listing.lines[row], listing.lines[earlier]
            bad.add(contradiction(line, file, other, earlier=earlier_line))
    bad.check(listing.path)
    repeats = len(listing.files) - len(first)
    log.warning(
        "%s of '%s' that %s others %s left out.",
        "1 line" if repeats == 1 else f"{repeats:,} lines",
        listing.path,
        "repeats" if repeats == 1 else "repeat",
        "is" if repeats == 1 else "are",
    )
    return _only(dataclasses.replace(listing, known=known), first.values())


def _only(listing: Listing, rows: Iterable[int]) -> Listing:
    """Return a list with these rows, which are of all labels."""
    kept = list(rows)
    return Listing(
        listing.path,
        listing.labels,
        files=[listing.files[row] for row in kept],
        classes=[listing.classes[row] for row in kept],
        splits=[listing.splits[row] for row in kept],
        known=[listing.known[row] for row in kept],
        lines=array.array("q", (listing.lines[row] for row in kept)),
    )


def _other(listing: Listing, earlier: int, row: int) -> str:
    """Return what two lines about a file say differently; nothing if they do not."""
    if listing.classes[earlier] != listing.classes[row]:
        return "label"
    return "set" if listing.splits[earlier] != listing.splits[row] else ""


def _other_known(earlier: Known | None, known: Known | None) -> str:
    """Return in what two lines know different things of a file; nothing if one of them knows nothing."""
    if earlier is None or known is None or earlier == known:
        return ""
    return "sha256" if earlier.digest != known.digest else "number of bits"


def contradiction(line: int, file: str, what: str, *, earlier: int) -> BadLine:
    """Return the error for a line that gives a file another label, set or the like than an `earlier` one."""
    message = Message(
        "gives '{file}' another {what} than line {earlier:,}", file=shown(file), what=what, earlier=earlier
    )
    return BadLine.because(line, message)


def _check_not_given(path: Path | str, split: Split, settings: SplitSettings) -> None:
    name = f"{split.value}_percentage"
    percentage: float | None = getattr(settings, name)
    if percentage is not None:
        raise BadRequest(
            "{percentage} must be left out where the list says which the {split} images are, as '{path}' "
            "does; received {given:g}. Leave it out, or leave the sets out of the list.",
            percentage=setting_named(name),
            given=percentage,
            split=split.value,
            path=path,
        )


def _described(path: Path | str, counts: Mapping[Split | None, int], to_cut: HeldOut) -> str:
    """Return a sentence or two that say which images are which set."""
    given = ", ".join(f"{counts[split]:,} {split.value}" for split in Split if counts.get(split))
    sentence = f"Using the sets in '{path}' as the split: {given} images."
    cut = {"validation": to_cut.validation, "testing": to_cut.testing}
    parts = [f"{percentage:g}% for {name}" for name, percentage in cut.items() if percentage]
    without = counts.get(None, 0)
    group = f"Images without a set ({without:,})" if without else "Training images"
    if not without and not (parts and counts.get(Split.TRAINING)):
        return sentence
    parts.append("the rest for training" if parts else "all for training")
    return f"{sentence} {group}: {', '.join(parts)}."


def counted(splits: Iterable[Split | None]) -> Mapping[Split | None, int]:
    """Return how many images have each set in a list, None for no set."""
    return collections.Counter(splits)
