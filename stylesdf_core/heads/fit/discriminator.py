"""StyleGAN2's discriminator of windows of the images that the fit decodes.

Non-saturating logistic loss and lazy R1, as in the paper's second stage (Karras et al. 2020).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Adam

from stylesdf_core.heads.fit.config import AdversarialConfig, FitConfig
from stylesdf_core.model.networks.discriminators import StyleDiscriminator
from stylesdf_core.training.losses import discriminator_loss, generator_loss, gradient_penalty
from stylesdf_core.training.seeds import seeded_weights

#: Weight γ of the R1 penalty γ/2·‖∇D‖².
R1_WEIGHT = 1.0
#: Steps between R1 penalties; each penalty is multiplied by this number.
R1_EVERY = 16


class WindowDiscriminator:
    """A discriminator with its optimizer.

    R1 is computed in full precision, whatever the run's precision is.

    Args:
        config: the run's settings.
        settings: the phase's settings.
    """

    def __init__(
        self, config: FitConfig, settings: AdversarialConfig, device: torch.device
    ) -> None:
        self._mixed = config.precision == "bfloat16"
        generator = config.generator
        edge = settings.crop * (generator.output_size // generator.thumb_size)
        with seeded_weights(config.seed):
            self.network = StyleDiscriminator(edge, widest=settings.widest).to(device)
        # Correction of Adam for lazy regularisation: Karras et al. 2020, App. B.
        lazy = R1_EVERY / (R1_EVERY + 1)
        rate = lazy * settings.discriminator_rate
        group = {"params": list(self.network.parameters()), "height": rate}
        self.optimizer = Adam([group], lr=rate, betas=(0.0, 0.99**lazy), fused=True)

    def generator_term(self, fake: Tensor) -> Tensor:
        """The generator's adversarial loss; gradients reach images (B, 3, S, S) only."""
        self.network.requires_grad_(False)
        loss = generator_loss(self._logits(fake))
        self.network.requires_grad_(True)
        return loss

    def train(self, fake: Tensor, real: Tensor, index: int) -> dict[str, Tensor]:
        """Step ``index`` of the discriminator; returns its loss and mean scores by name.

        Args:
            fake, real: (B, 3, S, S) in [−1, 1].
        """
        fake = fake.detach()
        real_logits, fake_logits = self._logits(real), self._logits(fake)
        loss = discriminator_loss(real_logits, fake_logits)
        seen = {
            "discriminator": loss.detach(),
            "score_real": real_logits.detach().mean(),
            "score_fake": fake_logits.detach().mean(),
        }
        if index % R1_EVERY == 0:
            real = real.clone().requires_grad_(True)
            penalty = gradient_penalty(self.network(real), real)
            loss = loss + 0.5 * R1_WEIGHT * R1_EVERY * penalty
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return seen

    def _logits(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._mixed):
            logits: Tensor = self.network(images)
        return logits.float()
