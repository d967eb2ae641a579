"""What a recipe may say of a network."""

import pytest

from kerasseg.errors import UserError
from kerasseg.recipe import load


def test_a_network_has_no_more_dilations_than_maps():
    network = "model={msdnet: {layers: 2, width: 2, dilations: [1, 2, 4, 8, 16]}}"
    with pytest.raises(UserError, match=r"model\.msdnet\.dilations: 5 dilations for 4 maps"):
        load("nuclei", [network])
