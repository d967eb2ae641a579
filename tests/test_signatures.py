"""What belongs to a model travels as one object, its specification, and not as half a dozen arguments."""

import ast
from pathlib import Path

import kerasseg

OF_A_MODEL = {
    "classes", "activation", "threshold", "multilabel", "exclusive",
    "channels", "normalise", "resize", "stride",
}  # fmt: skip


def functions():
    for path in sorted(Path(kerasseg.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def test_no_function_takes_more_than_two_of_what_a_specification_holds():
    too_many = {}
    for path, function in functions():
        arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        if len(taken := OF_A_MODEL & {argument.arg for argument in arguments}) > 2:
            too_many[f"{path.name}:{function.name}"] = sorted(taken)
    assert not too_many, too_many
