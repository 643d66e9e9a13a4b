// SPDX-License-Identifier: Apache-2.0
#pragma once
// A text as a QR code (ISO/IEC 18004) for a terminal: two modules in one character, dark on light
// whatever the terminal's colours are. Empty when it does not fit 80 columns.

#include <string>

namespace welcome::crm {

std::string qr_for_terminal(const std::string& text);

}  // namespace welcome::crm
