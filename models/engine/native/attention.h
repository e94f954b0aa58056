// Attention of a few queries over the keys of their request's prefix and of their own prompt.
//
// Each range of keys gives an unnormalised sum and its log-sum-exp; ranges are merged as they come (the online
// softmax), so a prefix's keys are computed once and read by every prompt that begins with it.
#pragma once
#include <algorithm>

#include "linear.h"

namespace nearline {

constexpr long KEYS = 512;  // keys whose scores are held at once, few enough for the L1 cache

struct Segment {
  int32_t slot, count, parent;  // its first key's slot (a multiple of COLUMNS), its tokens, its prefix's segment or -1
};

struct Queries {
  int32_t segment, row, count, offset;  // rows row.. of q hold the segment's tokens offset..
};

// One key-value head: keys as panels [slot / COLUMNS][size][COLUMNS], values as rows [slot][size].
struct Head {
  const float *keys, *values;
  long size;
};

// Up to ROWS queries of one head.
class Attention {
 public:
  Attention(const Head& head, const float* q, long stride, int rows) : head_(head), rows_(rows) {
    const float scale = 1.0f / std::sqrt((float)head.size);
    for (int r = 0; r < rows; r++) {
      top_[r] = -INFINITY;
      total_[r] = 0;
      for (long e = 0; e < head.size; e += LANES) {
        store(q_ + r * STRIDE + e, load(q + r * stride + e, head.size - e) * scale);
        store(sum_ + r * STRIDE + e, Floats{});
      }
    }
  }

  // Adds the keys slot..slot+count; row r sees the first `seen + r` of them.
  void over(long slot, long count, long seen) {
    for (long from = 0; from < count;) {
      if (held_ == KEYS) merge();
      const long keys = std::min(KEYS - held_, count - from);
      ranges_[count_++] = {slot + from, keys, held_};
      for (long panel = 0; panel < keys; panel += COLUMNS) score(slot + from + panel, seen - from - panel, count - from - panel);
      from += keys;
    }
  }

  void write(float* out, long stride) {
    merge();
    for (int r = 0; r < rows_; r++) {
      const float scale = 1 / total_[r];
      for (long e = 0; e < head_.size; e += LANES) store(out + r * stride + e, load(sum_ + r * STRIDE + e) * scale, head_.size - e);
    }
  }

  static constexpr long SIZE = 256;  // the largest head

 private:
  static constexpr long STRIDE = SIZE + GAP, P_STRIDE = KEYS + GAP;

  struct Range {
    long slot, keys, held;
  };

  // Computes the scores of one panel; row r sees its first `seen + r` keys, and none after the first `count`.
  void score(long slot, long seen, long count) {
    const float* keys = head_.keys + slot * head_.size;
    const Out out{p_ + held_, P_STRIDE};
    tile_of<Float32>(rows_, q_, STRIDE, keys, COLUMNS, head_.size, zeros_, {keys, 0}, out);
    if (std::min(seen, count) < COLUMNS) hide(out, seen, count);
    held_ += COLUMNS;
  }

  void hide(const Out& scores, long seen, long count) {
    for (int r = 0; r < rows_; r++)
      for (long c = 0; c < COLUMNS; c += LANES) {
        const int visible = (int)std::min(std::max(std::min(seen + r, count) - c, 0L), LANES);
        float* at = scores.at + r * scores.stride + c;
        store(at, lanes() < visible ? load(at) : all(-INFINITY));
      }
  }

  // Turns the held scores into weights relative to the new maximum, and adds the weighted values to the sums.
  void merge() {
    for (int r = 0; r < rows_; r++) weigh(r);
    for (int i = 0; i < count_; i++) gather(ranges_[i]);
    count_ = 0;
    held_ = 0;
  }

  void weigh(int r) {
    float* p = p_ + r * P_STRIDE;
    Floats tops = all(top_[r]);
    for (long i = 0; i < held_; i += LANES) tops = max_of(tops, load(p + i));
    const float top = largest_of(tops);
    if (total_[r] > 0) shrink(r, std::exp(top_[r] - top));
    top_[r] = top;
    Floats total = {};
    for (long i = 0; i < held_; i += LANES) {
      const Floats below = load(p + i) - top;
      const Floats weight = below > -87.0f ? exp_of(below) : Floats{};
      store(p + i, weight);
      total = total + weight;
    }
    total_[r] += sum_of(total);
  }

  void shrink(int r, float factor) {
    total_[r] *= factor;
    for (long e = 0; e < head_.size; e++) sum_[r * STRIDE + e] *= factor;
  }

  void gather(const Range& range) {
    const float* values = head_.values + range.slot * head_.size;
    for (long e = 0; e < head_.size; e += COLUMNS) {
      tile_of<Float32>(rows_, p_ + range.held, P_STRIDE, values + e, head_.size, range.keys, zeros_, {p_, 0}, {out_, COLUMNS});
      for (int r = 0; r < rows_; r++)
        for (long c = 0; c < COLUMNS && e + c < head_.size; c += LANES) {
          float* at = sum_ + r * STRIDE + e + c;
          store(at, load(at) + load(out_ + r * COLUMNS + c));
        }
    }
  }

  Head head_;
  int rows_, count_ = 0;
  long held_ = 0;
  float top_[ROWS], total_[ROWS];
  Range ranges_[KEYS / COLUMNS];
  alignas(64) int32_t zeros_[COLUMNS] = {};
  alignas(64) float out_[ROWS * COLUMNS], q_[ROWS * STRIDE], p_[ROWS * P_STRIDE], sum_[ROWS * STRIDE];
};

// Attends for all query heads that share one key-value head; the outputs overwrite the queries.
inline void attend(const Queries& queries, const Segment* segments, const Head& head, float* q, long stride, long group) {
  const Segment& own = segments[queries.segment];
  for (long h = 0; h < group; h++)
    for (int i = 0; i < blocks_in(queries.count); i++) {
      const Block block = block_of(queries.count, i);
      float* rows = q + (queries.row + block.begin) * stride + h * head.size;
      Attention attention(head, rows, stride, block.count);
      const long seen = queries.offset + block.begin + 1;
      if (own.parent >= 0) {
        const Segment& prefix = segments[own.parent];
        attention.over(prefix.slot, prefix.count, prefix.count);
      }
      attention.over(own.slot, seen + block.count - 1, seen);
      attention.write(rows, stride);
    }
}

}  // namespace nearline
