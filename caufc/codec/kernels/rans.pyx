# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""rANS decoding of runs of symbols, the compiled twin of constriction's decoder."""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from .buffers cimport Held, held, items, length, let_go, space

cdef enum:
    MOST_TABLES = 256
    MOST_SYMBOLS = 65536

cdef const char* TABLES = b"caufc.codec.kernels.rans.tables"


def tables_of(frequencies, Py_ssize_t count, Py_ssize_t size):
    """Tables for :func:`decode`, as a capsule that nobody can change.

    Attack: frequencies that leave quantiles without a symbol, or symbols without quantiles. Bound: 1 to 256 tables of 2
    to 65,536 symbols, every frequency from 1 to 2^24 - 1, every sum 2^24.

    Args:
        frequencies: int64 ``[count, size]``.

    Raises:
        ValueError: for anything else.
    """
    cdef Held all_held
    cdef const int64_t* given
    cdef Tables* tables = NULL
    cdef bint exact
    all_held.count = 0
    try:
        if not (1 <= count <= MOST_TABLES and 2 <= size <= MOST_SYMBOLS):
            raise ValueError(f"{count} tables of {size} symbols")
        given = <const int64_t*>items(&all_held, frequencies, 8, count * size)
        tables = _room(count, size)
        with nogil:
            exact = _fill(tables, given)
        if not exact:
            free(tables)
            raise ValueError("frequencies that are no table")
    finally:
        let_go(&all_held)
    return PyCapsule_New(tables, TABLES, _free)


cdef void _free(object capsule) noexcept:
    free(PyCapsule_GetPointer(capsule, TABLES))


cdef Tables* _room(Py_ssize_t count, Py_ssize_t size) except NULL:
    """Tables in one piece of memory, the widest items first."""
    cdef size_t slots = <size_t>count * SLOTS * sizeof(uint64_t)
    cdef size_t starts = <size_t>count * (size + 1) * sizeof(uint32_t)
    cdef size_t first = <size_t>count * (SLOTS + 1) * sizeof(uint16_t)
    cdef Tables* tables = <Tables*>malloc(sizeof(Tables) + slots + starts + first)
    if not tables:
        raise MemoryError
    tables.count, tables.size = count, size
    tables.slots = <uint64_t*>(tables + 1)
    tables.starts = <uint32_t*>(<char*>tables.slots + slots)
    tables.first = <uint16_t*>(<char*>tables.starts + starts)
    return tables


cdef bint _fill(Tables* tables, const int64_t* frequencies) noexcept nogil:
    """Whether they are tables."""
    cdef Py_ssize_t number, symbol, slot
    cdef int64_t frequency, total
    cdef uint32_t low
    cdef uint32_t* starts
    for number in range(tables.count):
        starts = tables.starts + number * (tables.size + 1)
        total = 0
        for symbol in range(tables.size):
            frequency = frequencies[number * tables.size + symbol]
            if frequency < 1 or frequency > QUANTILES:
                return False
            starts[symbol] = <uint32_t>total
            total += frequency
            if total > QUANTILES + 1:
                return False
        if total != QUANTILES + 1:
            return False
        starts[tables.size] = <uint32_t>total
        symbol = 0
        for slot in range(SLOTS):
            low = <uint32_t>slot << SLOT_SHIFT
            while starts[symbol + 1] <= low:
                symbol += 1
            tables.first[number * (SLOTS + 1) + slot] = <uint16_t>symbol
            tables.slots[number * SLOTS + slot] = (
                <uint64_t>(starts[symbol + 1] - starts[symbol])
                | <uint64_t>starts[symbol] << START_SHIFT
                | <uint64_t>symbol << SYMBOL_SHIFT
            ) if starts[symbol + 1] >= low + (<uint32_t>1 << SLOT_SHIFT) else 0
        tables.first[number * (SLOTS + 1) + SLOTS] = <uint16_t>(tables.size - 1)
    return True


cdef Stack _stack(Held* all_held, object words, Py_ssize_t left, uint64_t state) except *:
    """A stack that goes on. Attack: more words left than there are. Bound: the array's length."""
    cdef Stack stack
    stack.words = <const uint32_t*>items(all_held, words, 4, -1)
    if not 0 <= left <= length(all_held):
        raise ValueError(f"{left} words left of {length(all_held)}")
    stack.left, stack.state = left, state
    return stack


def start(words):
    """Words left and state of a stack of these words: uint32 ``[W]``."""
    cdef Held all_held
    cdef Stack stack
    all_held.count = 0
    try:
        stack.words = <const uint32_t*>items(&all_held, words, 4, -1)
        begin(&stack, stack.words, length(&all_held))
    finally:
        let_go(&all_held)
    return stack.left, stack.state


cdef void _run(Stack* stack, const Table* table, void* out, Py_ssize_t itemsize, Py_ssize_t count) noexcept nogil:
    cdef Stack now = stack[0]
    cdef Py_ssize_t place
    if itemsize == 1:
        for place in range(count):
            (<uint8_t*>out)[place] = <uint8_t>pulled(&now, table)
    elif itemsize == 2:
        for place in range(count):
            (<uint16_t*>out)[place] = <uint16_t>pulled(&now, table)
    elif itemsize == 4:
        for place in range(count):
            (<uint32_t*>out)[place] = pulled(&now, table)
    else:
        for place in range(count):
            (<uint64_t*>out)[place] = pulled(&now, table)
    stack[0] = now


def decode(words, Py_ssize_t left, uint64_t state, tables, Py_ssize_t number, out, Py_ssize_t itemsize):
    """Fill ``out`` with the next symbols; the words left and the state behind them.

    Attack: symbols that the items of ``out`` cannot hold. Bound: what a table has of symbols beyond is refused.

    Args:
        words: uint32 ``[W]``, of which ``left`` are not taken yet.
        state: of the coder.
        tables: of :func:`tables_of`, and the number of the one that is used.
        out: integers of ``itemsize`` bytes, 1, 2, 4 or 8.

    Raises:
        ValueError: for arrays of another kind, or a number that is no table's.
    """
    cdef Held all_held
    cdef Stack stack
    cdef Table table
    cdef Tables* given = tables_in(tables)
    cdef void* place
    cdef Py_ssize_t count
    all_held.count = 0
    try:
        if not 0 <= number < given.count:
            raise ValueError(f"table {number} of {given.count}")
        if itemsize not in (1, 2, 4, 8) or (itemsize == 1 and given.size > 256):
            raise ValueError(f"items of {itemsize} bytes for {given.size} symbols")
        stack = _stack(&all_held, words, left, state)
        place = space(&all_held, out, itemsize, -1)
        count = length(&all_held)
        table = table_at(given, number)
        with nogil:
            _run(&stack, &table, place, itemsize, count)
    finally:
        let_go(&all_held)
    return stack.left, stack.state


def decode_bits(words, Py_ssize_t left, uint64_t state, int bits, out):
    """The same for ``2^bits`` equally likely symbols, 1 to 16 bits, in an ``out`` of int32.

    Raises:
        ValueError: for other numbers of bits, or arrays of another kind.
    """
    cdef Held all_held
    cdef Stack stack
    cdef uint32_t* symbols
    cdef Py_ssize_t place, count
    all_held.count = 0
    try:
        if not 1 <= bits <= 16:
            raise ValueError(f"{bits} bits")
        stack = _stack(&all_held, words, left, state)
        symbols = <uint32_t*>space(&all_held, out, 4, -1)
        count = length(&all_held)
        with nogil:
            for place in range(count):
                symbols[place] = pulled_bits(&stack, bits)
    finally:
        let_go(&all_held)
    return stack.left, stack.state
