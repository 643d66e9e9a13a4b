// SPDX-License-Identifier: Apache-2.0
#pragma once
// Engine: the state of a box and everything that happens to it. Adverts, faces, CRM messages, staff
// actions and acknowledgements come in through handle(); rows go to the store in one transaction
// per event, and only then messages to the links.
//
// Engine thread only. Asks no clock: every call brings a Now. The world is behind Ports, so a test
// runs a day of a shop without a thread, a broker or a camera.
//
// What it decides it lets its parts carry out, each with a header of its own: Delivery (outbox and
// links), CrmFeed, Commands, Desk, Listening (radio), FaceWatch (cameras), Tablets, StaffSessions,
// RehearsalStage, Timelines, Health, Report.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "beacon/source.h"
#include "beacon/tracker.h"
#include "contract/contract.h"
#include "contract/signing.h"
#include "core/pipeline.h"
#include "firmware/engine/commands.h"
#include "firmware/engine/crm_feed.h"
#include "firmware/engine/delivery.h"
#include "firmware/engine/desk.h"
#include "firmware/engine/device_index.h"
#include "firmware/engine/face_watch.h"
#include "firmware/engine/health.h"
#include "firmware/engine/key_watch.h"
#include "firmware/engine/listening.h"
#include "firmware/engine/member_lookup.h"
#include "firmware/engine/on_sight.h"
#include "firmware/engine/pauses.h"
#include "firmware/engine/rehearsal_stage.h"
#include "firmware/engine/report.h"
#include "firmware/engine/retirement.h"
#include "firmware/engine/shared.h"
#include "firmware/engine/signals.h"
#include "firmware/engine/staff_sessions.h"
#include "firmware/engine/tablet_limits.h"
#include "firmware/engine/tablets.h"
#include "firmware/engine/timelines.h"
#include "firmware/engine/updates.h"
#include "firmware/engine/witness.h"
#include "firmware/recording/recorder.h"
#include "firmware/recording/replay.h"
#include "sync/link.h"
#include "vision/face_match.h"

