"""What is wrong with the words of a command line, as one sentence each.

The parser (tyro) prints a box of several sections, divided by rules: the mistake, then options of
similar names or the subcommands that there are, then how to read the help.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from app.command_line.commands import COMMANDS, Group

#: Flags of files that are read, and of files that are written, whose older content is lost. A
#: session is no such input: what is made from it carries it.
_READ = frozenset({"background", "latent", "photo", "keyframes"})
_WRITTEN = frozenset({"out", "compare", "json", "report", "card"})


def empty_word(words: Sequence[str]) -> str | None:
    """What is wrong with a command line that holds an empty word; None where there is none.

    An unset variable of the shell is an empty word, and an empty path would be this folder.
    """
    for before, word in zip(("", *words), words, strict=False):
        flag = word[:-1] if re.fullmatch(r"--[\w.-]+=", word) else before
        if not word or flag != before:
            where = f"After {flag}" if flag.startswith("-") else "On the command line"
            return f"{where} stands an empty word, such as a shell makes of an unset variable."
    return None


def missing_command(words: Sequence[str], program: str) -> str | None:
    """What is wrong with a command line that begins with a flag other than that for help."""
    if not words[0].startswith("-") or words[0] in ("-h", "--help"):
        return None
    return (
        f"Before {words[0]} belongs the name of a command: `{program} open` opens the window on a "
        f"model or a session. See {program} --help."
    )


def overwritten_input(words: Sequence[str]) -> str | None:
    """What is wrong with a command line that writes a file over one that it reads; else None."""
    files: dict[bool, list[Path]] = {False: [], True: []}
    flag = ""
    for word in words:
        value = word
        if word.startswith("--"):
            name, _, value = word.partition("=")
            flag = name.removeprefix("--").rpartition(".")[2]
        if value and flag in _READ | _WRITTEN and os.path.isfile(value):
            files[flag in _WRITTEN].append(Path(value))
    for written in files[True]:
        if any(written.samefile(read) for read in files[False]):
            return f"{written} would be read and overwritten; choose another name for the output."
    return None


def is_strange_option(box: str) -> bool:
    """Whether tyro's box is about an option that resembles none of the command's own."""
    sections = _sections(box)
    unknown = _listed(sections, "Unrecognized")
    return bool(unknown) and unknown[0].startswith("-") and len(sections) == 1


def one_sentence(box: str, words: Sequence[str], program: str) -> str:
    """The mistake that tyro's box is about.

    Args:
        box: what tyro printed, framed in Unicode or in ASCII.
        words: the command line, which begins with the name of a command.
        program: name of the program, with which tyro's lines about help begin.
    """
    is_group = isinstance(COMMANDS.get(words[0]), Group)
    has_second = is_group and words[1:2] and not words[1].startswith("-")
    command = " ".join(words[: 2 if has_second else 1])
    sections = _sections(box)
    hint = f"See {program} {command} --help."
    if unknown := _listed(sections, "Unrecognized"):
        if unknown[0].startswith("-"):
            similar = _similar(sections, unknown[0], f"{program} {command}")
            return f"{command} has no option {unknown[0]}{similar}. {hint}"
        return f"{command} does not take the word '{unknown[0]}'. {hint}"
    if missing := _listed(sections, "Missing from "):
        wanted = [word if word.startswith("--") else "a name or path" for word in missing]
        return f"{command} needs {', '.join(wanted)}. {hint}"
    sentence = " ".join(sections[0]).rstrip(".") if sections else "The command cannot be understood"
    if choice := re.fullmatch(r"invalid choice (.*) for argument '(.*)'\. .*? \((.*)\)", sentence):
        value, flag, choices = choice[1], choice[2], re.findall(r"'(.*?)'", choice[3])
        known = ", ".join(name for name in choices if name != "None")
        return f"{flag} takes {known}, not {value}. {hint}"
    if wrong := re.fullmatch(r"Error parsing (\S+): (.*?)\[?('.*')\]?", sentence):
        flag, reason, value = wrong.groups()
        if "int" in reason.lower():
            kind = "a whole number"
        else:
            kind = "a number" if "float" in reason.lower() else "another kind of value"
        return f"{flag} takes {kind}, not {value}. {hint}"
    if short := re.match(r"Missing value for argument '(.*?)'", sentence):
        return f"{short[1]} needs a value. {hint}"
    if missing_name := re.fullmatch(r"Expected one of \{(.*)\}", sentence):
        return f"{command} needs the name of a command: {missing_name[1]}."
    return f"{sentence}. {hint}"


def _sections(box: str) -> list[list[str]]:
    """The lines of each section, without frame, title, empty lines and common indentation."""
    sections: list[list[str]] = []
    for line in box.splitlines():
        text = re.sub(r"\x1b\[[0-9;]*m", "", line).strip("│╭╮╰╯").rstrip()
        if text.endswith(("──", "--")):
            sections.append([])
        elif text and sections and not text.strip().startswith(("For full", "Got errors", "- <")):
            sections[-1].append(text)
    return [textwrap.dedent("\n".join(lines)).splitlines() for lines in sections if lines]


def _listed(sections: list[list[str]], title: str) -> list[str]:
    """What the section of a title lists: words behind the title, or the first of each line below.

    Empty if there is no such section.
    """
    for first, *below in sections:
        if first.startswith(title):
            if first.endswith(":"):
                options = [line for line in below if _depth(line) == _depth(below[0])]
                return [line.split()[0].rstrip(",") for line in options]
            _, _, behind = " ".join([first, *below]).partition(": ")
            return re.split(r"[,\s]+", behind)
    return []


def _similar(sections: list[list[str]], unknown: str, command: str) -> str:
    """What tyro knows about an unknown option: whose it is, or which one was meant."""
    holders: dict[str, list[str]] = {}
    flag = ""
    for first, *below in sections:
        if first in ("Perhaps you meant:", f"Arguments similar to {unknown}:"):
            for line in below:
                if _depth(line) == _depth(below[0]):
                    flag = line.split()[0].rstrip(",")
                    holders.setdefault(flag, [])
                elif holder := re.fullmatch(r" *in (.*) --help", line):
                    holders[flag].append(holder[1])
    if holders.get(unknown):
        program = command.split(maxsplit=1)[0]
        names = [name.removeprefix(f"{program} ") for name in holders[unknown]]
        return f"; {', '.join(names)} {'has' if len(names) == 1 else 'have'} it"
    # Where tyro knows a single command, it does not say whose an option is.
    meant = [flag for flag, those in holders.items() if command in those or not those]
    return f"; perhaps {meant[0]}" if meant else ""


def _depth(line: str) -> int:
    """How far a line is indented: options stand left of what explains them."""
    return len(line) - len(line.lstrip())
