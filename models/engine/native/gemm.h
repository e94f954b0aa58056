// Matrix products of few rows with packed weights: tiles of up to ROWS rows by COLUMNS columns held in registers.
//
// Left operands are row-major in the arithmetic's own type; right operands lie in panels, [panel][k / STEP][COLUMNS][STEP].
#pragma once
#include "arithmetic.h"

namespace nearline {

inline long round_up(long n, long to) { return (n + to - 1) / to * to; }

constexpr int LINES = BYTES * VECTORS / 64;  // cache lines of one step of a panel, which has as many bytes in every arithmetic
constexpr long NEAR = 16;                    // how many steps ahead a panel is prefetched into the L1 cache

inline void fetch(const void* line) { __builtin_prefetch(line, 0, 3); }
inline void fetch_far(const void* line) { __builtin_prefetch(line, 0, 2); }

// Memory that a tile prefetches into the L2 cache: each step of the product goes on by `pace` bytes.
struct Ahead {
  const void* at;
  long pace;
};

// Where a tile goes: rows of COLUMNS numbers, `stride` floats apart.
struct Out {
  float* at;
  long stride;
};

// out = begin + a b, for R rows.
template <class T, int R>
void tile(const typename T::Element* a, long lda, const typename T::Element* b, long ldb, long steps, const int32_t* begin,
          Ahead ahead, Out out) {
  const char* far = static_cast<const char*>(ahead.at);
  typename T::Sum sums[R][VECTORS];
#pragma GCC unroll 14
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sums[r][v] = T::begin(begin + v * LANES);
#pragma GCC unroll 2
  for (long k = 0; k < steps; k++, a += T::STEP, b += ldb, far += ahead.pace) {
#pragma GCC unroll 2
    for (int line = 0; line < LINES; line++) fetch(reinterpret_cast<const char*>(b + NEAR * ldb) + 64 * line);
    fetch_far(far);
    decltype(T::weights(b)) weights[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) weights[v] = T::weights(b + v * LANES * T::STEP);
#pragma GCC unroll 14
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) T::add(sums[r][v], a + r * lda, weights[v]);
  }
#pragma GCC unroll 14
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) store(out.at + r * out.stride + v * LANES, T::result(sums[r][v]));
}

template <class T, int R = ROWS>
void tile_of(int rows, const typename T::Element* a, long lda, const typename T::Element* b, long ldb, long steps,
             const int32_t* begin, Ahead ahead, Out out) {
  if (rows == R) return tile<T, R>(a, lda, b, ldb, steps, begin, ahead, out);
  if constexpr (R > 1) tile_of<T, R - 1>(rows, a, lda, b, ldb, steps, begin, ahead, out);
}

// Rows begin..end of block `index` when `rows` are split as evenly as blocks of at most ROWS allow.
struct Block {
  int begin, count;
};
inline int blocks_in(long rows) { return (int)((rows + ROWS - 1) / ROWS); }
inline Block block_of(long rows, int index) {
  const int blocks = blocks_in(rows);
  const int begin = (int)(rows * index / blocks), end = (int)(rows * (index + 1) / blocks);
  return {begin, end - begin};
}

}  // namespace nearline
