"""Training pictures on disk: folders of images and lmdb files, as 8-bit arrays of one size.

images       a folder or an lmdb opened as a sequence of pictures, cropped and resized
lmdb_images  the published lmdb layout: reading it and writing it
"""
