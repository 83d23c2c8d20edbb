"""Lists of a command line whose words are NAME=VALUE, such as those of ``--set``."""

from __future__ import annotations

from collections.abc import Sequence

from stylesdf_core.errors import InputError


def named_texts(texts: Sequence[str], flag: str, form: str) -> dict[str, str]:
    """The values of NAME=VALUE texts as they stand, by name.

    Args:
        flag: that takes the texts.
        form: how messages describe a right text.

    Raises:
        InputError: a text has no equals sign, or two texts have the same name.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals:
            raise InputError(f"{flag} takes {form}, not {text!r}.")
        if name in values:
            raise InputError(f"{flag} gives {name} twice: {values[name]} and {value}; give one.")
        values[name] = value
    return values


def named_numbers(texts: Sequence[str], flag: str, right: str) -> dict[str, float]:
    """The values of NAME=NUMBER texts, by name; ``right`` is a right text.

    Raises:
        InputError: a text is not NAME=NUMBER, or two texts have the same name.
    """
    form, numbers = f"NAME=NUMBER such as {right}", {}
    for name, value in named_texts(texts, flag, form).items():
        try:
            numbers[name] = float(value)
        except ValueError:
            raise InputError(f"{flag} takes {form}, not {f'{name}={value}'!r}.") from None
    return numbers
