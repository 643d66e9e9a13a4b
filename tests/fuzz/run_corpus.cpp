// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over its corpus without a fuzzer: every file as it is, cut short at many
// places, and with single bits flipped. Deterministic. Ends with what the failing input was.

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// There when a sanitizer is linked in: it ends the process without a signal.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

// A seed of any size costs at most this many runs per kind of damage: fewer with a sanitizer, which
// makes each ten times slower and is there for what a run touches, not for what it answers.
size_t max_runs_per_kind() { return __sanitizer_set_death_callback == nullptr ? 128 : 24; }

std::array<char, 512> g_current{};

void print_current() {
  const size_t length = std::find(g_current.begin(), g_current.end(), '\0') - g_current.begin();
  if (write(STDERR_FILENO, g_current.data(), length) < 0) _exit(1);
}

void on_signal(int signal) {
  print_current();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// An exact heap copy, so that a read behind the end is seen by AddressSanitizer.
void run(const std::vector<uint8_t>& input, const std::string& name, const char* kind, size_t at) {
  std::snprintf(g_current.data(), g_current.size(), "failing input: %s, %s %zu\n", name.c_str(),
                kind, at);
  const std::vector<uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

size_t run_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<uint8_t> seed{std::istreambuf_iterator<char>(in), {}};
  const std::string name = path.filename().string();
  size_t runs = 1;
  run(seed, name, "whole, bytes", seed.size());

  const size_t cut_step = std::max<size_t>(1, seed.size() / max_runs_per_kind());
  for (size_t length = 0; length < seed.size(); length += cut_step, ++runs) {
    const auto end = seed.begin() + static_cast<std::ptrdiff_t>(length);
    run({seed.begin(), end}, name, "cut at byte", length);
  }
  std::vector<uint8_t> damaged = seed;
  // Odd, so that over a long file every bit position of a byte has its turn.
  const size_t flip_step = (seed.size() * 8 / max_runs_per_kind()) | 1U;
  for (size_t bit = 0; bit < seed.size() * 8; bit += flip_step, ++runs) {
    const auto mask = static_cast<uint8_t>(1U << (bit % 8));
    damaged[bit / 8] ^= mask;
    run(damaged, name, "flipped bit", bit);
    damaged[bit / 8] ^= mask;
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY\n", argv[0]);
    return EXIT_FAILURE;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGALRM}) {
    std::signal(signal, on_signal);
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(print_current);

  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1])) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  size_t runs = 0;
  for (const auto& file : files) runs += run_file(file);
  std::printf("%zu seeds, %zu inputs\n", files.size(), runs);
  return files.empty() ? EXIT_FAILURE : EXIT_SUCCESS;
}
