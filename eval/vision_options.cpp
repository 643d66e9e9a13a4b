// SPDX-License-Identifier: Apache-2.0
#include "eval/vision_options.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "vision/gallery.h"

namespace welcome::eval {
namespace {

namespace fs = std::filesystem;

fs::path find_models(const std::optional<std::string>& given) {
  if (given) return *given;
  std::error_code error;
  // The same variable may name the folder that vision/models/prepare takes models from.
  if (const char* set = std::getenv("WELCOME_MODELS");
      set != nullptr && fs::exists(fs::path(set) / "models.json", error)) {
    return set;
  }
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  fs::path beside = program.parent_path().parent_path().parent_path() / "models";
  if (!error && fs::exists(beside / "models.json", error)) return beside;
  return "/usr/share/welcomed/models";
}

}  // namespace

std::optional<VisionOptions> VisionOptions::parse(Arguments arguments,
                                                  const std::vector<std::string_view>& with_value,
                                                  const std::vector<std::string_view>& flags) {
  VisionOptions result;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (!argument.starts_with("--")) {
      result.files_.emplace_back(argument);
      continue;
    }
    const std::string_view name = argument.substr(2);
    if (std::find(flags.begin(), flags.end(), name) != flags.end()) {
      result.flags_.emplace_back(name);
      continue;
    }
    const bool known = name == "models" || name == "pack" ||
                       std::find(with_value.begin(), with_value.end(), name) != with_value.end();
    if (!known || i + 1 == arguments.size()) return std::nullopt;
    result.values_.emplace_back(name, arguments[++i]);
  }
  return result;
}

std::optional<std::string> VisionOptions::value(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

bool VisionOptions::flag(std::string_view name) const {
  return std::find(flags_.begin(), flags_.end(), name) != flags_.end();
}

vision::ModelPack VisionOptions::load_pack() const {
  return vision::load_model_pack(find_models(value("models")),
                                 value("pack").value_or(std::string(vision::kAnyPack)));
}

double VisionOptions::false_match_rate() const {
  const auto given = value("fmr");
  return given ? std::stod(*given) : vision::kFalseMatchRate;
}

}  // namespace welcome::eval
