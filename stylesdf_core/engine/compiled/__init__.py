"""Code that is compiled on the user's machine; without it the same results come more slowly.

compiled_loops     whether the compiled loops are used, and when they are loaded
cpu_kernels        the compiled loops of volume renders (Numba)
disk_cache         their compiler, with a cache on disk
sine_layers        a field's layers in one compiled call
minimal_filtering  a decoder's 3×3 convolutions with fewer products
blurring           the blur behind a decoder's transposed convolutions
device_graphs      functions compiled and recorded as a GPU's graphs
"""
