/* Orthonormal DCTs of lines of tokens, eight channels side by side: products of numpy's code in numpy's order.

   A DCT's even frequencies are those of the sums of what stands at equal distances from both ends of a line, the odd ones
   those of the differences; the way back goes through both the other way. So two products of half the length do. */

#include <stddef.h>
#include <stdint.h>

#include "clones.h"

enum { LANES = 8, VECTORS = 2, WIDE = VECTORS * LANES, LONGEST = 64 };

#if defined(__GNUC__)
typedef float Lanes __attribute__((vector_size(32), aligned(4), may_alias));
#define PLUS(a, b) ((a) + (b))
#define MINUS(a, b) ((a) - (b))
#define TIMES(factor, a) ((factor) * (a))
#else
typedef struct {
    float of[LANES];
} Lanes;
INLINE Lanes PLUS(Lanes a, Lanes b) {
    for (int w = 0; w < LANES; w++) a.of[w] += b.of[w];
    return a;
}
INLINE Lanes MINUS(Lanes a, Lanes b) {
    for (int w = 0; w < LANES; w++) a.of[w] -= b.of[w];
    return a;
}
INLINE Lanes TIMES(float factor, Lanes a) {
    for (int w = 0; w < LANES; w++) a.of[w] *= factor;
    return a;
}
#endif

typedef Lanes Line[LONGEST / 2][VECTORS];

/* Some rows of a matrix times values: each row adds its products from the first to the last. */
#define ROWS(COUNT)                                                                                                   \
    INLINE void rows_##COUNT(const float* RESTRICT matrix, int size, Lanes (*RESTRICT values)[VECTORS],               \
                             Lanes (*RESTRICT found)[VECTORS]) {                                                      \
        Lanes one[COUNT], other[COUNT];                                                                               \
        for (int row = 0; row < COUNT; row++) {                                                                       \
            one[row] = TIMES(matrix[row * size], values[0][0]);                                                       \
            other[row] = TIMES(matrix[row * size], values[0][1]);                                                     \
        }                                                                                                             \
        for (int k = 1; k < size; k++)                                                                                \
            for (int row = 0; row < COUNT; row++) {                                                                   \
                one[row] = PLUS(one[row], TIMES(matrix[row * size + k], values[k][0]));                               \
                other[row] = PLUS(other[row], TIMES(matrix[row * size + k], values[k][1]));                           \
            }                                                                                                         \
        for (int row = 0; row < COUNT; row++) {                                                                       \
            found[row][0] = one[row];                                                                                 \
            found[row][1] = other[row];                                                                               \
        }                                                                                                             \
    }

ROWS(1)
ROWS(2)
ROWS(3)
ROWS(4)

INLINE void product(const float* RESTRICT matrix, int rows, int size, Lanes (*RESTRICT values)[VECTORS],
                    Lanes (*RESTRICT found)[VECTORS]) {
    int row = 0;
    for (; row + 4 <= rows; row += 4) rows_4(matrix + row * size, size, values, found + row);
    matrix += row * size;
    if (rows - row == 3) rows_3(matrix, size, values, found + row);
    if (rows - row == 2) rows_2(matrix, size, values, found + row);
    if (rows - row == 1) rows_1(matrix, size, values, found + row);
}

#define LANES_AT(place) (*(Lanes*)(place))

/* A line's tokens to its frequencies, of WIDE channels. */
INLINE void forward(const float* matrix, int length, const float* from, float* to, ptrdiff_t step) {
    const int half = length / 2, more = length - half;
    Line sums, apart, found;
    for (int k = 0; k < half; k++)
        for (int v = 0; v < VECTORS; v++) {
            const Lanes first = LANES_AT(from + k * step + v * LANES);
            const Lanes last = LANES_AT(from + (length - 1 - k) * step + v * LANES);
            sums[k][v] = PLUS(first, last);
            apart[k][v] = MINUS(first, last);
        }
    if (more > half)
        for (int v = 0; v < VECTORS; v++) sums[half][v] = LANES_AT(from + half * step + v * LANES);
    product(matrix, more, more, sums, found);
    for (int k = 0; k < more; k++)
        for (int v = 0; v < VECTORS; v++) LANES_AT(to + 2 * k * step + v * LANES) = found[k][v];
    product(matrix + more * more, half, half, apart, found);
    for (int k = 0; k < half; k++)
        for (int v = 0; v < VECTORS; v++) LANES_AT(to + (2 * k + 1) * step + v * LANES) = found[k][v];
}

