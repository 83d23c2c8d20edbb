"""The first phase of a new renderer: the field becomes a sphere, for any latent."""

from __future__ import annotations

from torch import nn
from torch.optim import Adam

from stylesdf_core.training.adversarial.config.stages import SphereConfig
from stylesdf_core.training.adversarial.phases.phase import AdversarialPhase, PhaseContext, Purpose
from stylesdf_core.training.adversarial.terms.volume import SphereTerms
from stylesdf_core.training.optimizing import Terms, accumulate, update
from stylesdf_core.training.phase import Models
from stylesdf_core.training.precision import Autocast


class SpherePhase(AdversarialPhase):
    """The field learns the distance to a sphere, for any latent."""

    def __init__(self, models: Models, context: PhaseContext, settings: SphereConfig) -> None:
        super().__init__(models, context, None)
        self.settings, self.batch = settings, settings.batch
        live = models.live
        live.requires_grad_(False)
        for model in (live, models.ema):
            nn.init.constant_(model.field.sigmoid_beta, settings.beta)
        for module in (live.mapping, live.field.trunk, live.field.scalar_head):
            module.requires_grad_(True)
        trained = [p for p in live.parameters() if p.requires_grad]
        self.optimizers = {"sphere": Adam(trained, settings.learning_rate, betas=(0.0, 0.9))}
        self.networks = {}
        self.scaler = Autocast("float32", context.world.device).scaler()
        self.terms = context.world.replicate(SphereTerms(live))

    def step(self, index: int) -> Terms:
        """One step on random rays of random cameras."""
        settings = self.settings
        fakes = self.draw(Purpose.SPHERE, index, settings.batch, rays=settings.rays)
        record = accumulate(self.terms, [lambda: (self.terms(fakes), 1.0)], self.scaler)
        limit = self.context.run.max_gradient_norm
        record["gradient_norm"] = update([self.optimizers["sphere"]], self.scaler, limit)
        return record
