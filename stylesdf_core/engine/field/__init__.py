"""The field at the engine's speed: a style folded into its weights once, then many points.

baked_field       a style folded into the field's weights (FiLM-SIREN)
baked_background  the same of a model's background field
folded_fields     both with the newest w, kept
"""
