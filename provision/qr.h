// SPDX-License-Identifier: Apache-2.0
#pragma once
// A text as a QR code (ISO/IEC 18004).

#include <string>
#include <vector>

namespace welcome::provision {

// Its modules, row by row, without the light ones around it: '1' is dark. Empty when the text is
// longer than a code can be.
std::vector<std::string> qr_rows(const std::string& text);

// For a terminal: two modules in one character, dark on light whatever the terminal's colours are.
// Empty when it does not fit 80 columns.
std::string qr_for_terminal(const std::string& text);

}  // namespace welcome::provision
