#pragma once
// Engine: the state of a box and everything that happens to it. Adverts, faces, CRM messages, staff
// actions and acknowledgements come in through handle(); rows go to the store in one transaction
// per event, and only then messages to the links.
//
// Engine thread only. Asks no clock: every call brings a Now. The world is behind Ports, so a test
// runs a day of a shop without a thread, a broker or a camera.

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
#include <unordered_set>
#include <variant>
#include <vector>

#include "beacon/hci_host.h"
#include "beacon/source.h"
#include "beacon/tracker.h"
#include "contract/contract.h"
#include "contract/items.h"
#include "contract/signing.h"
#include "core/pipeline.h"
#include "core/rehearsal.h"
#include "core/store_clock.h"
#include "firmware/daemon/latency.h"
#include "firmware/daemon/neighbours.h"
#include "firmware/daemon/stored_feed.h"
#include "firmware/daemon/words.h"
#include "firmware/recording/recorder.h"
#include "firmware/recording/replay.h"
#include "firmware/store/store.h"
#include "sync/link.h"
#include "vision/enrolment.h"
#include "vision/face_match.h"
#include "vision/gallery.h"

namespace welcome::daemon {

// Register that holds the last wall time this box was sure of, in ms since 1970.
inline constexpr std::string_view kWallRegister = "wall_ms";

using Ingress = std::chrono::steady_clock::time_point;

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
};
struct Enrolled {
  std::uint64_t job;
  CustomerId customer;
  Result<vision::EnrolledFace> face;
};
struct EnrolProgress {
  std::uint64_t job;
  vision::Guidance guidance;
  int views;
};

}  // namespace input

using Input = std::variant<input::Adverts, input::Face, input::FromLink, input::Enrolled,
                           input::EnrolProgress>;

// What the engine asks of the world. Called on the engine thread; none may block.
class Ports {
 public:
  virtual ~Ports() = default;
  // False: no room or link down; the row stays and is handed over again later.
  virtual bool publish(contract::Message message, std::int64_t tag,
                       std::optional<std::chrono::seconds> expiry) = 0;
  // Null: nobody to look for, the camera sleeps.
  virtual void look_for(std::shared_ptr<const vision::Gallery> gallery) = 0;
  // Starts an enrolment in the background, from a clip or (no clip) from the camera at the desk;
  // ends with input::Enrolled.
  virtual void enrol(std::uint64_t job, const FaceConsent& consent, const std::string& clip,
                     std::shared_ptr<const vision::Gallery> everybody) = 0;
  virtual void stop_enrolment(std::uint64_t job) = 0;
};

struct EngineSettings {
  contract::BoxAddress box;
  std::string version;
  beacon::TrackerConfig tracker;
  PipelineSettings pipeline;
  CameraWake camera_wake = CameraWake::nearby;
  DayHours camera_hours;         // for CameraWake::hours, the store's local time
  vision::FaceModel face_model;  // templates that lack a part of it are not matched
  vision::OperatingPoint face_operating_point;
  vision::EnrolmentOptions enrolment;
  std::optional<beacon::BoxAdverts::RotatingEid> box_eid;  // what phones may have heard of us
  std::optional<std::string> crm_keys;  // text of the key ring; nothing = signatures are not asked
  std::optional<StoreKey> store_key;    // with tracker.store: what the boxes of the store share
  std::size_t uplink_window = 100;      // messages in flight
  // At a start and at a new line the CRM may first say who withdrew or was erased meanwhile.
  std::chrono::milliseconds crm_speaks_first{3000};
  std::filesystem::path recording_dir;
  int recording_days = 0;  // how long recordings are kept; 0 = none is made
};

struct EngineCounters {
  std::uint64_t offers = 0;
  std::uint64_t prompts = 0;
  std::uint64_t surveys = 0;
  std::map<std::string, std::uint64_t> suppressed;  // by reason
  std::uint64_t face_matches = 0;
  std::uint64_t presence_refused = 0;  // app reports with an EID that we did not send
  std::uint64_t feed_items = 0;
  std::uint64_t feed_gaps = 0;
  std::uint64_t feed_set_aside = 0;
  std::map<std::string, std::uint64_t> consents_refused;  // by reason
  std::map<std::string, std::uint64_t> inbound_refused;   // by error code
  std::uint64_t messages_acked = 0;
  std::uint64_t messages_expired = 0;
  std::uint64_t messages_refused = 0;
  std::uint64_t store_errors = 0;
  std::uint64_t held_back = 0;  // claims that came while nothing could be decided
};

