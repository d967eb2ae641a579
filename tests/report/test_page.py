"""The page is read as a person or a browser would: by its text, its pictures and its links."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
import yaml

from kerasseg.images.files import write
from kerasseg.metrics.confusion import Confusion, averages
from kerasseg.report import page
from kerasseg.report.page import ranks
from kerasseg.report.template import number


class Reader(HTMLParser):
    """Collect headings, addresses and all text, and refuse tags that do not nest."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.addresses, self.texts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data.strip())

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def read(directory):
    reader = Reader()
    reader.feed(page.write(directory).read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def change(path, **facts):
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def test_counts_and_sizes_of_predicted_objects_are_drawn(finished_run):
    counts = json.loads((finished_run / "metrics.json").read_text())["instances"]["classes"]["cell"]
    page = read(finished_run)
    assert "Counts and sizes" in page.headings
    assert f"cell: {counts['predicted_objects']} predicted in all" in page.text
    (finished_run / "predictions" / "objects.csv").unlink()
    assert "Counts and sizes" not in read(finished_run).headings


def test_a_network_in_int8_has_its_scores_beside_the_full_ones(finished_run):
    facts = {
        "weights": "ab",
        "scores": {
            "full": {"cell": {"dice": 0.9027, "pq": 0.7}},
            "int8": {"cell": {"dice": 0.9004, "pq": 0.6}},
        },
        "seconds": {"tensorflow": 0.31, "full": 0.4, "int8": 0.29},
        "bytes": {"full": 7_900_000, "int8": 2_100_000},
        "tiles": 37,
        "test_images": 7,
        "threshold": 0.5,
        "data": None,
    }
    (finished_run / "int8").mkdir()
    (finished_run / "int8/facts.json").write_text(json.dumps(facts))
    (finished_run / "spec.json").write_text('{"weights": "ab"}')
    page = read(finished_run)
    assert "network Dice, cell PQ, cell ms a tile MB" in page.text
    assert "in full 0.9027 0.7000 400 7.9 in int8 0.9004 0.6000 290 2.1" in page.text
    assert "of which TensorFlow takes 310" in page.text
    (finished_run / "spec.json").write_text('{"weights": "others, of a later training"}')
    assert "In int8" not in read(finished_run).headings


def test_a_finished_run_has_every_section(finished_run):
    assert [heading for heading in read(finished_run).headings if heading] == [
        "Data",
        "Split",
        "Training",
        "Scores on the test images",
        "At size 256x256",
        "At the images' own size",
        "Threshold",
        "Objects",
        "Counts and sizes",
        "Predictions",
        "Every test image, worst first",
        "Model",
        "By block",
        "How to get this again",
        "Recipe, resolved",
        "Environment",
    ]


def test_the_page_needs_nothing_but_itself(finished_run):
    reader = read(finished_run)
    assert len(reader.addresses) == 3 + 4 + 4  # charts, examples, overlays
    assert all(address.startswith("data:image/") for address in reader.addresses)
    assert "<script" not in (finished_run / "report.html").read_text(encoding="utf-8")


def test_the_verdict_is_what_the_metrics_say(finished_run):
    cell = json.loads((finished_run / "metrics.json").read_text())["test"]["classes"]["cell"]
    low, high = cell["dice_interval"]
    assert f"{cell['dice']:.3f} Dice, cell {low:.3f} \u2013 {high:.3f}" in read(finished_run).text
    assert "21 November 2026, 04:05 · 42 minutes · finished" in read(finished_run).text


def test_objects_are_what_the_metrics_say(finished_run):
    cell = json.loads((finished_run / "metrics.json").read_text())["instances"]["classes"]["cell"]
    text = read(finished_run).text
    assert f"cell: {cell['predicted_objects']} objects predicted for {cell['true_objects']} true ones" in text
    low, high = cell["pq_interval"]
    assert f"{cell['pq']:.3f} {low:.3f} \u2013 {high:.3f}" in text
    assert f"recall {' '.join(f'{value:.3f}' for value in cell['by_threshold']['recall'])}" in text


def test_a_run_of_volumes_shows_pairs_times_and_samples(finished_run):
    metrics = json.loads((finished_run / "metrics.json").read_text())
    cell = metrics["test"]["classes"]["cell"]
    test = {**metrics["test"], "classes": {"nuclei": cell, "golgi": cell}}
    pairs = {"found": 3, "true": 4, "mean_length_found": 2.5, "mean_length_true": None, "unit": "micrometre"}
    change(
        finished_run / "metrics.json",
        test=test,
        test_original_size=None,
        pairs={"found": 3, "true": 4, "images": {"crop1": pairs}},
        times={"training_s": 3960},
        seconds={"crop1": 30.0, "crop2": 40.0},
        seconds_per_image=35.0,
    )
    change(finished_run / "data.json", sizes={"61x600x800": 8})
    for epoch in range(1, 6):
        write(finished_run / "samples" / f"epoch-{epoch:03}.png", np.zeros((4, 6, 3), np.uint8))
    text = read(finished_run).text
    assert "depth \u00d7 height \u00d7 width" in text
    assert "3 pairs of a nucleus and its Golgi were found; the true masks hold 4." in text
    assert "crop1 3 4 2.50 µm \u2013 µm" in text
    assert (
        "training 66.0 min prediction of an image, reading included 35.00 s prediction of all 2 70.0 s"
        in text
    )
    assert re.findall(r"Epoch (\d+)", text) == ["001", "003", "005"]


def test_a_run_without_objects_has_no_table_of_them(finished_run):
    change(finished_run / "metrics.json", instances=None)
    assert "Objects" not in read(finished_run).headings


def test_the_best_epoch_has_the_lowest_validation_loss(finished_run):
    assert "The weights of epoch 24 are kept" in read(finished_run).text


@pytest.mark.parametrize(("choice", "said"), [("cycle", "were not used"), ("truth", "with their true masks")])
def test_a_cycle_says_what_its_epoch_was_chosen_by(finished_run, choice, said):
    recipe = {"name": "golgi", "train": {"engine": {"cycle": {"choose_by": choice}}}}
    (finished_run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert re.search(
        rf"The weights of epoch 24 are kept: the lowest validation loss, [^.]*{said}\.",
        read(finished_run).text,
    )


def test_images_are_listed_worst_first(finished_run):
    listed = re.findall(r'<td class="text">(field\d)</td>', page.write(finished_run).read_text("utf-8"))
    assert listed == ["field3", "field2", "field1", "field0"]  # the further the shift, the worse


def test_a_fallback_is_told_once_and_before_any_figure(finished_run):
    text = read(finished_run).text
    assert text.count("FALLBACK: no ImageNet weights") == 1
    assert text.index("FALLBACK") < text.index("Dice")
    assert "SYNTHETIC" not in text


def test_synthetic_data_are_told(finished_run):
    change(finished_run / "data.json", origin="SYNTHETIC")
    change(finished_run / "metrics.json", fallbacks=["SYNTHETIC data: data/made holds look-alikes"])
    text = read(finished_run).text
    assert "SYNTHETIC data: these images were drawn by a program" in text
    assert "data/made holds look-alikes" not in text  # the same thing, said once


def test_leaks_are_told(finished_run):
    data = json.loads((finished_run / "data.json").read_text())
    change(
        finished_run / "data.json", audit={**data["audit"], "leaks": ["group 'a[1]' is in train and test"]}
    )
    text = read(finished_run).text
    assert "1 leak found" in text
    assert "Leak: group 'a[1]' is in train and test" in text
    assert "No leak found" not in text


def test_a_report_shows_no_other_persons_figures(finished_run):
    (finished_run / "recipe.yaml").write_text("name: cells\nmodel: {linknet: {encoder: efficientnetb0}}\n")
    assert "paper" not in read(finished_run).text


def test_what_users_write_is_escaped(finished_run):
    (finished_run / "recipe.yaml").write_text("name: <script>alert(1)</script>\n")
    change(finished_run / "status.json", fallbacks=["<img src=http://x>"])
    reader = read(finished_run)
    assert "<script>alert(1)</script> · run 3" in reader.text
    assert all(address.startswith("data:") for address in reader.addresses)


@pytest.mark.parametrize(
    ("missing", "heading"),
    [
        ("data.json", "Data"),
        ("history.csv", "Training"),
        ("metrics.json", "Predictions"),
        ("model.json", "Model"),
        ("environment.json", "Environment"),
        ("recipe.yaml", "Recipe, resolved"),
    ],
)
def test_a_missing_file_is_a_missing_section(finished_run, missing, heading):
    (finished_run / missing).unlink()
    assert heading not in read(finished_run).headings


def test_an_interrupted_run_has_a_page(finished_run):
    (finished_run / "metrics.json").unlink()
    (finished_run / "split.csv").unlink()
    change(finished_run / "status.json", state="interrupted", stopped="interrupted")
    text = read(finished_run).text
    assert "There are no test scores yet" in text
    assert "It was interrupted." in text


def test_a_run_that_goes_on_has_no_duration(finished_run):
    change(finished_run / "status.json", state="running")
    assert "21 November 2026, 04:05 · running" in read(finished_run).text


def test_lists_are_written_for_people(finished_run):
    assert "devices GPU:0, GPU:1" in read(finished_run).text


def test_an_empty_directory_has_a_page(tmp_path):
    reader = read(tmp_path)
    assert "There are no test scores yet" in reader.text
    assert reader.headings == []


def test_an_image_without_an_overlay_is_not_shown(finished_run):
    (finished_run / "predictions" / "overlays" / "field1.png").unlink()
    assert len(read(finished_run).addresses) == 10


def test_the_same_run_gives_the_same_page(finished_run):
    first = page.write(finished_run).read_bytes()
    assert page.write(finished_run).read_bytes() == first


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (1234567, 0, "1\u202f234\u202f567"),
        (0.12345, 3, "0.123"),
        (None, 1, "\u2013"),
        (float("nan"), 1, "\u2013"),
    ],
)
def test_numbers_are_written_for_people(value, digits, expected):
    assert number(value, digits) == expected


