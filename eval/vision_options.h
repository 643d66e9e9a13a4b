// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the commands about faces have in common: where the models are and which pack is meant.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/command.h"
#include "vision/model_pack.h"

namespace welcome::eval {

// Splits arguments into "--name value" options, "--name" flags and the rest.
class VisionOptions {
 public:
  // nullopt: an option that is in neither list, or one without its value. "models" and "pack" are
  // always known. Models are looked for in --models, $WELCOME_MODELS, beside the build tree that
  // this program lies in, and where the package installs them.
  static std::optional<VisionOptions> parse(Arguments arguments,
                                            const std::vector<std::string_view>& with_value = {},
                                            const std::vector<std::string_view>& flags = {});

  const std::vector<std::string>& files() const { return files_; }
  std::optional<std::string> value(std::string_view name) const;
  bool flag(std::string_view name) const;

  vision::ModelPack load_pack() const;  // throws std::runtime_error
  // --fmr, else the camera's own.
  double false_match_rate() const;

 private:
  std::vector<std::pair<std::string, std::string>> values_;
  std::vector<std::string> flags_;
  std::vector<std::string> files_;
};

}  // namespace welcome::eval
