// The forward pass of Qwen3, Qwen2 and Llama over packed prompts on a CPU, in three sweeps a layer: queries, keys and
// values; attention; the rest. A sweep takes a chunk of tokens (CHUNK) through all of its steps while they are in the
// core's own cache. Numbers are fp32, except the operands of the linear layers.
#include <omp.h>

#include "attention.h"

namespace nearline {

struct Layer {
  const float *input_norm, *q_norm, *k_norm, *post_norm;  // q_norm and k_norm may be null
  const float *q_bias, *k_bias, *v_bias, *o_bias;         // each may be null
  Linear q, k, v, o, gate_up, down;
};

enum Storage { SINGLE, BRAIN, HALF };  // how an embedding's numbers lie: fp32, bfloat16, fp16

struct Model {
  int64_t layers, hidden, heads, kv_heads, head_size, mlp;
  const Layer* layer;
  const float *cos, *sin;  // [context][head_size / 2]
  const void* embedding;    // [vocabulary][hidden]
  float norm_eps;
  int32_t threads, storage;  // Storage of the embedding
};

struct Batch {
  int64_t tokens, slots, items, segments, queries, last_queries;
  const int32_t *ids, *positions, *slot, *last;  // id, position and slot of each token; index of each item's last token
  const Segment* segment;
  const Queries *query, *last_query;
  float *out, *x, *q, *keys, *values;  // [items][hidden], and work space
};

namespace {

constexpr long GATES = COLUMNS / 2;  // a panel of gate_up has as many outputs of the gate, then those that they multiply
constexpr long CHUNK = 126;  // tokens in a sweep: whole blocks of rows of every width

long padded(long n) { return round_up(n, COLUMNS); }
long stride_of(long width) { return padded(width) + GAP; }

struct Scratch {
  float *rows, *wide, *head;
  void* operand;
};

template <class T>
class Forward {
 public:
  Forward(const Model& model, const Batch& batch) : m_(model), b_(batch) {}

  void run() {
    sweep(b_.tokens, [&](long from, int rows, const Scratch&) {
      for (long t = from; t < from + rows; t++) embed(b_.ids[t], b_.x + t * m_.hidden);
    });
    for (long i = 0; i + 1 < m_.layers; i++) {
      const Layer& layer = m_.layer[i];
      sweep(b_.tokens, [&](long from, int rows, const Scratch& s) {
        const auto x = normed(b_.x, from, rows, layer.input_norm, s);
        queries(layer, x, from, rows, b_.positions + from, s);
        keys_and_values(layer, x, from, rows, s);
      });
      attend_all(b_.query, b_.queries);
      sweep(b_.tokens, [&](long from, int rows, const Scratch& s) { rest(layer, b_.x, from, rows, s); });
    }
    last();
  }

 private:
  void embed(long id, float* out) const {
    const long first = id * m_.hidden;
    if (m_.storage == SINGLE) {
      std::memcpy(out, static_cast<const float*>(m_.embedding) + first, m_.hidden * sizeof(float));
      return;
    }
    const auto* row = static_cast<const uint16_t*>(m_.embedding) + first;
    for (long i = 0; i < m_.hidden; i++) out[i] = m_.storage == BRAIN ? of_brain(row[i]) : of_half(row[i]);
  }

  // The last layer: keys and values of all tokens, everything else of each item's last token only.
  void last() {
    const Layer& layer = m_.layer[m_.layers - 1];
    sweep(b_.tokens, [&](long from, int rows, const Scratch& s) {
      keys_and_values(layer, normed(b_.x, from, rows, layer.input_norm, s), from, rows, s);
    });
    for (long i = 0; i < b_.items; i++)
      std::memcpy(b_.out + i * m_.hidden, b_.x + b_.last[i] * m_.hidden, m_.hidden * sizeof(float));
    sweep(b_.items, [&](long from, int rows, const Scratch& s) {
      int32_t positions[CHUNK];
      for (int r = 0; r < rows; r++) positions[r] = b_.positions[b_.last[from + r]];
      queries(layer, normed(b_.out, from, rows, layer.input_norm, s), from, rows, positions, s);
    });
    attend_all(b_.last_query, b_.last_queries);
    sweep(b_.items, [&](long from, int rows, const Scratch& s) { rest(layer, b_.out, from, rows, s); });
  }

