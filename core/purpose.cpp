// SPDX-License-Identifier: Apache-2.0
#include "core/purpose.h"

namespace welcome {

std::string_view to_string(Purpose purpose) {
  switch (purpose) {
    case Purpose::proximity_offers:
      return "proximity_offers";
    case Purpose::face_recognition:
      return "face_recognition";
    case Purpose::preference_prompts:
      return "preference_prompts";
    case Purpose::personalised_offers:
      return "personalised_offers";
    case Purpose::visit_analytics:
      return "visit_analytics";
  }
  return "?";
}

std::optional<Purpose> purpose_from_string(std::string_view text) {
  for (Purpose p : kAllPurposes) {
    if (to_string(p) == text) return p;
  }
  return std::nullopt;
}

}  // namespace welcome
