// Vectors of 16 floats, and the few functions of them that the forward pass needs.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <initializer_list>

namespace nearline {

using Floats = __m512;
constexpr long LANES = 16;

inline __mmask16 first(long count) { return count >= LANES ? 0xffff : (__mmask16)((1u << count) - 1); }

// e^x within 2 ulp for x <= 0: 2^n * e^r with |r| <= ln2 / 2, by a polynomial of degree 6.
inline Floats exp_of(Floats x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-87.3f));
  const Floats n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504088896341f)), 0);
  Floats r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145751953125f), x);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.428606820309417e-6f), r);
  Floats p = _mm512_set1_ps(1.0f / 720);
  for (const float c : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
  return _mm512_scalef_ps(p, n);
}

inline Floats sigmoid(Floats x) {
  const Floats small = exp_of(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(x)));
  const Floats one = _mm512_set1_ps(1.0f);
  const Floats low = _mm512_div_ps(small, _mm512_add_ps(one, small));
  return _mm512_mask_sub_ps(low, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ), one, low);
}

inline float sum_of_squares(const float* x, long count) {
  Floats total = _mm512_setzero_ps();
  for (long i = 0; i < count; i += LANES) {
    const Floats v = _mm512_maskz_loadu_ps(first(count - i), x + i);
    total = _mm512_fmadd_ps(v, v, total);
  }
  return _mm512_reduce_add_ps(total);
}

inline float largest_magnitude(const float* x, long count) {
  Floats top = _mm512_setzero_ps();
  for (long i = 0; i < count; i += LANES)
    top = _mm512_max_ps(top, _mm512_abs_ps(_mm512_maskz_loadu_ps(first(count - i), x + i)));
  return _mm512_reduce_max_ps(top);
}

}  // namespace nearline
