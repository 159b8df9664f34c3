/* What several rANS states a chunk would bring: ns a symbol of decoding with 1, 2, 4 and 8 of them in turn.

   States of 64 bits, words of 32, frequencies of 24 bits: section 9.3 of the specification. With more than one state,
   symbol i is decoded from state i mod lanes, and all take their words from one stack. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SYMBOLS = 64, COUNT = 1 << 20, BITS = 24, SHORT = 12, MOST_LANES = 8, TRIES = 15 };

static uint32_t frequency[SYMBOLS], first[SYMBOLS + 1];
static uint8_t start_of[1 << SHORT];
static uint8_t symbols[COUNT], decoded[COUNT];
static uint32_t words[COUNT];

static void make_table(void) {
  double share = 0.35, left = 1.0;
  uint32_t total = 0;
  for (int s = 0; s < SYMBOLS; s++) {
    frequency[s] = 1 + (uint32_t)(left * share * ((1 << BITS) - SYMBOLS));
    left *= 1 - share;
    total += frequency[s];
  }
  frequency[0] += (1u << BITS) - total;
  for (int s = 0; s < SYMBOLS; s++) first[s + 1] = first[s] + frequency[s];
  for (int place = 0, s = 0; place < 1 << SHORT; place++) {
    while (first[s + 1] <= (uint32_t)place << (BITS - SHORT)) s++;
    start_of[place] = (uint8_t)s;
  }
}

static void draw_symbols(void) {
  uint64_t seed = 1;
  for (int i = 0; i < COUNT; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint32_t place = (uint32_t)(seed >> 40);
    int s = start_of[place >> (BITS - SHORT)];
    while (first[s + 1] <= place) s++;
    symbols[i] = (uint8_t)s;
  }
}

static size_t encode(int lanes, uint64_t *states) {
  size_t count = 0;
  for (int lane = 0; lane < lanes; lane++) states[lane] = 1ull << 32;
  for (int i = COUNT - 1; i >= 0; i--) {
    uint64_t *state = &states[i % lanes];
    uint32_t f = frequency[symbols[i]];
    if ((*state >> (64 - BITS)) >= f) {
      words[count++] = (uint32_t)*state;
      *state >>= 32;
    }
    *state = ((*state / f) << BITS) | (*state % f + first[symbols[i]]);
  }
  return count;
}

static inline uint64_t step(uint64_t state, uint8_t *out, size_t *left) {
  uint32_t place = state & ((1u << BITS) - 1);
  int s = start_of[place >> (BITS - SHORT)];
  while (first[s + 1] <= place) s++;
  *out = (uint8_t)s;
  state = frequency[s] * (state >> BITS) + place - first[s];
  if (state < 1ull << 32 && *left) state = state << 32 | words[--*left];
  return state;
}

#define DECODE(LANES)                                                                            \
  static void decode_##LANES(uint64_t *given, size_t left) {                                     \
    uint64_t states[LANES];                                                                      \
    memcpy(states, given, sizeof states);                                                        \
    for (int i = 0; i < COUNT; i += LANES)                                                       \
      for (int lane = 0; lane < LANES; lane++) states[lane] = step(states[lane], decoded + i + lane, &left); \
  }

DECODE(1)
DECODE(2)
DECODE(4)
DECODE(8)

int main(void) {
  static const int lanes[] = {1, 2, 4, 8};
  static void (*const decoders[])(uint64_t *, size_t) = {decode_1, decode_2, decode_4, decode_8};
  make_table();
  draw_symbols();
  for (int number = 0; number < 4; number++) {
    uint64_t states[MOST_LANES];
    size_t count = encode(lanes[number], states);
    double best = 1e9;
    for (int turn = 0; turn < TRIES; turn++) {
      struct timespec from, to;
      memset(decoded, 0, COUNT);
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
      decoders[number](states, count);
      clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
      double taken = (to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec);
      if (taken < best) best = taken;
    }
    if (memcmp(decoded, symbols, COUNT)) return 1;
    printf("%d %.3f %zu\n", lanes[number], best / COUNT, 4 * count + 8 * lanes[number]);
  }
  return 0;
}
