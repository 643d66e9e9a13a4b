// SPDX-License-Identifier: Apache-2.0
#pragma once
// The purposes a customer consents to, one by one. None implies another, none is on by default.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/enum_set.h"

namespace welcome {

enum class Purpose : std::uint8_t {
  proximity_offers,     // hear the phone, send offers because she is near
  face_recognition,     // make, keep and match a face template
  preference_prompts,   // show staff name, preferences, last conversation
  personalised_offers,  // use profile and history to choose and word offers
  visit_analytics,      // report visits to the CRM
};

inline constexpr std::array kAllPurposes{Purpose::proximity_offers, Purpose::face_recognition,
                                         Purpose::preference_prompts, Purpose::personalised_offers,
                                         Purpose::visit_analytics};

std::string_view to_string(Purpose purpose);
std::optional<Purpose> purpose_from_string(std::string_view text);

using PurposeSet = EnumSet<Purpose>;

}  // namespace welcome
