"""16-bit samples of which fewer bits are used come out as the same image in 8 bits does."""

from __future__ import annotations

import io
import logging

import numpy as np
import pytest
from PIL import Image

from retraining.data import images, sample_depth
from retraining.data.sample_depth import SHALLOW
from retraining.errors import BadImage
from tests import deep_images, image_files
from tests.deep_images import grey_8_bits, grey_tiff, in_bits, packed_12_bits, tiff

GREY = grey_8_bits()
DEEP = in_bits(GREY, 12)
OME = '<?xml version="1.0"?><OME><Image><Pixels Type="uint16" SignificantBits="12"/></Image></OME>'


def channels(*values: np.ndarray | int) -> np.ndarray:
    return np.stack(np.broadcast_arrays(DEEP, *values)[1:], axis=-1).astype(np.uint16)


def png(*values: np.ndarray | int, sbit: bytes = b"") -> bytes:
    return deep_images.png(channels(*values), sbit=sbit)


def red(content: bytes, significant_bits: int | None = None) -> np.ndarray:
    return np.asarray(images.upright(content, significant_bits=significant_bits))[..., 0]


RECORDED = {
    "PNG, sBIT, stored as they are": png(DEEP, sbit=b"\x0c"),
    "PNG, sBIT, with alpha": png(DEEP, 4095, sbit=b"\x0c\x0c"),
    "PNG, sBIT, colours": png(DEEP, DEEP, DEEP, sbit=b"\x0c\x0c\x0c"),
    "PNG, sBIT, colours with alpha": png(DEEP, DEEP, DEEP, 65535, sbit=b"\x0c\x0c\x0c\x10"),
    "TIFF, MaxSampleValue": grey_tiff(DEEP, tag_281=4095),
    "TIFF, SMaxSampleValue": grey_tiff(DEEP.astype(np.int32), tag_341=4095),
    "TIFF, OME-XML": grey_tiff(DEEP, tag_270=OME),
    "TIFF, packed": tiff(packed_12_bits(DEEP), size=(16, 16), bits=12),
}
UNRECORDED = {
    "PNG": png(DEEP),
    "PNG, alpha": png(DEEP, 4095),
    "PNG, alpha of 16 bits": png(DEEP, 65535),
    "PNG, colours": png(DEEP, DEEP, DEEP),
    "PNG, colours with alpha": png(DEEP, DEEP, DEEP, 4095),
    "TIFF": grey_tiff(DEEP),
    "TIFF, big-endian": tiff(DEEP.astype(">u2").tobytes(), size=(16, 16), order=">"),
    "TIFF, signed": tiff(DEEP.astype("<i2").tobytes(), size=(16, 16), kind=2),
    "TIFF, 32 bits": grey_tiff(DEEP.astype(np.int32)),
    "TIFF, LZW": image_files.encoded(Image.fromarray(DEEP), "TIFF", compression="tiff_lzw"),
    "TIFF, the largest value of this very image": grey_tiff(np.minimum(DEEP, 4011), tag_281=4011),
    "TIFF, the default of MaxSampleValue": grey_tiff(DEEP, tag_281=65535),
    "TIFF, a record that the values contradict": grey_tiff(DEEP, tag_281=1023),
}
FULL = {
    "PNG, sBIT, shifted up": png(DEEP << 4, sbit=b"\x0c"),
    "PNG, sBIT, highest bits repeated below": png(DEEP << 4 | DEEP >> 8, sbit=b"\x0c"),
    "PNG, sBIT, scaled and rounded": png(np.round(DEEP * (65535 / 4095)), sbit=b"\x0c"),
    "PNG, sBIT of all bits": png(in_bits(GREY, 16), sbit=b"\x10"),
    "PNG, sBIT, colours": png(*[in_bits(GREY, 16)] * 3, sbit=b"\x0c\x0c\x0c"),
}


@pytest.mark.parametrize("kind", RECORDED)
def test_bits_that_the_file_records_are_used(kind: str) -> None:
    assert images.depth(RECORDED[kind]).recorded == 12
    np.testing.assert_array_equal(red(RECORDED[kind]), GREY)
    np.testing.assert_array_equal(red(RECORDED[kind], significant_bits=14), GREY)


@pytest.mark.parametrize("kind", UNRECORDED)
def test_bits_that_no_file_records_are_those_of_the_data_set(kind: str) -> None:
    depth = images.depth(UNRECORDED[kind])
    assert depth.recorded is None
    assert depth.largest in (4095, 4011)
    np.testing.assert_allclose(
        red(UNRECORDED[kind], significant_bits=12), GREY, atol=6 if "this" in kind else 0
    )
    assert not np.array_equal(red(UNRECORDED[kind]), GREY)


