// SPDX-License-Identifier: Apache-2.0
#pragma once
// What comes up: events of boxes, and requests of customers' pages. Each is written down exactly
// once by its id, and acted on exactly once, whatever is cut in between.
//
// What cannot be acted on is set aside with a note; the rest goes on. What its customer did not
// consent to (any more), and what a box may not say (crm/belief.h), is not acted on and not kept:
// the CRM asks itself, whatever the box knew.
//
// take_event() and do_request() inside the caller's Transaction (so that a batch is one commit;
// acknowledge the MQTT messages after it). work() makes its own. One thread. Never logs what a
// message says.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "contract/contract.h"
#include "core/time.h"
#include "crm/belief.h"
#include "crm/crm.h"
#include "crm/desk_consents.h"

namespace welcome::crm {

struct IntakeCounters {
  std::uint64_t receipts_refused = 0;
  std::uint64_t without_consent = 0;  // events about somebody who had not consented to that
  std::uint64_t not_believed = 0;     // events that a box may not say (crm/belief.h)
  std::uint64_t too_late = 0;         // offers and surveys whose time was over
  std::uint64_t set_aside = 0;        // could not be acted on
  std::uint64_t not_confirmed = 0;    // of a desk, with a wrong code or a witness who is none
};

class Intake {
 public:
  explicit Intake(Crm& crm) : crm_(crm), db_(crm.database()), belief_(crm), desk_(crm) {}

  // False: it was here already.
  bool take_event(const contract::BoxAddress& box, const contract::EventMessage& event,
                  WallTime now);
  // From the page of a customer, who waits for the answer: written down as it came (`text`) and
  // acted on at once, so that a withdrawal does not wait behind a backlog of events. A word when
  // nothing was done, and why. A request that was here already is not acted on again.
  std::string do_request(const std::string& customer, const contract::DoorRequest& request,
                         const std::string& text, WallTime now);

  // The customer's answer to a question of a desk (crm/desk_consents.h). False: it is not theirs,
  // or over. Inside the caller's Transaction.
  bool answer_desk(const std::string& customer, const std::string& question, bool yes,
                   WallTime now);

  // Acts on what was written down and not yet acted on, in order. Returns how many.
  int work(WallTime now);

  const IntakeCounters& counters() const { return counters_; }

 private:
  static constexpr std::string_view kNoConsent = "no consent to ";
  static constexpr std::string_view kNotBelieved = "not believed: ";
  static constexpr std::string_view kTooLate = "too late";
  static constexpr std::string_view kNotToday = "not today: they wish to be left alone";
  static constexpr std::string_view kUnknown = "unknown customer";
  static constexpr std::string_view kSetAside = "set aside: not as expected";
  // An outcome that a box has not heard of by then teaches it nothing any more.
  static constexpr std::chrono::hours kOutcomeLife{7 * 24};

  struct Entry {
    std::int64_t position = 0;
    std::string id;
    std::string type;  // events
    std::string time;  // events: when it happened; requests: when it came
    std::string body;  // JSON
    std::string store, box;
    std::string customer;  // about whom, or whose request
    std::string app;       // requests: pseudonym of whose
  };
  std::optional<Entry> next(Sql sql, const std::vector<Value>& values = {});
  bool work_waits();
  // The next one, inside a transaction; false: none is left.
  bool work_event(WallTime now);
  bool work_request(WallTime now);
  std::string finish_request(const Entry& entry, WallTime now);

  // Each returns a word for the ledger when nothing was done, and why.
  void take_back_at_the_desk(const Entry& entry, const contract::EventData& data, WallTime now);
  void say_unknown(const Entry& entry, const contract::EventData& data, WallTime now);
  std::int64_t refused_in_an_hour(const Entry& entry, std::string_view why, WallTime now);
  std::string write_grant(const DeskConsents::Grant& grant, contract::Confirmation::By how,
                          WallTime now);
  std::string without_consent(const Entry& entry, const contract::EventData& data, WallTime now);
  std::string act_on_event(Entry& entry, WallTime now);
  std::string on(const Entry& entry, const contract::VisitNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::OfferNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::PromptNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::SuppressedNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::SurveyNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::StaffNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::ConsentNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::EnrolmentNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::SurveyAnswer& news, WallTime now);
  std::string on(const Entry& entry, const ErasureReceipt& news, WallTime now);
  std::string on(const Entry& entry, const contract::ProfileWanted& news, WallTime now);
  std::string on(const Entry& entry, const contract::FeedRejected& news, WallTime now);
  std::string on(const Entry& entry, const contract::HealthNews& news, WallTime now);
  std::string on(const Entry& entry, const contract::BoxRetired& news, WallTime now);

  std::string act_on_request(const Entry& entry, WallTime now);
  std::string change_consent(const ConsentChange& change, WallTime now);
  bool outcome(const Entry& entry, const contract::DoorRequest& request, WallTime now);
  std::string set_met(const Entry& entry, const contract::DoorRequest& request, WallTime now);
  void answer_survey(const Entry& entry, const std::string& id, SurveyKind kind, int score);
  void tell_boxes(const std::string& store, const std::string& but,
                  const contract::Command& command, WallTime now);

  Crm& crm_;
  Database& db_;
  Belief belief_;
  DeskConsents desk_;
  IntakeCounters counters_;
};

}  // namespace welcome::crm