  template <class Step>
  void sweep(long rows, Step step) {
    const long even = round_up((rows + CHUNK - 1) / CHUNK, m_.threads);
    const long chunks = rows < m_.threads * ROWS ? 1 : even, blocks = blocks_in(rows);
#pragma omp parallel num_threads(m_.threads)
    {
      const Scratch scratch = scratch_of_thread();
#pragma omp for schedule(dynamic, 1)
      for (long c = 0; c < chunks; c++) {
        const long from = blocks * c / chunks * ROWS, to = std::min(blocks * (c + 1) / chunks * ROWS, rows);
        step(from, (int)(to - from), scratch);
      }
    }
  }

  Scratch scratch_of_thread() const {
    const long width = std::max({m_.hidden, m_.heads * m_.head_size, m_.mlp});
    const long rows = CHUNK * stride_of(m_.hidden), wide = CHUNK * stride_of(m_.mlp), head = CHUNK * padded(m_.head_size);
    const long bytes = (rows + wide + head) * (long)sizeof(float) + Operand<T>::bytes(CHUNK, width);
    static thread_local struct Memory {
      char* at = nullptr;
      long bytes = 0;
      ~Memory() { std::free(at); }
    } memory;
    if (memory.bytes < bytes) {
      std::free(memory.at);
      memory.at = static_cast<char*>(std::aligned_alloc(64, round_up(bytes, 64)));
      memory.bytes = bytes;
    }
    auto* floats = reinterpret_cast<float*>(memory.at);
    return {floats, floats + rows, floats + rows + wide, floats + rows + wide + head};
  }

  Left<T> normed(const float* x, long from, int rows, const float* weight, const Scratch& s) const {
    const long stride = stride_of(m_.hidden);
    for (int r = 0; r < rows; r++) normalize(x + (from + r) * m_.hidden, weight, m_.hidden, s.rows + r * stride);
    return operand(T(), s.rows, stride, rows, m_.hidden, s.operand);
  }

  void normalize(const float* x, const float* weight, long width, float* out) const {
    const float scale = 1 / std::sqrt(sum_of_squares(x, width) / width + m_.norm_eps);
    for (long i = 0; i < width; i += LANES)
      store(out + i, load(x + i, width - i) * scale * load(weight + i, width - i), width - i);
  }

  // Computes a projection head by head, each while it is in the L1 cache: use(head, row, float[head_size]).
  template <class Use>
  void each_head(const Linear& w, const float* bias, long heads, const Left<T>& x, int rows, float* local, Use use) {
    const long panels = padded(m_.head_size) / COLUMNS, stride = panels * COLUMNS;
    for (long head = 0; head < heads; head++) {
      const long first = head * panels;
      const auto place = [&](int begin, long panel) { return Out{local + begin * stride + (panel - first) * COLUMNS, stride}; };
      product(x, rows, w, first, first + panels, place, [](int, int, long) {});
      for (int r = 0; r < rows; r++) {
        if (bias) add(bias + head * m_.head_size, m_.head_size, local + r * stride);
        use(head, r, local + r * stride);
      }
    }
  }

  static void add(const float* more, long count, float* x) {
    for (long i = 0; i < count; i++) x[i] += more[i];
  }

  void rotate(float* x, const float* norm, int32_t position) const {
    if (norm) normalize(x, norm, m_.head_size, x);
    const long half = m_.head_size / 2;
    const float *cos = m_.cos + position * half, *sin = m_.sin + position * half;
    for (long i = 0; i < half; i += LANES) {
      const long left = half - i;
      const Floats a = load(x + i, left), b = load(x + half + i, left), c = load(cos + i, left), s = load(sin + i, left);
      store(x + i, a * c - b * s, left);
      store(x + half + i, b * c + a * s, left);
    }
  }

  void queries(const Layer& layer, const Left<T>& x, long from, int rows, const int32_t* positions, const Scratch& s) {
    const long stride = stride_of(m_.heads * m_.head_size);
    each_head(layer.q, layer.q_bias, m_.heads, x, rows, s.head, [&](long head, int r, float* q) {
      rotate(q, layer.q_norm, positions[r]);
      std::memcpy(b_.q + (from + r) * stride + head * m_.head_size, q, m_.head_size * sizeof(float));
    });
  }

  void keys_and_values(const Layer& layer, const Left<T>& x, long from, int rows, const Scratch& s) {
    const long size = m_.head_size;
    each_head(layer.k, layer.k_bias, m_.kv_heads, x, rows, s.head, [&](long head, int r, float* k) {
      rotate(k, layer.k_norm, b_.positions[from + r]);
      const long slot = b_.slot[from + r];
      float* panel = b_.keys + (head * b_.slots + slot / COLUMNS * COLUMNS) * size + slot % COLUMNS;
      for (long e = 0; e < size; e++) panel[e * COLUMNS] = k[e];
    });
    each_head(layer.v, layer.v_bias, m_.kv_heads, x, rows, s.head, [&](long head, int r, float* v) {
      std::memcpy(b_.values + (head * b_.slots + b_.slot[from + r]) * size, v, size * sizeof(float));
    });
  }