@pytest.mark.parametrize("kind", FULL)
def test_values_that_were_scaled_up_from_fewer_bits_use_all(kind: str) -> None:
    assert images.depth(FULL[kind]).recorded == 16
    np.testing.assert_allclose(red(FULL[kind], significant_bits=12), GREY, atol=1)


def test_dark_image_that_was_scaled_up_stays_dark() -> None:
    dark = png((DEEP >> 5) << 4, sbit=b"\x0c")
    assert images.depth(dark).recorded == 16
    assert red(dark).max() == 7


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_every_depth_comes_out_as_the_same_image_in_8_bits(bits: int) -> None:
    np.testing.assert_array_equal(red(grey_tiff(in_bits(GREY, bits)), significant_bits=bits), GREY)


def test_all_16_bits_are_read_as_before_there_was_a_choice() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(red(grey_tiff(values)), values // 257)
    np.testing.assert_array_equal(red(deep_images.png(values[..., np.newaxis].repeat(3, 2))), values >> 8)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_image_of_8_bits_has_nothing_to_choose(mode: str, kind: str) -> None:
    content = image_files.encoded(Image.new(mode, (8, 8), "white"), kind)
    assert images.depth(content) == SHALLOW
    assert images.identity(content, 12) == images.digest(content)


@pytest.mark.parametrize("content", [RECORDED["PNG, sBIT, colours"][:80], b"II*\0"])
def test_damaged_file_has_the_reason_that_decoding_gives(content: bytes) -> None:
    with pytest.raises(BadImage) as decoding:
        images.upright(content)
    with pytest.raises(BadImage) as caught:
        images.depth(content)
    assert str(caught.value) == str(decoding.value)


@pytest.mark.parametrize("bits", [10, 14])
def test_packed_bits_that_are_not_read_are_not_called_damaged(bits: int) -> None:
    with pytest.raises(BadImage) as caught:
        images.upright(tiff(bytes(400), size=(16, 16), bits=bits))
    assert str(caught.value) == "has pixels of a kind that is not read; save it with 8 or 16 bits"


def test_camera_held_sideways_is_turned_upright() -> None:
    wide = DEEP[:4]
    turned = Image.fromarray(np.rot90(wide))
    exif = Image.Exif()
    exif[0x0112] = 6
    content = image_files.encoded(turned, "PNG", exif=exif)
    np.testing.assert_array_equal(red(content, significant_bits=12), GREY[:4])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (grey_tiff(DEEP), "has values up to 4,095, but 10 significant bits hold at most 1,023"),
        (grey_tiff(DEEP.astype(np.int32) - 9), "has values down to -9, and nothing says which is black"),
        (grey_tiff(DEEP.astype(np.int32) * 99), "has values up to 405,405, and nothing says which is white"),
    ],
)
def test_values_that_cannot_be_placed_are_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage) as caught:
        images.upright(content, significant_bits=10)
    assert str(caught.value) == reason


def test_pillow_image_uses_the_bits_of_the_data_set() -> None:
    for image in (Image.fromarray(DEEP), Image.open(io.BytesIO(UNRECORDED["TIFF, big-endian"]))):
        np.testing.assert_array_equal(np.asarray(images.from_pillow(image, 12))[..., 0], GREY)


def test_identity_differs_when_pixels_do() -> None:
    content = UNRECORDED["TIFF"]
    assert images.identity(content, None) == images.identity(content, 16) == images.digest(content)
    assert len({images.identity(content, bits) for bits in (None, 12, 14)}) == 3
    recorded = RECORDED["TIFF, MaxSampleValue"]
    assert images.identity(recorded, None) == images.identity(recorded, 14) != images.digest(recorded)


@pytest.mark.parametrize(
    ("largest", "line"),
    [
        (
            [255, 4011, 900],
            "3 16-bit images do not record how many of their bits are used; the largest value in them is 4,011, "
            "so they are read as 12-bit.",
        ),
        (
            [1024],
            "1 16-bit image does not record how many of its bits are used; the largest value in it is 1,024, so "
            "it is read as 12-bit.",
        ),
        (
            [12] * 1200,
            "1,200 16-bit images do not record how many of their bits are used; the largest value in them is 12, "
            "so they are read as 8-bit.",
        ),
        (
            [4095, 16384],
            "2 16-bit images do not record how many of their bits are used; the largest value in them is 16,384, "
            "so they are read as 16-bit.",
        ),
    ],
)
def test_decision_takes_the_largest_value_of_all_and_is_said(
    largest: list[int], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        bits = sample_depth.decided(largest)
    assert caplog.messages == [line]
    assert line.endswith(f"as {bits}-bit.")
