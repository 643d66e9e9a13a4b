// SPDX-License-Identifier: Apache-2.0
#pragma once
// The purposes a customer consents to, one by one. None implies another, none is on by default.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

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

class PurposeSet {
 public:
  constexpr PurposeSet() = default;

  constexpr PurposeSet& add(Purpose p) {
    bits_ = static_cast<std::uint8_t>(bits_ | bit(p));
    return *this;
  }
  constexpr PurposeSet& remove(Purpose p) {
    bits_ = static_cast<std::uint8_t>(bits_ & ~bit(p));
    return *this;
  }
  constexpr bool has(Purpose p) const { return (bits_ & bit(p)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(PurposeSet, PurposeSet) = default;

 private:
  static constexpr std::uint8_t bit(Purpose p) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(p));
  }
  std::uint8_t bits_ = 0;
};

}  // namespace welcome
