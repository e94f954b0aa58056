// What linear layers are computed in: types of operands and sums, and how products are added to a vector of sums.
//
// Weights lie in panels of COLUMNS columns, in which STEP consecutive inputs of a column are neighbours. Sums of integers
// are exact and operands are rounded alike on every processor, whichever instructions it has.
#pragma once
#include "vector.h"

namespace nearline {

struct Float32 {
  using Element = float;
  using Sum = Floats;
  static constexpr int STEP = 1;
  static Sum begin(const int32_t*) { return Floats{}; }
  static void add(Sum& sum, const Element* a, Floats b) { sum = all(*a) * b + sum; }
  static Floats weights(const Element* b) { return load(b); }
  static Floats result(Sum sum) { return sum; }
};

// The four bytes at an address, in every lane.
inline Ints four_bytes(const void* from) {
  float four;  // broadcasting a float is one load; an integer would go through a general register first
  std::memcpy(&four, from, 4);
  return bits(all(four));
}

#ifdef __AVX512BF16__
struct BFloat16 {
  using Element = uint16_t;
  using Sum = Floats;
  static constexpr int STEP = 2;
  static Sum begin(const int32_t*) { return Floats{}; }
  static void add(Sum& sum, const Element* a, Ints b) {
    sum = (Floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)four_bytes(a), (__m512bh)b);
  }
  static Ints weights(const Element* b) { return load_ints(b); }
  static Floats result(Sum sum) { return sum; }
};
#endif

// The largest magnitude of an integer weight. Processors without dot products of bytes add two products in 16 bits
// (maddubs), where 255 * 64 + 255 * 64 fits and a bit more would saturate; the others keep to it, so that all agree.
constexpr int LARGEST_WEIGHT = 64;

// Sums of four products of bytes in each lane; left operands are unsigned, with OFFSET added.
struct FourBytes {
  using Element = uint8_t;
  static constexpr int STEP = 4, OFFSET = 128;
};

// Sums of two products of 16-bit integers in each lane, for Arm processors without dot products of bytes.
struct TwoShorts {
  using Element = int16_t;
  static constexpr int STEP = 2, OFFSET = 0;
};

#if defined(__AVX512F__) && defined(__AVX512VNNI__) && !defined(NEARLINE_NARROW)
struct Dot : FourBytes {
  // GCC spills the sums of the intrinsic
  static void add(Ints& sum, const Element* a, Ints b) { asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(four_bytes(a)), "v"(b)); }
};
#elif defined(__AVXVNNI__)
struct Dot : FourBytes {
  static void add(Ints& sum, const Element* a, Ints b) { asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(four_bytes(a)), "x"(b)); }
};
#elif defined(__AVX512VNNI__)  // 256 bits of AVX-512's, by which a machine without AVX-VNNI tests what AVX-VNNI computes
struct Dot : FourBytes {
  static void add(Ints& sum, const Element* a, Ints b) { asm("vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(four_bytes(a)), "x"(b)); }
};
#elif defined(__AVX512F__) && !defined(NEARLINE_NARROW)
struct Dot : FourBytes {
  static void add(Ints& sum, const Element* a, Ints b) {
    const __m512i pairs = _mm512_maddubs_epi16((__m512i)four_bytes(a), (__m512i)b);
    sum = sum + (Ints)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
  }
};
#elif defined(__AVX2__)
struct Dot : FourBytes {
  static void add(Ints& sum, const Element* a, Ints b) {
    const __m256i pairs = _mm256_maddubs_epi16((__m256i)four_bytes(a), (__m256i)b);
    sum = sum + (Ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  }
};
#elif defined(__ARM_FEATURE_DOTPROD)
struct Dot {
  using Element = int8_t;
  static constexpr int STEP = 4, OFFSET = 0;
  static void add(Ints& sum, const Element* a, Ints b) { sum = (Ints)vdotq_s32((int32x4_t)sum, (int8x16_t)four_bytes(a), (int8x16_t)b); }
};
#elif defined(__aarch64__)
struct Dot : TwoShorts {
  static void add(Ints& sum, const Element* a, Ints b) {
    const int16x8_t left = (int16x8_t)four_bytes(a), right = (int16x8_t)b;
    const int32x4_t low = vmull_s16(vget_low_s16(left), vget_low_s16(right));
    sum = sum + (Ints)vpaddq_s32(low, vmull_high_s16(left, right));
  }
};
#endif

// Activations of magnitudes up to 127, weights up to LARGEST_WEIGHT. Where left operands have OFFSET added, a column's sum begins at
// minus OFFSET times the sum of its weights.
struct Int8 : Dot {
  using Sum = Ints;
  static Sum begin(const int32_t* column) { return load_ints(column); }
  static Ints weights(const Element* b) { return load_ints(b); }
  static Floats result(Sum sum) { return __builtin_convertvector(sum, Floats); }
};

}  // namespace nearline
