/* Sums over the rows of float32 matrices in float64, eight side by side, in an order that numpy can follow. */

#include <stddef.h>
#include <stdint.h>

#include "clones.h"

enum { LANES = 8, STRIP = 256, TILE = 8 };

INLINE double total_of(const double* sums) {
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

INLINE double products_of(const float* one, const float* other, ptrdiff_t width) {
    const ptrdiff_t whole = width - width % LANES;
    double sums[LANES] = {0};
    for (ptrdiff_t k = 0; k < whole; k += LANES)
        for (int w = 0; w < LANES; w++) sums[w] += (double)one[k + w] * (double)other[k + w];
    for (ptrdiff_t k = whole; k < width; k++) sums[k - whole] += (double)one[k] * (double)other[k];
    return total_of(sums);
}

/* Whether a value lies outside of its channel's range. */
INLINE int is_beyond(const float* RESTRICT value, ptrdiff_t width, const float* RESTRICT low,
                     const float* RESTRICT high) {
    int32_t any = 0;
    for (ptrdiff_t k = 0; k < width; k++) any |= (int32_t)(value[k] < low[k]) | (int32_t)(value[k] > high[k]);
    return any;
}

/* Sums of squares of every row, and whether a value lies outside of its channel's range. */
CLONES static void measure_rows(const float* RESTRICT values, ptrdiff_t rows, ptrdiff_t width, const float* RESTRICT low,
                                const float* RESTRICT high, uint8_t* RESTRICT beyond, double* RESTRICT squares) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        beyond[row] = (uint8_t)is_beyond(values + row * width, width, low, high);
        squares[row] = products_of(values + row * width, values + row * width, width);
    }
}

/* Sums of squares of every row. */
CLONES static void square_rows(const float* RESTRICT values, ptrdiff_t rows, ptrdiff_t width,
                               double* RESTRICT squares) {
    for (ptrdiff_t row = 0; row < rows; row++) squares[row] = products_of(values + row * width, values + row * width, width);
}

/* Errors of every row's coefficients, in units of the features: sums of squares, and of products with the features. */
CLONES static void transfer_rows(const float* RESTRICT coefficients, const float* RESTRICT points, ptrdiff_t rows,
                                 ptrdiff_t width, const float* RESTRICT roots, const float* RESTRICT offsets,
                                 double* RESTRICT squares, double* RESTRICT products) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float* RESTRICT value = coefficients + row * width;
        const float* RESTRICT point = points + row * width;
        double square = 0, product = 0;
        for (ptrdiff_t first = 0; first < width; first += STRIP) {
            const ptrdiff_t there = width - first < STRIP ? width - first : STRIP;
            float error[STRIP], feature[STRIP];
            for (ptrdiff_t k = 0; k < there; k++) {
                error[k] = (point[first + k] - value[first + k]) * roots[first + k];
                feature[k] = value[first + k] * roots[first + k] + offsets[first + k];
            }
            square += products_of(error, error, there);
            product += products_of(error, feature, there);
        }
        squares[row] = square;
        products[row] = product;
    }
}

/* Pairs (x, y) of a row's channels become (x cos - y sin, y cos + x sin); a run of pairs has its first channels side by
   side. */
CLONES static void turn_rows(float* RESTRICT values, ptrdiff_t rows, ptrdiff_t width, const float* RESTRICT cosines,
                             const float* RESTRICT sines, const int64_t* RESTRICT positions,
                             const int64_t* RESTRICT starts, const int64_t* RESTRICT lengths, ptrdiff_t runs,
                             ptrdiff_t pairs, ptrdiff_t distance) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float* cosine = cosines + positions[row] * pairs;
        const float* sine = sines + positions[row] * pairs;
        for (ptrdiff_t run = 0; run < runs; run++) {
            float* RESTRICT first = values + row * width + starts[run];
            float* RESTRICT second = first + distance;
            for (ptrdiff_t k = 0; k < lengths[run]; k++) {
                const float x = first[k], y = second[k];
                first[k] = x * cosine[k] - y * sine[k];
                second[k] = y * cosine[k] + x * sine[k];
            }
            cosine += lengths[run];
            sine += lengths[run];
        }
    }
}

/* Matrices of items of so many bits become their transposes, by tiles that fit into registers or the nearest cache. */
#define TRANSPOSE(BITS)                                                                                               \
    CLONES static void transpose_##BITS(const uint##BITS##_t* RESTRICT from, uint##BITS##_t* RESTRICT to,             \
                                        ptrdiff_t matrices, ptrdiff_t rows, ptrdiff_t width) {                        \
        for (ptrdiff_t matrix = 0; matrix < matrices; matrix++, from += rows * width, to += rows * width)             \
            for (ptrdiff_t top = 0; top < rows; top += TILE)                                                          \
                for (ptrdiff_t left = 0; left < width; left += TILE) {                                                \
                    const ptrdiff_t high = rows - top < TILE ? rows - top : TILE;                                     \
                    const ptrdiff_t wide = width - left < TILE ? width - left : TILE;                                 \
                    if (high == TILE && wide == TILE) {                                                               \
                        uint##BITS##_t tile[TILE][TILE];                                                              \
                        for (int y = 0; y < TILE; y++)                                                                \
                            for (int x = 0; x < TILE; x++) tile[y][x] = from[(top + y) * width + left + x];           \
                        for (int x = 0; x < TILE; x++)                                                                \
                            for (int y = 0; y < TILE; y++) to[(left + x) * rows + top + y] = tile[y][x];              \
                    } else {                                                                                          \
                        for (ptrdiff_t x = 0; x < wide; x++)                                                          \
                            for (ptrdiff_t y = 0; y < high; y++)                                                      \
                                to[(left + x) * rows + top + y] = from[(top + y) * width + left + x];                 \
                    }                                                                                                 \
                }                                                                                                     \
    }

TRANSPOSE(16)
TRANSPOSE(32)
TRANSPOSE(64)
