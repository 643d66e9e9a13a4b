// SPDX-License-Identifier: Apache-2.0
#pragma once
// Image: what the daemon has to do with the machine's own half of an update, two small files. The
// order (Updates) goes into the box's state directory, and the machine, as root, fetches and
// installs; how far it is it writes where everybody may read it. One thread.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "contract/contract.h"

namespace welcome::daemon {

// Where the image's own half says how far it is; empty: this machine is no image.
std::filesystem::path image_folder();

// As `welcomectl status` has it; `wanted` empty: nothing.
nlohmann::json update_json(const contract::UpdateState& update, const std::string& wanted);

class Image {
 public:
  // `report`: image_folder().
  Image(std::filesystem::path report, const std::filesystem::path& state_dir);

  // Replaces the order when it is another one; what cannot be written is tried again next time.
  void order(const std::string& text);
  // How far the machine is with that word of the CRM, which wants `wanted` (empty: nothing).
  contract::UpdateState look(std::uint64_t word, std::string_view wanted) const;

 private:
  const std::filesystem::path report_;
  const std::filesystem::path order_;
  std::string written_;
  bool complained_ = false;  // of an order that cannot be written
};

}  // namespace welcome::daemon
