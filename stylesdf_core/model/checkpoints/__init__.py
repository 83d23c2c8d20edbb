"""Weights files, read as tensors only: this project's .safetensors, and published .pt files.

checkpoints     weights files of both formats, read and written
published       key names and shapes of the checkpoints published with the paper
blank_networks  networks without drawn weights, filled with a file's tensors
tensor_pickles  PyTorch's pickles, read without executing code
digests         digests of weights files: damage, and other files of the same name
"""
