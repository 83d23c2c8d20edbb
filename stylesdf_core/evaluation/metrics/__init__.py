"""Formulas: how far pictures or shapes are from others. They read no files and keep no rows.

image_metrics  a picture against another one: PSNR, sharpness
frechet        two sets of pictures, on features of a fixed random network
flicker        change of a picture while orbiting, beyond the motion itself
inconsistency  the map of a picture's flicker, pixel by pixel
shape_metrics  a shape against another one: silhouettes, points, normals, the field
shape_sets     two sets of shapes: nearest shapes, coverage, angles of their normals
"""
