"""The page about key points: what it says of them, good or bad."""

import numpy as np
import pytest

from kerasseg.compact.rebuilding import rebuild
from kerasseg.compact.selection import select
from kerasseg.report import compaction

ROWS = {
    "key points": ("points", 400, 0.8),
    "JPEG XL": ("same bytes", 410, 0.7),
    "JPEG 2000": ("same bytes", 390, 0.75),
    "PNG": ("lossless", 2000, 1),
    "JPEG XL, lossless": ("lossless", 1000, 1),
    "black": ("trivial", 0, 0.1),
    "1-bit bitmap": ("trivial", 300, 0.5),
}


def sentences(**changes):
    rows = ROWS | {name.replace("_", " "): row for name, row in changes.items()}
    keys = ("group", "bytes", "likeness")
    return " ".join(
        compaction.verdict(
            [{"name": name, **dict(zip(keys, row, strict=True))} for name, row in rows.items()]
        )
    )


def test_good_points_are_called_good():
    assert sentences() == "No codec that was tried is more like the image in as many bytes."


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"JPEG_2000": ("same bytes", 390, 0.9)},
            "In as many bytes JPEG 2000 (0.900) is more like",
        ),
        (
            {"key_points": ("points", 501, 0.8)},
            "JPEG XL, lossless serves you better",
        ),
        (
            {"1-bit_bitmap": ("trivial", 300, 0.85)},
            "A bitmap of one bit a pixel is no less like",
        ),
        ({"black": ("trivial", 0, 0.81)}, "the points are worthless"),
    ],
)
def test_what_is_better_is_named(changes, said):
    assert said in sentences(**changes)


def test_a_page_holds_pictures_sizes_and_tables(tmp_path):
    y, x = np.mgrid[:40, :60]
    plane = np.rint(120 + 80 * np.sin(x / 5) * np.cos(y / 7)).astype(np.uint8)
    points = select(plane, "YX", "hybrid", budget="2%")
    judged = compaction.judge("waves <b>", plane, rebuild(points), points, 321, "As was asked for.")
    assert judged.rows[0]["name"] == "key points"
    assert [row["group"] for row in judged.rows] == sorted(
        (row["group"] for row in judged.rows), key=compaction.GROUPS.index
    )
    page = compaction.write(tmp_path, [judged], 1).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    for text in ("waves &lt;b&gt;", "<b>48</b> points", ">321<", ">98<", "As was asked for.", "gaussian"):
        assert text in page


def test_points_are_drawn_by_their_sign():
    plane = np.full((20, 20), 100, np.uint8)
    plane[5, 5], plane[14, 14] = 250, 0
    points = select(plane, "YX", "grey", budget=2)
    drawn = compaction._drawn_points(points)
    assert drawn[0, 0].tolist() == [255, 255, 255]
    red, blue = drawn[5, 5].astype(int), drawn[14, 14].astype(int)
    assert red[0] > red[2]
    assert blue[2] > blue[0]
