// SPDX-License-Identifier: Apache-2.0
#pragma once
// Pipeline::Impl: its state, and what each file of pipeline_*.cpp does with it. Private to
// core.
//
//   pipeline.cpp             an event in, effects out; decisions; what is stored and restored
//   pipeline_visits.cpp      claims become visits
//   pipeline_offers.cpp      what customers get on their phones, and what became of it
//   pipeline_prompts.cpp     what staff see, and what they do
//   pipeline_surveys.cpp     the question after the visit
//   pipeline_neighbours.cpp  caps over several boxes of one store
//   pipeline_consent.cpp     consents, pauses, profiles
//   pipeline_campaigns.cpp   campaigns and policy

#include <map>
#include <queue>
#include <set>
#include <unordered_map>

#include "core/facts.h"
#include "core/learner.h"
#include "core/offers.h"
#include "core/pipeline.h"
#include "core/presence.h"
#include "core/prompts.h"
#include "core/purpose_rules.h"
#include "core/store_clock.h"
#include "core/timekeeper.h"

namespace welcome {

namespace chr = std::chrono;

// Its place in an array with one of each zone.
constexpr std::size_t at(Zone z) { return static_cast<std::size_t>(z); }

// Keys of rows of kind `store`; those with a colon are followed by an id.
namespace store_key {
inline constexpr std::string_view kPause = "pause:";
inline constexpr std::string_view kBudget = "budget:";
inline constexpr std::string_view kLearner = "learner:";
inline constexpr std::string_view kToday = "today";
inline constexpr std::string_view kLeft = "left:";  // a visit, of a customer
inline constexpr std::string_view kCrmHeard = "crm_heard";

inline std::string of(std::string_view prefix, std::string_view id) {
  return std::string(prefix) + std::string(id);
}
}  // namespace store_key

// At the end of a decision's row while the other boxes have not agreed.
inline constexpr std::string_view kUnagreed = " waits";

// Staff may note what was said for so long after the guest has left.
inline constexpr chr::milliseconds kJustLeft = chr::minutes{30};

class Pipeline::Impl {
 public:
  Impl(PipelineSettings settings, Directory& directory, IdSource& ids, ConsentGate gate)
      : settings_(settings), directory_(directory), ids_(ids), gate_(std::move(gate)) {
    limit_silence();
  }

  Effects handle(const Event& event, const Now& now) {
    Effects effects;
    out_ = &effects;
    now_ = now;
    local_ = clock_.local(now.wall);
    run_timers();
    std::visit([this](const auto& e) { on(e); }, event);
    finish();
    out_ = nullptr;
    return effects;
  }

  Restored restore(const std::vector<StateRow>& rows, const Now& now);
  void hear_agreed(const AgreedTime& agreed) { agreed_ = agreed; }

  std::vector<VisitView> visits() const;
  std::vector<Prompt> prompts(const Now& now);

  ConsentGate& gate() { return gate_; }
  const Policy& policy() const { return policy_; }
  bool has_policy() const { return has_policy_; }
  std::size_t campaigns() const { return campaigns_.size(); }
  bool empty() const { return presences_.empty(); }

 private:
  struct Loaded {
    CustomerFacts facts;
    bool dirty = false;
  };
  struct Waiting {
    CustomerId customer;
    WallTime expires_at;
    MonoTime over;  // long after it: whatever becomes of it was not heard
  };
  // All campaigns that fire at the same moment.
  struct TriggerSpec {
    TriggerOn on;
    Zone zone;
    chr::milliseconds dwell;
    std::uint64_t key;
    std::vector<const CompiledCampaign*> campaigns;  // highest priority first
  };
  // Who left so recently that staff may still note what was said.
  struct JustLeft {
    CustomerId customer;
    MonoTime until;
    std::vector<std::string> actions;  // ids of those taken
  };
  struct TrackMatch {
    CustomerId customer;
    double evidence;
    MonoTime at;
  };

