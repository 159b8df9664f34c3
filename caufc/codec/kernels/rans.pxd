# cython: language_level=3
"""rANS decoding with tables of exact integer frequencies (spec, section 9.3): a stack of words, a symbol at a time.

A table finds a symbol by the upper 10 bits of its quantile where one symbol fills that slot, else among those that
share it. Attack: a table that puts all its symbols into one slot. Bound: they are searched by halves, 16 steps at most.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport uint16_t, uint32_t, uint64_t

cdef enum:
    PRECISION = 24
    QUANTILES = 0xFFFFFF
    SLOTS = 1024
    SLOT_SHIFT = 14
    START_SHIFT = 24
    SYMBOL_SHIFT = 48

cdef struct Tables:
    Py_ssize_t count   # tables
    Py_ssize_t size    # symbols of each
    uint32_t* starts   # [count, size + 1], the last one 2^24
    uint64_t* slots    # [count, SLOTS]: frequency, start and symbol of the one that fills a slot, or 0
    uint16_t* first    # [count, SLOTS + 1]: the symbol of a slot's first quantile; last, the last symbol

cdef struct Table:
    const uint32_t* starts
    const uint64_t* slots
    const uint16_t* first

cdef struct Stack:
    const uint32_t* words
    Py_ssize_t left    # words that are not taken yet
    uint64_t state


cdef inline Tables* tables_in(object capsule) except NULL:
    """What :func:`tables_of` has checked and made; nothing else has its name."""
    return <Tables*>PyCapsule_GetPointer(capsule, b"caufc.codec.kernels.rans.tables")


cdef inline Table table_at(const Tables* tables, Py_ssize_t number) noexcept nogil:
    cdef Table found
    found.starts = tables.starts + number * (tables.size + 1)
    found.slots = tables.slots + number * SLOTS
    found.first = tables.first + number * (SLOTS + 1)
    return found


cdef inline void refill(Stack* stack) noexcept nogil:
    if stack.state < <uint64_t>1 << 32 and stack.left:
        stack.left -= 1
        stack.state = stack.state << 32 | stack.words[stack.left]


cdef inline void begin(Stack* stack, const uint32_t* words, Py_ssize_t count) noexcept nogil:
    """The state is the last two words."""
    stack.words, stack.left, stack.state = words, count, 0
    refill(stack)
    refill(stack)


cdef inline uint32_t pulled(Stack* stack, const Table* table) noexcept nogil:
    """The next symbol; below the table's size, whatever the words are."""
    cdef uint32_t quantile = <uint32_t>(stack.state & QUANTILES), low, high, middle
    cdef uint64_t slot = table.slots[quantile >> SLOT_SHIFT]
    if slot:
        low = <uint32_t>(slot >> SYMBOL_SHIFT)
        stack.state = (slot & QUANTILES) * (stack.state >> PRECISION) + quantile - (slot >> START_SHIFT & QUANTILES)
    else:
        low, high = table.first[quantile >> SLOT_SHIFT], table.first[(quantile >> SLOT_SHIFT) + 1]
        while low < high:
            middle = (low + high + 1) >> 1
            if table.starts[middle] <= quantile:
                low = middle
            else:
                high = middle - 1
        stack.state = (
            <uint64_t>(table.starts[low + 1] - table.starts[low]) * (stack.state >> PRECISION)
            + quantile - table.starts[low]
        )
    refill(stack)
    return low


cdef inline uint32_t pulled_bits(Stack* stack, int bits) noexcept nogil:
    """The next of ``2^bits`` equally likely symbols, 1 to 16 bits."""
    cdef int rest = PRECISION - bits
    cdef uint32_t quantile = <uint32_t>(stack.state & QUANTILES)
    stack.state = (stack.state >> PRECISION) << rest | (quantile & ((<uint32_t>1 << rest) - 1))
    refill(stack)
    return quantile >> rest
