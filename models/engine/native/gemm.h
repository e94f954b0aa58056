// Matrix products of few rows with packed weights: tiles of up to 14 rows by 32 columns held in registers.
//
// Left operands are row-major in the arithmetic's own type; right operands lie in panels of 32 columns, in
// which STEP consecutive elements of a column are neighbours ([panel][k / STEP][32][STEP]).
#pragma once
#include <cmath>
#include <cstring>

#include "simd.h"

namespace nearline {

constexpr int ROWS = 14;
constexpr int COLUMNS = 32;

inline long round_up(long n, long to) { return (n + to - 1) / to * to; }

struct Float32 {
  using Element = float;
  using Sum = __m512;
  static constexpr int STEP = 1;
  static Sum begin(const int32_t*) { return _mm512_setzero_ps(); }
  static void add(Sum& sum, const Element* a, const Sum& b) { sum = _mm512_fmadd_ps(_mm512_set1_ps(*a), b, sum); }
  static Sum load(const Element* b) { return _mm512_loadu_ps(b); }
  static Floats floats(Sum sum) { return sum; }
};

inline __m512i four_bytes(const void* from) {
  float bits;  // broadcasting a float is one load; an integer would go through a general register first
  std::memcpy(&bits, from, 4);
  return _mm512_castps_si512(_mm512_set1_ps(bits));
}

#ifdef __AVX512BF16__
struct BFloat16 {
  using Element = uint16_t;
  using Sum = __m512;
  static constexpr int STEP = 2;
  static Sum begin(const int32_t*) { return _mm512_setzero_ps(); }
  static void add(Sum& sum, const Element* a, const __m512i& b) {
    sum = _mm512_dpbf16_ps(sum, (__m512bh)four_bytes(a), (__m512bh)b);
  }
  static __m512i load(const Element* b) { return _mm512_loadu_si512(b); }
  static Floats floats(Sum sum) { return sum; }
};
#endif

#ifdef __AVX512VNNI__
// Left operands are stored with 128 added (unsigned), so sums begin at -128 times their column's sum.
struct Int8 {
  using Element = uint8_t;
  using Sum = __m512i;
  static constexpr int STEP = 4;
  static Sum begin(const int32_t* column) { return _mm512_loadu_si512(column); }
  static void add(Sum& sum, const Element* a, const __m512i& b) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(four_bytes(a)), "v"(b));  // GCC spills the intrinsic's sums
  }
  static __m512i load(const Element* b) { return _mm512_loadu_si512(b); }
  static Floats floats(Sum sum) { return _mm512_cvtepi32_ps(sum); }
};
#endif

constexpr long NEAR = 16;  // how many steps ahead a panel is prefetched into the L1 cache

inline void fetch(const void* line) { _mm_prefetch(static_cast<const char*>(line), _MM_HINT_T0); }
inline void fetch_far(const void* line) { _mm_prefetch(static_cast<const char*>(line), _MM_HINT_T1); }

// out[R][32] = begin + a b; prefetches `ahead` into the L2 cache, one line a step.
template <class T, int R>
void tile(const typename T::Element* a, long lda, const typename T::Element* b, long ldb, long steps, const int32_t* begin,
          const char* ahead, float* out) {
  typename T::Sum sums[R][2];
#pragma GCC unroll 14
  for (int r = 0; r < R; r++) {
    sums[r][0] = T::begin(begin);
    sums[r][1] = T::begin(begin + LANES);
  }
  for (long k = 0; k < steps; k++, a += T::STEP, b += ldb, ahead += 64) {
    fetch(b + NEAR * ldb);
    fetch(b + NEAR * ldb + LANES * T::STEP);
    fetch_far(ahead);
    const auto left = T::load(b), right = T::load(b + LANES * T::STEP);
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
      T::add(sums[r][0], a + r * lda, left);
      T::add(sums[r][1], a + r * lda, right);
    }
  }
#pragma GCC unroll 14
  for (int r = 0; r < R; r++) {
    _mm512_store_ps(out + r * COLUMNS, T::floats(sums[r][0]));
    _mm512_store_ps(out + r * COLUMNS + LANES, T::floats(sums[r][1]));
  }
}

template <class T>
void tile_of(int rows, const typename T::Element* a, long lda, const typename T::Element* b, long ldb, long steps,
             const int32_t* begin, const void* ahead, float* out) {
  switch (rows) {
#define NEARLINE_ROWS(R) \
  case R:                \
    return tile<T, R>(a, lda, b, ldb, steps, begin, static_cast<const char*>(ahead), out);
    NEARLINE_ROWS(1) NEARLINE_ROWS(2) NEARLINE_ROWS(3) NEARLINE_ROWS(4) NEARLINE_ROWS(5)
    NEARLINE_ROWS(6) NEARLINE_ROWS(7) NEARLINE_ROWS(8) NEARLINE_ROWS(9) NEARLINE_ROWS(10)
    NEARLINE_ROWS(11) NEARLINE_ROWS(12) NEARLINE_ROWS(13) NEARLINE_ROWS(14)
#undef NEARLINE_ROWS
  }
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
