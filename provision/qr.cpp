// SPDX-License-Identifier: Apache-2.0
#include "provision/qr.h"

#include <cstddef>
#include <memory>
#include <qrencode.h>

namespace welcome::provision {
namespace {

constexpr int kQuiet = 4;  // light modules around it, as the standard wants them
constexpr int kColumns = 80;
constexpr const char* kBlackOnWhite = "\x1b[30;107m";
constexpr const char* kAsBefore = "\x1b[0m";

}  // namespace

std::vector<std::string> qr_rows(const std::string& text) {
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString8bit(text.c_str(), 0, QR_ECLEVEL_L), &QRcode_free);
  std::vector<std::string> out;
  if (!code) return out;
  for (int row = 0; row < code->width; ++row) {
    std::string& line = out.emplace_back();
    for (int column = 0; column < code->width; ++column) {
      line += (code->data[row * code->width + column] & 1) != 0 ? '1' : '0';
    }
  }
  return out;
}

std::string qr_for_terminal(const std::string& text) {
  const auto rows = qr_rows(text);
  const int width = static_cast<int>(rows.size());
  if (width == 0 || width + 2 * kQuiet > kColumns) return {};
  const auto dark = [&](int row, int column) {
    return row >= 0 && row < width && column >= 0 && column < width &&
           rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)] == '1';
  };
  std::string out;
  for (int row = -kQuiet; row < width + kQuiet; row += 2) {
    out += kBlackOnWhite;
    for (int column = -kQuiet; column < width + kQuiet; ++column) {
      const bool above = dark(row, column), below = dark(row + 1, column);
      out += above ? (below ? "█" : "▀") : (below ? "▄" : " ");
    }
    out.append(kAsBefore).append("\n");
  }
  return out;
}

}  // namespace welcome::provision
