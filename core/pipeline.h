// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pipeline: everything between a claim and a decision. handle(event, now) -> effects.
//
// Engine thread only. No clock, no I/O: the daemon stores all rows of one Effects in one
// transaction, sends after its commit, and calls again with Tick at `wake_at`. The same events with
// the same ids give the same effects, bit for bit.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/campaign.h"
#include "core/claim.h"
#include "core/consent.h"
#include "core/consent_gate.h"
#include "core/decision.h"
#include "core/evidence.h"
#include "core/profile.h"
#include "core/timekeeper.h"
#include "core/visit.h"

namespace welcome {

struct StaffAction {
  enum class Kind : std::uint8_t {
    claim,
    release,
    greeted,
    served,
    declined,
    not_this_person,
    note,
    preference,
    reopen,  // takes back greeted, served, declined or not_this_person
  };
  enum class Verdict : std::uint8_t { confirm, change };
  std::string id;  // the tablet's; a repeat changes nothing
  VisitId visit;
  StaffId staff;
  Kind kind = Kind::claim;
  std::string text;              // note
  std::string preference_key;    // preference
  std::string preference_value;  // preference
  Verdict verdict = Verdict::confirm;
  WallTime at;
};
std::string_view to_string(StaffAction::Kind kind);
std::optional<StaffAction::Kind> staff_action_from_string(std::string_view text);

enum class Outcome : std::uint8_t { opened, redeemed, dismissed, complaint, purchase };
std::string_view to_string(Outcome outcome);
std::optional<Outcome> outcome_from_string(std::string_view text);

// An offer of some box of a store, as all of them count it for their caps.
struct StoreOffer {
  DecisionId decision;
  std::uint64_t whom = 0;  // store_alias() of the customer: names nobody outside of the store
  CampaignId campaign;
  WallTime at;  // when it was sent, or is to be
  WallTime expires_at;
  bool sent = false;  // false: it may still be sent until it expires
};
// The same on every box of a store.
std::uint64_t store_alias(const Policy& policy, const CustomerId& customer);

namespace event {

struct Claim {
  IdentityClaim claim;
};
struct Staff {
  StaffAction action;
};
struct CampaignsReplaced {
  std::vector<Campaign> campaigns;
};
struct CampaignPut {
  Campaign campaign;
};
struct CampaignRemoved {
  CampaignId campaign;
};
// Nothing: there is none, and no offer is made until there is one.
struct PolicyReplaced {
  std::optional<Policy> policy;
};
struct ConsentChanged {
  std::vector<ConsentRecord> records;
};
// What was given ends, and what `instead` says stands in its place.
struct ConsentRemoved {
  CustomerId customer;
  Purpose purpose;
  std::optional<ConsentRecord> instead = std::nullopt;
};
struct CustomerForgotten {
  CustomerId customer;
};
// Any word from the CRM: consents are fresh as of `at`.
struct CrmHeard {
  WallTime at;
};
struct PauseChanged {
  Function function;
  bool paused;
};
// The directory now answers differently for this customer.
struct ProfileChanged {
  CustomerId customer;
};
// The message left the box (acknowledged by the broker), or never will. A cap counts what was sent.
struct DecisionSent {
  DecisionId decision;
};
struct DecisionExpired {
  DecisionId decision;
};
// Another box of the store sent this customer an offer.
struct OfferElsewhere {
  CustomerId customer;
  CampaignId campaign;
  std::string variant;
  DecisionId decision;
  WallTime at;
};
// The boxes of a store that share a floor broker tell each other by it what they mean to send
// (Effects::tell_store). It says so to all of them, its own author too, in one order: that order
// decides who was first. `kept`: an old word, told again after a connect, in no order.
struct OfferTold {
  StoreOffer offer;
  bool own = false;
  bool kept = false;
};
struct OfferTakenBack {
  DecisionId decision;
};
// What came of an offer. A purchase may have no decision; then `customer` and `product` say whose.
struct ExternalOutcome {
  CustomerId customer;
  DecisionId decision;
  Outcome outcome;
  std::string product;  // purchase
  double value = 0.0;   // purchase, in the store's currency
  WallTime at;
};
struct Tick {};

}  // namespace event

using Event = std::variant<event::Claim, event::Staff, event::CampaignsReplaced, event::CampaignPut,
                           event::CampaignRemoved, event::PolicyReplaced, event::ConsentChanged,
                           event::ConsentRemoved, event::CustomerForgotten, event::CrmHeard,
                           event::PauseChanged, event::ProfileChanged, event::DecisionSent,
                           event::DecisionExpired, event::OfferElsewhere, event::OfferTold,
                           event::OfferTakenBack, event::ExternalOutcome, event::Tick>;

// State that must survive a restart. The daemon keeps `value` sealed (it is personal when
// `customer` is set) under (kind, key), and gives every row back to restore(). No value: delete.
struct StateRow {
  enum class Kind : std::uint8_t {
    visit,  // key: visit id; open visits and encounters
    facts,  // key: customer id; offers sent, notes, learnt preferences. Read back by the directory
    decision,   // key: decision id; offers not yet known to be sent
    store,      // key: a name; per-store counters, pauses, learner
    recording,  // the daemon's: what opens a customer's part of a recorded day
    device,     // the daemon's: what the radio learnt of a customer's device
  };
  Kind kind = Kind::store;
  std::string key;
  CustomerId customer;
  std::optional<std::string> value;
};
std::string_view to_string(StateRow::Kind kind);
std::optional<StateRow::Kind> state_row_kind_from_string(std::string_view text);

// A staff action that took effect: an event for the CRM. Preferences and notes are what it learns.
struct StaffOutcome {
  StaffAction action;
  CustomerId customer;
  bool lowers_face_trust = false;  // "not this person" about a face match
};

// What a change of consent demands at once, in the same transaction.
struct ConsentEffect {
  CustomerId customer;
  Purpose purpose = Purpose::proximity_offers;
  bool given = false;
  // given == false: what only this purpose allowed goes (purpose_rules.h).
  bool removed = false;    // its record is here no more: nobody has taken anything back
  bool forgotten = false;  // everything of this customer goes; one effect, purpose is meaningless
};

struct Effects {
  std::vector<CustomerId> near;  // who was not near before
  std::vector<VisitEvent> visits;
  std::vector<Decision> decisions;
  std::vector<Prompt> prompts;           // publish; replaces what the visit's topic held
  std::vector<VisitId> prompts_cleared;  // publish empty
  std::vector<StaffOutcome> staff;
  std::vector<ConsentEffect> consents;
  std::vector<DecisionId> withdrawn_decisions;  // take these out of the outbox if still there
  // With shared_store only: what the other boxes are to know, and no longer to know.
  std::vector<StoreOffer> tell_store;
  std::vector<DecisionId> untell_store;
  // The store agrees: these offers may go, at once or not before the given time.
  std::vector<std::pair<DecisionId, std::optional<WallTime>>> let_go;
  std::vector<StateRow> rows;
  std::vector<std::string> refused;  // campaigns or policy refused, why; no personal data
  // Set when it changed: enrolled or not, these consented to face recognition and are near. Empty:
  // the camera may sleep.
  std::optional<std::vector<CustomerId>> face_candidates;
  bool loadable_changed = false;  // ask the gate again for loadable_keys() and loadable_faces()
  std::vector<CustomerId> loadable_customers;  // the same, for these alone
  std::optional<MonoTime> wake_at;

