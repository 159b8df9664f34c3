/* Quantisers and reconstruction of float32: the operations of numpy's code in numpy's order, none contracted.

   Loops run over eight tokens or over channels side by side, so that the compiler makes vectors of them; clones of the
   functions, chosen when the module is loaded, use what the processor has. Sanitizers instrument no clones. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clones.h"

enum { LANES = 8, BANDS_OF_TOKENS = 16 };

static const float MOST = 134217720.0f;      /* the largest index */
static const float MOST_SEARCHED = 134217704.0f;
static const float NEAR_STEPS = 8.0f;
static const float UNREACHED = 1e30f;

INLINE uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE float size_of(float value) { return float_of_bits(bits_of_float(value) & 0x7fffffffu); }

INLINE float signed_as(float size, float sign) {
    return float_of_bits((bits_of_float(size) & 0x7fffffffu) | (bits_of_float(sign) & 0x80000000u));
}

INLINE int32_t index_signed_as(int32_t index, float sign) {
    int32_t turn = -(int32_t)(bits_of_float(sign) >> 31);
    return (index ^ turn) - turn;
}

/* The nearest integer, to even in the middle, of a number below 2^22: beyond 2^23 floats have no fraction. */
INLINE float nearest(float value) { return (value + 12582912.0f) - 12582912.0f; }

INLINE float searched_size(float value, float inverse) {
    float size = size_of(value * inverse);
    return size < MOST_SEARCHED ? size : MOST_SEARCHED;
}

/* The even number of steps beyond the eighth. */
INLINE float set_aside(float size) {
    int32_t beyond = (int32_t)size - (int32_t)NEAR_STEPS;
    beyond &= ~(beyond >> 31);
    return (float)(beyond & ~1);
}

/* Costs of one half: its best even index or 0, its best odd one, and whether 0 is the best even one. */
INLINE void half_errors(float near, float shift, float none, int with_costs, float first, float further,
                        float* best, float* other, int32_t* zero) {
    float place = near + shift;
    float even = 2.0f * nearest(place * 0.5f);
    float off = place - even;
    float error = off * off, odd = size_of(off) * -2.0f + 1.0f;
    if (with_costs) {
        error += first + further * ((shift - 1.0f) - off);
        odd += signed_as(further, off);
    }
    odd += error;
    *zero = (even == 0.0f) | (none < error);
    *best = *zero ? none : error;
    *other = odd;
}

/* From the first to the last of K channels: near and trace are [K][LANES], costs [K]; a trace's bits are where the four
   states came from, and the two halves whose even index is 0. */
INLINE void search_forward(const float* RESTRICT near, const float* RESTRICT first, const float* RESTRICT further,
                           ptrdiff_t length, int32_t* RESTRICT trace, int32_t* RESTRICT state) {
    float p00[LANES], p01[LANES], p10[LANES], p11[LANES];
    const int with_costs = first != NULL;
    for (int w = 0; w < LANES; w++) {
        p00[w] = 0.0f;
        p01[w] = p10[w] = p11[w] = UNREACHED;
    }
    for (ptrdiff_t k = 0; k < length; k++) {
        const float once = with_costs ? first[k] : 0.0f, again = with_costs ? further[k] : 0.0f;
        for (int w = 0; w < LANES; w++) {
            float size = near[k * LANES + w];
            float none = size * size;
            float even0, odd0, even1, odd1;
            int32_t zero0, zero1;
            if (with_costs) none -= again * size;
            none = size >= NEAR_STEPS ? UNREACHED : none;
            half_errors(size, 0.0f, none, with_costs, once, again, &even0, &odd0, &zero0);
            half_errors(size, 0.5f, none, with_costs, once, again, &even1, &odd1, &zero1);
            float kept00 = p00[w] + even0, kept01 = p00[w] + odd0, turned00 = p01[w] + odd0, turned01 = p01[w] + even0;
            float kept10 = p10[w] + even1, kept11 = p10[w] + odd1, turned10 = p11[w] + odd1, turned11 = p11[w] + even1;
            int32_t came00 = turned00 < kept00, came01 = turned01 < kept01;
            int32_t came10 = turned10 < kept10, came11 = turned11 < kept11;
            p00[w] = came00 ? turned00 : kept00;
            p10[w] = came01 ? turned01 : kept01;
            p01[w] = came10 ? turned10 : kept10;
            p11[w] = came11 ? turned11 : kept11;
            trace[k * LANES + w] = came00 | came01 << 1 | came10 << 2 | came11 << 3 | zero0 << 4 | zero1 << 5;
        }
    }
    for (int w = 0; w < LANES; w++) {
        float least = p00[w];
        int32_t best = 0;
        if (p01[w] < least) { least = p01[w]; best = 1; }
        if (p10[w] < least) { least = p10[w]; best = 2; }
        if (p11[w] < least) { best = 3; }
        state[w] = best;
    }
}

/* And back: near becomes the magnitudes that were chosen. */
INLINE void search_back(float* RESTRICT near, const int32_t* RESTRICT trace, ptrdiff_t length,
                        const int32_t* RESTRICT state) {
    int32_t halves[LANES], parities[LANES];
    for (int w = 0; w < LANES; w++) {
        halves[w] = state[w] & 1;
        parities[w] = state[w] >> 1;
    }
    for (ptrdiff_t k = length - 1; k >= 0; k--) {
        for (int w = 0; w < LANES; w++) {
            int32_t half = halves[w], parity = parities[w], bits = trace[k * LANES + w];
            int32_t of_half = half ? bits >> 2 : bits;
            int32_t turned = (parity ? of_half >> 1 : of_half) & 1;
            int32_t zero = (half ? bits >> 5 : bits >> 4) & 1;
            float place = near[k * LANES + w] + (half ? 0.5f : 0.0f);
            float even = 2.0f * nearest(place * 0.5f);
            float odd = even + signed_as(1.0f, place - even);
            float even_or_none = zero ? 0.0f : even;
            near[k * LANES + w] = parity != turned ? odd : even_or_none;
            halves[w] = turned;
            parities[w] = half;
        }
    }
}

