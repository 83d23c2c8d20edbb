"""A trained generator: its architecture, its weights, and where weights come from.

config          GeneratorConfig and RenderOptions
networks/       mapping, FiLM-SIREN field, decoder, discriminators as torch modules
latents         seed -> z, interpolation, directions as axes of z, w and the decoder's w
landmarks       landmarks of the face as linear functions of z, for models of named latents
principal_directions  finds directions of a model that names none
direction_files       a model's directions in a file beside its weights
checkpoints     weights files of this project and published ones, read as tensors only
blank_networks  networks without drawn weights, filled with a file's tensors
tensor_pickles  PyTorch's pickles, read without executing code
digests         digests of weights files: damage, and other files of the same name
published       key names and shapes of the checkpoints published with the paper
poses           the cameras that a model was trained with
mean_latents    mean latents, computed or stored beside the weights
model           Model: a generator with its mean latents and directions, ready to draw
model_zoo       a model's name, file or run folder -> a weights file
download        published weights from the network, resumed and verified
"""
