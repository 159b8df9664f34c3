# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Byte planes of the lossless codec: splitting, contexts, histograms, grouping and rANS (spec, section 11).

Attack: contexts that name a table that is not there, raw bytes that end early. Bound: what contexts need is counted
before the first byte is decoded, and every table number is looked at.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from .buffers cimport Held, items, length, let_go, space
from .rans cimport Stack, Table, Tables, pulled, table_at, tables_in

cdef enum:
    VALUES = 256
    RAW = 0
    TABLE = 2
    MEAN = 1
    SIGNS = 2
    FEW = 64             # contexts whose histograms stay in the first cache twice
    MOST_BYTES = 0x7fffffff

ctypedef fused word:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

cdef struct Lines:
    Py_ssize_t row, row_step, rows
    Py_ssize_t column, column_step, columns


def split(values, planes, Py_ssize_t width, bint rotate):
    """Planes ``[width, M]``, the most significant first, of unsigned integers ``[M]`` of 1, 2, 4 or 8 bytes.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const void* given
    cdef uint8_t* out
    cdef Py_ssize_t count
    all_held.count = 0
    try:
        if width not in (1, 2, 4, 8):
            raise ValueError(f"integers of {width} bytes")
        given = items(&all_held, values, width, -1)
        count = length(&all_held)
        out = <uint8_t*>space(&all_held, planes, 1, width * count)
        with nogil:
            if width == 1:
                split_words[uint8_t](<const uint8_t*>given, out, count, False)
            elif width == 2:
                split_words[uint16_t](<const uint16_t*>given, out, count, rotate)
            elif width == 4:
                split_words[uint32_t](<const uint32_t*>given, out, count, rotate)
            else:
                split_words[uint64_t](<const uint64_t*>given, out, count, rotate)
    finally:
        let_go(&all_held)


cdef void split_words(const word* values, uint8_t* planes, Py_ssize_t count, bint rotate) noexcept nogil:
    cdef int width = sizeof(word), bits = 8 * sizeof(word), plane
    cdef word sign = <word>((<uint64_t>1 << (bits - 9)) if bits > 8 else 0)
    cdef word rest = <word>(sign - 1), upper = <word>(<word>255 << (bits - 8)), value
    cdef Py_ssize_t i
    for plane in range(width):
        for i in range(count):
            value = values[i]
            if rotate:
                value = <word>(<word>(value << 1) & upper) | <word>(<word>(value >> 8) & sign) | <word>(value & rest)
            planes[plane * count + i] = <uint8_t>(value >> (bits - 8 - 8 * plane))


def join(planes, values, Py_ssize_t width, bint rotate):
    """The inverse of :func:`split`.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const uint8_t* given
    cdef void* out
    cdef Py_ssize_t count
    all_held.count = 0
    try:
        if width not in (1, 2, 4, 8):
            raise ValueError(f"integers of {width} bytes")
        out = space(&all_held, values, width, -1)
        count = length(&all_held)
        given = <const uint8_t*>items(&all_held, planes, 1, width * count)
        with nogil:
            if width == 1:
                join_words[uint8_t](given, <uint8_t*>out, count, False)
            elif width == 2:
                join_words[uint16_t](given, <uint16_t*>out, count, rotate)
            elif width == 4:
                join_words[uint32_t](given, <uint32_t*>out, count, rotate)
            else:
                join_words[uint64_t](given, <uint64_t*>out, count, rotate)
    finally:
        let_go(&all_held)


cdef void join_words(const uint8_t* planes, word* values, Py_ssize_t count, bint rotate) noexcept nogil:
    cdef int width = sizeof(word), bits = 8 * sizeof(word), plane
    cdef word sign = <word>((<uint64_t>1 << (bits - 9)) if bits > 8 else 0)
    cdef word rest = <word>(sign - 1), upper = <word>(<word>255 << (bits - 8)), value
    cdef Py_ssize_t i
    for i in range(count):
        value = 0
        for plane in range(width):
            value |= <word>(<word>planes[plane * count + i] << (bits - 8 - 8 * plane))
        if rotate:
            value = <word>(<word>(value & upper) >> 1) | <word>(<word>(value & sign) << 8) | <word>(value & rest)
        values[i] = value


cdef int take_lines(Lines* lines, object rows, object columns, Py_ssize_t height, Py_ssize_t width) except -1:
    """Every so-many-th row and column of a grid. Attack: lines outside. Bound: the grid's size."""
    lines.row, lines.row_step, lines.rows = rows
    lines.column, lines.column_step, lines.columns = columns
    check_lines(lines.row, lines.row_step, lines.rows, height)
    check_lines(lines.column, lines.column_step, lines.columns, width)
    return 0


