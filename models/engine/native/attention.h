// Attention of a few queries over the keys of their request's prefix and of their own prompt.
//
// Each range of keys gives an unnormalised sum and its log-sum-exp; ranges are merged as they come (the online
// softmax), so a prefix's keys are computed once and read by every prompt that begins with it.
#pragma once
#include <algorithm>

#include "linear.h"

namespace nearline {

constexpr long KEYS = 256;  // in one range at most: their scores stay in the nearest cache

struct Segment {
  int32_t slot, count, parent;  // its first key's slot (a multiple of 32), its tokens, its prefix's segment or -1
};

struct Queries {
  int32_t segment, row, count, offset;  // rows row.. of q hold the segment's tokens offset..
};

// One key-value head: keys as panels [slot / 32][size][32], values as rows [slot][size].
struct Head {
  const float *keys, *values;
  long size;
};

class Attention {
 public:
  Attention(const Head& head, const float* q, long stride, int rows) : head_(head), rows_(rows) {
    const float scale = 1.0f / std::sqrt((float)head.size);
    for (int r = 0; r < rows; r++) {
      top_[r] = -INFINITY;
      total_[r] = 0;
      for (long e = 0; e < head.size; e++) q_[r * Q_STRIDE + e] = q[r * stride + e] * scale;
      std::fill(sum_ + r * SIZE, sum_ + r * SIZE + head.size, 0.0f);
    }
  }

  // Merge the keys slot..slot+count in; row r sees the first `seen + r` of them, where causal.
  void over(long slot, long count, bool causal, long seen) {
    for (long from = 0; from < count; from += KEYS) {
      const long keys = std::min(KEYS, count - from);
      score(slot + from, keys);
      for (int r = 0; r < rows_; r++) weigh(r, causal ? std::min(keys, seen + r - from) : keys, keys);
      gather(slot + from, keys);
    }
  }

  void write(float* out, long stride) const {
    for (int r = 0; r < rows_; r++)
      for (long e = 0; e < head_.size; e++) out[r * stride + e] = sum_[r * SIZE + e] / total_[r];
  }

  static constexpr long SIZE = 256;  // the largest head

 private:
  static constexpr long Q_STRIDE = SIZE + GAP, P_STRIDE = KEYS + GAP;

  void score(long slot, long keys) {
    for (long panel = 0; panel < keys; panel += COLUMNS) {
      tile_of<Float32>(rows_, q_, Q_STRIDE, head_.keys + (slot + panel) * head_.size, COLUMNS, head_.size, zeros_, out_);
      for (int r = 0; r < rows_; r++) std::memcpy(p_ + r * P_STRIDE + panel, out_ + r * COLUMNS, COLUMNS * sizeof(float));
    }
  }

  // Scores of row r become weights relative to its new maximum; those not seen become 0.
  void weigh(int r, long seen, long keys) {
    float* p = p_ + r * P_STRIDE;
    const Floats none = _mm512_set1_ps(-INFINITY);
    Floats tops = none;
    for (long i = 0; i < seen; i += LANES) tops = _mm512_max_ps(tops, _mm512_mask_loadu_ps(none, first(seen - i), p + i));
    const float top = std::max(top_[r], _mm512_reduce_max_ps(tops));
    Floats total = _mm512_setzero_ps();
    for (long i = 0; i < keys; i += LANES) {
      const Floats weight = seen > i ? _mm512_maskz_mov_ps(first(seen - i), exp_of(_mm512_sub_ps(_mm512_loadu_ps(p + i), _mm512_set1_ps(top))))
                                     : _mm512_setzero_ps();
      _mm512_storeu_ps(p + i, weight);
      total = _mm512_add_ps(total, weight);
    }
    if (top_[r] != top && total_[r] > 0) {
      const float shrink = std::exp(top_[r] - top);
      total_[r] *= shrink;
      for (long e = 0; e < head_.size; e++) sum_[r * SIZE + e] *= shrink;
    }
    total_[r] += _mm512_reduce_add_ps(total);
    top_[r] = top;
  }

  void gather(long slot, long keys) {
    for (long e = 0; e < head_.size; e += COLUMNS) {
      tile_of<Float32>(rows_, p_, P_STRIDE, head_.values + slot * head_.size + e, head_.size, keys, zeros_, out_);
      const long width = std::min<long>(COLUMNS, head_.size - e);
      for (int r = 0; r < rows_; r++)
        for (long i = 0; i < width; i++) sum_[r * SIZE + e + i] += out_[r * COLUMNS + i];
    }
  }

  Head head_;
  int rows_;
  float top_[ROWS], total_[ROWS];
  alignas(64) int32_t zeros_[COLUMNS] = {};
  alignas(64) float out_[ROWS * COLUMNS], q_[ROWS * Q_STRIDE], p_[ROWS * P_STRIDE], sum_[ROWS * SIZE];
};

// The queries' heads that share a key-value head; the outputs take the place of the queries.
inline void attend(const Queries& queries, const Segment* segments, const Head& head, float* q, long stride, long group) {
  const Segment& own = segments[queries.segment];
  for (long h = 0; h < group; h++)
    for (int i = 0; i < blocks_in(queries.count); i++) {
      const Block block = block_of(queries.count, i);
      float* rows = q + (queries.row + block.begin) * stride + h * head.size;
      Attention attention(head, rows, stride, block.count);
      if (own.parent >= 0) attention.over(segments[own.parent].slot, segments[own.parent].count, false, 0);
      const long seen = queries.offset + block.begin + 1;
      attention.over(own.slot, seen + block.count - 1, true, seen);
      attention.write(rows, stride);
    }
}

}  // namespace nearline
