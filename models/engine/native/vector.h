// Vectors of LANES floats by the compiler's own vector types, and the few functions of them that the forward pass needs.
//
// The width is that of the widest vectors that the compiler's options allow. Everything is written once for any width;
// what an instruction set has of its own (dot products of small integers) is in arithmetic.h.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include <cmath>
#include <cstdint>
#include <cstring>

namespace nearline {

#if defined(__AVX512F__) && !defined(NEARLINE_NARROW)
constexpr int BYTES = 64, ROWS = 14, VECTORS = 2;  // 28 sums, 2 vectors of weights: 30 of 32 registers
#elif defined(__AVX2__)
constexpr int BYTES = 32, ROWS = 6, VECTORS = 2;  // 12 sums, 2 vectors of weights, one broadcast: 15 of 16 registers
#else
constexpr int BYTES = 16, ROWS = 6, VECTORS = 4;  // 24 sums, 4 vectors of weights, one broadcast: 29 of 32 registers
#endif

constexpr long LANES = BYTES / 4;
constexpr long COLUMNS = LANES * VECTORS;  // outputs in a panel of weights, and keys in a panel of keys

typedef float Floats __attribute__((vector_size(BYTES)));
typedef int32_t Ints __attribute__((vector_size(BYTES)));

// The same in memory: at any address, over elements of any type.
typedef float LooseFloats __attribute__((vector_size(BYTES), aligned(1), may_alias));
typedef int32_t LooseInts __attribute__((vector_size(BYTES), aligned(1), may_alias));

inline Floats load(const float* from) { return *reinterpret_cast<const LooseFloats*>(from); }
inline void store(float* to, Floats v) { *reinterpret_cast<LooseFloats*>(to) = v; }
inline Ints load_ints(const void* from) { return *static_cast<const LooseInts*>(from); }

// The first `count` floats, and zeros after them.
inline Floats load(const float* from, long count) {
  if (count >= LANES) return load(from);
  Floats v = {};
  if (count > 0) std::memcpy(&v, from, count * sizeof(float));
  return v;
}

inline void store(float* to, Floats v, long count) {
  if (count >= LANES) return store(to, v);
  if (count > 0) std::memcpy(to, &v, count * sizeof(float));
}

inline Floats all(float x) { return x - Floats{}; }
inline Ints bits(Floats v) { return reinterpret_cast<Ints>(v); }
inline Floats floats(Ints v) { return reinterpret_cast<Floats>(v); }
inline Floats max_of(Floats a, Floats b) { return a > b ? a : b; }
inline Floats min_of(Floats a, Floats b) { return a < b ? a : b; }
inline Floats magnitude(Floats v) { return floats(bits(v) & 0x7fffffff); }

inline float of_bits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

// The float that is a bfloat16's first half, and that of a finite fp16, whose exponent is smaller by 112.
inline float of_brain(uint16_t x) { return of_bits((uint32_t)x << 16); }
inline float of_half(uint16_t x) {
  const float size = of_bits((x & 0x7fffu) << 13) * 0x1p112f;
  return x & 0x8000 ? -size : size;
}

// 0, 1, 2, ...
inline Ints lanes() {
  Ints v;
  for (int i = 0; i < LANES; i++) v[i] = i;
  return v;
}

// Combines all lanes by halves.
template <class Combine>
float reduce(Floats v, Combine combine) {
  float part[LANES];
  store(part, v);
#pragma GCC unroll 4
  for (long half = LANES / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (long i = 0; i < half; i++) part[i] = combine(part[i], part[i + half]);
  return part[0];
}

inline float sum_of(Floats v) {
  return reduce(v, [](float a, float b) { return a + b; });
}

inline float largest_of(Floats v) {
  return reduce(v, [](float a, float b) { return a > b ? a : b; });
}

constexpr float MAGIC = 12582912.0f;  // 1.5 * 2^23: a float near it holds the nearest whole number in its lowest bits

// The nearest whole numbers, ties to the even one, for magnitudes below 2^22.
inline Ints rounded(Floats v) { return bits(v + MAGIC) - bits(all(MAGIC)); }

// e^x within 2 ulp for x <= 88: 2^n * e^r with |r| <= ln2 / 2, by a polynomial of degree 6.
inline Floats exp_of(Floats x) {
  x = max_of(x, all(-87.3f));
  const Floats shifted = x * 1.44269504088896341f + MAGIC;
  const Floats n = shifted - MAGIC;
  Floats r = x - n * 0.693145751953125f;
  r = r - n * 1.428606820309417e-6f;
  Floats p = all(1.0f / 720);
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * floats((bits(shifted) - bits(all(MAGIC)) + 127) << 23);
}

// x * sigmoid(x); beyond magnitudes of 87 sigmoid is 0 or 1 to the last bit of a product.
inline Floats silu(Floats x) { return x / (1.0f + exp_of(min_of(-x, all(87.0f)))); }

// Goes through `count` floats by add(total, vector) and joins the four totals: one alone would wait for each step.
template <class Add, class Join>
Floats total_of(const float* x, long count, Add add, Join join) {
  Floats total[4] = {};
  long i = 0;
  for (; i + 4 * LANES <= count; i += 4 * LANES)
#pragma GCC unroll 4
    for (int n = 0; n < 4; n++) total[n] = add(total[n], load(x + i + n * LANES));
  for (; i < count; i += LANES) total[0] = add(total[0], load(x + i, count - i));
  return join(join(total[0], total[1]), join(total[2], total[3]));
}

inline float sum_of_squares(const float* x, long count) {
  const auto add = [](Floats total, Floats v) { return total + v * v; };
  return sum_of(total_of(x, count, add, [](Floats a, Floats b) { return a + b; }));
}

inline float largest_magnitude(const float* x, long count) {
  const auto add = [](Floats top, Floats v) { return max_of(top, magnitude(v)); };
  return largest_of(total_of(x, count, add, max_of));
}

}  // namespace nearline
