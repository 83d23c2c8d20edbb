"""How good a model is, in numbers: pictures and shapes against true ones, and speed.

image_quality  `evaluate`: a model's pictures and shapes in figures, as one report
measures/      what `evaluate` measures, each as rows that an interrupted evaluation keeps
bench/         speed: the engine against the plain modules
fitted/        small networks that learn from a data set's truth, then judge generated pictures
metrics/       formulas: how far pictures or shapes are from others
reports/       figures and pictures for a person: tables, model cards, HTML files
"""
