"""The discriminators' loss, as a module that DDP can wrap; see volume.py."""

from __future__ import annotations

from torch import Tensor, nn

from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.training.adversarial.config.losses import ImageLosses, VolumeLosses
from stylesdf_core.training.losses import discriminator_loss, gradient_penalty, pose_loss
from stylesdf_core.training.optimizing import Terms
from stylesdf_core.training.precision import Autocast


class DiscriminatorTerms(nn.Module):
    """A discriminator's loss: logistic, R1 every few steps and, of volume renders, the pose.

    Terms of the discriminator of images are recorded with the prefix ``image_``.
    """

    def __init__(
        self,
        discriminator: VolumeDiscriminator | StyleDiscriminator,
        weights: VolumeLosses | ImageLosses,
        autocast: Autocast,
    ) -> None:
        super().__init__()
        self.discriminator = discriminator
        self.weights = weights
        self._autocast = autocast

    def forward(
        self,
        real: Tensor,
        fake: Tensor,
        angles: Tensor,
        with_r1: bool,
        patches: Tensor | None = None,
    ) -> Terms:
        """Loss of a chunk; R1 is in full precision.

        Args:
            real, fake: (B, 3, S, S) in [−1, 1].
            angles: (B, 2), azimuth and elevation of the fakes, radians.
            patches: (B, 3), where both lie in their pictures; None for whole pictures.
        """
        where = () if patches is None else (patches,)
        real = real.detach().requires_grad_(with_r1)
        with self._autocast.on(not with_r1):
            at_real = self.discriminator(real, *where)
        with self._autocast.on():
            at_fake = self.discriminator(fake, *where)
        if isinstance(self.weights, ImageLosses):
            loss, record = self._logistic(at_real, at_fake, real if with_r1 else None)
            return {"loss": loss, **{f"image_{name}": value for name, value in record.items()}}
        loss, record = self._logistic(at_real.logits, at_fake.logits, real if with_r1 else None)
        pose = pose_loss(at_fake.angles.float(), angles)
        # No loss uses the angles of real images, but DDP needs every output in its graph.
        loss = loss + self.weights.pose * pose + 0.0 * at_real.angles.float().sum()
        return {"loss": loss, "d_pose": pose.detach(), **record}

    def _logistic(
        self, at_real: Tensor, at_fake: Tensor, real: Tensor | None
    ) -> tuple[Tensor, Terms]:
        """Logistic loss and, where ``real`` images are given, R1."""
        real_logits, fake_logits = at_real.float(), at_fake.float()
        loss = discriminator_loss(real_logits, fake_logits)
        record = {
            "d_logistic": loss.detach(),
            "score_real": real_logits.detach().mean(),
            "real_score_sign": real_logits.detach().sign().mean(),
            "score_fake": fake_logits.detach().mean(),
        }
        if real is not None:
            penalty = gradient_penalty(real_logits, real)
            loss = loss + 0.5 * self.weights.r1 * self.weights.r1_every * penalty
            record["r1"] = penalty.detach()
        return loss, record
