"""A stack becomes a table, crops and pictures: the same from any file, in any number of runs."""

import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from kerasseg.cli.main import app
from kerasseg.errors import Notice, UserError
from kerasseg.images import files
from kerasseg.nuclei import extract as extraction
from kerasseg.nuclei import table
from kerasseg.nuclei.extract import Settings, extract
from kerasseg.nuclei.journal import NAME as JOURNAL

SETTINGS = Settings(diameter="40", crop="64")


@pytest.fixture
def volume(discs):
    """Five slices of two discs that move to the right, one of them cut by the upper border."""
    return np.stack([discs((60, 50 + 4 * z, 20), (4, 140 + 3 * z, 20)) for z in range(5)])


@pytest.fixture
def stack(tmp_path, volume):
    for z, plane in enumerate(volume):
        files.write(tmp_path / "stack" / f"s{z + 1}.tif", plane)
    return tmp_path / "stack"


def results(out):
    return {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_what_appears(stack, volume, tmp_path):
    out = tmp_path / "out"
    extract(stack, out, SETTINGS)
    rows = table.read(out / "nuclei.csv")
    assert [(row.nucleus, row.sighting.slice) for row in rows] == [(n, z) for n in (1, 2) for z in range(5)]
    assert [row.sighting.touches_border for row in rows] == [True] * 5 + [False] * 5
    for row in rows:
        y, x = row.crop
        crop = files.read(out / f"images/nucleus_{row.nucleus:04}/z{row.sighting.slice:04}.tif")[..., 0]
        assert_array_equal(crop, volume[row.sighting.slice, y : y + 64, x : x + 64])
    assert (out / "nuclei.jpg").is_file()
    assert sorted(path.name for path in (out / "sheets").iterdir()) == [
        "nucleus_0001.jpg",
        "nucleus_0002.jpg",
    ]
    assert sorted(path.name for path in (out / "found").iterdir()) == [f"z000{z}.jpg" for z in range(5)]
    assert not list(out.rglob(".*"))


def test_crops_of_a_nucleus_are_a_folder_for_split_group_by(stack, tmp_path):
    from kerasseg.data.sources.images_masks import images_masks

    out = tmp_path / "out"
    extract(stack, out, SETTINGS)
    for path in (out / "images").rglob("*.tif"):
        files.write(
            out / "masks" / path.relative_to(out / "images").with_suffix(".png"), np.eye(64, dtype=np.uint8)
        )
    samples = images_masks(out, ["nucleolus"])
    assert len(samples) == 10
    assert {sample.attributes["folder"] for sample in samples} == {
        "images/nucleus_0001",
        "images/nucleus_0002",
    }


def test_crops_of_a_nucleus_are_a_volume(stack, tmp_path):
    from kerasseg.images.stores.store import open_store

    extract(stack, tmp_path / "out", SETTINGS)
    with open_store(tmp_path / "out/images/nucleus_0001") as store:
        assert store.shape == (5, 64, 64, 1)


def test_the_same_comes_from_any_file_and_any_chunks(stack, volume, tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", volume, photometric="minisblack", metadata={"axes": "ZYX"})
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file.create_dataset("raw", data=volume, chunks=(3, 32, 64))
    array = zarr.create_array(
        tmp_path / "stack.zarr", shape=volume.shape, chunks=(2, 50, 70), dtype=volume.dtype
    )
    array[...] = volume
    tables = []
    for number, source in enumerate((stack, *(tmp_path / f"stack.{kind}" for kind in ("tif", "h5", "zarr")))):
        out = tmp_path / f"out{number}"
        extract(source, out, Settings(diameter="40", crop="64", axes="ZYX"))
        tables.append({name: content for name, content in results(out).items() if name.name != JOURNAL})
    assert tables[1:] == tables[:1] * 3


def test_one_slice_is_a_stack_too(volume, tmp_path):
    files.write(tmp_path / "slice.png", volume[0])
    extract(tmp_path / "slice.png", tmp_path / "out", SETTINGS)
    assert len(table.read(tmp_path / "out/nuclei.csv")) == 2


def test_a_nucleus_missed_in_a_slice_is_kept_and_cut_out_there_too(stack, volume, tmp_path):
    files.write(stack / "s3.tif", np.full_like(volume[2], 60))
    extract(stack, tmp_path / "out", SETTINGS)
    rows = table.read(tmp_path / "out/nuclei.csv")
    assert [row.sighting.score == 0 for row in rows if row.nucleus == 2] == [False, False, True, False, False]
    assert (tmp_path / "out/images/nucleus_0002/z0002.tif").is_file()


def test_what_is_seen_in_too_few_slices_is_dropped_and_said(stack, volume, discs, tmp_path):
    files.write(stack / "s1.tif", discs((60, 50, 20), (4, 140, 20), (120, 100, 20)))
    with pytest.warns(Notice, match="1 of 3 candidates were seen in fewer than 3 slices and are dropped"):
        extract(stack, tmp_path / "out", SETTINGS)
    assert {row.nucleus for row in table.read(tmp_path / "out/nuclei.csv")} == {1, 2}


def test_sizes_may_be_in_nanometres(volume, tmp_path):
    resolution = {"resolution": (1e4 / 0.008, 1e4 / 0.008), "resolutionunit": "CENTIMETER"}
    for z, plane in enumerate(volume):
        path = tmp_path / f"stack/s{z}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, plane, **resolution)
    extract(tmp_path / "stack", tmp_path / "said", Settings(diameter="320nm", crop="512nm"))
    extract(
        tmp_path / "stack", tmp_path / "given", Settings(diameter="160nm", crop="256nm", pixel_size="4nm")
    )
    extract(tmp_path / "stack", tmp_path / "pixels", SETTINGS)
    said, given, pixels = (
        (tmp_path / name / "nuclei.csv").read_text() for name in ("said", "given", "pixels")
    )
    assert said == given == pixels


def test_a_crop_is_twice_the_diameter_and_fits_networks(stack, tmp_path):
    extract(stack, tmp_path / "out", Settings(diameter="40"))
    assert files.header(tmp_path / "out/images/nucleus_0001/z0000.tif").size == (96, 96)


def test_an_interrupted_extraction_goes_on_and_ends_in_the_same_bytes(stack, tmp_path, monkeypatch):
    extract(stack, tmp_path / "whole", SETTINGS)
    with monkeypatch.context() as patched:
        detect = extraction.detection.detect
        calls = iter(range(100))

        def interrupted(*args, **options):
            if next(calls) == 3:
                raise KeyboardInterrupt
            return detect(*args, **options)

        patched.setattr(extraction.detection, "detect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extract(stack, tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out/nuclei.csv").exists()
    extract(stack, tmp_path / "out", SETTINGS)
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_a_killed_extraction_goes_on_and_ends_in_the_same_bytes(stack, tmp_path):
    extract(stack, tmp_path / "whole", SETTINGS)
    command = (
        f"from kerasseg.cli import main; import sys; sys.argv = ['kerasseg', 'extract', {str(stack)!r}, "
    )
    command += f"{str(tmp_path / 'out')!r}, '--diameter', '40', '--crop', '64']; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for first in ("sightings.jsonl", "images", "sheets"):
        with subprocess.Popen(
            [sys.executable, "-c", command], env=environment, stdout=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and not (tmp_path / "out" / first).exists():
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
    extract(stack, tmp_path / "out", SETTINGS)
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_repeated_it_changes_nothing(stack, tmp_path):
    extract(stack, tmp_path / "out", SETTINGS)
    before = results(tmp_path / "out")
    extract(stack, tmp_path / "out", SETTINGS)
    assert results(tmp_path / "out") == before


def test_another_question_in_the_same_folder_is_refused(stack, tmp_path):
    extract(stack, tmp_path / "out", SETTINGS)
    with pytest.raises(UserError, match="another extraction was begun here") as raised:
        extract(stack, tmp_path / "out", Settings(diameter="44", crop="64"))
    assert "  settings.diameter: '40' then, '44' now" in raised.value.messages


def test_the_papers_preset_has_its_own_sizes(stack, tmp_path):
    extract(stack, tmp_path / "out", Settings(preset="paper"))
    assert table.read(tmp_path / "out/nuclei.csv") == []
    with pytest.raises(
        UserError, match="--preset paper: its numbers are the published ones; leave out --diameter"
    ):
        extract(stack, tmp_path / "out", Settings(preset="paper", diameter="40"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(), "--diameter is missing: say how large a nucleus is"),
        (
            Settings("40", polarity="grey"),
            "--polarity: unknown polarity 'grey': choose one of both, bright, dark",
        ),
        (Settings("40", preset="papr"), "--preset: unknown preset 'papr'.*did you mean 'paper'"),
        (Settings("40", score=2), "--score 2: expected a number above 0"),
        (Settings("40", fewest=0), "--slices 0: expected 1 at least"),
        (
            Settings("4"),
            "--diameter 4: that is 4.0 pixels, and slices are 160 x 200; expected 16 pixels at least",
        ),
        (Settings("900"), "--diameter 900: that is 900.0 pixels"),
        (Settings("320nm"), "--diameter 320nm: the stack does not say how large a pixel is"),
    ],
)
def test_a_mistake_is_answered_and_leaves_nothing(stack, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        extract(stack, tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_a_missing_slice_is_named(stack, tmp_path):
    (stack / "s3.tif").unlink()
    with pytest.raises(UserError, match=r"planes are missing between s2\.tif and s4\.tif"):
        extract(stack, tmp_path / "out", SETTINGS)


def test_an_unequal_slice_is_named(stack, volume, tmp_path):
    files.write(stack / "s3.tif", volume[2, :-1])
    with pytest.raises(
        UserError, match=r"s3\.tif: this plane is 159 x 200 x 1 uint8, most are 160 x 200 x 1"
    ):
        extract(stack, tmp_path / "out", SETTINGS)


def test_results_do_not_lie_among_the_slices(stack):
    with pytest.raises(UserError, match="results cannot lie in the folder of the slices"):
        extract(stack, stack / "out", SETTINGS)


def test_the_verb(stack, tmp_path):
    out = tmp_path / "out"
    run = CliRunner().invoke(app, ["extract", str(stack), str(out), "--diameter", "40", "--crop", "64"])
    assert run.exit_code == 0, run.output
    assert "2 nuclei in 5 slices" in run.output
    asked = json.loads((out / JOURNAL).read_text().splitlines()[0])["settings"]
    assert asked == vars(SETTINGS)
    run = CliRunner().invoke(app, ["extract", str(stack), str(out), "--diameter", "wide"])
    assert run.exit_code == 2
