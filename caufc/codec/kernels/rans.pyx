# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""rANS of runs of symbols, the compiled twin of constriction's coder."""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from .buffers cimport Held, held, items, length, let_go, space
from .chunk cimport BUCKETS, DIRECT, PIECE_BITS, bits_of

cdef enum:
    MOST_TABLES = 256
    MOST_SYMBOLS = 65536

cdef const char* TABLES = b"caufc.codec.kernels.rans.tables"
cdef const char* INTERVALS = b"caufc.codec.kernels.rans.intervals"

cdef extern from "rans.h" nogil:
    int shift_of(uint32_t frequency)
    uint64_t inverse_of(uint32_t frequency, int shift, int* of_next)
    uint64_t quotient_of(uint64_t state, uint64_t inverse, uint64_t more, int shift)

cdef struct Interval:
    uint64_t inverse     # of the frequency
    uint32_t frequency
    uint32_t place       # the first quantile, and above its 24 bits twice the inverse's shift, 1 more if it is for x + 1

cdef struct Intervals:
    Py_ssize_t count     # tables
    Py_ssize_t size      # symbols of each
    Interval* of         # [count, size]

cdef struct Heap:
    uint32_t* words
    Py_ssize_t filled    # words that are written
    uint64_t state


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


def intervals_of(frequencies, Py_ssize_t count, Py_ssize_t size):
    """What :func:`encode` takes of tables, as a capsule that nobody can change; bounds are those of :func:`tables_of`.

    Args:
        frequencies: int64 ``[count, size]``.

    Raises:
        ValueError: for frequencies that are no tables.
    """
    cdef Held all_held
    cdef const int64_t* given
    cdef Intervals* intervals = NULL
    cdef bint exact
    all_held.count = 0
    try:
        if not (1 <= count <= MOST_TABLES and 2 <= size <= MOST_SYMBOLS):
            raise ValueError(f"{count} tables of {size} symbols")
        given = <const int64_t*>items(&all_held, frequencies, 8, count * size)
        intervals = <Intervals*>malloc(sizeof(Intervals) + <size_t>count * size * sizeof(Interval))
        if not intervals:
            raise MemoryError
        intervals.count, intervals.size, intervals.of = count, size, <Interval*>(intervals + 1)
        with nogil:
            exact = _part(intervals, given)
        if not exact:
            free(intervals)
            raise ValueError("frequencies that are no table")
    finally:
        let_go(&all_held)
    return PyCapsule_New(intervals, INTERVALS, _free_intervals)


cdef void _free_intervals(object capsule) noexcept:
    free(PyCapsule_GetPointer(capsule, INTERVALS))


cdef bint _part(Intervals* intervals, const int64_t* frequencies) noexcept nogil:
    """Whether they are tables."""
    cdef Py_ssize_t place
    cdef int64_t frequency, total = 0
    cdef int shift, of_next
    cdef Interval* one
    for place in range(intervals.count * intervals.size):
        frequency = frequencies[place]
        if frequency < 1 or frequency > QUANTILES or total > QUANTILES:
            return False
        one = &intervals.of[place]
        shift = shift_of(<uint32_t>frequency)
        one.frequency, one.inverse = <uint32_t>frequency, inverse_of(<uint32_t>frequency, shift, &of_next)
        one.place = <uint32_t>total | <uint32_t>(2 * shift + of_next) << START_SHIFT
        total += frequency
        if (place + 1) % intervals.size == 0:
            if total != QUANTILES + 1:
                return False
            total = 0
    return True


cdef Heap _heap(Held* all_held, object words, Py_ssize_t filled, uint64_t state, Py_ssize_t more) except *:
    """A heap that goes on. Attack: too few words. Bound: a word for every symbol that is added, which takes at most one."""
    cdef Heap heap
    heap.words = <uint32_t*>space(all_held, words, 4, -1)
    if not 0 <= filled <= length(all_held) or more > length(all_held) - filled:
        raise ValueError(f"{filled} words and {more} more in {length(all_held)}")
    heap.filled, heap.state = filled, state
    return heap


