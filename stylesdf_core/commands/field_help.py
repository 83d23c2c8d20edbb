"""What a request's fields mean: the sentences under them, which the command line shows as help."""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap


def field_help(request: type) -> dict[str, str]:
    """The sentence under each field of a request, by the field's name; inherited ones too.

    Python keeps no docstrings of fields, so they are read from the source, as tyro does.
    """
    texts: dict[str, str] = {}
    for home in reversed(request.__mro__):
        if home is not object:
            texts |= _own(home)
    return texts


def _own(home: type) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(home)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    texts = {}
    for field, below in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            texts[field.target.id] = inspect.cleandoc(str(below.value.value))
    return texts