/* Indices [rows][length] along each token's cheapest path; costs are [16][length] or NULL, bands below 16, and scratch
   has room for (2 * LANES + 1) * length items. Eight tokens of one band go side by side. */
CLONES static void trellis_search(const float* values, ptrdiff_t rows, ptrdiff_t length, const float* inverse,
                                  ptrdiff_t inverse_step, const uint8_t* bands, const float* first,
                                  const float* further, float* scratch, ptrdiff_t* order, int32_t* indices) {
    float* RESTRICT near = scratch;
    float* RESTRICT flat = scratch + LANES * length;
    int32_t* RESTRICT trace = (int32_t*)(scratch + (LANES + 1) * length);
    ptrdiff_t edges[BANDS_OF_TOKENS + 1] = {0}, next[BANDS_OF_TOKENS];
    for (ptrdiff_t row = 0; row < rows; row++) edges[bands[row] + 1]++;
    for (int band = 0; band < BANDS_OF_TOKENS; band++) {
        edges[band + 1] += edges[band];
        next[band] = edges[band];
    }
    for (ptrdiff_t row = 0; row < rows; row++) order[next[bands[row]]++] = row;
    for (int band = 0; band < BANDS_OF_TOKENS; band++) {
        for (ptrdiff_t start = edges[band]; start < edges[band + 1]; start += LANES) {
            const ptrdiff_t there = edges[band + 1] - start < LANES ? edges[band + 1] - start : LANES;
            int32_t state[LANES];
            for (int w = 0; w < LANES; w++) {
                const ptrdiff_t row = order[start + (w < there ? w : there - 1)];
                const float* RESTRICT value = values + row * length;
                const float one_over = inverse[row * inverse_step];
                for (ptrdiff_t k = 0; k < length; k++) {
                    float size = searched_size(value[k], one_over);
                    flat[k] = size - set_aside(size);
                }
                for (ptrdiff_t k = 0; k < length; k++) near[k * LANES + w] = flat[k];
            }
            search_forward(near, first ? first + band * length : NULL, first ? further + band * length : NULL, length,
                           trace, state);
            search_back(near, trace, length, state);
            for (int w = 0; w < there; w++) {
                const ptrdiff_t row = order[start + w];
                const float* RESTRICT value = values + row * length;
                const float one_over = inverse[row * inverse_step];
                int32_t* RESTRICT index = indices + row * length;
                for (ptrdiff_t k = 0; k < length; k++) flat[k] = near[k * LANES + w];
                for (ptrdiff_t k = 0; k < length; k++) {
                    float whole = flat[k] + set_aside(searched_size(value[k], one_over));
                    index[k] = index_signed_as((int32_t)whole, value[k] * one_over);
                }
            }
        }
    }
}

INLINE int32_t rounded_size(float scaled, float rounding) {
    float rounded = size_of(scaled) + rounding;
    return (int32_t)(rounded < MOST ? rounded : MOST);
}

/* Indices [rows][length], rounded; magnitudes below zones [16][length] become 0 where there are zones. */
CLONES static void round_values(const float* RESTRICT values, ptrdiff_t rows, ptrdiff_t length,
                                const float* RESTRICT inverse, ptrdiff_t inverse_step, const uint8_t* bands,
                                const float* zones, float rounding, int32_t* RESTRICT indices) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float* RESTRICT value = values + row * length;
        int32_t* RESTRICT index = indices + row * length;
        const float one_over = inverse[row * inverse_step];
        const float* RESTRICT zone = zones ? zones + bands[row] * length : NULL;
        if (zone) {
            for (ptrdiff_t k = 0; k < length; k++) {
                float scaled = value[k] * one_over;
                int32_t whole = rounded_size(scaled, rounding);
                index[k] = index_signed_as(size_of(scaled) < zone[k] ? 0 : whole, scaled);
            }
        } else {
            for (ptrdiff_t k = 0; k < length; k++) {
                float scaled = value[k] * one_over;
                index[k] = index_signed_as(rounded_size(scaled, rounding), scaled);
            }
        }
    }
}

/* What symbols [rows][length] stand for; parities has room for a row. */
CLONES static void place_points(const int32_t* RESTRICT symbols, ptrdiff_t rows, ptrdiff_t length,
                                const float* RESTRICT steps, ptrdiff_t steps_step, float shift, int dependent,
                                uint8_t* RESTRICT parities, float* RESTRICT values) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const int32_t* RESTRICT symbol = symbols + row * length;
        float* RESTRICT value = values + row * length;
        const float step = steps[row * steps_step];
        if (dependent) {
            uint8_t half = 0, before = 0;
            for (ptrdiff_t k = 0; k < length; k++) parities[k] = (uint8_t)((symbol[k] ^ symbol[k] >> 1) & 1);
            for (ptrdiff_t k = 0; k < length; k++) {
                uint8_t following = before ^ parities[k];
                parities[k] = before = half;
                half = following;
            }
        }
        for (ptrdiff_t k = 0; k < length; k++) {
            int32_t index = symbol[k] >> 1 ^ -(symbol[k] & 1);
            float beyond = dependent ? shift - 0.5f * (float)parities[k] : shift;
            float point = (float)index;
            point += index > 0 ? beyond : index < 0 ? -beyond : 0.0f;
            value[k] = point * step;
        }
    }
}
