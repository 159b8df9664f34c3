# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""DCTs of lines of tokens, by products of half their length.

Attack: lines outside of the tokens, and lengths without a matrix. Bound: all are looked at before anything is written.
"""

from libc.stdint cimport int64_t

from .buffers cimport Held, check_size, items, length, let_go, space

cdef extern from "dct.h" nogil:
    enum:
        LONGEST
    void transform_lines(const float*, float*, const int64_t*, Py_ssize_t, Py_ssize_t, const float*, const int64_t*, int)


def transform(values, out, lines, Py_ssize_t across, matrices, places, bint inverse, Py_ssize_t rows, Py_ssize_t width):
    """Transform lines of tokens ``[N, C]`` into ``out``, and then others, in place there.

    Args:
        values, out: float32 ``[N, C]``.
        lines: int64 ``[L, 4]``: first token, length up to 64, distance of two tokens, and how many stand side by side.
        across: how many of them are read from ``values``.
        matrices: float32, the halves of every length's matrix, one behind the other.
        places: int64 ``[65]``, where those of a length start.
        inverse: whether frequencies become tokens.

    Raises:
        ValueError: for arrays that do not fit each other, lines outside, and lengths without a matrix.
    """
    cdef Held all_held
    cdef const float* given
    cdef float* to
    cdef const int64_t* line
    cdef const float* halves
    cdef const int64_t* where
    cdef Py_ssize_t count, number, known, half, size
    cdef bint fits = True
    all_held.count = 0
    try:
        check_size(rows, width)
        given = <const float*>items(&all_held, values, 4, rows * width)
        to = <float*>space(&all_held, out, 4, rows * width)
        line = <const int64_t*>items(&all_held, lines, 8, -1)
        count = length(&all_held) // 4
        halves = <const float*>items(&all_held, matrices, 4, -1)
        known = length(&all_held)
        where = <const int64_t*>items(&all_held, places, 8, LONGEST + 1)
        for number in range(4 * count):
            fits = fits and 0 <= line[number] <= rows
        for number in range(count):
            fits = fits and _fits(line + 4 * number, rows)
            if not fits:
                break
            size = line[4 * number + 1]
            half = size // 2
            size = (size - half) * size if inverse else half * half + (size - half) * (size - half)
            fits = 0 <= where[line[4 * number + 1]] <= known - size
        if not fits or not 0 <= across <= count:
            raise ValueError("lines outside of the tokens, or without a matrix")
        with nogil:
            transform_lines(given, to, line, across, width, halves, where, inverse)
            transform_lines(to, to, line + 4 * across, count - across, width, halves, where, inverse)
    finally:
        let_go(&all_held)


cdef inline bint _fits(const int64_t* line, Py_ssize_t rows) noexcept nogil:
    """Whether a line, whose numbers are within the tokens', ends there too."""
    return 1 <= line[1] <= LONGEST and line[0] + (line[1] - 1) * line[2] + line[3] <= rows
