// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/image.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <utility>

#include "core/text.h"
#include "firmware/control/value_at.h"
#include "provision/files.h"

namespace welcome::daemon {

namespace {

using contract::UpdateState;
using contract::UpdateStep;
using control::word_at;
using nlohmann::json;

constexpr std::size_t kReportMost = 4096;

// No object: there is none yet, or it cannot be read.
json report_in(const std::filesystem::path& folder) {
  std::ifstream in(folder / "update.json");
  std::string text(kReportMost, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return json::parse(text, nullptr, false);
}

}  // namespace

// A drop-in of our unit says so (packaging/image).
std::filesystem::path image_folder() {
  const char* const folder = std::getenv("WELCOME_IMAGE");
  return folder != nullptr ? folder : "";
}

json update_json(const UpdateState& update, const std::string& wanted) {
  const auto or_null = [](const std::string& text) { return text.empty() ? json() : json(text); };
  return {{"step", to_string(update.step)},
          {"version", or_null(update.version)},
          {"wanted", or_null(wanted)},
          {"why", update.why}};
}

Image::Image(std::filesystem::path report, const std::filesystem::path& state_dir)
    : report_(std::move(report)), order_(state_dir / "update-order.json") {}

void Image::order(const std::string& text) {
  if (report_.empty() || text == written_) return;
  if (provision::replace_private(order_, text + "\n")) {
    written_ = text;
    complained_ = false;
  } else if (!std::exchange(complained_, true)) {
    spdlog::warn("{}: {}", order_.string(), std::strerror(errno));
  }
}

UpdateState Image::look(std::uint64_t word, std::string_view wanted) const {
  UpdateState state{UpdateStep::no_image, {}, word, {}};
  if (report_.empty()) return state;
  const json report = report_in(report_);
  state.version = word_at(report, "version");
  const json of = control::value_at(report, "word");
  if (word == 0 || !of.is_number_unsigned() || of != word) {
    state.step = wanted.empty() ? UpdateStep::idle : UpdateStep::fetching;
    return state;
  }
  state.step = update_step_from_string(word_at(report, "step")).value_or(UpdateStep::idle);
  state.why = plain_text(word_at(report, "why"), contract::kLightWords);
  return state;
}

}  // namespace welcome::daemon
