"""Lists of images, for data sets that are no folders: the path and the label of each, and perhaps its set."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from retraining.data.split import Split
from retraining.errors import BadRequest, Message
from retraining.settings.kinds import MOST_BITS

SHOWN_CHARACTERS = 200  # of a text from a list: it may be of any length


class Known(NamedTuple):
    """What an earlier run found out about a file: with it, its feature vector is found without opening it.

    `digest` is the SHA-256 of the file, and `bits` is how many bits of its 16-bit samples are used. They are
    `decided` if the file does not record that, and all images together have told.
    """

    digest: bytes
    bits: int = MOST_BITS
    decided: bool = False

    def identity(self, significant_bits: int | None) -> bytes:
        """Return the image's `sample_depth.identity`, if files that do not record it use so many bits."""
        from retraining.data import sample_depth  # slow to import, and not needed for help

        bits = significant_bits if self.decided and significant_bits is not None else self.bits
        return sample_depth.identity(self.digest, bits)


class ListedImage(NamedTuple):
    """A line of a list: a file, its label, the set that the list puts it in, and what is known of it."""

    file: str
    label: str
    split: Split | None = None
    known: Known | None = None


class BadLine(BadRequest):
    """A line of a list that cannot be used: its `number`, from 1, and the reason."""

    @classmethod
    def because(cls, number: int, reason: Message) -> BadLine:
        """Return the error for a line; the reason completes "line 12 ..."."""
        return cls("line {number:,} {reason}", number=number, reason=reason)

    @property
    def number(self) -> int:
        """The number of the line, from 1."""
        number: int = self.message.values["number"]  # type: ignore[assignment]
        return number


def shown(text: str) -> str:
    """Return a text from a list as a message shows it: only its beginning, if it is long."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def to_json(image: ListedImage) -> str:
    """Return an image as a line of JSON, without the line break."""
    fields: dict[str, Any] = {"path": image.file, "label": image.label}
    if image.split is not None:
        fields["set"] = image.split.value
    if image.known is not None:
        fields["sha256"] = image.known.digest.hex()
        if image.known.decided:
            fields["significant_bits"] = image.known.bits
        elif image.known.bits != MOST_BITS:
            fields["bits"] = image.known.bits
    return as_json(fields)


def as_json(fields: dict[str, Any]) -> str:
    """Return an object as a line of JSON that can be written in UTF-8: a name may hold bytes that are not."""
    text = json.dumps(fields, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(fields)
    return text
