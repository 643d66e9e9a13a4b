// SPDX-License-Identifier: Apache-2.0
#pragma once
// Consent: one record per customer and purpose, with its whole history (ISO/IEC TS 27560:2023,
// clause 6). Nothing stores "the state": it is derived from the history, the same way whatever
// the order in which the parts arrived.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/purpose.h"
#include "core/time.h"

namespace welcome {

enum class ConsentState : std::uint8_t { given, withdrawn };

std::string_view to_string(ConsentState state);
std::optional<ConsentState> consent_state_from_string(std::string_view text);

struct ConsentStep {
  ConsentState state = ConsentState::withdrawn;
  WallTime at;
  std::string how;  // "app", "desk", "crm"

  friend auto operator<=>(const ConsentStep&, const ConsentStep&) = default;
};

struct ConsentNotice {
  std::string id;
  std::string version;
  std::string language;
};

struct ConsentRecord {
  std::string record_id;
  std::string schema_version = "1";
  std::string tenant;
  CustomerId customer;
  Purpose purpose = Purpose::proximity_offers;
  ConsentNotice notice;
  std::vector<std::string> data_categories;
  std::string controller;
  std::string storage_location;
  int retention_days = 0;
  std::string jurisdiction;
  std::vector<std::string> recipients;
  std::string withdraw_how;
  std::vector<ConsentStep> history;  // in any order
  std::optional<WallTime> expires_at;
};

// What a history comes down to. Merging is commutative, associative and idempotent, so the order
// of arrival cannot matter.
struct ConsentStanding {
  std::optional<WallTime> given_at;      // the newest grant
  std::optional<WallTime> withdrawn_at;  // the newest withdrawal
  std::optional<WallTime> expires_at;    // of the newest grant; the earlier one if two tie

  // A grant counts only if it is newer than every withdrawal; a tie goes to the withdrawal.
  bool given() const { return given_at && (!withdrawn_at || *given_at > *withdrawn_at); }

  ConsentStanding& merge(const ConsentStanding& other);
  friend bool operator==(const ConsentStanding&, const ConsentStanding&) = default;
};

ConsentStanding standing(const ConsentRecord& record);

}  // namespace welcome
