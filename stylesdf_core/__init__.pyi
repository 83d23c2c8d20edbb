# The public names: type checkers read them here, and __init__.py imports each when first used.

from .commands.scenes.batch import Batch as Batch
from .commands.bench import Bench as Bench
from .commands.dataset import (
    DatasetAlign as DatasetAlign,
    DatasetCheck as DatasetCheck,
    DatasetPack as DatasetPack,
)
from .commands.scenes.demo import Demo as Demo
from .commands.directions import ModelsDirections as ModelsDirections
from .commands.drag import DragFace as DragFace
from .commands.evaluation.evaluate import Evaluate as Evaluate
from .commands.scenes.films import (
    Animate as Animate,
    RenderTurntable as RenderTurntable,
)
from .commands.heads.make import MakeHeads as MakeHeads
from .commands.heads.measure import Measure as Measure
from .commands.heads.measure_drag import MeasureDrag as MeasureDrag
from .commands.heads.measure_invert import MeasureInvert as MeasureInvert
from .commands.info import Info as Info
from .commands.invert import Invert as Invert
from .commands.scenes.meshes import ExportMesh as ExportMesh
from .commands.models import (
    ModelsExport as ModelsExport,
    ModelsFetch as ModelsFetch,
    ModelsList as ModelsList,
)
from .commands.scenes.pictures import RenderImage as RenderImage
from .commands.recipes.compare import RecipeCompare as RecipeCompare
from .commands.recipes.heads import RecipeHeads as RecipeHeads
from .commands.scenes.compare import RenderComparison as RenderComparison
from .commands.scenes.sheets import RenderSheet as RenderSheet
from .commands.train.fit import TrainFit as TrainFit
from .commands.train.stages import (
    TrainDecoder as TrainDecoder,
    TrainJoint as TrainJoint,
    TrainRenderer as TrainRenderer,
    TrainSphereInit as TrainSphereInit,
)
from .engine.engine import Engine as Engine
from .errors import (
    InputError as InputError,
    StyleSDFError as StyleSDFError,
)
from .mesh.surface import extract_surface as extract_surface
from .model.config import (
    GeneratorConfig as GeneratorConfig,
    RenderOptions as RenderOptions,
)
from .model.latents.latents import (
    lerp as lerp,
    seed_to_z as seed_to_z,
    slerp as slerp,
)
from .model.model import load_model as load_model
from .model.model_zoo import list_models as list_models
from .model.networks.generator import Generator as Generator
from .progress import (
    Progress as Progress,
    drain as drain,
)
from .rendering.camera import OrbitCamera as OrbitCamera
from .scene.animation import (
    Animation as Animation,
    Keyframe as Keyframe,
)
from .scene.scene import (
    Identity as Identity,
    Mixing as Mixing,
    Scene as Scene,
)
from .scene.session_files import read_scene as read_scene

__version__: str