def test_no_tensorflow_is_imported(finished_run):
    code = (
        "import sys, pathlib; from kerasseg.report import page; page.write(pathlib.Path(sys.argv[1]));"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(finished_run)]).returncode == 0


def scored(*dice):
    names = ("dice", "iou", "precision", "recall")
    return {"a": dict.fromkeys(names, dice[0]), "b": dict.fromkeys(names, dice[-1])}


def test_worst_first_by_the_mean_over_classes():
    found = ranks({"x": scored(0.9, 0.5), "y": scored(0.6), "z": scored(0.8)})
    assert [(rank.name, rank.title) for rank in found] == [("y", "worst"), ("x", "median"), ("z", "best")]
    assert found[1].scores["dice"] == pytest.approx(0.7)


def test_equals_are_ordered_by_name():
    assert [rank.name for rank in ranks({"b": scored(1), "a": scored(1)})] == ["a", "b"]


def test_several_classes_have_averages_and_a_picture_of_what_was_taken_for_what(finished_run):
    path = finished_run / "metrics.json"
    test = json.loads(path.read_text())["test"]
    counts = [Confusion(np.array([[90, 5, 5], [10, 30, 0], [20, 0, 40]]))] * 2
    both = {"cell": test["classes"]["cell"], "rod": test["classes"]["cell"]}
    change(
        path,
        test={**test, "classes": both, "averages": averages(counts), "confusion": counts[0].pixels.tolist()},
    )
    before = len(read(finished_run).addresses)
    reader = read(finished_run)
    assert "All classes together, at size 256x256" in reader.headings
    assert "micro weighted macro" in reader.text
    assert f"with the background pooled pixels {160 / 200:.3f}" in reader.text
    change(path, test=test)
    assert len(read(finished_run).addresses) == before - 1


def test_intensities_that_were_matched_are_shown(finished_run):
    (finished_run / "histograms.svg").write_text("<svg/>")
    text = page.write(finished_run).read_text()
    assert "to the histogram of all training images together" in " ".join(text.split())
    assert "Cumulative histograms of the images before and after" in text


def test_what_was_ignored_was_never_taught(finished_run):
    assert "never taught" not in read(finished_run).text
    change(finished_run / "data.json", ignored=1234)
    assert "1\N{NARROW NO-BREAK SPACE}234 annotated pixels are ignored: the model was never" in page.write(
        finished_run
    ).read_text(encoding="utf-8").replace("\n", " ")
    recipe = finished_run / "recipe.yaml"
    recipe.write_text(
        recipe.read_text().replace("classes: [cell]", "classes: [cell], ignore: [debris, glia]")
    )
    assert (
        "are ignored, those of debris, glia among them: the model was never taught" in read(finished_run).text
    )
