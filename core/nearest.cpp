// SPDX-License-Identifier: Apache-2.0
#include "core/nearest.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace welcome {

namespace {

constexpr std::size_t kLongest = 64;

using Row = std::array<std::size_t, kLongest + 1>;

// Letters to miss, add, change or swap (optimal string alignment). Neither is longer than kLongest:
// three rows are enough, and nothing is allocated, as a file full of unknown words asks for each of
// them how far it is from all that are known.
std::size_t distance(std::string_view a, std::string_view b) {
  Row before{}, last{}, row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = last;
    last = row;
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::size_t apart(std::size_t a, std::size_t b) { return a < b ? b - a : a - b; }

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kLongest) return {};
  std::string_view best;
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    if (candidate.empty() || candidate.size() > kLongest) continue;
    if (apart(word.size(), candidate.size()) >= least) continue;  // each letter more is one to add
    const std::size_t d = distance(word, candidate);
    if (d >= least || d >= candidate.size()) continue;
    least = d;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const auto close = nearest(word, known);
  return close.empty() ? std::string() : "; did you mean '" + std::string(close) + "'?";
}

}  // namespace welcome
