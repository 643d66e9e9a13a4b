// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the box itself remembers about a customer between visits: offers (for the caps), visits,
// purchases, what staff learnt. One sealed row per customer; goes with the customer.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/profile.h"
#include "core/result.h"
#include "core/time.h"
#include "core/timekeeper.h"

namespace welcome {

struct OfferFact {
  enum class State : std::uint8_t { pending, sent, opened, redeemed, dismissed, holdout };
  DecisionId decision;
  CampaignId campaign;
  std::string variant;
  std::string segment;  // what the learner filed it under
  State state = State::pending;
  WallTime at;  // decided; once sent: sent
  WallTime expires_at;
  bool personalised = false;
};

struct PurchaseFact {
  std::string product;
  double value = 0.0;
  WallTime at;
};

struct CustomerFacts {
  std::vector<OfferFact> offers;
  std::map<CampaignId, std::string> assigned;  // learnt draws, kept
  std::vector<WallTime> visits;                // starts, oldest first
  std::int64_t visits_total = 0;
  std::vector<PurchaseFact> purchases;
  std::optional<WallTime> complaint_at;
  std::optional<WallTime> surveyed_at;
  double face_doubt = 0.0;  // log-odds taken from face matches; halves every 30 days
  std::optional<WallTime> face_doubt_at;
  std::vector<Preference> learnt;
  std::optional<Conversation> note;

  // Lets go of what no rule can need any more.
  void forget_old(const AgreedTime& agreed);
};

std::string encode(const CustomerFacts& facts);
Result<CustomerFacts> decode_facts(std::string_view text);

}  // namespace welcome
