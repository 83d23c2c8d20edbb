"""Small networks that learn from a data set's truth, then judge generated pictures.

pose_regressor    azimuth and elevation of the head in a picture
foreground_judge  where the head is in a picture
fitting           what the two share: how they learn, and where the truth is read
"""