/* A line's frequencies to its tokens. */
INLINE void inverse(const float* matrix, int length, const float* from, float* to, ptrdiff_t step) {
    const int half = length / 2, more = length - half;
    Line values, even, odd;
    for (int k = 0; k < more; k++)
        for (int v = 0; v < VECTORS; v++) values[k][v] = LANES_AT(from + 2 * k * step + v * LANES);
    product(matrix, more, more, values, even);
    for (int k = 0; k < half; k++)
        for (int v = 0; v < VECTORS; v++) values[k][v] = LANES_AT(from + (2 * k + 1) * step + v * LANES);
    if (half) product(matrix + more * more, more, half, values, odd);
    for (int k = 0; k < half; k++)
        for (int v = 0; v < VECTORS; v++) {
            LANES_AT(to + k * step + v * LANES) = PLUS(even[k][v], odd[k][v]);
            LANES_AT(to + (length - 1 - k) * step + v * LANES) = MINUS(even[k][v], odd[k][v]);
        }
    if (more > half)
        for (int v = 0; v < VECTORS; v++) {
            LANES_AT(to + half * step + v * LANES) = even[half][v];
            if (half) LANES_AT(to + half * step + v * LANES) = PLUS(even[half][v], odd[half][v]);
        }
}

INLINE void one_line(const float* matrix, int length, const float* from, float* to, ptrdiff_t step, int back) {
    if (back) inverse(matrix, length, from, to, step);
    else forward(matrix, length, from, to, step);
}

/* What is left of some lines of one length, less than WIDE channels of each, side by side. */
INLINE void packed_lines(const float* from, float* to, const int64_t* lines, int count, ptrdiff_t channels,
                         ptrdiff_t whole, ptrdiff_t left, const float* matrix, int back) {
    float packed[LONGEST * WIDE] = {0};
    const int length = (int)lines[1];
    for (int number = 0; number < count; number++) {
        const float* read = from + lines[4 * number] * channels + whole;
        const ptrdiff_t step = lines[4 * number + 2] * channels;
        for (int k = 0; k < length; k++)
            for (ptrdiff_t w = 0; w < left; w++) packed[k * WIDE + number * left + w] = read[k * step + w];
    }
    one_line(matrix, length, packed, packed, WIDE, back);
    for (int number = 0; number < count; number++) {
        float* written = to + lines[4 * number] * channels + whole;
        const ptrdiff_t step = lines[4 * number + 2] * channels;
        for (int k = 0; k < length; k++)
            for (ptrdiff_t w = 0; w < left; w++) written[k * step + w] = packed[k * WIDE + number * left + w];
    }
}

/* Lines that lie apart: first token, length, distance of two tokens, tokens side by side [n, 4]. */
CLONES static void transform_lines(const float* from, float* to, const int64_t* lines, ptrdiff_t count,
                                   ptrdiff_t channels, const float* matrices, const int64_t* places, int back) {
    const int64_t *end = lines + 4 * count, *line = lines;
    while (line < end) {
        const int length = (int)line[1];
        const ptrdiff_t lanes = line[3] * channels, left = lanes % WIDE, whole = lanes - left;
        const float* matrix = matrices + places[length];
        const int most = left ? (int)(WIDE / left) : 1;
        int alike = 1;
        while (alike < most && line + 4 * alike < end && line[4 * alike + 1] == line[1] && line[4 * alike + 3] == line[3])
            alike++;
        for (int number = 0; number < alike; number++) {
            const ptrdiff_t start = line[4 * number] * channels, step = line[4 * number + 2] * channels;
            for (ptrdiff_t lane = start; lane < start + whole; lane += WIDE)
                one_line(matrix, length, from + lane, to + lane, step, back);
        }
        if (left) packed_lines(from, to, line, alike, channels, whole, left, matrix, back);
        line += 4 * alike;
    }
}
