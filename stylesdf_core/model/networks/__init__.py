"""The generator's and discriminators' modules, in plain PyTorch."""
