"""Small files in microscopes' own formats, written by their libraries or, where these only read, by hand."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import tifffile

NOISE = np.random.default_rng(0).integers(1, 60000, (2, 3, 20, 30)).astype(np.uint16)  # C, Z, Y, X


def czi(path: Path, scenes: int = 0) -> Path:
    """Write NOISE; of several scenes each lies 100 pixels to the right of the last, and is brighter by 1."""
    from pylibCZIrw.czi import create_czi

    with create_czi(str(path)) as document:
        for number in range(max(1, scenes)):
            for c, z in np.ndindex(NOISE.shape[:2]):
                document.write(
                    NOISE[c, z][..., np.newaxis] + np.uint16(number),
                    plane={"C": c, "Z": z, "T": 0},
                    location=(100 * number, 0),
                    **({"scene": number} if scenes else {}),
                )
        document.write_metadata("a", scale_x=0.25e-6, scale_y=0.5e-6, scale_z=2e-6)
    return path


def lif(path: Path, images: dict[str, np.ndarray]) -> Path:
    """Write volumes (Z, Y, X) uint16, 0.25, 0.5 and 2 micrometres apart."""
    elements, blocks = [], []
    for at, (name, array) in enumerate(images.items()):
        offset, dimensions = 2, []
        for number, (length, step) in enumerate(
            zip(array.shape[::-1], (0.25e-6, 0.5e-6, 2e-6), strict=False), 1
        ):
            dimensions.append(
                f'<DimensionDescription DimID="{number}" NumberOfElements="{length}" Origin="0" '
                f'Length="{step * (length - 1)}" Unit="m" BitInc="0" BytesInc="{offset}"/>'
            )
            offset *= length
        channel = (
            '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" '
            'Min="0" Max="1" Unit="" LUTName="Gray" IsLUTInverted="0" BytesInc="0" BitInc="0"/>'
        )
        elements.append(
            f'<Element Name="{name}"><Data><Image><ImageDescription><Channels>{channel}</Channels>'
            f"<Dimensions>{''.join(dimensions)}</Dimensions></ImageDescription></Image></Data>"
            f'<Memory Size="{array.nbytes}" MemoryBlockID="MemBlock_{at}"/></Element>'
        )
        name_of_block = f"MemBlock_{at}"
        head = struct.pack("<BQBI", 0x2A, array.nbytes, 0x2A, len(name_of_block))
        body = head + name_of_block.encode("utf-16-le")
        blocks.append(struct.pack("<II", 0x70, len(body)) + body + array.astype("<u2").tobytes())
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="file"><Children>'
        f"{''.join(elements)}</Children></Element></LMSDataContainerHeader>"
    )
    body = struct.pack("<BI", 0x2A, len(xml)) + xml.encode("utf-16-le")
    path.write_bytes(struct.pack("<II", 0x70, len(body)) + body + b"".join(blocks))
    return path


def oif(path: Path, array: np.ndarray = NOISE) -> Path:
    """Write (C, Z, Y, X) as a TIFF a plane, in the folder beside, and what is said of them."""
    channels, depth, height, width = array.shape
    axes = {"X": width, "Y": height, "C": channels, "Z": depth}
    lines = [
        "[ProfileSaveInfo]",
        'Name="FLUOVIEW"',
        'Version="1.0"',
        "[Axis Parameter Common]",
        'AxisOrder="XYCZ"',
    ]
    for at in range(8):
        code = "XYCZTALP"[at]
        step = ["Interval=2000.0", 'UnitName="nm"'] if code == "Z" else []
        lines += [
            f"[Axis {at} Parameters Common]",
            f'AxisCode="{code}"',
            f"MaxSize={axes.get(code, 0)}",
            *step,
        ]
    lines += ["[Reference Image Parameter]", "ValidBitCounts=16", "WidthConvertValue=0.25", 'WidthUnit="um"']
    lines += ["HeightConvertValue=0.5", 'HeightUnit="um"']
    path.write_text("\n".join(lines), encoding="utf-16")
    folder = path.with_name(path.name + ".files")
    folder.mkdir()
    for c, z in np.ndindex(array.shape[:2]):
        tifffile.imwrite(folder / f"s_C{c + 1:03}Z{z + 1:03}.tif", array[c, z])
    return path
