// SPDX-License-Identifier: Apache-2.0
#pragma once
// What staff read: worded so that a wrong match does no harm. Internal to the core.

#include <vector>

#include "core/decision.h"
#include "core/facts.h"
#include "core/presence.h"
#include "core/profile.h"

namespace welcome {

// Half a year without a word halves what a preference is worth.
inline constexpr std::chrono::days kPreferenceHalfLife{180};

// Below this a preference has faded: it is still shown to staff, who may ask, but stands in no
// offer and in no audience.
inline constexpr double kFaded = 0.2;

// The CRM's preferences with what staff learnt laid over them, best first by confidence and age.
std::vector<Preference> ranked_preferences(const Profile& profile, const CustomerFacts& facts,
                                           WallTime now);

// Those that have not faded: what offers go by.
std::vector<Preference> lasting_preferences(const Profile& profile, const CustomerFacts& facts,
                                            WallTime now);

// Staff confirmed or changed one.
// Returns what is now held to be so; empty: nothing was learnt.
std::string learn_preference(CustomerFacts& facts, const Profile* profile, const std::string& key,
                             const std::string& value, bool said_again, WallTime at);

// Everything but ids and times of expiry.
Prompt make_prompt(const Presence& presence, const Profile& profile, const CustomerFacts& facts,
                   WallTime now);

// By what a customer was noticed: "phone", "beacon", "app", "face".
std::vector<std::string> noticed_by(const Presence& presence);

// Equal prints show the same on the tablet.
std::uint64_t print_of(const Prompt& prompt);

}  // namespace welcome
