# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sums over the rows of float32 matrices, which rows have values outside of a range, and rows as columns.

Attack: matrices that are smaller than their sizes say. Bound: matrices below 2^31 values, of the sizes that are told.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from .buffers cimport Held, check_size, items, length, let_go, space

cdef extern from "rows.h" nogil:
    void measure_rows(const float*, Py_ssize_t, Py_ssize_t, const float*, const float*, uint8_t*, double*)
    void square_rows(const float*, Py_ssize_t, Py_ssize_t, double*)
    void transpose_16(const uint16_t*, uint16_t*, Py_ssize_t, Py_ssize_t, Py_ssize_t)
    void transpose_32(const uint32_t*, uint32_t*, Py_ssize_t, Py_ssize_t, Py_ssize_t)
    void transpose_64(const uint64_t*, uint64_t*, Py_ssize_t, Py_ssize_t, Py_ssize_t)
    void turn_rows(float*, Py_ssize_t, Py_ssize_t, const float*, const float*, const int64_t*, const int64_t*,
                   const int64_t*, Py_ssize_t, Py_ssize_t, Py_ssize_t)
    void transfer_rows(const float*, const float*, Py_ssize_t, Py_ssize_t, const float*, const float*, double*, double*)


def measure(values, low, high, beyond, squares, Py_ssize_t rows, Py_ssize_t width):
    """Sums of squares of every row, and whether a value lies outside of its channel's range.

    Args:
        values: float32 ``[N, C]``.
        low, high: float32 ``[C]``.
        beyond: uint8 ``[N]``, which is written.
        squares: float64 ``[N]``, which is written.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const float* given
    cdef const float* least
    cdef const float* most
    cdef uint8_t* flags
    cdef double* sums
    all_held.count = 0
    try:
        check_size(rows, width)
        given = <const float*>items(&all_held, values, 4, rows * width)
        least = <const float*>items(&all_held, low, 4, width)
        most = <const float*>items(&all_held, high, 4, width)
        flags = <uint8_t*>space(&all_held, beyond, 1, rows)
        sums = <double*>space(&all_held, squares, 8, rows)
        with nogil:
            measure_rows(given, rows, width, least, most, flags, sums)
    finally:
        let_go(&all_held)


def square(values, squares, Py_ssize_t rows, Py_ssize_t width):
    """Sums of squares of every row of float32 ``[N, C]``, into float64 ``[N]``.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const float* given
    cdef double* sums
    all_held.count = 0
    try:
        check_size(rows, width)
        given = <const float*>items(&all_held, values, 4, rows * width)
        sums = <double*>space(&all_held, squares, 8, rows)
        with nogil:
            square_rows(given, rows, width, sums)
    finally:
        let_go(&all_held)


def transfer(coefficients, points, roots, offsets, squares, products, Py_ssize_t rows, Py_ssize_t width):
    """Errors of every row's coefficients, weighted: sums of squares, and of products with what they are errors of.

    Args:
        coefficients, points: float32 ``[N, K]``.
        roots, offsets: float32 ``[K]``.
        squares, products: float64 ``[N]``, which are written.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const float* given
    cdef const float* placed
    cdef const float* weights
    cdef const float* beside
    cdef double* sums
    cdef double* mixed
    all_held.count = 0
    try:
        check_size(rows, width)
        given = <const float*>items(&all_held, coefficients, 4, rows * width)
        placed = <const float*>items(&all_held, points, 4, rows * width)
        weights = <const float*>items(&all_held, roots, 4, width)
        beside = <const float*>items(&all_held, offsets, 4, width)
        sums = <double*>space(&all_held, squares, 8, rows)
        mixed = <double*>space(&all_held, products, 8, rows)
        with nogil:
            transfer_rows(given, placed, rows, width, weights, beside, sums, mixed)
    finally:
        let_go(&all_held)


def transpose(values, out, int itemsize, Py_ssize_t matrices, Py_ssize_t rows, Py_ssize_t width):
    """Matrices ``[B, N, C]`` of items of 2, 4 or 8 bytes as ``[B, C, N]``.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const void* given
    cdef void* to
    all_held.count = 0
    try:
        check_size(rows, width)
        check_size(matrices, rows * width)
        if itemsize != 2 and itemsize != 4 and itemsize != 8:
            raise ValueError(f"items of {itemsize} bytes")
        given = items(&all_held, values, itemsize, matrices * rows * width)
        to = space(&all_held, out, itemsize, matrices * rows * width)
        with nogil:
            if itemsize == 2:
                transpose_16(<const uint16_t*>given, <uint16_t*>to, matrices, rows, width)
            elif itemsize == 4:
                transpose_32(<const uint32_t*>given, <uint32_t*>to, matrices, rows, width)
            else:
                transpose_64(<const uint64_t*>given, <uint64_t*>to, matrices, rows, width)
    finally:
        let_go(&all_held)


def turn(values, cosines, sines, positions, starts, lengths, int64_t distance, Py_ssize_t rows, Py_ssize_t width):
    """Turn pairs of every row's channels, in place.

    Attack: positions without angles, and pairs outside of a row or over each other. Bound: all are looked at before
    anything is written.

    Args:
        values: float32 ``[N, C]``.
        cosines, sines: float32 ``[U, P]`` of every position and pair.
        positions: int64 ``[N]``, below U.
        starts, lengths: int64 ``[R]``, where runs of the pairs' first channels start, and how long they are; P in all.
        distance: from the first channel of a pair to the second.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef float* turned
    cdef const float* cosine
    cdef const float* sine
    cdef const int64_t* where
    cdef const int64_t* first
    cdef const int64_t* many
    cdef Py_ssize_t runs, run, row, known, pairs = 0
    cdef bint fits
    all_held.count = 0
    try:
        check_size(rows, width)
        turned = <float*>space(&all_held, values, 4, rows * width)
        where = <const int64_t*>items(&all_held, positions, 8, rows)
        first = <const int64_t*>items(&all_held, starts, 8, -1)
        runs = length(&all_held)
        many = <const int64_t*>items(&all_held, lengths, 8, runs)
        cosine = <const float*>items(&all_held, cosines, 4, -1)
        known = length(&all_held)
        sine = <const float*>items(&all_held, sines, 4, known)
        fits = 1 <= distance <= width
        for run in range(runs):
            fits = fits and 1 <= many[run] <= distance and 0 <= first[run] <= width - distance - many[run]
            pairs += many[run] if fits else 0
        fits = fits and pairs > 0
        for row in range(rows):
            fits = fits and 0 <= where[row] < known // pairs
        if not fits:
            raise ValueError("pairs or positions outside of their arrays")
        with nogil:
            turn_rows(turned, rows, width, cosine, sine, where, first, many, runs, pairs, distance)
    finally:
        let_go(&all_held)
