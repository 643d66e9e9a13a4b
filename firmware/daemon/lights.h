// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lights: how the box is, in nine words, made from its status: for `welcomectl doctor`, for the
// CRM (contract::BoxState) and for the tablets. Pure; any thread.

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contract/contract.h"
#include "core/time.h"

namespace welcome::daemon {

struct Finding {
  contract::LightState state;
  std::string to_do;  // for a technician; empty: nothing
};

// What the lights are made from beside the status.
struct Signs {
  WallTime now;
  std::optional<WallTime> decided;  // the last decision; nothing: none is kept
  // When the certificate ends with which the box shows the central broker who it is; nothing:
  // none is set up.
  std::optional<WallTime> certificate_ends;
  std::optional<std::uint64_t> disk_free;  // bytes where the database lies; nothing: not known
  std::optional<double> temperature;       // of the machine, in degrees Celsius; nothing: not known
};

// One for each light, in its order. `status` and `tablets` as `welcomectl status --json` and
// `welcomectl tablet list --json` have them.
std::vector<Finding> findings(const nlohmann::json& status, const nlohmann::json& tablets,
                              const Signs& signs);
// Tablets that said something in the last 15 minutes.
std::size_t heard_lately(const nlohmann::json& tablets);
// What the tablets are told of them.
std::vector<contract::Trouble> troubles_of(const std::vector<Finding>& findings);

// What others are told: a lamp counts when it was the same in two looks, so that a blink tells
// nobody anything.
class LightsWatch {
 public:
  static constexpr std::chrono::seconds kEvery{5};

  void look(std::vector<Finding> found);
  // Others are to be told; until told() says that they are.
  bool has_news() const;
  void told() { told_ = steady_; }
  // That count.
  const std::vector<Finding>& steady() const { return steady_; }

 private:
  std::vector<Finding> seen_, steady_, told_;
};

std::vector<contract::LightState> states_of(const std::vector<Finding>& findings);
// The part `lights` of the status.
nlohmann::json lights_json(const std::vector<Finding>& findings);
// The answer to `doctor`.
nlohmann::json findings_json(const std::vector<Finding>& findings);

}  // namespace welcome::daemon
