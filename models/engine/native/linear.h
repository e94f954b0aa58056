// Linear layers: weights are packed once, rows of activations are converted to the arithmetic's type, and each tile
// of the product is handed to a function, `sink`.
#pragma once
#include "gemm.h"

namespace nearline {

struct Linear {
  const void* panels;      // [outputs / 32][inputs / STEP][32][STEP], both padded with zeros
  const float* scales;     // one for each output, for integer weights
  const int32_t* begin;    // initial value of each output's sum, for integer weights
  int64_t inputs, outputs;
};

// Rows of activations as left operands.
template <class T>
struct Left {
  const typename T::Element* rows;
  long stride;
  const float* scales;  // one for each row, for integer activations
};

constexpr long GAP = 16;  // floats between rows: a power of two as stride would map rows onto one cache set

template <class T>
struct Operand {
  static long bytes(long rows, long width) {
    return round_up(rows * (round_up(width, T::STEP) * (long)sizeof(typename T::Element) + 64) + rows * 4 + 64, 64);
  }
};

inline Left<Float32> operand(Float32, const float* x, long stride, int, long, void*) { return {x, stride, nullptr}; }

#ifdef __AVX512BF16__
inline Left<BFloat16> operand(BFloat16, const float* x, long stride, int rows, long width, void* scratch) {
  const long to = round_up(width, 2) + 32;
  auto* out = static_cast<uint16_t*>(scratch);
  for (int r = 0; r < rows; r++)
    for (long i = 0; i < width; i += LANES) {
      const auto part = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(first(width - i), x + r * stride + i));
      _mm256_mask_storeu_epi16(out + r * to + i, first(round_up(width, 2) - i), part);
    }
  return {out, to, nullptr};
}
#endif

#ifdef __AVX512VNNI__
inline Left<Int8> operand(Int8, const float* x, long stride, int rows, long width, void* scratch) {
  const long to = round_up(width, 4) + 64;
  auto* scales = static_cast<float*>(scratch);
  auto* out = reinterpret_cast<uint8_t*>(scales + round_up(rows, 16));
  for (int r = 0; r < rows; r++) {
    const float top = largest_magnitude(x + r * stride, width);
    const Floats inverse = _mm512_set1_ps(top > 0 ? 127 / top : 0);
    scales[r] = top / 127;
    for (long i = 0; i < width; i += LANES) {
      const Floats v = _mm512_maskz_loadu_ps(first(width - i), x + r * stride + i);
      const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(v, inverse)), _mm512_set1_epi32(128));
      _mm_mask_storeu_epi8(out + r * to + i, first(round_up(width, 4) - i), _mm512_cvtepi32_epi8(q));
    }
  }
  return {out, to, scales};
}
#endif

// Panels `from` to `to` of x W^T for `rows` rows; sink(first row, rows, panel, float[ROWS][COLUMNS]).
template <class T, class Sink>
void product(const Left<T>& x, int rows, const Linear& w, long from, long to, Sink sink) {
  alignas(64) static const int32_t zeros[COLUMNS] = {};
  alignas(64) float out[ROWS * COLUMNS];
  const long width = round_up(w.inputs, T::STEP);
  const auto* panels = static_cast<const typename T::Element*>(w.panels);
  for (long panel = from; panel < to; panel++) {
    const int32_t* begin = w.begin ? w.begin + panel * COLUMNS : zeros;
    for (int i = 0; i < blocks_in(rows); i++) {
      const Block block = block_of(rows, i);
      const auto* here = panels + panel * width * COLUMNS;
      // the first two blocks of rows prefetch half of the next panel each
      const auto* ahead = here + (i < 2 ? width * COLUMNS + i * width * COLUMNS / 2 : 0);
      tile_of<T>(block.count, x.rows + block.begin * x.stride, x.stride, here, COLUMNS * T::STEP, width / T::STEP,
                 begin, ahead, out);
      if (x.scales)
        for (int r = 0; r < block.count; r++)
          for (long c = 0; c < COLUMNS; c += LANES) {
            const Floats scale = _mm512_mul_ps(_mm512_set1_ps(x.scales[block.begin + r]),
                                               _mm512_loadu_ps(w.scales + panel * COLUMNS + c));
            float* at = out + r * COLUMNS + c;
            _mm512_store_ps(at, _mm512_mul_ps(_mm512_load_ps(at), scale));
          }
      sink(block.begin, block.count, panel, out);
    }
  }
}

inline void pack_row(Float32, const float* w, long inputs, long column, float* panel, float*, int32_t*) {
  for (long k = 0; k < inputs; k++) panel[k * COLUMNS + column] = w[k];
}

#ifdef __AVX512BF16__
inline void pack_row(BFloat16, const float* w, long inputs, long column, uint16_t* panel, float*, int32_t*) {
  for (long k = 0; k < inputs; k++)
    panel[(k / 2 * COLUMNS + column) * 2 + k % 2] = (uint16_t)_mm_extract_epi16((__m128i)_mm_cvtneps_pbh(_mm_set_ss(w[k])), 0);
}
#endif

#ifdef __AVX512VNNI__
inline void pack_row(Int8, const float* w, long inputs, long column, uint8_t* panel, float* scale, int32_t* begin) {
  const float top = largest_magnitude(w, inputs);
  *scale = top / 127;
  *begin = 0;
  for (long k = 0; k < inputs; k++) {
    const int q = top > 0 ? (int)std::lrintf(w[k] * (127 / top)) : 0;
    panel[(k / 4 * COLUMNS + column) * 4 + k % 4] = (uint8_t)(int8_t)q;
    *begin -= 128 * q;
  }
}
#endif

// Packs `outputs` rows of `inputs` weights into zeroed memory.
template <class T>
void pack(const float* w, long outputs, long inputs, void* panels, float* scales, int32_t* begin) {
  const long width = round_up(inputs, T::STEP);
  for (long n = 0; n < outputs; n++) {
    auto* panel = static_cast<typename T::Element*>(panels) + n / COLUMNS * COLUMNS * width;
    pack_row(T(), w + n * inputs, inputs, n % COLUMNS, panel, scales ? scales + n : nullptr, begin ? begin + n : nullptr);
  }
}

}  // namespace nearline
