// SPDX-License-Identifier: Apache-2.0
#include "crm/qr.h"

#include <memory>
#include <qrencode.h>

namespace welcome::crm {
namespace {

constexpr int kQuiet = 4;  // light modules around it, as the standard wants them
constexpr int kColumns = 80;
constexpr const char* kBlackOnWhite = "\x1b[30;107m";
constexpr const char* kAsBefore = "\x1b[0m";

}  // namespace

std::string qr_for_terminal(const std::string& text) {
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString8bit(text.c_str(), 0, QR_ECLEVEL_L), &QRcode_free);
  if (!code || code->width + 2 * kQuiet > kColumns) return {};
  const int width = code->width;
  const auto dark = [&](int row, int column) {
    return row >= 0 && row < width && column >= 0 && column < width &&
           (code->data[row * width + column] & 1) != 0;
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

}  // namespace welcome::crm