namespace welcome::daemon {

namespace input {

struct Adverts {
  std::vector<beacon::AdvertReport> reports;
  Ingress ingress;
};
struct Face {
  vision::FaceMatch match;
  Zone zone = Zone::desk;  // of the camera
  Ingress ingress;
};
struct FromLink {
  contract::LinkName link;
  sync::LinkEvent event;
  Ingress ingress;
  sync::Receipt receipt{};
};
// A piece of the CRM's feed (feed_intake.h).
struct Feed {
  sync::FeedPiece piece;
  std::shared_ptr<const contract::KeyRing> checked_with;  // null: signatures were not asked for
  Ingress ingress;
  sync::Receipt receipt{};
};
struct Enrolled {
  std::uint64_t job;
  CustomerId customer;
  vision::EnrolmentResult face;
};
struct EnrolProgress {
  std::uint64_t job;
  vision::Guidance guidance;
  int views;
};
struct PinChecked {
  std::uint64_t job;
  bool right;
};

}  // namespace input

// How many items of the feed are carried out at once: some milliseconds' worth on a small box.
inline constexpr std::size_t kItemsAtOnce = 64;

using Input = std::variant<input::Adverts, input::Face, input::FromLink, input::Feed,
                           input::Enrolled, input::EnrolProgress, input::PinChecked>;

class Engine : private Pipeline::Directory,
               private Pipeline::IdSource,
               private Delivery::Needs,
               private Health::Needs,
               private CrmFeed::Needs,
               private Commands::Needs,
               private Desk::Needs,
               private KeyWatch::Needs,
               private Listening::Needs,
               private FaceWatch::Needs,
               private Tablets::Needs,
               private StaffSessions::Needs,
               private RehearsalStage::Needs,
               private Timelines::Needs {
 public:
  // The store and the ports outlive the engine. Loads everything; throws std::runtime_error.
  Engine(EngineSettings settings, store::Store& store, Ports& ports, Pipeline::IdSource& ids,
         const Now& now);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void handle(Input input, const Now& now);
  // Timers: leaving, dwell, expiry, housekeeping. Call about every 50 ms and at wake_at().
  void tick(const Now& now);
  std::optional<MonoTime> wake_at() const { return wake_at_; }

  // Invented customers on the tablets, for practice: nothing of them is stored or leaves the floor.
  // Ends with stop_rehearsal() or with the daemon. Errors: refused (it is so already).
  Result<nlohmann::json> start_rehearsal(const Now& now);
  Result<nlohmann::json> stop_rehearsal(const Now& now);

  // New thresholds take effect at once.
  void set_zones(const beacon::TrackerConfig& tracker);
  // As CrmFeed::set_keys().
  Result<void> set_crm_keys(const std::optional<std::string>& keys, const Now& now) {
    return feed_.set_keys(keys, now);
  }
  // As they are in force; null: signatures are not asked for. Any thread.
  std::shared_ptr<const contract::KeyRing> crm_keys() const { return feed_.keys(); }
  // The configuration as given, without defaults. What changed since the last time goes into the
  // audit trail, by the names of its keys.
  void note_config(const std::map<std::string, std::string>& given, const Now& now);
  // Messages of a link were dropped unread: the CRM is told what is here, and sends what is not.
  void lost_messages(const Now& now) { feed_.missed(now); }
  // Before a clean stop: writes down what is not yet on the disk.
  void stopping(const Now& now);

  // The database is damaged: the daemon ends, and the next start sets the file aside.
  bool broken() const { return health_.broken(); }

  std::int64_t session() const { return shared_.session; }
  // With which the box signs its receipts; base64.
  std::string public_key() const { return contract::public_key_text(signer_.public_key()); }
  // How the box came to that key (contract::BoxState).
  std::vector<std::string> vouched() const;
  const EngineCounters& counters() const { return counters_; }

  // Told of every report that the tracker has handled, known or not.
  using Listener = std::function<void(const beacon::AdvertReport&, const Now&)>;
  void listen(Listener listener) { listener_ = std::move(listener); }
  const beacon::Tracker& tracker() const { return tracker_; }

  // Answers for welcomectl. Visits and decisions name customers by their pseudonym only.
  nlohmann::json status(const Now& now) const;
  // Of that what is at hand, for whoever looks every few seconds.
  nlohmann::json vitals(const Now& now) const;
  nlohmann::json visits() const;
  nlohmann::json decisions() const;
  nlohmann::json outbox() const;
  nlohmann::json tablets(const Now& now) const;
  // A technician ends the session on a tablet; false: there is none.
  bool sign_out(const std::string& tablet, const Now& now);
  // Everything the box holds on a person; written into the audit trail.
  Result<nlohmann::json> export_person(const CustomerId& customer, const Now& now);
  Result<nlohmann::json> audit_trail() const;
  Result<nlohmann::json> audit_verdict() const;
  // A technician's act, on the radio or the cameras, into the audit trail.
  [[nodiscard]] Result<void> note(std::string_view what, const std::string& detail, const Now& now);
  // A technician's word about the time, into the audit trail; it holds until the next boot.
  void note_clock(const std::string& detail, const Now& now);
  // That this box is retired, to the CRM (Retirement).
  Result<Retirement::State> retire(const Now& now) { return retirement_.say(now); }
  const std::optional<Retirement::State>& retirement() const { return retirement_.state(); }
  // Which release the CRM wants to run here.
  const Updates& updates() const { return updates_; }
  // Why the CRM has not taken what waits for it, in words.
  std::string line_to_crm() const;
  // The newest that is kept.
  std::optional<WallTime> last_decision() const;
  // What is wrong with radio and cameras just now; the tablets are told.
  void senses_are(std::vector<contract::Trouble> troubles, const Now& now);
  // For a fob with a new battery (KeyWatch).
  Result<nlohmann::json> set_clock(const std::string& identity, const Now& now);
  // The CRM's ids of a customer's identities of that kind.
  std::string identity_ids(const CustomerId& customer, beacon::IdentityKind kind) const;
  Result<nlohmann::json> why(const std::string& decision_or_visit) const;
  nlohmann::json recordings() const;
  // For replay(), on a thread of its own. `name` may be the beginning of some names.
  Result<recording::ReplayOrder> replay_order(const std::string& name, recording::OtherRules rules,
                                              const Now& now);
  // From a video file, or from the camera at the desk when `clip` is null. `progress` and `done`
  // are called later, on the engine thread.
  Result<void> enrol(const CustomerId& customer, Clip clip, const Now& now,
                     std::function<void(const std::string&)> progress,
                     std::function<void(Result<nlohmann::json>)> done);

 private:
  // Pipeline::Directory
  const Profile* profile(const CustomerId& customer) override;
  std::optional<std::string> facts(const CustomerId& customer) override;
  // Pipeline::IdSource
  std::string next() override { return ids_.next(); }
  std::string visit(const CustomerId& customer) override;

  // What the parts need of each other.
  void store_failed(const Error& error) override { health_.store_failed(error); }
  bool can_store() const override { return health_.can_store(); }
  [[nodiscard]] Result<void> rows_left(const std::vector<Delivery::Left>& rows, const Also& also,
                                       const Now& now) override;
  void store_works_again(const Now& now) override;
  void status_changed(const Now& now) override { tablets_.publish_status(now); }
  void profile_changed(const CustomerId& customer) override { profiles_.erase(customer); }
  void keys_changed(const std::vector<CustomerId>& customers, const Now& now) override {
    listening_.refresh(customers, now);
  }
  void expect(contract::Collection collection, std::size_t items) override;
  void staff_changed(const Now& now) override;
  void message_refused(const Error& error, const Now& now) override {
    on_undecodable(contract::LinkName::uplink, error, now);
  }
  std::string diagnostics() override;
  void erasing(const CustomerId& customer) override { feed_.erasing(customer); }
  [[nodiscard]] Result<void> take_back(const CustomerId& customer,
                                       const std::vector<MessageId>& events,
                                       contract::Command::Reason why, const Now& now) override {
    return desk_.take_back(customer, events, why, now);
  }
  void erased(const CustomerId& customer, const Now& now) override;
  contract::FloorStatus floor_status(const Now& now) const override;
  std::vector<contract::Message> prompts_now(const Now& now) override;
  void clear_leftovers() override { rehearsal_.clear_leftovers(); }
  bool floor_up() const override { return delivery_.side(contract::LinkName::floor).up; }
  void signed_out(const std::string& tablet) override { desk_.cancel(tablet); }
  std::optional<std::string> refuse_consent(const ConsentRecord& record) override {
    return feed_.refuse_consent(record);
  }
  void note_refused(const std::string& why) override { feed_.note_refused(why); }

  // ---- start (engine.cpp)
  void load(const Now& now);
  Effects load_rules(const Now& now);
  Effects load_pauses(const Now& now);
  Result<std::vector<StaffMember>> staff_of_store();
  template <class Take>
  void load_items(contract::Collection collection, const Take& take);

  // ---- what comes in
  void on(const input::Adverts& adverts, const Now& now);
  void on(const input::Face& face, const Now& now);
  void on(const input::FromLink& from, const Now& now);
  void on(input::Feed&& feed, const Now& now);
  void on(const input::Enrolled& enrolled, const Now& now);
  void on(const input::EnrolProgress& progress, const Now& now);
  void on(const input::PinChecked& checked, const Now& now);
  // False: this tablet has said too much; it is counted and told.
  bool takes(const std::string& tablet, double tokens, const Now& now);
  void on_tablet(contract::TabletAction&& said, const Now& now);
  void on_tablet(contract::EnrolMessage&& said, const Now& now);
  void witness(const contract::EnrolMessage& said, const Now& now);
  // ---- what a lead or a technician asks for on a tablet (engine_manage.cpp)
  void on_tablet(contract::Manage&& said, const Now& now);
  Result<contract::Managed> manage(const contract::Manage& said, const StaffId& staff,
                                   const Now& now);
  Result<contract::Managed> manage_shop(const contract::Manage& said, const StaffId& staff,
                                        const Now& now);
  Result<void> pause_here(const contract::Manage& said, const StaffId& staff, const Now& now);

  void on_message(contract::LinkName link, const contract::RawMessage& raw, const Now& now);
  void on_undecodable(contract::LinkName link, const Error& error, const Now& now);
  void on_control(const contract::Control& control, const std::string& body, const Now& now);

  // ---- deciding
  // Not while nothing can be kept, and not on consents that the CRM is about to change.
  bool decides(const Now& now) const { return can_store() && !delivery_.waits_for_crm(now); }
  // False: it is held back, because nothing is decided now.
  bool claim(IdentityClaim claim, const Now& now) override;
  // The one way to the pipeline: what goes through here is recorded.
  Effects ask(const Event& event, const Now& now, std::string_view item = {}) override;
  // Hands an event to the pipeline and carries out its effects. What could not be stored is taken
  // back or owed (Health).
  void decide(const Event& event, const Now& now) override;
  [[nodiscard]] Result<void> decide_and_store(const Event& event, const Now& now) override;
  [[nodiscard]] Result<void> decide_by(std::string_view by, const Event& event, const Now& now,
                                       const Also& also) override;
  // An error: nothing of it is written.
  [[nodiscard]] Result<void> carry_out(Effects effects, const Now& now,
                                       const Also& also = {}) override {
    return carry_out(std::move(effects), now, also, store::Durable::now);
  }
  [[nodiscard]] Result<void> carry_out(Effects effects, const Now& now, const Also& also,
                                       store::Durable durable) override;
  void count(const Effects& effects);
  void follow(const Effects& effects, const Now& now);

  // ---- what is written of it (engine_write.cpp), in one transaction
  void write(store::Tx& tx, const Effects& effects, const Now& now) override;
  void write_store_words(store::Tx& tx, const Effects& effects, const Now& now);
  void write_visits(store::Tx& tx, const Effects& effects, const Now& now);
  void write_decisions(store::Tx& tx, const Effects& effects, const Now& now);
  void write_staff(store::Tx& tx, const Effects& effects, const Now& now);
  void write_prompts(store::Tx& tx, const Effects& effects, const Now& now);
  void write_withdrawals(store::Tx& tx, const Effects& effects);
  struct Up {
    OutboxKind kind;
    std::string ref;
    MessageId id{};  // empty: a new one
    std::optional<WallTime> expires{};
    std::optional<WallTime> not_before{};
  };
  template <class What>
  void tell_crm(store::Tx& tx, const What& what, const CustomerId& customer, WallTime at, Up up,
                const Now& now);

  // ---- other boxes of the store (engine_neighbours.cpp)
  void talk_to_neighbours(const Now& now);
  bool told_elsewhere(const CustomerId& customer, const VisitId& visit, const Now& now);
  bool shown_elsewhere(const Prompt& prompt, const Now& now) const;

  // ---- timers
  void keep_house(const Now& now);
  void keep_house_hourly(const Now& now);
  void report_copies(const Now& now);
  Result<void> note_own_key(const Now& now);
  void begin_recording(const Now& now);
  void remember_clock();

  EngineSettings settings_;
  store::Store& store_;
  Ports& ports_;
  Pipeline::IdSource& ids_;
  const contract::Signer signer_;  // the box's own key, for receipts
  recording::Recorder recorder_;
  Pipeline pipeline_;
  beacon::Tracker tracker_;
  EngineCounters counters_;
  Shared shared_;

  Delivery delivery_;
  Health health_;
  DeviceIndex devices_;  // of the identities in the store
  KeyWatch key_watch_;
  FaceWatch faces_;
  MemberLookup lookups_;
  Desk desk_;
  Witness witness_;
  Retirement retirement_;
  Updates updates_;
  CrmFeed feed_;
  Commands commands_;
  Listening listening_;
  Pauses pauses_;
  Signals signals_;
  RehearsalStage rehearsal_;
  Tablets tablets_;
  StaffSessions staff_;
  TabletLimits tablet_limits_;
  Timelines timelines_;
  OnSight on_sight_;
  std::optional<Neighbours> neighbours_;  // nothing: this box is alone in its store
  const Report report_;

  std::unordered_map<CustomerId, Profile> profiles_;  // opened lately; a cache
  std::set<VisitId> told_elsewhere_;  // open here, and reported by the box that leads
  std::string consent_by_ = "crm";    // who changes a consent just now, for the audit trail
  Listener listener_;
  Now asked_;  // when the pipeline was last asked something
  std::optional<MonoTime> wake_at_;
  MonoTime next_housekeeping_;
  MonoTime next_retention_;
  MonoTime next_refusal_told_;
  MonoTime next_clock_write_;
  std::string clock_memory_;  // as it is on the disk
};

}  // namespace welcome::daemon