class Engine : private Pipeline::Directory, private Pipeline::IdSource {
 public:
  // The store and the ports outlive the engine. Loads everything; throws std::runtime_error.
  Engine(EngineSettings settings, store::Store& store, Ports& ports, Pipeline::IdSource& ids,
         const Now& now);
  ~Engine() override;

  void handle(const Input& input, const Now& now);
  // Timers: leaving, dwell, expiry, housekeeping. Call about every 50 ms and at wake_at().
  void tick(const Now& now);
  std::optional<MonoTime> wake_at() const { return wake_at_; }

  // Invented customers on the tablets, for practice: nothing of them is stored or leaves the floor.
  // Ends with stop_rehearsal() or with the daemon. Errors: refused (it is so already).
  Result<nlohmann::json> start_rehearsal(const Now& now);
  Result<nlohmann::json> stop_rehearsal(const Now& now);

  // New thresholds take effect at once.
  void set_zones(const beacon::TrackerConfig& tracker);
  // A new key ring (its text; nothing = signatures are not asked for). Consents that none of its
  // keys signed no longer count, and are asked for again. The old ring stays when this one is
  // malformed.
  Result<void> set_crm_keys(const std::optional<std::string>& keys, const Now& now);
  // The configuration as given, without defaults. What changed since the last time goes into the
  // audit trail, by the names of its keys.
  void note_config(const std::map<std::string, std::string>& given, const Now& now);
  // Messages of a link were dropped unread: the CRM is told what is here, and sends what is not.
  void lost_messages(const Now& now) { ask_again(now); }
  // Before a clean stop: writes down the time, so that a clock that starts in the past shows.
  void stopping(const Now& now);

  // The database is damaged: the daemon ends, and the next start sets the file aside.
  bool broken() const { return broken_; }

  std::int64_t session() const { return session_; }
  // With which the box signs its receipts; base64.
  std::string public_key() const { return contract::public_key_text(signer_.public_key()); }
  const EngineCounters& counters() const { return counters_; }

  // Told of every report that the tracker has handled, known or not.
  using Listener = std::function<void(const beacon::AdvertReport&, const Now&)>;
  void listen(Listener listener) { listener_ = std::move(listener); }
  const beacon::Tracker& tracker() const { return tracker_; }

  // Answers for welcomectl. Visits and decisions name customers by their pseudonym only.
  nlohmann::json status(const Now& now) const;
  nlohmann::json visits() const;
  nlohmann::json decisions() const;
  nlohmann::json outbox() const;
  // Everything the box holds on a person; written into the audit trail.
  Result<nlohmann::json> export_person(const CustomerId& customer, const Now& now);
  Result<nlohmann::json> audit_trail() const;
  Result<nlohmann::json> audit_verdict() const;
  // A technician's act on the radio, into the audit trail.
  Result<void> note_radio(const std::string& detail, const Now& now);
  // The CRM's ids of a customer's identities of that kind.
  std::string identity_ids(const CustomerId& customer, beacon::IdentityKind kind) const;
  Result<nlohmann::json> why(const std::string& decision_or_visit) const;
  nlohmann::json recordings() const;
  // For replay(), on a thread of its own. `name` may be the beginning of some names.
  Result<recording::ReplayOrder> replay_order(const std::string& name, recording::OtherRules rules,
                                              const Now& now);
  // From a video file, or from the camera at the desk when `clip` is empty. `progress` and `done`
  // are called later, on the engine thread.
  Result<void> enrol(const CustomerId& customer, const std::string& clip, const Now& now,
                     std::function<void(const std::string&)> progress,
                     std::function<void(Result<nlohmann::json>)> done);

 private:
  struct EnrolJob {
    CustomerId customer;
    std::string session;  // of the tablet; empty: welcomectl
    StaffId staff;
    std::string by;    // for the audit trail
    bool live = true;  // at the camera, not from a clip
    MonoTime began;
    MonoTime heard;  // last word of the camera
    std::function<void(vision::Guidance, int views, const Now&)> progress;
    std::function<void(Result<int> views, const Now&)> done;
  };
  // Given at the desk and not yet in the CRM's record.
  struct DeskConsent {
    std::string id;
    Purpose purpose;
    WallTime at;
  };
  struct LinkSide {
    bool up = false;
    std::size_t window = 0;
    std::size_t in_flight = 0;
    std::string why_down = "not connected yet";
    bool heard = false;                 // the other side has spoken on this connection, …
    MonoTime patience{};                // … for which decisions wait until then
    std::optional<MonoTime> held{};     // nothing is handed over until then
    std::vector<std::int64_t> acked{};  // rows to be deleted, several in one transaction
  };

  // Pipeline::Directory
  const Profile* profile(const CustomerId& customer) override;
  std::optional<std::string> facts(const CustomerId& customer) override;
  // Pipeline::IdSource
  std::string next() override { return ids_.next(); }
  std::string visit(const CustomerId& customer) override;

