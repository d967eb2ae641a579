"""Files of packages: nothing leaves its folder, nothing larger than weights is unpacked, damage is said."""

import zipfile

import pytest

from kerasseg.errors import UserError
from kerasseg.inference import package_file
from kerasseg.inference.package_file import Package, is_package, unzip


@pytest.mark.parametrize(
    "name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt", "..\\out.txt", "C:\\out.txt"]
)
def test_nothing_is_unpacked_elsewhere(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("fine.txt", "")
        archive.writestr(name, "")
    (tmp_path / "to").mkdir()
    with pytest.raises(UserError, match="leads out of it; nothing is unpacked"):
        unzip(tmp_path / "a.zip", tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


def test_a_zip_that_says_it_is_huge_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(package_file, "LARGEST_WEIGHTS", 999)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1000))
    with pytest.raises(UserError, match="more than weights have"):
        unzip(tmp_path / "a.zip", tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(400)])
def test_a_file_that_is_no_zip_is_a_damaged_package(tmp_path, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert is_package(path)
    with pytest.raises(UserError, match=r"a\.zip: it is damaged .*; download the package again"):
        _ = Package(path).description
