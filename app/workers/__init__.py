"""Workers that compute for the window and hand over values; nothing here imports Dear PyGui.

picture_worker  pictures in passes, coarse to fine
pass_planner    how fine the picture of a motion can be
analysis        slices through the signed distances, and inconsistency maps
mesh_worker     the live mesh: a draft, then the chosen resolution
pair_worker     two scenes under one camera, and their difference
thumbnails      many small pictures, while nothing else is computed
file_pictures   small pictures of picture files
drag_worker     points of a face are dragged, step by step
mixing_worker   which controls of style mixing have an effect on a model
model_loader    the loaded model, and the load under way
engine_share    an engine that several threads use in turns
concurrency/    threads, jobs and processes beside the main loop, and their schedule
"""
