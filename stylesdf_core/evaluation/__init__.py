"""How good a model is, in numbers: pictures and shapes against true ones, and speed.

image_quality   `evaluate`: a model's pictures and shapes in figures, as one report
frechet         distance of two sets of pictures, on features of a fixed random network
flicker         change of a picture while orbiting, beyond the motion itself
inconsistency   the map of a picture's flicker, pixel by pixel
image_metrics   scores of a picture against another one: PSNR, sharpness
shape_metrics   scores of a shape against another one: silhouettes, points, normals, the field
shape_sets      two sets of shapes: nearest shapes, coverage, angles of their normals
report          Figure and Report: figures beside targets, as table, JSON and part of a card
published       figures that the paper publishes
html_report     a report as one HTML file, and its figures as JSON
gallery         the pictures of a report: heads × azimuths
comparison      two models' reports side by side
side_by_side    figures of several models, a column for each
grids           pictures beside each other in one PNG
fitted/         small networks that learn from a data set's truth, then judge generated pictures
measures/       what `evaluate` measures, each as rows that an interrupted evaluation keeps
bench/          speed: the engine against the plain modules
"""
