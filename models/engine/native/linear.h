// Linear layers: weights are packed once, rows of activations are converted to the arithmetic's type, and each tile
// of the product is handed to a function, `sink`.
#pragma once
#include "gemm.h"

namespace nearline {

struct Linear {
  const void* panels;      // [outputs / COLUMNS][inputs / STEP][COLUMNS][STEP], both padded with zeros
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
  static constexpr long PAST = 128 / sizeof(typename T::Element);  // elements after a row, into which vectors may reach
  static long stride(long width) { return round_up(width, T::STEP) + PAST; }
  static long bytes(long rows, long width) {
    return round_up(rows * (stride(width) * (long)sizeof(typename T::Element)) + round_up(rows, 16) * 4 + 64, 64);
  }
};

inline Left<Float32> operand(Float32, const float* x, long stride, int, long, void*) { return {x, stride, nullptr}; }

#ifdef __AVX512BF16__
inline Left<BFloat16> operand(BFloat16, const float* x, long stride, int rows, long width, void* scratch) {
  const long to = Operand<BFloat16>::stride(width);
  auto* out = static_cast<uint16_t*>(scratch);
  for (int r = 0; r < rows; r++)
    for (long i = 0; i < width; i += LANES)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * to + i),
                          (__m256i)_mm512_cvtneps_pbh((__m512)load(x + r * stride + i, width - i)));
  return {out, to, nullptr};
}
#endif

inline Left<Int8> operand(Int8, const float* x, long stride, int rows, long width, void* scratch) {
  typedef Int8::Element Narrow __attribute__((vector_size(LANES * sizeof(Int8::Element))));
  const long to = Operand<Int8>::stride(width);
  auto* scales = static_cast<float*>(scratch);
  auto* out = reinterpret_cast<Int8::Element*>(scales + round_up(rows, 16));
  for (int r = 0; r < rows; r++) {
    const float top = largest_magnitude(x + r * stride, width);
    const float inverse = top > 0 ? 127 / top : 0;
    scales[r] = top / 127;
    for (long i = 0; i < width; i += LANES) {
      const Ints whole = rounded(load(x + r * stride + i, width - i) * inverse) + Int8::OFFSET;
      const Narrow narrow = __builtin_convertvector(whole, Narrow);
      std::memcpy(out + r * to + i, &narrow, sizeof narrow);
    }
  }
  return {out, to, scales};
}

inline void scale_rows(int rows, const float* of_row, const float* of_column, Out out) {
  for (int r = 0; r < rows; r++)
    for (long c = 0; c < COLUMNS; c += LANES) {
      float* at = out.at + r * out.stride + c;
      store(at, load(at) * (of_row[r] * load(of_column + c)));
    }
}

// Panels `from` to `to` of x W^T for `rows` rows: a tile is written to place(first row, panel), then use(first row, rows, panel).
template <class T, class Place, class Use>
void product(const Left<T>& x, int rows, const Linear& w, long from, long to, Place place, Use use) {
  alignas(64) static const int32_t zeros[COLUMNS] = {};
  const long steps = round_up(w.inputs, T::STEP) / T::STEP, size = steps * COLUMNS * T::STEP;
  const int blocks = blocks_in(rows);
  // all blocks of rows together prefetch the next panel: one alone would wait for memory
  const long pace = (64 * LINES + blocks - 1) / blocks;
  for (long panel = from; panel < to; panel++) {
    const int32_t* begin = w.begin ? w.begin + panel * COLUMNS : zeros;
    const auto* here = static_cast<const typename T::Element*>(w.panels) + panel * size;
    for (int i = 0; i < blocks; i++) {
      const Block block = block_of(rows, i);
      const Ahead ahead{reinterpret_cast<const char*>(here + size) + i * pace * steps, pace};
      const Out out = place(block.begin, panel);
      tile_of<T>(block.count, x.rows + block.begin * x.stride, x.stride, here, COLUMNS * T::STEP, steps, begin, ahead, out);
      if (x.scales) scale_rows(block.count, x.scales + block.begin, w.scales + panel * COLUMNS, out);
      use(block.begin, block.count, panel);
    }
  }
}

// The same, each tile in memory that the next one overwrites: sink(first row, rows, panel, float[ROWS][COLUMNS]).
template <class T, class Sink>
void product(const Left<T>& x, int rows, const Linear& w, long from, long to, Sink sink) {
  alignas(64) float out[ROWS * COLUMNS];
  product(x, rows, w, from, to, [&](int, long) { return Out{out, COLUMNS}; },
          [&](int begin, int count, long panel) { sink(begin, count, panel, out); });
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

inline void pack_row(Int8, const float* w, long inputs, long column, Int8::Element* panel, float* scale, int32_t* begin) {
  const float top = largest_magnitude(w, inputs);
  *scale = top / LARGEST_WEIGHT;
  *begin = 0;
  for (long k = 0; k < inputs; k++) {
    const int q = top > 0 ? (int)std::lrintf(w[k] * (LARGEST_WEIGHT / top)) : 0;
    panel[(k / Int8::STEP * COLUMNS + column) * Int8::STEP + k % Int8::STEP] = (Int8::Element)q;
    *begin -= Int8::OFFSET * q;
  }
}

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