  void load(const Now& now);
  void on(const input::Adverts& adverts, const Now& now);
  void on(const input::Face& face, const Now& now);
  void on(const input::FromLink& from, const Now& now);
  void on(const input::Enrolled& enrolled, const Now& now);
  void on(const input::EnrolProgress& progress, const Now& now);

  void on_message(contract::LinkName link, const contract::RawMessage& raw, const Now& now);
  void on_feed(contract::FeedBatch batch, const Now& now);
  std::map<std::string, std::string> items_of(contract::Collection collection);
  // The event, and the text of the campaign or policy that it brings.
  using Tell = std::function<void(const Event&, std::string_view item)>;
  void tell_put(contract::Item item, std::string_view text, const Tell& tell);
  void tell_removed(contract::Collection collection, const std::string& key, const Tell& tell);
  void tell_removed_body(contract::Collection collection, const std::string& key,
                         const std::string& body, const Tell& tell);
  // engine_consent.cpp: what stands between a well-formed record and the gate.
  void load_consents();
  std::optional<std::string> refuse_consent(const ConsentRecord& record);
  void note_refused(const std::string& why);
  bool come_back(const ConsentRecord& record, const Now& now);
  bool pinned_before() const;
  Result<void> note_pinned(const Now& now);
  void heard_from_crm(const Now& now);
  void ask_again(const Now& now);
  void hello_if_due(const Now& now);
  void came_further(const Now& now);
  void confirm_if_due(const Now& now);
  void on_control(const contract::Control& control, const std::string& body, const Now& now);
  void on_command(const contract::Command& command, const Now& now);
  Result<std::string> presence(const contract::Command& command, const Now& now);
  Result<std::string> erase(const contract::Command& command, const Now& now);
  Result<std::string> export_for_crm(const CustomerId& customer, const Now& now);
  void report_erasures(const Now& now);
  void on_enrol(const contract::EnrolMessage& message, const Now& now);
  Result<void> desk_consent(const contract::EnrolMessage& message, const Now& now);
  void load_desk_consents();
  void desk_consent_superseded(const CustomerId& customer, Purpose purpose,
                               const std::vector<ConsentStep>* history);
  void drop_old_desk_consents(const Now& now);
  Result<void> enrol_for_tablet(const contract::EnrolMessage& message, const Now& now);
  Result<void> begin_enrolment(EnrolJob job, const std::string& clip, const Now& now);
  void cancel_enrolments(const std::string& session);
  void end_late_enrolments(const Now& now);
  bool may_age(const CustomerId& customer);
  void note_view(const vision::FaceMatch& match);
  void age_template(const VisitEvent& ended, const Now& now);
  void forget_ageing(const ConsentRecord& record);
  void tell_tablet(const std::string& session, contract::EnrolMessage message, const Now& now);
  void on_acked(contract::LinkName link, const sync::Acked& acked, const Now& now);
  void on_refused(contract::LinkName link, const sync::Refused& refused, const Now& now);
  void forget_acked(contract::LinkName link, const Now& now);
  void say_hello(bool confirms = false);

  // The one way to the pipeline: what goes through here is recorded.
  Effects ask(const Event& event, const Now& now, std::string_view item = {});
  void begin_recording(const Now& now);
  // Hands an event to the pipeline and carries out its effects. `also` runs in the same
  // transaction.
  void decide(const Event& event, const Now& now, const std::function<void()>& also = {});
  // False: the store did not take it, nothing of it is written.
  bool carry_out(Effects effects, const Now& now, const std::function<void()>& also);
  void write(const Effects& effects, const Now& now);
  void enqueue(const contract::Message& message, std::string_view kind, std::string ref,
               std::optional<WallTime> expires, std::optional<WallTime> not_before, const Now& now);
  // The time line of each visit, in its row: zones, confirmations, prompts, offers, staff. Inside
  // the transaction.
  void write_timelines(const Effects& effects);
  void withdraw_from_timelines(const ConsentEffect& consent);
  nlohmann::json timeline_of(const VisitId& visit) const;
  void pump(contract::LinkName link, const Now& now);
  void show_rehearsal(const Effects& effects, const Now& now);
  void show_rehearsal_again(const Now& now);
  void publish_rehearsal(const contract::Message& prompt, const Now& now);
  void clear_rehearsal_leftovers();
  void load_identities(const Now& now);
  void refresh_identities(const Now& now);
  bool looks_for_all(const Now& now);
  // Only in the cameras' gallery do templates age; an enrolment asks who somebody already is.
  enum class GalleryFor { cameras, enrolment };
  Result<std::shared_ptr<const vision::Gallery>> gallery_of(
      const std::vector<FaceConsent>& consents, GalleryFor use);
  void refresh_identities(const std::vector<CustomerId>& customers, const Now& now);
  void unload_identities(const std::unordered_set<CustomerId>& gone, const Now& now);
  void fetch_identities(const Now& now);
  void refresh_gallery(const Now& now);
  void publish_floor_status(const Now& now);
  void talk_to_neighbours(const Now& now);
  void report_copies(const Now& now);
  bool told_elsewhere(const CustomerId& customer, const VisitId& visit, const Now& now);
  // engine_radio.cpp: what the radio learnt of devices, through restarts and as long as consented.
  void load_learnt();
  void keep_learnt(const Now& now);
  void forget_unknown_devices(const Now& now);
  bool decides(const Now& now) const;
  void claim(IdentityClaim claim, const Now& now);
  // engine_trouble.cpp: when the disk takes nothing, or there is something to tell about the box.
  void store_failed(const Error& error);
  void could_not_store(const Effects& effects, const Now& now);
  void try_store_again(const Now& now);
  void tell_health(contract::HealthNews news, const Now& now);
  void tell_refusals(const Now& now);
  void watch_footing(const Now& now);
  LinkSide& side(contract::LinkName link);

