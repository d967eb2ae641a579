"""PNG and JPEG bytes to pixels, as TensorFlow operations: a request of them is a fifth of one of numbers."""

from __future__ import annotations

import tensorflow as tf

from kerasseg.serving import exif

PNG = b"\x89PNG\r\n\x1a\n"
DEPTH_AT = 24  # in a PNG: 8 bytes of signature, 8 of the header's start, 4 of width, 4 of height


def any_deep(image_bytes: tf.Tensor) -> tf.Tensor:
    """Tell whether one of the images (B,) has 16 bits a channel; a PNG's header says so, a JPEG never has."""
    start = tf.strings.join([tf.strings.substr(image_bytes, 0, DEPTH_AT + 1), b" " * (DEPTH_AT + 1)])
    signature, depth = tf.strings.substr(start, 0, 4), tf.strings.substr(start, DEPTH_AT, 1)
    return tf.reduce_any((signature == b"\x89PNG") & (depth == b"\x10"))


def decode(image_bytes: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Decode images of one size.

    Parameters
    ----------
    image_bytes : tf.Tensor
        (B,) of PNG or JPEG files, in any mixture.
    dtype : {tf.uint8, tf.uint16}
        Wanted; 8 bits among 16 are multiplied by 257, so that white stays white.

    Returns
    -------
    tf.Tensor
        (B, Y, X, C). Upright, as EXIF says; palettes become colours. The request fails where
        bytes are no image, or where sizes or channels differ.
    """
    first = tf.shape(_decode(image_bytes[0], dtype))

    def alike(one: tf.Tensor) -> tf.Tensor:
        image = _decode(one, dtype)
        message = (
            "the images of one request must have the same size and channels; send others apart from them"
        )
        tf.debugging.assert_equal(tf.shape(image), first, message)
        return image

    return tf.map_fn(alike, image_bytes, fn_output_signature=tf.TensorSpec((None, None, None), dtype))


def _decode(one: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    is_png = tf.strings.substr(tf.strings.join([one, b" " * len(PNG)]), 0, len(PNG)) == PNG
    message = "expected a PNG or a JPEG; send other pixels as numbers"
    with tf.control_dependencies([tf.debugging.assert_equal(is_png | tf.io.is_jpeg(one), True, message)]):
        one = tf.identity(one)
    image = tf.cond(
        tf.io.is_jpeg(one), lambda: _decode_jpeg(one, dtype), lambda: tf.io.decode_png(one, dtype=dtype)
    )
    return exif.upright(image, exif.orientation(one))


def _decode_jpeg(one: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Decode as other libraries do by default; TensorFlow's own default is faster, and off by up to 3."""
    image = tf.io.decode_jpeg(one, dct_method="INTEGER_ACCURATE")
    return image if dtype == tf.uint8 else tf.cast(image, dtype) * 257
