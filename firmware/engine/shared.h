// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the parts of the engine share: settings, store, the world, and the pipeline. Engine thread
// only; everything outlives the parts.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "beacon/hci_host.h"
#include "beacon/tracker.h"
#include "contract/contract.h"
#include "core/pipeline.h"
#include "core/store_clock.h"
#include "core/timekeeper.h"
#include "firmware/engine/neighbours.h"
#include "firmware/engine/words.h"
#include "firmware/store/store.h"
#include "vision/enrolment.h"
#include "vision/gallery.h"

namespace welcome::daemon {

// Register that holds what was heard of the time in this boot (Clock::memory).
inline constexpr std::string_view kClockRegister = "clock";

inline constexpr std::int64_t kNoRow = 0;  // tag of a message that is not in the outbox
// What answers a tablet is worth nothing later.
inline constexpr std::chrono::seconds kAnswerLife{15};

using Ingress = std::chrono::steady_clock::time_point;

// An open video file; null: none.
using Clip = vision::OpenFile;

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
  virtual void enrol(std::uint64_t job, const FaceConsent& consent, Clip clip,
                     std::shared_ptr<const vision::Gallery> everybody) = 0;
  virtual void stop_enrolment(std::uint64_t job) = 0;
  // In the background; ends with input::PinChecked. `hash` as core/staff.h has it.
  virtual void check_pin(std::uint64_t job, std::string pin, std::string hash) = 0;
  // The box's clock (firmware/engine/clock.h).
  virtual ClockState clock() const = 0;
  // The whole status, with what the engine does not know: radio, cameras, models.
  virtual nlohmann::json whole_status() const = 0;
  virtual std::string clock_memory() const = 0;
  // How the box is, as `welcomectl doctor` says it without opening a camera.
  virtual std::vector<contract::LightView> lights() const = 0;
  // A technician wants the daemon to start again; what was said before still goes.
  virtual void restart() = 0;
  // A new password for the central broker: on the disk, and tried from the next connection on. Its
  // salted hash, as the broker keeps it.
  virtual Result<std::string> renew_uplink_password() = 0;
  // A time that the CRM signed, newer than any before of this start, and when it was heard at the
  // latest.
  virtual void crm_says(WallTime signed_at, MonoTime heard) = 0;
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
  // Text of the key ring; nothing = signatures are not asked for (consent.unsigned = yes).
  std::optional<std::string> crm_keys;
  bool key_changing = false;          // two box keys were given: the store has the next one
  std::optional<StoreKey> store_key;  // with tracker.store: what the boxes of the store share
  std::size_t uplink_window = 200;    // messages in flight
  // At a start and at a new line the CRM may first say who withdrew or was erased meanwhile.
  std::chrono::milliseconds crm_speaks_first{3000};
  std::chrono::minutes staff_lock_after{10};  // a tablet that nobody touches wants the PIN again
  std::chrono::hours staff_session_ends{12};
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
  std::uint64_t heads_ahead = 0;                          // signed later than it is by our clock
  std::map<std::string, std::uint64_t> consents_refused;  // by reason
  std::map<std::string, std::uint64_t> inbound_refused;   // by error code
  std::uint64_t messages_acked = 0;
  std::uint64_t messages_expired = 0;
  std::uint64_t messages_refused = 0;
  std::uint64_t sent_again = 0;                    // events that the CRM had not taken
  std::map<std::string, std::uint64_t> set_aside;  // messages that a broker never takes, by reason
  std::uint64_t store_errors = 0;
  std::uint64_t held_back = 0;  // claims that came while nothing could be decided
};

// What is written in the same transaction as something else.
using Also = std::function<void(store::Tx&)>;

struct Shared {
  EngineSettings& settings;
  store::Store& store;
  Ports& ports;
  Pipeline::IdSource& ids;
  Pipeline& pipeline;
  EngineCounters& counters;
  std::int64_t session = 0;  // of this start
};

}  // namespace welcome::daemon