  EngineSettings settings_;
  store::Store& store_;
  Ports& ports_;
  Pipeline::IdSource& ids_;
  const contract::Signer signer_;  // the box's own key, for receipts
  contract::KeyRing keys_;         // the CRM's; empty = not provisioned
  const StoredFeed stored_feed_;
  sync::FeedReceiver receiver_;
  std::unordered_map<CustomerId, Profile> profiles_;  // opened lately; a cache
  recording::Recorder recorder_;
  Pipeline pipeline_;
  beacon::Tracker tracker_;
  beacon::LearntDevices learnt_;          // as in the store
  std::optional<Neighbours> neighbours_;  // nothing: this box is alone in its store
  std::set<VisitId> told_elsewhere_;      // open here, and reported by the box that leads
  Now asked_;                             // when the pipeline was last asked something
  Listener listener_;
  std::int64_t session_ = 0;
  std::map<VisitId, nlohmann::json> timelines_;  // of those who are near
  std::optional<Rehearsal> rehearsal_;
  std::optional<MonoTime> rehearsal_wake_;
  std::map<VisitId, contract::Message> rehearsal_prompts_;  // on the tablets now
  std::vector<VisitId> rehearsal_leftovers_;                // to be cleared when the floor is up
  std::string rehearsal_register_;                          // as last written
  LinkSide uplink_;
  LinkSide floor_;
  std::vector<CustomerId> face_candidates_;
  std::uint64_t gallery_generation_ = 0;
  std::optional<MonoTime> wake_at_;
  bool looking_for_all_ = false;
  // What those look like who are here and agreed that their templates follow it.
  std::unordered_map<CustomerId, vision::FaceTemplate> views_;
  std::unordered_set<CustomerId> confirmed_;  // phone and face agreed, in this visit
  StoreClock store_clock_;
  std::string store_zone_;          // of store_clock_
  std::string consent_by_ = "crm";  // who changes a consent just now, for the audit trail
  std::unordered_map<CustomerId, std::vector<DeskConsent>> desk_consents_;
  std::map<std::uint64_t, EnrolJob> enrolments_;
  std::uint64_t next_job_ = 1;
  EngineCounters counters_;
  Latency latency_;
  std::optional<Ingress> ingress_;                       // of the input being handled
  std::unordered_map<std::string, Ingress> in_the_way_;  // message id → its input; until acked
  std::string floor_status_;                             // as last published, without its time
  std::unordered_set<CustomerId> listened_for_;          // may be, and their keys were asked for
  std::unordered_set<CustomerId> to_fetch_;  // of them: whose keys are to be read (again)
  MonoTime next_fetch_;
  MonoTime next_housekeeping_;
  MonoTime next_retention_;
  MonoTime next_refusal_told_;
  MonoTime next_hello_;
  MonoTime next_wall_write_;
  ConsentFooting footing_ = ConsentFooting::firm;
  std::string store_trouble_;  // why nothing can be stored; empty = it can
  Effects owed_;               // withdrawals that could not be written yet
  bool broken_ = false;
  std::map<std::string, std::int64_t> refused_untold_;  // from the uplink, by reason
  MonoTime next_refusals_;
  bool hello_due_ = false;
  std::optional<MonoTime> confirm_at_;  // when the CRM is told how far this box is
  std::vector<CustomerId> changed_profiles_;  // by the feed, not yet told to the pipeline
};

}  // namespace welcome::daemon
