"""How good a model is, in numbers: pictures and shapes against what they should be."""
