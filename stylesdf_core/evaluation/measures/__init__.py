"""What `evaluate` measures, each as rows that an interrupted evaluation keeps.

protocol           what is measured, of which pictures and heads, and where the rows lie
rows               rows of measurements in files; tasks that fill them, shared by processes
picture_sets       the true and the generated pictures, reduced to rows as they come
comparing          generated pictures against true ones: all figures of two sets
inception          FID and KID by torch-fidelity, on Inception's published weights
set_checks         what makes two sets of pictures incomparable, in words
depth_consistency  two views' depth maps of one head against each other, as in the paper
shapes             generated heads' surfaces against true ones, matched with the nearest ones
true_depths        a data set's depth maps that are seen from the front
orbits             flicker of heads along an arc
foreground         a model's opacity against masks told by a judge
judged_views       faces found, identity, pose and landmarks across views, by dlib
"""