  void append(Effects&& other);
  // Whether there is anything to be written down.
  bool to_store() const { return tells() || !consents.empty() || !rows.empty(); }
  // Whether somebody learns of it, or of something that is taken back: all of that but what this
  // box keeps for itself.
  bool tells() const;
};

struct PipelineSettings {
  std::chrono::milliseconds encounter_timeout{15'000};  // silence that ends an encounter
  std::chrono::milliseconds visit_timeout{120'000};     // time away that ends a visit
  std::chrono::milliseconds face_window{30'000};        // how long a face says where she is
  std::chrono::milliseconds face_alone{15 * 60'000};  // a visit goes on by the face, nothing heard
  std::chrono::milliseconds left_behind{4 * 3600'000};  // a phone this long in one place, no face
  FaceCalibration face;                                 // of the recogniser in use
  Zone face_wake_zone = Zone::door;                     // nearer than this wakes the camera
  Zone prompt_zone = Zone::door;                        // prompts are raised from here on
  // The box's own limit on the CRM's silence; the policy's holds where it is shorter.
  std::chrono::hours consent_max_age{24 * 366};
  bool shared_store = false;  // other boxes offer in this store: an offer waits until they agree
  bool rehearsal = false;     // invented customers: nothing is reported, nothing is stored
};

class Pipeline {
 public:
  // What the pipeline asks the world. A profile stays valid until the next call of handle().
  // facts() reflects the rows of every earlier Effects.
  struct Directory {
    virtual ~Directory() = default;
    virtual const Profile* profile(const CustomerId& customer) = 0;            // null: not known
    virtual std::optional<std::string> facts(const CustomerId& customer) = 0;  // its StateRow value
  };
  struct IdSource {
    virtual ~IdSource() = default;
    virtual std::string next() = 0;  // UUID text, unique over all boxes
    // The id of a visit that begins; a replay gives back the one that it had.
    virtual std::string visit(const CustomerId&) { return next(); }
  };

  Pipeline(PipelineSettings settings, Directory& directory, IdSource& ids,
           ConsentGate gate = ConsentGate());
  ~Pipeline();
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) = delete;

  Effects handle(const Event& event, const Now& now);

  // At start, before the first event: rows of every kind but `facts` and `recording`. A row that
  // cannot be read is left out and counted in the result.
  struct Restored {
    int visits = 0;
    int decisions = 0;
    int unreadable = 0;
  };
  Restored restore(const std::vector<StateRow>& rows, const Now& now);

  // Now and then. What caps count goes because it is old by this time alone, however sure of itself
  // the machine's clock is meanwhile; it changes no decision, as each rule looks back by itself.
  void hear_agreed(const AgreedTime& agreed);

  const ConsentGate& gate() const;
  // For loading at start without a flood of effects; then send Tick.
  ConsentGate& gate_for_loading();
  std::vector<VisitView> visits() const;
  // What the tablets should show now, as it would be published now.
  std::vector<Prompt> prompts(const Now& now);
  // Nobody is near, not even somebody whose visit has just ended.
  bool empty() const;
  const Policy& policy() const;  // without one, what stands in for it
  bool has_policy() const;
  std::size_t campaigns() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome
