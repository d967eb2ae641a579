"""What takes the place of what was asked for is said once; other warnings are left as they were."""

import warnings

from kerasseg.console import saying_warnings
from kerasseg.errors import Fallback


def test_a_fallback_is_said_once_and_other_warnings_go_their_way(capsys, recwarn):
    said = []
    with saying_warnings(said):
        for _ in range(2):
            warnings.warn("no GPU: using the CPU", Fallback, stacklevel=1)
        warnings.warn("beware", UserWarning, stacklevel=1)
    assert said == ["no GPU: using the CPU"]
    assert capsys.readouterr().out == "FALLBACK: no GPU: using the CPU\n"
    assert [str(each.message) for each in recwarn] == ["beware"]
