// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/radio_help.h"

#include <algorithm>
#include <fstream>
#include <spdlog/spdlog.h>
#include <variant>

#include "firmware/daemon/radio.h"

namespace welcome::daemon {

namespace {

std::string adapter_named(const std::string& device) {
  const auto parsed = parse_radio_device(device);
  return parsed && std::holds_alternative<Adapter>(*parsed) ? device : std::string();
}

}  // namespace

RadioHelp::RadioHelp(const std::filesystem::path& folder, const std::string& device)
    : file_(folder / "radio-stuck"), adapter_(adapter_named(device)) {}

void RadioHelp::look(const beacon::SourceStatus& radio, MonoTime now) {
  using enum beacon::SourceState;
  if (adapter_.empty()) return;
  if (radio.state != recovering && radio.state != failed) {
    away_since_.reset();
    return;
  }
  if (!away_since_) {
    away_since_ = now;
    pause_ = kPatience;
    next_ = now + kPatience;
  }
  if (now < *next_) return;
  pause_ = std::min<std::chrono::seconds>(pause_ * 2, kMost);
  next_ = now + pause_;
  // What is written is another text each time, so that it is a change.
  std::ofstream(file_, std::ios::trunc) << adapter_ << ' ' << ++asked_ << '\n';
  spdlog::warn(
      "radio: {} does not come back; the machine is asked to switch it on or to reset its "
      "USB port (welcome-radio.service)",
      adapter_);
}

}  // namespace welcome::daemon