  // ---- events
  void on(const event::Claim& e);
  void on(const event::Staff& e);
  void on(const event::CampaignsReplaced& e);
  void on(const event::CampaignPut& e);
  void on(const event::CampaignRemoved& e);
  void on(const event::PolicyReplaced& e);
  void on(const event::ConsentChanged& e);
  void on(const event::ConsentRemoved& e);
  void on(const event::CustomerForgotten& e);
  void on(const event::CrmHeard& e);
  void on(const event::PauseChanged& e);
  void on(const event::ProfileChanged& e);
  void on(const event::DecisionSent& e);
  void on(const event::DecisionExpired& e);
  void on(const event::OfferElsewhere& e);
  void on(const event::OfferTold& e);
  void on(const event::OfferTakenBack& e);
  void on(const event::ExternalOutcome& e);
  void on(const event::Tick&) {}

  // ---- consent
  void limit_silence() {
    gate_.set_max_age(std::min(settings_.consent_max_age, policy_.consent_max_age));
  }
  void consent_changed(const CustomerId& customer, Purpose purpose, bool before, bool removed);
  void withdraw_facts(const CustomerId& customer, FactPart part);
  void withdraw_waiting(const CustomerId& customer, bool personalised_only);
  // The customer wishes to be left alone now. Null: nothing is known of that.
  bool not_today(const Profile* profile, WallTime wall) const;

  // ---- visits
  void take(const Sighting& sighting);
  void take_face(Presence& p, const Sighting& sighting);
  bool face_counts(const Presence& p) const;
  void take_radio(Presence& p, const Sighting& sighting);
  Presence& begin(const CustomerId& customer);
  // Looks again at everything about a presence. False if it is gone.
  bool reassess(const CustomerId& customer) {
    return reassess(customer, gate_.purposes(customer, now_));
  }
  bool reassess(const CustomerId& customer, PurposeSet purposes);
  void reassess_everybody();
  bool timed_out(Presence& p);
  MonoTime near_until(const Presence& p) const;
  void set_candidate(Presence& p, bool candidate);
  void judge_presence(Presence& p);
  double face_doubt(const CustomerFacts& f) const;
  void end(const CustomerId& customer, std::string why);
  void visit_event(const Presence& p, VisitEvent::Kind kind, std::string why = {});
  void drop(const CustomerId& customer);
  void schedule(Presence& p, std::optional<MonoTime> next_trigger);
  void run_timers();
  void check_footing();

  // ---- decisions
  void refresh_prompt(Presence& p);
  Prompt prompt_of(const Presence& p, const Profile& profile, WallTime wall);
  void clear_prompt(Presence& p);
  bool reopen(Presence& p);
  // The visit is over: the card stays for a while, for what is still to be noted.
  void let_leave(Presence& p);
  void on_left(const StaffAction& action);
  // Whether a note or a preference taught anything; `outcome` then has it as it is kept.
  bool learn(StaffOutcome& outcome);
  // Takes away whose time or consent is over: of this customer, or of all.
  void forget_left(const CustomerId* whose = nullptr);
  void left_row(const VisitId& visit, const CustomerId& customer, std::optional<std::string> until);
  static MonoTime over(WallTime expires_at, const Now& now);
  void waiting_row(const DecisionId& decision, const Waiting& waiting);
  // Fires what is due; says when the next one will be.
  std::optional<MonoTime> check_triggers(Presence& p);
  std::optional<MonoTime> trigger_due(const Presence& p, const TriggerSpec& spec) const;
  void fire(Presence& p, const TriggerSpec& spec);
  // The campaign that came furthest of those that may not speak, and what stopped it.
  struct Stopped {
    const CompiledCampaign* campaign = nullptr;
    Reason reason = Reason::not_in_audience;
    std::string detail;
    void note(const CompiledCampaign* c, Reason r, std::string why = {});
  };
  std::int64_t budget_used(const CampaignId& campaign) const;
  // Of campaigns of one priority.
  void longest_unsaid_first(std::vector<const CompiledCampaign*>& group,
                            const OfferContext& context) const;
  // Whether the offer is made.
  bool speak(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
             const OfferContext& context, Stopped& stopped);
  void make_offer(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
                  const OfferContext& context, std::size_t variant, const std::string& segment,
                  Rendered rendered);
  void suppress_offer(Presence& p, const CompiledCampaign& c, const TriggerSpec& spec,
                      const OfferContext& context, Reason reason, const std::string& detail);
  OfferContext context_for(const CustomerId& customer, PurposeSet purposes);
  // With what other boxes told; without this box's own that wait for them, if `agreed_only`.
  const CustomerFacts* counted_facts(const CustomerId& customer, bool agreed_only);
  int told_today() const;
  void agree(const DecisionId& decision);
  void tell(const OfferFact& offer, const CustomerId& customer);
  void forget_told(const DecisionId& decision);
  void give_back(const DecisionId& decision);
  Decision decision_for(const Presence& p, DecisionKind kind, Reason reason);
  Steps seen_steps(const Presence& p) const;
  bool first_time(Presence& p, std::string_view what, Reason reason);
  void ask(const Presence& p);

