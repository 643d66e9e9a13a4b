// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the CRM believes a box of a customer (docs/decisions/0191): in visits of its own store,
// between its admission and now; a grant only with the signature of its own key. That they consent
// at all has been asked before (Intake).
// What a message says about its store, box or tenant is never looked at: who speaks is the topic's.
//
// Inside the caller's Transaction. One thread.

#include <chrono>
#include <string>
#include <string_view>

#include "contract/contract.h"
#include "core/time.h"
#include "core/timekeeper.h"
#include "crm/crm.h"

namespace welcome::crm {

// So many grants one box may bring in an hour: a desk has one queue.
inline constexpr std::int64_t kGrantsAnHour = 60;
// So many guests one box may ask about in an hour.
inline constexpr std::int64_t kWantedAnHour = 600;
// A visit is known for so long after its last word.
inline constexpr std::chrono::hours kVisitLife{7 * 24};

// Of a customer who is not at home in the box's region: it was never told of them.
inline constexpr std::string_view kNotHere = "somebody of another region";
inline constexpr std::string_view kUnknown = "unknown customer";

// Who said it, of whom, and when by the box's clock.
struct Word {
  std::string store, box, customer;
  WallTime said;
  std::string data;  // as it came, with the signature if it has one
};

class Belief {
 public:
  explicit Belief(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // Empty: it is believed. Otherwise why not, without a word about the person.
  std::string doubt(const Word& word, const contract::EventData& data, WallTime now);

 private:
  std::string doubt_time(const Word& word, const contract::EventData& data, WallTime now);
  std::string doubt_grant(const Word& word, const contract::ConsentNews& news, WallTime now);
  std::string doubt_wanted(const Word& word, WallTime now);
  std::int64_t in_an_hour(Sql count, const Word& word, WallTime now);
  std::string doubt_visit(const Word& word, const VisitId& visit, WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