cdef inline void _push(Heap* heap, const Interval* one) noexcept nogil:
    cdef uint64_t more = one.inverse & -<uint64_t>(one.place >> START_SHIFT & 1)
    if heap.state >> (64 - PRECISION) >= one.frequency:
        heap.words[heap.filled] = <uint32_t>heap.state
        heap.filled += 1
        heap.state >>= 32
    heap.state += (one.place & QUANTILES) + quotient_of(
        heap.state, one.inverse, more, one.place >> (START_SHIFT + 1)
    ) * (QUANTILES + 1 - one.frequency)


cdef bint _push_run(
    Heap* heap, const Interval* table, Py_ssize_t size, const void* symbols, Py_ssize_t itemsize,
    Py_ssize_t first, Py_ssize_t stop
) noexcept nogil:
    """Push a run's symbols, the last one first; whether the table has them all."""
    cdef Heap now = heap[0]
    cdef Py_ssize_t place = stop
    cdef uint64_t symbol
    while place > first:
        place -= 1
        if itemsize == 1:
            symbol = (<const uint8_t*>symbols)[place]
        elif itemsize == 2:
            symbol = (<const uint16_t*>symbols)[place]
        elif itemsize == 4:
            symbol = (<const uint32_t*>symbols)[place]
        else:
            symbol = (<const uint64_t*>symbols)[place]
        if symbol >= <uint64_t>size:
            return False
        _push(&now, &table[symbol])
    heap[0] = now
    return True


def encode(words, Py_ssize_t filled, uint64_t state, symbols, Py_ssize_t itemsize, intervals, run_tables, run_stops):
    """Push runs of symbols, the last one first; the words written and the state behind them.

    Attack: runs outside of the symbols, tables that are not there, symbols that a table lacks. Bound: all are looked at
    before they are used, else ValueError.

    Args:
        words: uint32 ``[W]``, of which ``filled`` are written.
        state: of the coder.
        symbols: ``[n]`` integers of ``itemsize`` bytes, 1, 2, 4 or 8.
        intervals: of :func:`intervals_of`.
        run_tables: uint8 ``[R]``, the table of each run.
        run_stops: int64 ``[R]``, where each run ends, in order, the last at ``n``.

    Raises:
        ValueError: for arrays of another kind, or what does not fit.
    """
    cdef Held all_held
    cdef Heap heap
    cdef Intervals* given = <Intervals*>PyCapsule_GetPointer(intervals, INTERVALS)
    cdef const void* values
    cdef const uint8_t* tables
    cdef const int64_t* stops
    cdef Py_ssize_t count, runs, run, first
    cdef bint fits = True
    all_held.count = 0
    try:
        if itemsize not in (1, 2, 4, 8):
            raise ValueError(f"items of {itemsize} bytes")
        values = items(&all_held, symbols, itemsize, -1)
        count = length(&all_held)
        heap = _heap(&all_held, words, filled, state, count)
        tables = <const uint8_t*>items(&all_held, run_tables, 1, -1)
        runs = length(&all_held)
        stops = <const int64_t*>items(&all_held, run_stops, 8, runs)
        with nogil:
            first = 0
            for run in range(runs):
                fits &= first <= stops[run] <= count and tables[run] < given.count
                first = stops[run]
            fits &= first == count
            run = runs
            while fits and run > 0:
                run -= 1
                first = stops[run - 1] if run else 0
                fits = _push_run(
                    &heap, given.of + tables[run] * given.size, given.size, values, itemsize, first, stops[run]
                )
        if not fits:
            raise ValueError("runs that do not fit symbols and tables")
    finally:
        let_go(&all_held)
    return heap.filled, heap.state