  // ---- state
  CustomerFacts& facts(const CustomerId& customer);
  CustomerFacts& changed_facts(const CustomerId& customer);
  OfferFact* find_offer(CustomerFacts& f, const DecisionId& decision);
  void mark_sent(OfferFact& offer);
  void store_row(std::string key, std::optional<std::string> value);
  void count_today(int change);
  void store_today();
  void count_budget(const CampaignId& campaign, int change);
  void roll_day();
  void rebuild_specs();
  bool accept(Campaign campaign);
  void forget_rows(const CampaignId& campaign);
  void sweep();
  void finish();
  Presence* find(const CustomerId& customer) {
    const auto it = presences_.find(customer);
    return it == presences_.end() ? nullptr : &it->second;
  }

  PipelineSettings settings_;
  Directory& directory_;
  IdSource& ids_;
  ConsentGate gate_;
  Policy policy_;
  bool has_policy_ = false;
  StoreClock clock_;
  std::map<CampaignId, std::unique_ptr<CompiledCampaign>> campaigns_;
  std::vector<TriggerSpec> specs_;
  std::uint64_t specs_version_ = 1;
  Learner learner_;

  std::unordered_map<CustomerId, Presence> presences_;
  std::unordered_map<VisitId, CustomerId> visits_;
  std::map<VisitId, JustLeft> just_left_;
  std::unordered_map<CustomerId, Loaded> loaded_;
  std::unordered_map<DecisionId, Waiting> waiting_;
  std::set<DecisionId> unagreed_;  // of these
  struct Told {
    StoreOffer offer;
    bool own;
  };
  std::unordered_map<std::uint64_t, std::vector<Told>> told_;  // by whom
  std::map<DecisionId, std::uint64_t> told_whom_;
  CustomerFacts counted_;  // made by counted_facts()
  std::unordered_map<std::uint64_t, std::vector<TrackMatch>> tracks_;
  std::set<CustomerId> face_candidates_;
  bool face_candidates_changed_ = false;

  std::map<CampaignId, std::int64_t> budget_used_;
  chr::local_days today_{};
  int sent_today_ = 0;
  std::optional<WallTime> heard_row_at_;
  bool footing_ = false;
  std::optional<WallTime> gate_change_;
  MonoTime swept_at_{};
  std::optional<AgreedTime> agreed_;
  std::optional<Now> looked_;  // when something happened last

  using Timer = std::pair<MonoTime, CustomerId>;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<CustomerId> touched_;

  // During handle() only.
  Effects* out_ = nullptr;
  Now now_;
  StoreClock::Local local_;
};

}  // namespace welcome
