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
inline Floats magnitude(Floats v) { return floats(bits(v) & 0x7fffffff); }

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

// e^x within 2 ulp for x <= 0: 2^n * e^r with |r| <= ln2 / 2, by a polynomial of degree 6.
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

inline Floats sigmoid(Floats x) {
  const Floats small = exp_of(-magnitude(x));
  return (x >= 0.0f ? all(1.0f) : small) / (1.0f + small);
}

inline float sum_of_squares(const float* x, long count) {
  Floats total = {};
  for (long i = 0; i < count; i += LANES) {
    const Floats v = load(x + i, count - i);
    total = total + v * v;
  }
  return sum_of(total);
}

inline float largest_magnitude(const float* x, long count) {
  Floats top = {};
  for (long i = 0; i < count; i += LANES) top = max_of(top, magnitude(load(x + i, count - i)));
  return largest_of(top);
}

}  // namespace nearline
