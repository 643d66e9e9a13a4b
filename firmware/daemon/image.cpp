// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/image.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "core/text.h"

namespace welcome::daemon {

namespace {

using contract::UpdateState;
using contract::UpdateStep;
using nlohmann::json;

constexpr std::size_t kReportMost = 4096;

// Null: there is none yet, or it cannot be read.
json report_in(const std::filesystem::path& folder) {
  std::ifstream in(folder / "update.json");
  std::string text(kReportMost, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  json report = json::parse(text, nullptr, false);
  return report.is_object() ? report : json();
}

std::string word_of(const json& report, const char* name) {
  const auto found = report.find(name);
  return found != report.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Image::Image(std::filesystem::path report, const std::filesystem::path& state_dir)
    : report_(std::move(report)), order_(state_dir / "update-order.json") {}

void Image::order(const std::string& text) {
  if (report_.empty() || text == written_) return;
  const auto beside = std::filesystem::path(order_).concat(".new");
  std::ofstream out(beside, std::ios::trunc);
  out << text << '\n';
  out.close();
  std::error_code failed;
  if (out) std::filesystem::rename(beside, order_, failed);
  if (out && !failed) written_ = text;
}

UpdateState Image::look(std::uint64_t word, std::string_view wanted) const {
  UpdateState state{UpdateStep::no_image, {}, word, {}};
  if (report_.empty()) return state;
  const json report = report_in(report_);
  state.version = word_of(report, "version");
  const auto of = report.is_object() ? report.find("word") : report.end();
  const bool this_word =
      of != report.end() && of->is_number_unsigned() && of->get<std::uint64_t>() == word;
  if (!this_word || word == 0) {
    state.step = wanted.empty() ? UpdateStep::idle : UpdateStep::fetching;
    return state;
  }
  state.step = update_step_from_string(word_of(report, "step")).value_or(UpdateStep::idle);
  state.why = plain_text(word_of(report, "why"), contract::kLightWords);
  return state;
}

}  // namespace welcome::daemon
