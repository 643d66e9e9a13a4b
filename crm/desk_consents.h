// SPDX-License-Identifier: Apache-2.0
#pragma once
// A grant that a desk wrote down counts when it is confirmed as the customer's own
// (docs/decisions/0149): on their phone, with a code that they have, or by a second member of staff
// where the policy allows it. Until then it is a question on their page, and the CRM signs nothing.
//
// Inside the caller's Transaction. One thread. Nothing of it is logged.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "core/purpose.h"
#include "core/time.h"
#include "crm/crm.h"

namespace welcome::crm {

// They stand at the desk with the phone in their hand. What is asked later is about a moment that
// they do not remember, and the box serves them as a stranger by then.
inline constexpr std::chrono::minutes kQuestionLife{15};
inline constexpr std::chrono::minutes kCodeLife{10};
inline constexpr std::int64_t kCodeTries = 5;
// So many questions may be open to one customer: what more desks write down is taken back.
inline constexpr std::int64_t kQuestionsAtOnce = 5;
// In the ledger, of a grant that waits, and of one that did not become one.
inline constexpr std::string_view kWaits = "waits to be confirmed";
inline constexpr std::string_view kNotConfirmed = "not confirmed";

class DeskConsents {
 public:
  explicit DeskConsents(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // A grant as it came from a box that is believed.
  struct Grant {
    std::string event, store, box, customer;
    contract::ConsentNews news;
  };
  enum class Verdict : std::uint8_t { confirmed, asked, refused };
  // Asked: it is a question now. Refused: the box is told to take it back.
  Verdict judge(const Grant& grant, WallTime now);
  // It never counted: the box takes it back, and its tablet says why.
  void take_back(const Grant& grant, contract::Command::Reason why, WallTime now);
  // In the customer's record it counts from now on: how it was confirmed, for who asks later.
  void note(const std::string& record_id, const std::string& customer, WallTime at,
            contract::Confirmation::By how, WallTime now);

  // What one pledge asks, on the customer's page.
  struct Question {
    std::string id, store, at, expires_at;
    std::vector<Purpose> purposes;
  };
  std::vector<Question> questions(const std::string& customer, WallTime now) const;
  // The grants that the question is about, which are no question any more; none: it is not theirs,
  // or over.
  std::vector<Grant> answered(const std::string& customer, const std::string& question,
                              WallTime now);
  // They have withdrawn it meanwhile.
  void withdrawn(const std::string& customer, Purpose purpose, WallTime now);
  // Questions whose time is over, at most so many. True: there may be more.
  bool let_questions_end(WallTime now, int at_most);

  // Six digits that confirm one pledge, in place of those before.
  struct Code {
    std::string digits;
    WallTime expires_at;
  };
  Code new_code(const std::string& customer, WallTime now);

 private:
  bool is_their_code(const Grant& grant, WallTime now);
  bool is_witnessed(const Grant& grant) const;
  bool ask(const Grant& grant, WallTime now);
  void close(const std::vector<Grant>& grants, contract::Command::Reason why, WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
