// Runs the kernels of another processor under emulation: one call, its arguments and arrays on standard input, its result
// on standard output. Structures have the same layout here and there; their pointers are set to what was read.
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "forward.cpp"

// Reads an array: the number of its bytes, then they themselves; null for none.
template <class T>
void read_into(T*& pointer) {
  int64_t size = 0;
  if (std::fread(&size, sizeof size, 1, stdin) != 1) std::exit(2);
  char* memory = size ? static_cast<char*>(std::aligned_alloc(64, (size + 127) / 64 * 64)) : nullptr;
  if (size && std::fread(memory, 1, size, stdin) != (size_t)size) std::exit(2);
  pointer = reinterpret_cast<T*>(memory);
}

template <class T>
T read_struct() {
  T value;
  if (std::fread(&value, sizeof value, 1, stdin) != 1) std::exit(2);
  return value;
}

void write(const void* memory, size_t size) { std::fwrite(memory, 1, size, stdout); }

void read_linear(Linear& linear) {
  read_into(linear.panels);
  read_into(linear.scales);
  read_into(linear.begin);
}

int layout(int kind) {
  int32_t numbers[3];
  if (!nearline_layout(kind, numbers)) return 1;
  write(numbers, sizeof numbers);
  return 0;
}

int pack(int kind) {
  const auto sizes = read_struct<std::array<int64_t, 4>>();  // outputs, inputs, bytes of the panels, padded outputs
  const float* weights;
  read_into(weights);
  std::vector<char> panels(sizes[2]);
  std::vector<float> scales(sizes[3]);
  std::vector<int32_t> begin(sizes[3]);
  if (!nearline_pack(kind, weights, sizes[0], sizes[1], panels.data(), scales.data(), begin.data())) return 1;
  write(panels.data(), panels.size());
  write(scales.data(), scales.size() * 4);
  write(begin.data(), begin.size() * 4);
  return 0;
}

int forward(int kind) {
  auto model = read_struct<Model>();
  auto batch = read_struct<Batch>();
  std::vector<Layer> layers(model.layers);
  for (Layer& layer : layers) {
    layer = read_struct<Layer>();
    for (const float** vector : {&layer.input_norm, &layer.q_norm, &layer.k_norm, &layer.post_norm, &layer.q_bias,
                                 &layer.k_bias, &layer.v_bias, &layer.o_bias})
      read_into(*vector);
    for (Linear* linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate_up, &layer.down}) read_linear(*linear);
  }
  model.layer = layers.data();
  for (const float** table : {&model.cos, &model.sin}) read_into(*table);
  read_into(model.embedding);
  for (const int32_t** numbers : {&batch.ids, &batch.positions, &batch.slot, &batch.last}) read_into(*numbers);
  read_into(batch.segment);
  for (const Queries** queries : {&batch.query, &batch.last_query}) read_into(*queries);
  for (float** space : {&batch.out, &batch.x, &batch.q, &batch.keys, &batch.values}) read_into(*space);
  if (!nearline_forward(kind, &model, &batch)) return 1;
  write(batch.out, batch.items * model.hidden * sizeof(float));
  return 0;
}

int main(int, char** words) {
  const std::string call = words[1];
  const int kind = std::atoi(words[2]);
  return call == "layout" ? layout(kind) : call == "pack" ? pack(kind) : forward(kind);
}