cdef int check_lines(Py_ssize_t first, Py_ssize_t step, Py_ssize_t count, Py_ssize_t size) except -1:
    if first < 0 or step < 1 or count < 0 or (count and (first >= size or count - 1 > (size - 1 - first) // step)):
        raise ValueError(f"{count} lines of {size}")
    return 0


def contexts(plane, base, table, out, tuple shape, tuple rows, tuple columns, int axis, Py_ssize_t distance, int summary):
    """Contexts of a pass's elements ``[n]``: what planes before give, and what the neighbours in the plane itself do.

    Args:
        plane: uint8 ``[R, C, I]``.
        base: uint8, as many.
        table: uint8 ``[256]``, what a summary adds.
        out: uint8 ``[n]``, for the pass's rows, columns, and I.
        shape: R, C, I.
        rows, columns: first, step and number of each.
        axis: along which neighbours lie, 0 or 1.
        distance: of neighbours.
        summary: 1 for their mean, rounded up, 2 for how many have their top bit set.

    Raises:
        ValueError: for arrays that do not fit each other, or neighbours outside.
    """
    cdef Held all_held
    cdef Lines lines
    cdef Py_ssize_t height, width, inner, i, j, row, column, size, step, place, before, behind
    cdef const uint8_t* given
    cdef const uint8_t* under
    cdef const uint8_t* adds
    cdef uint8_t* to
    all_held.count = 0
    try:
        height, width, inner = shape
        if min(height, width, inner) < 0 or (width and inner and height > MOST_BYTES // width // inner):
            raise ValueError(f"a plane of {shape}")
        take_lines(&lines, rows, columns, height, width)
        if axis not in (0, 1) or distance < 1 or (lines.row if axis == 0 else lines.column) < distance:
            raise ValueError("neighbours outside")
        if summary not in (MEAN, SIGNS):
            raise ValueError(f"summary {summary}")
        size = height * width * inner
        given = <const uint8_t*>items(&all_held, plane, 1, size)
        under = <const uint8_t*>items(&all_held, base, 1, size)
        adds = <const uint8_t*>items(&all_held, table, 1, VALUES)
        to = <uint8_t*>space(&all_held, out, 1, lines.rows * lines.columns * inner)
        with nogil:
            for i in range(lines.rows):
                row = lines.row + i * lines.row_step
                for j in range(lines.columns):
                    column = lines.column + j * lines.column_step
                    place = (row * width + column) * inner
                    step = distance * inner * (width if axis == 0 else 1)
                    before = place - step
                    if (row + distance < height) if axis == 0 else (column + distance < width):
                        behind = place + step
                    else:
                        behind = before
                    if summary == MEAN:
                        add_means(given + before, given + behind, under + place, adds, to, inner)
                    else:
                        add_signs(given + before, given + behind, under + place, adds, to, inner)
                    to += inner
    finally:
        let_go(&all_held)


cdef void add_means(const uint8_t* before, const uint8_t* behind, const uint8_t* base, const uint8_t* table,
                    uint8_t* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = base[i] + table[(before[i] | behind[i]) - ((before[i] ^ behind[i]) >> 1)]


cdef void add_signs(const uint8_t* before, const uint8_t* behind, const uint8_t* base, const uint8_t* table,
                    uint8_t* out, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        out[i] = base[i] + table[(before[i] >> 7) + (behind[i] >> 7)]


def look_up(table, values, out):
    """``table[values]``: all uint8, the table ``[256]``.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const uint8_t* of
    cdef const uint8_t* given
    cdef uint8_t* to
    cdef Py_ssize_t count, i
    all_held.count = 0
    try:
        of = <const uint8_t*>items(&all_held, table, 1, VALUES)
        given = <const uint8_t*>items(&all_held, values, 1, -1)
        count = length(&all_held)
        to = <uint8_t*>space(&all_held, out, 1, count)
        with nogil:
            for i in range(count):
                to[i] = of[given[i]]
    finally:
        let_go(&all_held)


def hits(context, part, alike, out):
    """1 where an element is what ``alike`` says of its context, else 0.

    Args:
        context, part: uint8 ``[n]``.
        alike: int16 ``[256]``, -1 for nothing.
        out: uint8 ``[n]``.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const uint8_t* contexts_
    cdef const uint8_t* given
    cdef const short* of
    cdef uint8_t* to
    cdef Py_ssize_t count, i
    all_held.count = 0
    try:
        contexts_ = <const uint8_t*>items(&all_held, context, 1, -1)
        count = length(&all_held)
        given = <const uint8_t*>items(&all_held, part, 1, count)
        of = <const short*>items(&all_held, alike, 2, VALUES)
        to = <uint8_t*>space(&all_held, out, 1, count)
        with nogil:
            for i in range(count):
                to[i] = of[contexts_[i]] == given[i]
    finally:
        let_go(&all_held)


def count(context, side, Py_ssize_t sides, part, counts):
    """Add how often each byte comes in each context.

    Args:
        context: uint8 ``[n]``.
        side: uint8 ``[n]``, below ``sides``; None where that is 1.
        part: uint8 ``[n]``.
        counts: int64 ``[K, 256]``: context ``sides * c + s``.

    Raises:
        ValueError: for arrays that do not fit each other, or contexts beyond the counts.
    """
    cdef Held all_held
    cdef const uint8_t* outer
    cdef const uint8_t* inner = NULL
    cdef const uint8_t* given
    cdef int64_t* out
    cdef uint32_t* found = NULL
    cdef Py_ssize_t many, size, i
    cdef size_t most = 0, key
    all_held.count = 0
    try:
        outer = <const uint8_t*>items(&all_held, context, 1, -1)
        many = length(&all_held)
        given = <const uint8_t*>items(&all_held, part, 1, many)
        if side is not None:
            inner = <const uint8_t*>items(&all_held, side, 1, many)
        out = <int64_t*>space(&all_held, counts, 8, -1)
        size = length(&all_held)
        if not 1 <= sides <= VALUES or size % VALUES or size > VALUES * VALUES * VALUES or many > MOST_BYTES:
            raise ValueError(f"{size} counts of {many} bytes")
        for i in range(many):
            key = <size_t>outer[i] * sides + (inner[i] if inner else 0)
            most = max(most, key)
        if many and <Py_ssize_t>most >= size // VALUES:
            raise ValueError(f"context {most} of {size // VALUES}")
        found = <uint32_t*>calloc(2 * size + 1, sizeof(uint32_t))
        if not found:
            raise MemoryError
        with nogil:
            tally(outer, inner, sides, given, many, found, found + (size if size <= FEW * VALUES else 0))
            for i in range(size):
                out[i] += found[i]
            if size <= FEW * VALUES:
                for i in range(size):
                    out[i] += found[size + i]
    finally:
        free(found)
        let_go(&all_held)


cdef void tally(const uint8_t* outer, const uint8_t* inner, size_t sides, const uint8_t* part, Py_ssize_t count,
                uint32_t* even, uint32_t* odd) noexcept nogil:
    """Into two histograms by turns, so that equal neighbours do not wait for each other."""
    cdef Py_ssize_t i
    if inner:
        for i in range(count):
            even[((outer[i] * sides + inner[i]) << 8) + part[i]] += 1
        return
    sides <<= 8
    for i in range(0, count - 1, 2):
        even[outer[i] * sides + part[i]] += 1
        odd[outer[i + 1] * sides + part[i + 1]] += 1
    if count & 1:
        even[outer[count - 1] * sides + part[count - 1]] += 1


cdef struct Groups:
    Py_ssize_t count           # up to 257: tables in order of their contexts, then raw bytes, then constants
    Py_ssize_t tables
    uint16_t[VALUES] of        # the group of a context
    uint32_t[VALUES + 2] starts


cdef void make_groups(Groups* groups, const uint8_t* kinds, const uint8_t* contexts_, Py_ssize_t count) noexcept nogil:
    """Which elements go together, and where each group starts when they are sorted."""
    cdef uint32_t[VALUES] even
    cdef uint32_t[VALUES] odd
    cdef Py_ssize_t i, k
    groups.tables = 0
    for k in range(VALUES):
        if kinds[k] == TABLE:
            groups.of[k] = <uint16_t>groups.tables
            groups.tables += 1
    groups.count = groups.tables + 1
    for k in range(VALUES):
        if kinds[k] == RAW:
            groups.of[k] = <uint16_t>groups.tables
        elif kinds[k] != TABLE:
            groups.of[k] = <uint16_t>groups.count
            groups.count += 1
    memset(even, 0, sizeof(even))
    memset(odd, 0, sizeof(odd))
    for i in range(0, count - 1, 2):
        even[contexts_[i]] += 1
        odd[contexts_[i + 1]] += 1
    if count & 1:
        even[contexts_[count - 1]] += 1
    memset(groups.starts, 0, sizeof(groups.starts))
    for k in range(VALUES):
        groups.starts[groups.of[k] + 1] += even[k] + odd[k]
    for k in range(groups.count):
        groups.starts[k + 1] += groups.starts[k]


def group(part, context, kinds, out, stops):
    """Bytes by group: those of contexts with tables, context by context, then raw ones, then constants.

    Args:
        part, context: uint8 ``[n]``.
        kinds: uint8 ``[256]``: 0 for contexts of raw bytes, 2 for those with tables, others for constants.
        out: uint8 ``[n]``.
        stops: int64 ``[257]``, where each table's group ends, and then that of raw bytes.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef Groups groups
    cdef const uint8_t* given
    cdef const uint8_t* contexts_
    cdef const uint8_t* kind
    cdef uint8_t* to
    cdef int64_t* ends
    cdef uint32_t[VALUES + 1] cursor
    cdef Py_ssize_t many, i, k
    all_held.count = 0
    try:
        given = <const uint8_t*>items(&all_held, part, 1, -1)
        many = length(&all_held)
        contexts_ = <const uint8_t*>items(&all_held, context, 1, many)
        kind = <const uint8_t*>items(&all_held, kinds, 1, VALUES)
        to = <uint8_t*>space(&all_held, out, 1, many)
        ends = <int64_t*>space(&all_held, stops, 8, VALUES + 1)
        if many > MOST_BYTES:
            raise ValueError(f"a pass of {many} bytes")
        with nogil:
            make_groups(&groups, kind, contexts_, many)
            for k in range(groups.tables + 1):
                ends[k] = groups.starts[k + 1]
            memcpy(cursor, groups.starts, sizeof(cursor))
            for i in range(many):
                k = groups.of[contexts_[i]]
                to[cursor[k]] = given[i]
                cursor[k] += 1
    finally:
        let_go(&all_held)


def read(words, Py_ssize_t left, uint64_t state, tables, context, kinds, constants, raw, part):
    """Fill a pass: words left, state, and how many raw bytes it took; of these -1 where there are too few.

    Args:
        words, left, state: of the coder, as for :func:`caufc.codec.kernels.rans.decode`.
        tables: of contexts with tables, in ascending order, 256 symbols each; None where no context has one.
        context: uint8 ``[n]``.
        kinds: uint8 ``[256]``: 0 for contexts of raw bytes, 2 for those with tables.
        constants: uint8 ``[256]``: the byte of the other contexts.
        raw: uint8, bytes that are not taken yet.
        part: uint8 ``[n]``.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef Stack stack
    cdef Groups groups
    cdef Tables* given = NULL if tables is None else tables_in(tables)
    cdef const uint8_t* contexts_
    cdef const uint8_t* kind
    cdef const uint8_t* constant
    cdef const uint8_t* stored
    cdef uint8_t* to
    cdef uint32_t* places = NULL
    cdef Py_ssize_t size, room, need
    all_held.count = 0
    try:
        stack.words = <const uint32_t*>items(&all_held, words, 4, -1)
        if not 0 <= left <= length(&all_held):
            raise ValueError(f"{left} words left of {length(&all_held)}")
        stack.left, stack.state = left, state
        contexts_ = <const uint8_t*>items(&all_held, context, 1, -1)
        size = length(&all_held)
        kind = <const uint8_t*>items(&all_held, kinds, 1, VALUES)
        constant = <const uint8_t*>items(&all_held, constants, 1, VALUES)
        stored = <const uint8_t*>items(&all_held, raw, 1, -1)
        room = length(&all_held)
        to = <uint8_t*>space(&all_held, part, 1, size)
        if size > MOST_BYTES:
            raise ValueError(f"a pass of {size} bytes")
        with nogil:
            make_groups(&groups, kind, contexts_, size)
        if groups.tables != (given.count if given else 0) or (given and given.size != VALUES):
            raise ValueError(f"{groups.tables} contexts with tables")
        need = groups.starts[groups.tables + 1] - groups.starts[groups.tables]
        if need > room:
            return left, state, -1
        places = <uint32_t*>malloc(<size_t>size * sizeof(uint32_t) + 1)
        if not places:
            raise MemoryError
        with nogil:
            fill(&stack, given, &groups, contexts_, constant, kind, stored, places, to, size)
    finally:
        free(places)
        let_go(&all_held)
    return stack.left, stack.state, need


cdef void fill(Stack* stack, const Tables* tables, const Groups* groups, const uint8_t* contexts_,
               const uint8_t* constants, const uint8_t* kinds, const uint8_t* raw, uint32_t* places, uint8_t* out,
               Py_ssize_t size) noexcept nogil:
    """The bytes of all groups to their places."""
    cdef Stack now = stack[0]
    cdef Table table
    cdef uint32_t[VALUES + 1] cursor
    cdef Py_ssize_t k, number
    cdef uint32_t i
    memcpy(cursor, groups.starts, sizeof(cursor))
    for i in range(<uint32_t>size):
        number = groups.of[contexts_[i]]
        places[cursor[number]] = i
        cursor[number] += 1
    for number in range(groups.tables):
        table = table_at(tables, number)
        for i in range(groups.starts[number], groups.starts[number + 1]):
            out[places[i]] = <uint8_t>pulled(&now, &table)
    stack[0] = now
    for i in range(groups.starts[groups.tables], groups.starts[groups.tables + 1]):
        out[places[i]] = raw[i - groups.starts[groups.tables]]
    for k in range(VALUES):
        if kinds[k] != TABLE and kinds[k] != RAW:
            number = groups.of[k]
            for i in range(groups.starts[number], groups.starts[number + 1]):
                out[places[i]] = constants[k]
