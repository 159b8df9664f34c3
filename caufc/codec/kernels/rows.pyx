# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Sums over the rows of float32 matrices, and which rows have values outside of a range.

Attack: matrices that are smaller than their sizes say. Bound: matrices below 2^31 values, of the sizes that are told.
"""

from libc.stdint cimport uint8_t

from .buffers cimport Held, check_size, items, let_go, space

cdef extern from "rows.h" nogil:
    void measure_rows(const float*, Py_ssize_t, Py_ssize_t, const float*, const float*, uint8_t*, double*)
    void square_rows(const float*, Py_ssize_t, Py_ssize_t, double*)
    void weigh_rows(const float*, const float*, Py_ssize_t, Py_ssize_t, const float*, float*, double*)
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


def weigh(coefficients, points, roots, errors, products, Py_ssize_t rows, Py_ssize_t width):
    """Errors of every row's coefficients, weighted, and sums of their products with the coefficients, weighted too.

    Args:
        coefficients, points: float32 ``[N, K]``.
        roots: float32 ``[K]``.
        errors: float32 ``[N, K]``, which is written.
        products: float64 ``[N]``, which is written.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const float* given
    cdef const float* placed
    cdef const float* weights
    cdef float* to
    cdef double* sums
    all_held.count = 0
    try:
        check_size(rows, width)
        given = <const float*>items(&all_held, coefficients, 4, rows * width)
        placed = <const float*>items(&all_held, points, 4, rows * width)
        weights = <const float*>items(&all_held, roots, 4, width)
        to = <float*>space(&all_held, errors, 4, rows * width)
        sums = <double*>space(&all_held, products, 8, rows)
        with nogil:
            weigh_rows(given, placed, rows, width, weights, to, sums)
    finally:
        let_go(&all_held)
