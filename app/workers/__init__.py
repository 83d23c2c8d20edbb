"""Threads that compute for the window and hand over values; nothing here imports Dear PyGui.

=================  ==================================================================
schedule           which request is computed, when it is refined, when a frame is drawn
pass_planner       how fine the picture of a motion can be
picture_worker     pictures in passes, coarse to fine
analysis           slices through the signed distances, and inconsistency maps
mesh_worker        the live mesh: a draft, then the chosen resolution
engine_share       an engine that several threads use in turns
drag_worker        points of a face are dragged, step by step
mixing_worker      which controls of style mixing have an effect on a model
file_pictures      small pictures of picture files
thumbnails         many small pictures, while nothing else is computed
pair_worker        two scenes under one camera, and their difference
native_dialog      the desktop's file dialog, as a process
model_loader       the loaded model, and the load under way
jobs               exports and downloads, one after the other
alarm              wakes the main loop for news and for the user's input
process            returns freed memory to the system; ends the program even if a
                   worker does not come back
=================  ==================================================================
"""
