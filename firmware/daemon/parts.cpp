// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/parts.h"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <stdexcept>

#include "core/version.h"
#include "firmware/daemon/credentials.h"
#include "firmware/daemon/log.h"
#include "firmware/engine/time_sync.h"

namespace welcome::daemon {

namespace {

// rtsp://HOST/… with the credential's user:password before the host; both percent-encoded.
std::string with_password(const std::string& address, const std::string& credential) {
  if (credential.empty()) return address;
  std::string safe;
  bool user = true;
  for (const char c : credential) {
    if (c == ':' && user) {
      safe += c;
      user = false;
    } else if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_') {
      safe += c;
    } else {
      constexpr const char* kDigits = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      safe += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  const auto host = address.find("://") + 3;
  return address.substr(0, host) + safe + "@" + address.substr(host);
}

// Our unit sees nothing of /proc but processes, so systemd hands it over.
std::string boot_id() {
  std::string id = read_credential("boot-id");
  if (id.empty()) std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id;
}

}  // namespace

std::unique_ptr<Clock> make_clock(const Config& config, store::Store& store) {
  const auto from_ms = [](std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); };
  if (config.replaying()) {
    return std::make_unique<ReplayClock>(from_ms(config.replay_epoch_ms),
                                         from_ms(config.replay_start_ms), config.replay_speed);
  }
  auto clock = std::make_unique<SystemClock>(TimeSync(), boot_id());
  const auto memory = store.registers().get(kClockRegister);
  if (memory && *memory) clock->remember(**memory);
  return clock;
}

store::Store open_store(const Config& config, const control::BoxKeys& keys) {
  std::filesystem::create_directories(config.state_dir);
  store::StoreOptions options;
  options.next_key = keys.next;
  options.vouch = [&](std::span<const std::uint8_t, 32> former, std::string_view key) {
    std::array<std::uint8_t, 32> seed{};
    std::copy(former.begin(), former.end(), seed.begin());
    contract::Ed25519Public next{};
    std::copy(key.begin(), key.end(), next.begin());
    auto said = contract::vouch_for({config.tenant, config.store, config.box}, next,
                                    contract::Signer(config.box, seed));
    sodium_memzero(seed.data(), seed.size());
    return said;
  };
  auto store = store::Store::open((config.state_dir / "welcomed.db").string(), keys.key, options);
  if (!store) {
    throw std::runtime_error("cannot open the database in " + config.state_dir.string() + ": " +
                             store.error().message);
  }
  if (store->open_report().rekeyed) spdlog::warn("the database has another box key from now on");
  if (const auto& report = store->open_report(); report.set_aside) {
    log_notable(Notable::database_set_aside, "the database was set aside as " +
                                                 report.set_aside_as + " (" + report.set_aside_why +
                                                 "); consents will come again from the CRM");
  }
  return std::move(*store);
}

beacon::TrackerConfig tracker_config(const Config& config) {
  beacon::TrackerConfig tracker;
  if (config.zone_of_box) {
    tracker = beacon::TrackerConfig::in_store({config.box, *config.zone_of_box});
  }
  tracker.zones.desk_m = config.zone_desk_m;
  tracker.zones.inside_m = config.zone_inside_m;
  tracker.zones.door_m = config.zone_door_m;
  tracker.zones.street_m = config.zone_street_m;
  tracker.zones.path_loss_exponent = config.path_loss_exponent;
  tracker.away_after = std::chrono::seconds(config.radio_leave_after_s);
  return tracker;
}

vision::AnalyserOptions analyser_options(const Config& config) {
  vision::AnalyserOptions options;
  options.agreeing_views = config.agreeing_views;
  options.limits.min_size_px = static_cast<float>(config.min_face_px);
  options.require_liveness = config.liveness;
  options.far_faces = config.far_faces;
  return options;
}

vision::EnrolmentOptions enrolment_options(const Config& config, const vision::ModelPack& pack) {
  vision::EnrolmentOptions options;
  options.require_liveness = config.liveness && !pack.liveness.empty();
  return options;
}

vision::ModelPack load_models(const Config& config) {
  const std::string name(word_of(kModelPacks, config.model_pack));
  auto pack = vision::load_model_pack(config.models_dir, name);
  if (config.liveness && !config.cameras.empty() && pack.liveness.empty()) {
    throw ConfigError("vision.pack = " + name +
                      " has no liveness model: set vision.liveness = no, and know that pictures of "
                      "people are recognised then");
  }
  return pack;
}

std::unique_ptr<vision::FrameSource> make_frame_source(const CameraConfig& camera,
                                                       const Clock& clock) {
  const vision::Clock now = [&clock] { return clock.now().mono; };
  switch (camera.source) {
    case CameraSource::none:
      break;
    case CameraSource::file:
      return vision::make_file_source(
          {camera.path, [&clock] { return clock.now().mono.time_since_epoch(); }, now, camera.fps});
    case CameraSource::v4l2:
      return vision::make_v4l2_source(
          {camera.path, camera.width, camera.height, static_cast<int>(camera.fps), now});
    case CameraSource::rtsp:
      return vision::make_rtsp_source(
          {with_password(camera.path, read_credential("camera-" + camera.name)), camera.fps, now});
  }
  return nullptr;
}

std::optional<std::string> read_crm_keys(const Config& config) {
  if (config.consent_unsigned) return std::nullopt;
  if (config.crm_keys.empty()) return std::string();  // none is pinned: nothing can be signed
  std::ifstream in(config.crm_keys);
  if (!in) throw std::runtime_error("consent.crm_keys: cannot read " + config.crm_keys.string());
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

EngineSettings engine_settings(const Config& config, const vision::ModelPack& pack,
                               const std::optional<beacon::BoxAdverts::RotatingEid>& eid) {
  EngineSettings settings;
  settings.box = {config.tenant, config.store, config.box};
  settings.version = kVersion;
  settings.tracker = tracker_config(config);
  settings.box_eid = eid;
  settings.crm_keys = read_crm_keys(config);
  if (settings.tracker.store) {
    settings.store_key = read_store_key();
    if (!settings.store_key) {
      throw std::runtime_error(
          "zones.box is set, but the credential store-key is missing or not 32 bytes: the boxes of "
          "a store share one");
    }
  }
  settings.pipeline.visit_timeout = std::chrono::seconds(config.visit_end_after_s);
  settings.pipeline.consent_max_age = std::chrono::hours(config.consent_max_age_h);
  settings.pipeline.shared_store = config.floor_shared;
  settings.staff_lock_after = std::chrono::minutes(config.staff_lock_after_min);
  settings.staff_session_ends = std::chrono::hours(config.staff_session_h);
  settings.recording_dir = config.state_dir / "recordings";
  settings.recording_days = config.recording_days;
  settings.camera_wake = config.camera_wake;
  settings.camera_hours = config.camera_hours.value_or(DayHours{});
  settings.enrolment = enrolment_options(config, pack);
  settings.face_model = vision::model_of(pack);
  settings.face_operating_point = vision::OperatingPoint::of(pack, config.false_match_rate);
  return settings;
}

sync::LinkConfig link_config(const BrokerConfig& broker, const std::string& name,
                             const std::string& password) {
  sync::LinkConfig link;
  link.host = broker.host;
  link.port = broker.port;
  // Brokers bind the client id to the account; only where there is none we choose one ourselves.
  link.client_id = broker.user.empty() ? name : broker.user;
  link.user = broker.user;
  link.password = password;
  if (!broker.tls_ca.empty()) {
    link.tls = mqtt::TlsFiles{broker.tls_ca, broker.tls_cert, broker.tls_key, {"mqtt"}, true};
  }
  return link;
}

}  // namespace welcome::daemon
