import numpy as np

from kerasseg.images import files
from kerasseg.images.stores.identity import facts


def test_a_folder_of_planes_is_known_by_its_files(tmp_path):
    folder = tmp_path / "planes"
    for at in range(3):
        files.write(folder / f"{at}.png", np.full((4, 5), at, np.uint8))
    before = facts(folder)
    assert before["bytes"] > sum(path.stat().st_size for path in folder.iterdir()) - 1
    files.write(folder / "1.png", np.eye(4, 5, dtype=np.uint8))
    assert facts(folder) != before
