"""FID and KID by the library torch-fidelity, on the features of Inception's published weights.

FID (Heusel et al. 2017) is the Fréchet distance of Gaussians fitted to 2,048 features of each
picture; KID (Bińkowski et al. 2018) is the unbiased squared maximum mean discrepancy with a cubic
kernel, averaged over random subsets. Network, formulas and their settings are the library's own;
only how pictures reach it differs: a few at a time, their features in a file.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from stylesdf_core.engine.compiled.device_graphs import exact_products
from stylesdf_core.errors import CheckpointError, DownloadError, InputError
from stylesdf_core.foreign import reading
from stylesdf_core.model.download import RemoteFile, download
from stylesdf_core.model.model_zoo import cache_folder
from stylesdf_core.progress import Operation

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

#: Number of pictures from which FID is usually given: fewer pictures than features make the
#: covariance singular, and FID too large.
FEWEST = 2048
#: The largest edge at which pictures are compared.
EDGE = 256
#: The library's own Inception weights (converted from TensorFlow's of 2015-12-05).
WEIGHTS = RemoteFile(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    95_628_359,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
#: Most pictures in one of KID's subsets, as in the library; and number of subsets.
SUBSET, SUBSETS = 1000, 100
#: Features that are summed at once.
_AT_ONCE = 4096
#: Keeps the operators declared that :func:`_import_torchvision` stands in for.
_OPERATORS: list[torch.library.Library] = []


def inception_weights(file: Path | None = None) -> Operation[Path]:
    """The published weights: ``file``, or a download that is kept; the result is their path.

    Raises:
        InputError: ``file`` is missing or holds other weights.
        DownloadError: they cannot be fetched.
    """
    name = WEIGHTS.url.rpartition("/")[2]
    if file is not None:
        with reading(file, "Inception's weights"), open(file, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != WEIGHTS.sha256:
            raise InputError(
                f"{file} is not {name}, on whose features FID and KID are defined: its SHA-256 is "
                f"{found}, not {WEIGHTS.sha256}. Download it from {WEIGHTS.url}."
            )
        return file
    try:
        return (yield from download(WEIGHTS, cache_folder() / name))
    except DownloadError as error:
        reason = str(error).removeprefix(f"{name}: ").partition(";")[0].rstrip(".")
        raise DownloadError(
            f"FID and KID need the file {name} ({WEIGHTS.size:,} bytes, SHA-256 {WEIGHTS.sha256}), "
            f"which could not be fetched: {reason}. Fetch {WEIGHTS.url} elsewhere and give the "
            "file as --inception."
        ) from error


def has_inception() -> bool:
    """Whether torch-fidelity is installed and the weights have been fetched."""
    name = WEIGHTS.url.rpartition("/")[2]
    return find_spec("torch_fidelity") is not None and (cache_folder() / name).is_file()


class Inception:
    """The library's Inception network; its weights are read as tensors, never unpickled.

    Args:
        weights: see :func:`inception_weights`.

    Raises:
        InputError: the extra `eval` is not installed.
        CheckpointError: the file is damaged.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        library = torch_fidelity()
        with reading(weights, "Inception's weights", error=CheckpointError):
            state = torch.load(weights, map_location="cpu", weights_only=True)
        # The library unpickles whatever file it is given; it is given this program's own.
        own = io.BytesIO()
        torch.save(state, own)
        own.seek(0)
        self._network: Any = library.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=own
        ).to(device)
        self._device = device

    @torch.no_grad()
    def __call__(self, images: npt.NDArray[np.uint8]) -> FloatArray:
        """Features (B, 2048) of 8-bit pictures (B, S, S, 3)."""
        batch = torch.from_numpy(np.ascontiguousarray(images)).movedim(-1, 1).to(self._device)
        with exact_products(self._device):
            features: FloatArray = self._network(batch)[0].cpu().numpy()
        return features


def fid(one: FloatArray, other: FloatArray) -> float:
    """The library's FID of two sets of features, (N, D) and (M, D), N and M from 2 on."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    return float(fid_statistics_to_metric(_moments(one), _moments(other), False)[KEY_METRIC_FID])


@dataclass(frozen=True)
class Kid:
    """KID over random subsets.

    Attributes:
        mean, std: over the subsets; the mean may be slightly negative for equal distributions.
        subset: pictures in each subset.
    """

    mean: float
    std: float
    subset: int


def kid(one: FloatArray, other: FloatArray) -> Kid:
    """The library's KID of two sets of writable features, (N, D) and (M, D), N and M from 4 on.

    A subset has 1,000 pictures, and at most half of the smaller set, so that the subsets differ.
    """
    from torch_fidelity.metric_kid import (
        KEY_METRIC_KID_MEAN,
        KEY_METRIC_KID_STD,
        kid_features_to_metric,
    )

    subset = min(SUBSET, min(len(one), len(other)) // 2)
    found = kid_features_to_metric(
        *(torch.from_numpy(features) for features in (one, other)),
        kid_subsets=SUBSETS,
        kid_subset_size=subset,
        verbose=False,
    )
    return Kid(found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD], subset)


@cache
def torch_fidelity() -> ModuleType:
    """The library.

    Raises:
        InputError: the extra `eval` is not installed.
    """
    try:
        _import_torchvision()
        import torch_fidelity as library
    except ImportError as error:
        raise InputError(
            "FID and KID need torch-fidelity: pip install 'stylesdf-studio[eval]'."
        ) from error
    return cast("ModuleType", library)


def _moments(features: FloatArray) -> dict[str, DoubleArray]:
    """Mean and covariance as the library computes them, without a copy of all features."""
    mean = np.mean(features, axis=0)
    exact = np.mean(features, axis=0, dtype=np.float64)
    products = np.zeros((len(mean), len(mean)))
    for start in range(0, len(features), _AT_ONCE):
        centred = features[start : start + _AT_ONCE].astype(np.float64) - exact
        products += centred.T @ centred
    return {"mu": mean, "sigma": products / (len(features) - 1)}


def _import_torchvision() -> None:
    """Import torchvision, which torch-fidelity imports for other networks than Inception.

    Its wheel on the package index holds operators for CUDA's PyTorch; beside PyTorch for CPUs they
    cannot be loaded, and the import fails on two of their names. FID and KID call none of them.
    """
    try:
        import torchvision
    except RuntimeError:
        declared = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        _OPERATORS.append(torch.library.Library("torchvision", "DEF"))
        for name in ("nms", "qnms"):
            _OPERATORS[-1].define(f"{name}{declared}")
        import torchvision
    assert torchvision
