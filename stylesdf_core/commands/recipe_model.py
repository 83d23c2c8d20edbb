"""The end of a recipe for heads: weights that say what they are, and a card beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.commands.recipe_steps import Record

#: How the card calls the command that writes its table of steps.
COMMAND = "recipe heads"
TITLE = "Synthetic heads"

#: Groups of settings that the card names.
_IN_CARD = ("heads", "generator")

_CARD = """# {title}, {size}²

A StyleSDF generator (Or-El et al., CVPR 2022) of rendered heads instead of photographs, made by
`stylesdf-studio recipe heads`. No person's likeness is in it.

| | |
|---|---|
| file | `{file}`, 16-bit floats, its configuration in the metadata |
| field | FiLM-SIREN, {depth} layers of {width}, signed distance, {samples} samples a ray |
| latents | z and w of {z_dim} numbers; named directions as in `assets/directions/heads.json` |
| pictures | volume render {thumb}², decoder to {size}², `channel_multiplier` {multiplier} |
| data | ICT-FaceKit light (USC ICT, MIT licence), shaded by this program |

## How it was made

{steps_begin}
{steps_end}

## Measured against the heads it should show

{measure_begin}
{measure_end}

## Measured against pictures of other heads

{evaluate_begin}
{evaluate_end}

Truths, poses and figures are defined in `pretrained/heads.md` of the program. The scans behind the
face model are no sample of mankind: do not train or judge anything about real people with it.
"""


@dataclass(frozen=True, kw_only=True)
class WriteHeadsModel:
    """Write a run's averaged generator as a model with its title, and a card to be filled."""

    model: Path
    """Folder of the run."""

    weights: Path
    """Model file, .safetensors in 16 bits."""

    card: Path
    """Model card (Markdown); replaced."""

    def run(self) -> Operation[Path]:
        """Read, convert, write; the result is the weights file.

        Raises:
            ModelNotFoundError, CheckpointError, OutputError: see there.
        """
        import torch

        from stylesdf_core.evaluation.report import card_marks
        from stylesdf_core.files import write_text
        from stylesdf_core.model import model_zoo
        from stylesdf_core.model.checkpoints import load_checkpoint, save_safetensors

        yield Progress(0, 1, "writing the weights")
        loaded = load_checkpoint(model_zoo.resolve(self.model).path)
        metadata = {**loaded.metadata, "title": TITLE, "directions": "heads"}
        save_safetensors(loaded.generator, self.weights, dtype=torch.float16, metadata=metadata)
        config = loaded.generator.config
        marks = {
            f"{name}_{end}": mark
            for name, command in (
                ("steps", COMMAND),
                ("measure", "measure"),
                ("evaluate", "evaluate"),
            )
            for end, mark in zip(("begin", "end"), card_marks(command), strict=True)
        }
        text = _CARD.format(
            title=TITLE,
            file=self.weights.name,
            size=config.output_size,
            thumb=config.thumb_size,
            depth=config.depth,
            width=config.width,
            samples=config.samples,
            z_dim=config.z_dim,
            multiplier=config.channel_multiplier,
            **marks,
        )
        write_text(self.card, text)
        return self.weights


def steps_table(records: Sequence[Record]) -> str:
    """What was run, with what, for how long and where; for the card."""
    from stylesdf_core.evaluation.report import markdown_table

    rows = [("step", "command", "settings", "time")]
    machines = []
    for record in records:
        if not record.machine:
            continue
        told = ", ".join(
            f"{name} {value}"
            for name, value in record.settings.items()
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            # Learning rates and the like stand in recipe.json.
            and ("." not in name or name.endswith(".steps") or name.split(".")[0] in _IN_CARD)
        )
        rows.append((record.name, record.command, told, duration(record.seconds)))
        if record.machine not in machines:
            machines.append(record.machine)
    where = "; ".join(machines)
    return f"Machine: {where}.\n\n{markdown_table(rows)}\n\nThe whole of it is in `recipe.json`."


def duration(seconds: float) -> str:
    """As a person would say it: 42 s, 17 min, 3.2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
