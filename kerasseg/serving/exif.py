"""Which way is up in the bytes of a JPEG or a PNG, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

from kerasseg.images.headers import BACKWARDS, TAG, TURNED

APP1, START_OF_SCAN, END_OF_IMAGE, FILL = 0xE1, 0xDA, 0xD9, 0xFF
SHORT, LONG = 3, 4  # TIFF's types of numbers
UPRIGHT = 1


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn an image (Y, X, C) upright, as `kerasseg.images.headers.upright`."""
    turned = tf.cond(_among(orientation, TURNED), lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    for number, axis in enumerate("YX"):
        backwards = _among(orientation, [value for value, axes in BACKWARDS.items() if axis in axes])
        turned = _reversed_if(backwards, turned, number)
    return tf.ensure_shape(turned, (None, None, None))


def _reversed_if(backwards: tf.Tensor, image: tf.Tensor, axis: int) -> tf.Tensor:
    return tf.cond(backwards, lambda: tf.reverse(image, [axis]), lambda: image)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)  # traced once for all callers
def orientation(content: tf.Tensor) -> tf.Tensor:
    """Read EXIF's orientation, 1 to 8, from one file's bytes; 1 where there is none or it is broken.

    EXIF is a little TIFF: in a JPEG it stands in a segment APP1, in a PNG in a chunk eXIf before the pixels.
    """
    data = tf.io.decode_raw(content, tf.uint8)
    start = tf.cond(tf.io.is_jpeg(content), lambda: _in_jpeg(data), lambda: _in_png(data))
    return tf.cond(start > 0, lambda: _of_tiff(data[start:]), lambda: tf.constant(UPRIGHT, tf.int64))


def _in_jpeg(data: tf.Tensor) -> tf.Tensor:
    """Walk from segment to segment; give where EXIF's TIFF starts, or 0."""

    def is_exif(at: tf.Tensor) -> tf.Tensor:
        return (_byte(data, at + 1) == APP1) & _spells(data, at + 4, b"Exif\0\0")

    def goes_on(at: tf.Tensor) -> tf.Tensor:
        ends = _among(_byte(data, at + 1), (START_OF_SCAN, END_OF_IMAGE))
        return (_byte(data, at) == FILL) & ~ends & ~is_exif(at)

    def following(at: tf.Tensor) -> tf.Tensor:
        length = tf.maximum(_number(data, at + 2, 2, big_endian=True), 2)
        return tf.where(_byte(data, at + 1) == FILL, at + 1, at + 2 + length)

    (at,) = tf.while_loop(goes_on, lambda at: (following(at),), (tf.constant(2, tf.int64),))
    return tf.where(is_exif(at), at + 10, 0)


def _in_png(data: tf.Tensor) -> tf.Tensor:
    """Walk from chunk to chunk; give where EXIF's TIFF starts, or 0."""

    def goes_on(at: tf.Tensor) -> tf.Tensor:
        found = _spells(data, at + 4, b"eXIf") | _spells(data, at + 4, b"IDAT")
        return (at < tf.size(data, tf.int64)) & ~found

    def following(at: tf.Tensor) -> tf.Tensor:
        return at + 12 + _number(data, at, 4, big_endian=True)

    (at,) = tf.while_loop(goes_on, lambda at: (following(at),), (tf.constant(8, tf.int64),))
    return tf.where(_spells(data, at + 4, b"eXIf"), at + 8, 0)


def _of_tiff(data: tf.Tensor) -> tf.Tensor:
    """Look for the tag in the first directory: entries of 12 bytes, tag, type, count and value."""
    big_endian = _spells(data, 0, b"MM\0*")
    directory = _number(data, 4, 4, big_endian)
    count = tf.minimum(_number(data, directory, 2, big_endian), tf.size(data, tf.int64) // 12)
    entries = directory + 2 + 12 * tf.range(count)
    tags = tf.map_fn(lambda at: _number(data, at, 2, big_endian), entries)
    entry = tf.reduce_max(tf.where(tags == TAG, entries, 0))
    kind, numbers = _number(data, entry + 2, 2, big_endian), _number(data, entry + 4, 4, big_endian)
    value = tf.where(
        kind == SHORT, _number(data, entry + 8, 2, big_endian), _number(data, entry + 8, 4, big_endian)
    )
    stands_here = (numbers > 0) & (
        numbers * tf.where(kind == SHORT, tf.constant(2, tf.int64), 4) <= 4
    )  # and not at an offset
    sound = (big_endian | _spells(data, 0, b"II*\0")) & (entry > 0) & stands_here
    return tf.where(sound & _among(kind, (SHORT, LONG)) & _among(value, BACKWARDS), value, UPRIGHT)


def _byte(data: tf.Tensor, at: tf.Tensor | int) -> tf.Tensor:
    """Give one byte, 0 beyond the end."""
    return tf.reduce_sum(tf.cast(data[at : at + 1], tf.int64))


def _number(data: tf.Tensor, at: tf.Tensor | int, length: int, big_endian: tf.Tensor | bool) -> tf.Tensor:
    places = range(length)
    big = sum(_byte(data, at + place) * 256 ** (length - 1 - place) for place in places)
    little = sum(_byte(data, at + place) * 256**place for place in places)
    return tf.where(big_endian, big, little)


def _spells(data: tf.Tensor, at: tf.Tensor | int, text: bytes) -> tf.Tensor:
    return tf.reduce_all([_byte(data, at + place) == letter for place, letter in enumerate(text)])


def _among(value: tf.Tensor, values: Iterable[int]) -> tf.Tensor:
    return tf.reduce_any(value == tf.constant(list(values), value.dtype))
