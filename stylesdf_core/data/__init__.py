"""Pictures to train on: folders of images and lmdb files, as 8-bit arrays of one size.

images       opens a folder or an lmdb as numbered pictures, decides which pictures are usable,
             and crops, converts and resizes a picture
eight_bits   pictures of any mode and depth as upright 8-bit RGB
releases     FFHQ and AFHQ as released: the folders to train on
frame_presets  how the pictures of a data set frame their faces, where that is known
lmdb_images  reads and writes the published lmdb layout
lmdb_file    reads the pages of an lmdb file, every offset checked
"""