  void attend_all(const Queries* queries, long count) {
    const long size = m_.head_size, group = m_.heads / m_.kv_heads, stride = stride_of(m_.heads * size);
#pragma omp parallel for collapse(2) schedule(dynamic, 1) num_threads(m_.threads)
    for (long i = 0; i < count; i++)
      for (long h = 0; h < m_.kv_heads; h++) {
        const Head head{b_.keys + h * b_.slots * size, b_.values + h * b_.slots * size, size};
        attend(queries[i], b_.segment, head, b_.q + h * group * size, stride, group);
      }
  }

  // The rest of a layer: adds attention's output, projected, to x, then the output of the MLP.
  void rest(const Layer& layer, float* x, long from, int rows, const Scratch& s) {
    const long q_width = m_.heads * m_.head_size, q_stride = stride_of(q_width), wide = stride_of(m_.mlp);
    const auto residual = [&](int begin, int count, long panel, const float* out) { add_to(x, from + begin, count, panel, out); };
    if (layer.o_bias)
      for (int r = 0; r < rows; r++) add(layer.o_bias, m_.hidden, x + (from + r) * m_.hidden);
    product(operand(T(), b_.q + from * q_stride, q_stride, rows, q_width, s.operand), rows, layer.o, 0,
            padded(m_.hidden) / COLUMNS, residual);
    const auto y = normed(x, from, rows, layer.post_norm, s);
    product(y, rows, layer.gate_up, 0, layer.gate_up.outputs / COLUMNS, [&](int begin, int count, long panel, const float* out) {
      for (int r = 0; r < count; r++)
        for (long c = 0; c < GATES; c += LANES) {
          const Floats gate = load(out + r * COLUMNS + c), up = load(out + r * COLUMNS + GATES + c);
          store(s.wide + (begin + r) * wide + panel * GATES + c, silu(gate) * up);
        }
    });
    product(operand(T(), s.wide, wide, rows, m_.mlp, s.operand), rows, layer.down, 0, padded(m_.hidden) / COLUMNS, residual);
  }

  void add_to(float* x, long row, int count, long panel, const float* out) const {
    for (int r = 0; r < count; r++)
      for (long c = 0; c < COLUMNS; c += LANES) {
        const long column = panel * COLUMNS + c, left = m_.hidden - column;
        float* at = x + (row + r) * m_.hidden + column;
        store(at, load(at, left) + load(out + r * COLUMNS + c), left);
      }
  }

  const Model& m_;
  const Batch& b_;
};

}  // namespace
}  // namespace nearline

using namespace nearline;

enum Kind { FLOAT32, BFLOAT16, INT8 };

#ifdef __AVX512BF16__
#define NEARLINE_BF16(call) case BFLOAT16: { using T = BFloat16; call; return 1; }
#else
#define NEARLINE_BF16(call)
#endif
#define NEARLINE_DISPATCH(kind, call)                    \
  switch (kind) {                                        \
    case FLOAT32: { using T = Float32; call; return 1; } \
    case INT8: { using T = Int8; call; return 1; }       \
    NEARLINE_BF16(call)                                  \
    default: return 0;                                   \
  }

extern "C" {

// Returns the name of the build, so that a library under a wrong name is noticed.
const char* nearline_build() { return NEARLINE_BUILD; }

// Writes the outputs of a panel, the bytes of a packed weight, and how many inputs of an output are neighbours; returns 1
// if these kernels have the arithmetic. The functions below return 0 if they have not.
int nearline_layout(int kind, int32_t* layout) {
  NEARLINE_DISPATCH(kind, layout[0] = COLUMNS; layout[1] = sizeof(T::Element); layout[2] = T::STEP)
}

int nearline_pack(int kind, const float* w, int64_t outputs, int64_t inputs, void* panels, float* scales, int32_t* begin) {
  NEARLINE_DISPATCH(kind, pack<T>(w, outputs, inputs, panels, scales, begin))
}

int nearline_forward(int kind, const Model* model, const Batch* batch) {
  NEARLINE_DISPATCH(kind, Forward<T>(*model, *batch).run())
}
}
