# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Buckets of the lossless codec's integers, and their extra bits, least significant first (spec, section 11.1).

Attack: sizes whose sum is not that of the bytes. Bound: every size and their sum are looked at before a bit is read.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from .buffers cimport Held, items, length, let_go, space

cdef enum:
    MOST_MANTISSA = 2
    MOST_EXTRA = 56

ctypedef fused word:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define length_of(value) ((value) ? 64 - __builtin_clzll(value) : 0)
    #else
    static int length_of(unsigned long long value) { int bits = 0; for (; value; value >>= 1) bits++; return bits; }
    #endif
    """
    int length_of(uint64_t value) noexcept nogil   # bits without leading zeros


cdef int check_width(Py_ssize_t width) except -1:
    if width not in (1, 2, 4, 8):
        raise ValueError(f"integers of {width} bytes")
    return 0


def bucketed(values, int mantissa, buckets, extra, Py_ssize_t width):
    """The bucket of each value, and how many extra bits it has [CAUF-0530].

    Args:
        values: unsigned ``[n]`` of ``width`` bytes, 1, 2, 4 or 8.
        mantissa: 0 to 2.
        buckets, extra: uint8 ``[n]``.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const void* given
    cdef uint8_t* found
    cdef uint8_t* sizes
    cdef Py_ssize_t count
    all_held.count = 0
    try:
        check_width(width)
        if not 0 <= mantissa <= MOST_MANTISSA:
            raise ValueError(f"a mantissa of {mantissa} bits")
        given = items(&all_held, values, width, -1)
        count = length(&all_held)
        found = <uint8_t*>space(&all_held, buckets, 1, count)
        sizes = <uint8_t*>space(&all_held, extra, 1, count)
        with nogil:
            if width == 1:
                put_buckets[uint8_t](<const uint8_t*>given, mantissa, found, sizes, count)
            elif width == 2:
                put_buckets[uint16_t](<const uint16_t*>given, mantissa, found, sizes, count)
            elif width == 4:
                put_buckets[uint32_t](<const uint32_t*>given, mantissa, found, sizes, count)
            else:
                put_buckets[uint64_t](<const uint64_t*>given, mantissa, found, sizes, count)
    finally:
        let_go(&all_held)


cdef void put_buckets(const word* values, int mantissa, uint8_t* buckets, uint8_t* extra, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    cdef int bits, top
    for i in range(count):
        bits = max(length_of(values[i]) - (mantissa + 1), 0)
        top = <int>(<uint64_t>values[i] >> bits)
        extra[i] = <uint8_t>bits
        buckets[i] = <uint8_t>((bits << mantissa) + top if top >= 1 << mantissa else top)


def pack(values, sizes, out, Py_ssize_t width):
    """The lowest bits of each value, so many as ``sizes`` says, least significant first.

    Args:
        values: unsigned ``[n]`` of ``width`` bytes, 1, 2, 4 or 8.
        sizes: uint8 ``[n]``, below 64.
        out: uint8, as many bytes as the bits need.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const void* given
    cdef const uint8_t* bits
    cdef uint8_t* to
    cdef Py_ssize_t count, room
    all_held.count = 0
    try:
        check_width(width)
        given = items(&all_held, values, width, -1)
        count = length(&all_held)
        bits = <const uint8_t*>items(&all_held, sizes, 1, count)
        to = <uint8_t*>space(&all_held, out, 1, -1)
        room = length(&all_held)
        if total_of(bits, count, 63) != room:
            raise ValueError(f"sizes of other than {room} bytes")
        with nogil:
            if width == 1:
                put_bits[uint8_t](<const uint8_t*>given, bits, to, count)
            elif width == 2:
                put_bits[uint16_t](<const uint16_t*>given, bits, to, count)
            elif width == 4:
                put_bits[uint32_t](<const uint32_t*>given, bits, to, count)
            else:
                put_bits[uint64_t](<const uint64_t*>given, bits, to, count)
    finally:
        let_go(&all_held)


cdef Py_ssize_t total_of(const uint8_t* sizes, Py_ssize_t count, int most) except -2:
    """Bytes of all bits; -1 where one size is too large."""
    cdef Py_ssize_t i
    cdef int64_t total = 0
    cdef uint8_t largest = 0
    for i in range(count):
        total += sizes[i]
        largest = max(largest, sizes[i])
    return -1 if largest > most else <Py_ssize_t>((total + 7) >> 3)


cdef void put_bits(const word* values, const uint8_t* sizes, uint8_t* out, Py_ssize_t count) noexcept nogil:
    cdef uint64_t held = 0, field
    cdef int filled = 0, size
    cdef Py_ssize_t i
    for i in range(count):
        size = sizes[i]
        field = <uint64_t>values[i] & ((<uint64_t>1 << size) - 1)
        held |= field << filled
        if filled + size >= 64:
            memcpy(out, &held, 8)
            out += 8
            held = field >> (64 - filled) if filled else 0
            filled += size - 64
        else:
            filled += size
    memcpy(out, &held, (filled + 7) >> 3)


def unpack(data, sizes, out, Py_ssize_t width):
    """Put fields of so many bits into the lowest bits of ``out``: the inverse of :func:`pack`.

    Args:
        data: uint8, as many bytes as the bits need.
        sizes: uint8 ``[n]``, up to 56.
        out: unsigned ``[n]`` of ``width`` bytes, whose lowest bits are 0.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const uint8_t* given
    cdef const uint8_t* bits
    cdef void* to
    cdef Py_ssize_t count, room
    all_held.count = 0
    try:
        check_width(width)
        given = <const uint8_t*>items(&all_held, data, 1, -1)
        room = length(&all_held)
        bits = <const uint8_t*>items(&all_held, sizes, 1, -1)
        count = length(&all_held)
        to = space(&all_held, out, width, count)
        if total_of(bits, count, MOST_EXTRA) != room:
            raise ValueError(f"sizes of other than {room} bytes")
        with nogil:
            if width == 1:
                take_bits[uint8_t](given, room, bits, <uint8_t*>to, count)
            elif width == 2:
                take_bits[uint16_t](given, room, bits, <uint16_t*>to, count)
            elif width == 4:
                take_bits[uint32_t](given, room, bits, <uint32_t*>to, count)
            else:
                take_bits[uint64_t](given, room, bits, <uint64_t*>to, count)
    finally:
        let_go(&all_held)


cdef void take_bits(const uint8_t* data, Py_ssize_t room, const uint8_t* sizes, word* out, Py_ssize_t count) noexcept nogil:
    cdef uint64_t held
    cdef Py_ssize_t i, first = 0, place
    for i in range(count):
        place = first >> 3
        held = 0
        memcpy(&held, data + place, 8 if room - place >= 8 else room - place)
        out[i] |= <word>(held >> (first & 7) & ((<uint64_t>1 << sizes[i]) - 1))
        first += sizes[i]
