"""Numbers as the bytes that they are in memory, as TensorFlow operations: JSON carries those as base64.

As text, a number is five times as long, and slow to write and to read.
"""

from __future__ import annotations

import tensorflow as tf


def unpack(tiles_bytes: tf.Tensor, size: tf.Tensor, channels: int) -> tf.Tensor:
    """Read tiles.

    Parameters
    ----------
    tiles_bytes : tf.Tensor
        (B,) strings, each the little-endian float32 of a tile (Y, X, C) or (Z, Y, X, C), row after row.
    size : tf.Tensor
        (B, rank) int32, the size of each, such as height and width; they are all the same.
    channels : int
        C.

    Returns
    -------
    tf.Tensor
        (B, ..., C) float32. The request fails where sizes differ, or bytes are not as many as they say.
    """
    message = "the tiles of one request must have the same size; send others apart from them"
    tf.debugging.assert_equal(size, tf.broadcast_to(size[:1], tf.shape(size)), message)
    numbers = tf.io.decode_raw(tiles_bytes, tf.float32)
    shape = tf.concat([tf.shape(tiles_bytes), size[0], [channels]], axis=0)
    return tf.ensure_shape(tf.reshape(numbers, shape), (None, *[None] * size.shape[1], channels))


def pack(probabilities: tf.Tensor) -> tf.Tensor:
    """Write (B, ..., K) float32 as `unpack` reads it: (B,) strings."""
    return tf.map_fn(_bytes, probabilities, fn_output_signature=tf.string)


def _bytes(one: tf.Tensor) -> tf.Tensor:
    """Take the end of a TensorProto, which is its numbers as they are in memory."""
    length = one.dtype.size * tf.size(one)
    return tf.strings.substr(tf.io.serialize_tensor(one), -length, length)
