"""What takes the place of what was asked for is said once; other warnings are left as they were."""

import warnings

from kerasseg.console import saying_warnings
from kerasseg.errors import Fallback, Notice


def test_a_fallback_is_said_once_and_other_warnings_go_their_way(capsys, recwarn):
    said = []
    with saying_warnings(said):
        for _ in range(2):
            warnings.warn("no GPU: using the CPU", Fallback, stacklevel=1)
        warnings.warn("beware", UserWarning, stacklevel=1)
    assert said == ["no GPU: using the CPU"]
    assert capsys.readouterr().out == "FALLBACK: no GPU: using the CPU\n"
    assert [str(each.message) for each in recwarn] == ["beware"]


def test_notices_are_said_once_and_those_of_one_kind_are_counted(capsys):
    with saying_warnings([]):
        for at in [*range(8), 0]:
            warnings.warn(f"folder{at}: left alone: {at} files", Notice, stacklevel=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [f"note: folder{at}: left alone: {at} files" for at in range(5)]
    assert lines[5:] == ["note: ... and 3 more like these: left alone files"]
