"""StyleGAN2's discriminator, which judges windows of the images that the fit decodes.

Non-saturating logistic loss and lazy R1 (paper, Sec. 4.2; Karras et al. 2020).
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
#: Steps between R1 penalties, each weighted by as many.
R1_EVERY = 16


class Adversary:
    """A discriminator with its optimizer.

    R1 is computed in full precision, whatever the run's precision is.

    Args:
        config: of the run.
        settings: of the phase.
    """

    def __init__(
        self, config: FitConfig, settings: AdversarialConfig, device: torch.device
    ) -> None:
        self._mixed = config.precision == "bfloat16"
        generator = config.generator
        edge = settings.crop * (generator.output_size // generator.thumb_size)
        with seeded_weights(config.seed):
            self.discriminator = StyleDiscriminator(edge, widest=settings.widest).to(device)
        # Fewer, larger steps with the penalty: Karras et al. 2020, App. B.
        lazy = R1_EVERY / (R1_EVERY + 1)
        rate = lazy * settings.discriminator_rate
        group = {"params": list(self.discriminator.parameters()), "height": rate}
        self.optimizer = Adam([group], lr=rate, betas=(0.0, 0.99**lazy), fused=True)

    def verdict(self, fake: Tensor) -> Tensor:
        """The generator's term; gradients reach images (B, 3, S, S), not the discriminator."""
        self.discriminator.requires_grad_(False)
        loss = generator_loss(self._judge(fake))
        self.discriminator.requires_grad_(True)
        return loss

    def train(self, fake: Tensor, real: Tensor, index: int) -> dict[str, Tensor]:
        """Step ``index`` of the discriminator; returns its loss and mean scores by name.

        Args:
            fake, real: (B, 3, S, S) in [−1, 1].
        """
        fake = fake.detach()
        real_logits, fake_logits = self._judge(real), self._judge(fake)
        loss = discriminator_loss(real_logits, fake_logits)
        seen = {
            "discriminator": loss.detach(),
            "score_real": real_logits.detach().mean(),
            "score_fake": fake_logits.detach().mean(),
        }
        if index % R1_EVERY == 0:
            real = real.clone().requires_grad_(True)
            penalty = gradient_penalty(self.discriminator(real), real)
            loss = loss + 0.5 * R1_WEIGHT * R1_EVERY * penalty
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return seen

    def _judge(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._mixed):
            logits: Tensor = self.discriminator(images)
        return logits.float()
