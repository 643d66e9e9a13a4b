// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/pauses.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contract/json_text.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

// Register that holds what was paused on a tablet.
constexpr std::string_view kPausesRegister = "paused_here";

}  // namespace

Result<void> Pauses::load() {
  const auto kept = shared_.store.registers().get(kPausesRegister);
  if (!kept) return tl::unexpected(kept.error());
  here_.clear();
  const json rows = json::parse(kept->value_or("{}"), nullptr, false);
  if (!rows.is_object()) return {};
  for (const auto& [name, row] : rows.items()) {
    const auto function = function_from_string(name);
    if (!function || !row.is_object()) continue;
    const auto since = contract::from_rfc3339(row.value("since", ""));
    here_[*function] = {StaffId(row.value("staff", "")),
                        contract::pause_reason_from_string(row.value("reason", ""))
                            .value_or(contract::PauseReason::other),
                        since.value_or(WallTime{})};
  }
  return {};
}

void Pauses::write(store::Tx& tx, const Here& here) {
  json rows = json::object();
  for (const auto& [function, pause] : here) {
    rows[std::string(to_string(function))] = {{"staff", pause.staff.str()},
                                              {"reason", to_string(pause.reason)},
                                              {"since", contract::to_rfc3339(pause.since)}};
  }
  tx.registers().put(kPausesRegister, contract::dump(rows));
}

Result<bool> Pauses::by_head_office(Function function) const {
  const auto controls = shared_.store.registers().controls();
  if (!controls) return tl::unexpected(controls.error());
  return std::any_of(controls->begin(), controls->end(), [&](const auto& row) {
    return row.function == to_string(function) && row.paused;
  });
}

Result<std::map<Function, bool>> Pauses::all() const {
  const auto controls = shared_.store.registers().controls();
  if (!controls) return tl::unexpected(controls.error());
  std::map<Function, bool> out;
  for (const auto& row : *controls) {
    if (const auto function = function_from_string(row.function)) out[*function] |= row.paused;
  }
  for (const auto& [function, pause] : here_) out[function] = true;
  return out;
}

Result<std::vector<contract::PauseView>> Pauses::view() const {
  std::vector<contract::PauseView> out;
  for (const Function function : kAllFunctions) {
    const auto head_office = by_head_office(function);
    if (!head_office) return tl::unexpected(head_office.error());
    if (*head_office) out.push_back({function, {}});
    if (const auto found = here_.find(function); found != here_.end()) {
      out.push_back({function, found->second});
    }
  }
  return out;
}

std::vector<std::string> Pauses::words() const {
  std::vector<std::string> out;
  for (const auto& [function, pause] : here_) {
    out.push_back(std::string(to_string(function)) + ": " +
                  std::string(contract::to_string(pause.reason)));
  }
  return out;
}

}  // namespace welcome::daemon
