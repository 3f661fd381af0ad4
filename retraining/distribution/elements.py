"""What flows through the pipeline.

Beam keeps a plain tuple of texts, numbers and bytes in a few bytes of its own, and would pickle any other
object. So these types travel as the tuples that they are.
"""

from __future__ import annotations

from typing import NamedTuple

from retraining.data.image_list import Known, ListedImage
from retraining.data.sample_depth import FULL
from retraining.data.split import Split

Failure = tuple[int, tuple[int, str, str]]
"""The piece of the list that an image is in, and its line there, its file and why it cannot be used."""


class Found(NamedTuple):
    """An image of the list: what reading it told, or in `reason` why it cannot be used.

    `line` is its line in the list, and `split` the name of its set. `bits` is how many bits of its 16-bit
    samples are used; they are `is_decided` if the file does not record that. If all images together have to
    tell, `largest` is the largest value in this one, and otherwise -1.
    """

    piece: int
    line: int
    file: str
    label: str
    split: str
    digest: bytes = b""
    bits: int = FULL
    is_decided: bool = False
    largest: int = -1
    reason: str = ""

    @property
    def known(self) -> Known:
        """What is known of the image once its bits are decided."""
        return Known(self.digest, self.bits, self.is_decided)

    def listed(self) -> ListedImage:
        """Return the image as a line of a list."""
        return ListedImage(self.file, self.label, Split(self.split), self.known)


class Copy(NamedTuple):
    """An image with a content: where it is in the list, and its file."""

    piece: int
    line: int
    file: str

    def failure(self, reason: str) -> Failure:
        """Return that the image cannot be used."""
        return self.piece, (self.line, self.file, reason)


class Wanted(NamedTuple):
    """A vector that is wanted: its key, the content that it is of, and one image (`Copy`) that has it."""

    key: bytes
    digest: bytes
    bits: int
    split: str
    piece: int
    line: int
    file: str

    @property
    def copy(self) -> Copy:
        """The image."""
        return Copy(self.piece, self.line, self.file)


class Missing(NamedTuple):
    """A vector to be computed: its key, the content that it is of, and the first images that have it."""

    key: bytes
    digest: bytes
    bits: int
    split: str
    copies: tuple[tuple[int, int, str], ...]  # each a Copy