cdef inline void _push_bits(Heap* heap, uint32_t symbol, int bits) noexcept nogil:
    cdef int rest = PRECISION - bits
    if heap.state >> (64 - bits):
        heap.words[heap.filled] = <uint32_t>heap.state
        heap.filled += 1
        heap.state >>= 32
    heap.state = heap.state >> rest << PRECISION | <uint64_t>symbol << rest | heap.state & ((<uint64_t>1 << rest) - 1)


def encode_bits(words, Py_ssize_t filled, uint64_t state, symbols, int bits):
    """The same for one run of ``2^bits`` equally likely symbols, 1 to 16 bits, in int32.

    Raises:
        ValueError: for other numbers of bits, symbols beyond, or arrays of another kind.
    """
    cdef Held all_held
    cdef Heap heap
    cdef const uint32_t* values
    cdef Py_ssize_t count, place
    cdef uint32_t most = 0
    all_held.count = 0
    try:
        if not 1 <= bits <= 16:
            raise ValueError(f"{bits} bits")
        values = <const uint32_t*>items(&all_held, symbols, 4, -1)
        count = length(&all_held)
        heap = _heap(&all_held, words, filled, state, count)
        with nogil:
            for place in range(count):
                most |= values[place]
            if most >> bits == 0:
                for place in range(count - 1, -1, -1):
                    _push_bits(&heap, values[place], bits)
        if most >> bits:
            raise ValueError(f"symbols beyond {bits} bits")
    finally:
        let_go(&all_held)
    return heap.filled, heap.state


def encode_rests(words, Py_ssize_t filled, uint64_t state, rests, counts):
    """The same for extra bits, bucket by bucket, the highest 16 bits first.

    Attack: counts of other rests, and rests with more bits than their bucket has. Bound: both are looked at before
    anything is pushed; a rest takes two words at most.

    Args:
        rests: int32 ``[n]``, how far symbols lie behind their buckets' first.
        counts: int64 ``[64]``, how many there are of each bucket; none of those below 16.

    Raises:
        ValueError: for what does not fit, or arrays of another kind.
    """
    cdef Held all_held
    cdef Heap heap
    cdef const uint32_t* values
    cdef const int64_t* many
    cdef Py_ssize_t count, stop = 0
    cdef int bucket
    cdef bint fits = True
    all_held.count = 0
    try:
        values = <const uint32_t*>items(&all_held, rests, 4, -1)
        count = length(&all_held)
        many = <const int64_t*>items(&all_held, counts, 8, BUCKETS)
        heap = _heap(&all_held, words, filled, state, 2 * count)
        with nogil:
            for bucket in range(BUCKETS):
                fits = fits and 0 <= many[bucket] <= count - stop and (bucket >= DIRECT or many[bucket] == 0)
                fits = fits and _are_below(values + stop, many[bucket], bits_of(bucket))
                stop += many[bucket] if fits else 0
            fits = fits and stop == count
            if fits:
                for bucket in range(BUCKETS - 1, DIRECT - 1, -1):
                    stop -= many[bucket]
                    _push_pieces(&heap, values + stop, many[bucket], bits_of(bucket))
        if not fits:
            raise ValueError("counts of other symbols")
    finally:
        let_go(&all_held)
    return heap.filled, heap.state


cdef bint _are_below(const uint32_t* rests, int64_t count, int bits) noexcept nogil:
    """Whether no rest has more bits."""
    cdef Py_ssize_t place
    cdef uint32_t most = 0
    for place in range(count):
        most |= rests[place]
    return most == 0 or most >> bits == 0


cdef void _push_pieces(Heap* heap, const uint32_t* rests, int64_t count, int bits) noexcept nogil:
    """Extra bits of one bucket, in pieces, the last one first."""
    cdef Heap now = heap[0]
    cdef Py_ssize_t place
    cdef int shift = 0, piece
    while shift < bits:
        piece = (bits - 1) % PIECE_BITS + 1 if shift == 0 else PIECE_BITS
        for place in range(count - 1, -1, -1):
            _push_bits(&now, rests[place] >> shift & ((<uint32_t>1 << piece) - 1), piece)
        shift += piece
    heap[0] = now


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
