# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Coefficients to indices and symbols to coefficients, float32: rounding, the trellis search, reconstruction.

Attack: bands without costs, and sizes whose products overflow. Bound: bands are below 16, matrices below 2^31 values.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from .buffers cimport Held, check_size, items, length, let_go, space

cdef enum:
    BANDS = 16
    LANES = 8

cdef extern from "quantizer.h" nogil:
    void trellis_search(const float*, Py_ssize_t, Py_ssize_t, const float*, Py_ssize_t, const uint8_t*, const float*,
                        const float*, float*, Py_ssize_t*, int32_t*)
    void round_values(const float*, Py_ssize_t, Py_ssize_t, const float*, Py_ssize_t, const uint8_t*, const float*,
                      float, int32_t*)
    void place_points(const int32_t*, Py_ssize_t, Py_ssize_t, const float*, Py_ssize_t, float, int, uint8_t*, float*)


cdef (const float*, Py_ssize_t) take_steps(Held* all_held, object steps, Py_ssize_t rows) except *:
    """One for all rows, or one per row; and how far apart they are."""
    cdef const float* found = <const float*>items(all_held, steps, 4, -1)
    cdef Py_ssize_t count = length(all_held)
    if count != 1 and count != rows:
        raise ValueError(f"{count} steps of {rows} tokens")
    return found, 0 if count == 1 else 1


cdef const uint8_t* take_bands(Held* all_held, object bands, Py_ssize_t rows) except? NULL:
    cdef const uint8_t* found = <const uint8_t*>items(all_held, bands, 1, rows)
    cdef Py_ssize_t row
    cdef uint8_t most = 0
    for row in range(rows):
        most = max(most, found[row])
    if most >= BANDS:
        raise ValueError(f"band {most}")
    return found


def trellis(values, inverse, bands, costs, indices, Py_ssize_t rows, Py_ssize_t width):
    """Dependent indices with the least squared errors and costs; see :mod:`caufc.encoder.trellis_search`.

    Args:
        values: float32 ``[N, K]``.
        inverse: float32 ``[1]`` or ``[N]``, 1 over the step.
        bands: uint8 ``[N]``, below 16.
        costs: float32 ``[2, 16, K]``, or None.
        indices: int32 ``[N, K]``, which is written.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const float* given
    cdef const float* steps
    cdef const float* first = NULL
    cdef const float* further = NULL
    cdef const uint8_t* of_band
    cdef Py_ssize_t step
    cdef int32_t* out
    cdef float* scratch = NULL
    cdef Py_ssize_t* order = NULL
    all_held.count = 0
    try:
        check_size(rows, width)
        given = <const float*>items(&all_held, values, 4, rows * width)
        steps, step = take_steps(&all_held, inverse, rows)
        of_band = take_bands(&all_held, bands, rows)
        if costs is not None:
            first = <const float*>items(&all_held, costs, 4, 2 * BANDS * width)
            further = first + BANDS * width
        out = <int32_t*>space(&all_held, indices, 4, rows * width)
        scratch = <float*>malloc((2 * LANES + 1) * <size_t>width * sizeof(float) + 1)
        order = <Py_ssize_t*>malloc(<size_t>rows * sizeof(Py_ssize_t) + 1)
        if not scratch or not order:
            raise MemoryError
        if rows and width:
            with nogil:
                trellis_search(given, rows, width, steps, step, of_band, first, further, scratch, order, out)
    finally:
        free(scratch)
        free(order)
        let_go(&all_held)


def quantize(values, inverse, bands, zones, float rounding, indices, Py_ssize_t rows, Py_ssize_t width):
    """Rounded indices; see :func:`caufc.encoder.quantize.quantize`.

    Args:
        values: float32 ``[N, K]``.
        inverse: float32 ``[1]`` or ``[N]``, 1 over the step.
        bands: uint8 ``[N]``, below 16; None without zones.
        zones: float32 ``[16, K]``, below which magnitudes become 0, in steps; or None.
        rounding: 0 to 1.
        indices: int32 ``[N, K]``, which is written.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const float* given
    cdef const float* steps
    cdef const float* of_zone = NULL
    cdef const uint8_t* of_band = NULL
    cdef Py_ssize_t step
    cdef int32_t* out
    all_held.count = 0
    try:
        check_size(rows, width)
        if not 0 <= rounding <= 1:
            raise ValueError(f"rounding {rounding}")
        given = <const float*>items(&all_held, values, 4, rows * width)
        steps, step = take_steps(&all_held, inverse, rows)
        if zones is not None:
            of_band = take_bands(&all_held, bands, rows)
            of_zone = <const float*>items(&all_held, zones, 4, BANDS * width)
        out = <int32_t*>space(&all_held, indices, 4, rows * width)
        with nogil:
            round_values(given, rows, width, steps, step, of_band, of_zone, rounding, out)
    finally:
        let_go(&all_held)


def dequantize(symbols, steps, float shift, bint dependent, values, Py_ssize_t rows, Py_ssize_t width):
    """What symbols stand for; see :func:`caufc.codec.transform.quantize.dequantize`.

    Args:
        symbols: int32 ``[N, K]``, zigzag.
        steps: float32 ``[1]`` or ``[N]``.
        shift: in steps.
        dependent: whether indices are dependent.
        values: float32 ``[N, K]``, which is written.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const int32_t* given
    cdef const float* of_token
    cdef Py_ssize_t step
    cdef float* out
    cdef uint8_t* parities = NULL
    all_held.count = 0
    try:
        check_size(rows, width)
        given = <const int32_t*>items(&all_held, symbols, 4, rows * width)
        of_token, step = take_steps(&all_held, steps, rows)
        out = <float*>space(&all_held, values, 4, rows * width)
        parities = <uint8_t*>malloc(<size_t>width + 1)
        if not parities:
            raise MemoryError
        with nogil:
            place_points(given, rows, width, of_token, step, shift, dependent, parities, out)
    finally:
        free(parities)
        let_go(&all_held)


def zigzag(indices, symbols):
    """Signed to unsigned; see :func:`caufc.codec.buckets.zigzag`.

    Args:
        indices: int32 ``[M]``.
        symbols: int32 ``[M]``, which is written.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const int32_t* given
    cdef uint32_t* out
    cdef Py_ssize_t count, i
    all_held.count = 0
    try:
        given = <const int32_t*>items(&all_held, indices, 4, -1)
        count = length(&all_held)
        out = <uint32_t*>space(&all_held, symbols, 4, count)
        with nogil:
            for i in range(count):
                out[i] = (<uint32_t>given[i] << 1) ^ <uint32_t>(given[i] >> 31)
    finally:
        let_go(&all_held)
