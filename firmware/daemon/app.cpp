#include "firmware/daemon/app.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cctype>
#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <systemd/sd-daemon.h>
#include <thread>

#include "firmware/daemon/clock.h"
#include "firmware/daemon/control_server.h"
#include "firmware/daemon/credentials.h"
#include "firmware/daemon/engine.h"
#include "firmware/daemon/enroller.h"
#include "firmware/daemon/inbox.h"
#include "firmware/daemon/radio.h"
#include "firmware/daemon/radio_desk.h"
#include "firmware/daemon/version.h"
#include "vision/camera_worker.h"

namespace welcome::daemon {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kTick = 50ms;
// The inbox keeps the loop for so long at most; then timers and the control socket have their turn.
constexpr auto kDrainFor = 20ms;

class Uuids : public Pipeline::IdSource {
 public:
  std::string next() override { return contract::new_uuid(); }
};

std::unique_ptr<Clock> make_clock(const Config& config, store::Store& store) {
  const auto from_ms = [](std::int64_t ms) { return WallTime(std::chrono::milliseconds(ms)); };
  if (config.replaying()) {
    return std::make_unique<ReplayClock>(from_ms(config.replay_epoch_ms),
                                         from_ms(config.replay_start_ms), config.replay_speed);
  }
  const auto last = store.registers().get(kWallRegister);
  return std::make_unique<SystemClock>(last && *last ? from_ms(std::stoll(**last)) : WallTime{});
}

store::Store open_store(const Config& config, const store::BoxKey& key) {
  std::filesystem::create_directories(config.state_dir);
  auto store = store::Store::open((config.state_dir / "welcomed.db").string(), key);
  if (!store) {
    throw std::runtime_error("cannot open the database in " + config.state_dir.string() + ": " +
                             store.error().message);
  }
  if (const auto& report = store->open_report(); report.set_aside) {
    spdlog::error("the database was set aside as {} ({}); consents will come again from the CRM",
                  report.set_aside_as, report.set_aside_why);
  }
  return std::move(*store);
}

beacon::TrackerConfig tracker_config(const Config& config) {
  beacon::TrackerConfig tracker;
  if (!config.zone_of_box.empty()) {
    tracker = beacon::TrackerConfig::in_store({config.box, *zone_from_string(config.zone_of_box)});
  }
  tracker.zones.desk_m = config.zone_desk_m;
  tracker.zones.inside_m = config.zone_inside_m;
  tracker.zones.door_m = config.zone_door_m;
  tracker.zones.street_m = config.zone_street_m;
  tracker.zones.path_loss_exponent = config.path_loss_exponent;
  tracker.away_after = std::chrono::seconds(config.radio_leave_after_s);
  return tracker;
}

// What it does, and whether it hears as much as it should.
nlohmann::json radio_health(const beacon::SourceStatus& radio) {
  const auto rounded = [](double rate) { return std::round(rate * 10) / 10; };
  return {{"source", beacon::to_string(radio.state)},
          {"detail", radio.detail},
          {"per_second", rounded(radio.reports_per_second)},
          {"expected_per_second", rounded(radio.expected_per_second)},
          {"advertising", radio.advertising},
          {"malformed", radio.malformed},
          {"skipped", radio.skipped},
          {"restarts", radio.restarts},
          {"stalls", radio.stalls},
          {"command_timeouts", radio.command_timeouts},
          {"hardware_errors", radio.hardware_errors},
          {"commands_refused", radio.refused}};
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
  options.require_liveness = config.liveness && pack.liveness;
  return options;
}

vision::ModelPack load_models(const Config& config) {
  auto pack = vision::load_model_pack(config.models_dir, config.model_pack);
  if (config.liveness && !config.cameras.empty() && !pack.liveness) {
    throw ConfigError("vision.pack = " + config.model_pack +
                      " has no liveness model: set vision.liveness = no, and know that pictures of "
                      "people are recognised then");
  }
  return pack;
}

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

std::optional<std::string> read_crm_keys(const Config& config) {
  if (config.crm_keys.empty()) return std::nullopt;
  std::ifstream in(config.crm_keys);
  if (!in) throw ConfigError("consent.crm_keys: cannot read " + config.crm_keys.string());
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
      throw ConfigError(
          "zones.box is set, but the credential store-key is missing or not 32 bytes: the boxes of "
          "a store share one");
    }
  }
  settings.pipeline.visit_timeout = std::chrono::seconds(config.visit_end_after_s);
  settings.pipeline.consent_max_age = std::chrono::hours(config.consent_max_age_h);
  settings.pipeline.shared_store = config.floor_shared;
  settings.recording_dir = config.state_dir / "recordings";
  settings.recording_days = config.recording_days;
  settings.camera_wake = config.camera_wake == "always"  ? CameraWake::always
                         : config.camera_wake == "hours" ? CameraWake::hours
                                                         : CameraWake::nearby;
  settings.camera_hours = config.camera_hours.value_or(DayHours{});
  settings.enrolment = enrolment_options(config, pack);
  settings.face_model = pack.embedder.id;
  settings.face_operating_point =
      vision::OperatingPoint::of(pack.embedder, config.false_match_rate);
  return settings;
}

sync::LinkConfig link_config(const BrokerConfig& broker, const std::string& client_id,
                             const std::string& password) {
  sync::LinkConfig link;
  link.host = broker.host;
  link.port = broker.port;
  link.client_id = client_id;
  link.user = broker.user;
  link.password = password;
  if (!broker.tls_ca.empty()) {
    link.tls = mqtt::TlsFiles{broker.tls_ca, broker.tls_cert, broker.tls_key, {"mqtt"}, true};
  }
  return link;
}

// ---- the app ----

class App : private Ports {
 public:
  App(int argc, const char* const* argv, const CommandLine& line, const store::BoxKey& key)
      : App(argc, argv, line.config, key) {
    engine_.note_config(line.given, clock_->now());
  }

  App(int argc, const char* const* argv, const Config& config, const store::BoxKey& key)
      : argc_(argc),
        argv_(argv),
        config_(config),
        pack_(load_models(config)),
        eid_(box_eid(config, key)),
        store_(open_store(config, key)),
        clock_(make_clock(config, store_)),
        inbox_({}, [this] { asio::post(loop_, [this] { drain_inbox(); }); }),
        engine_(engine_settings(config, pack_, eid_), store_, *this, uuids_, clock_->now()),
        enroller_(
            pack_, enrolment_options(config, pack_),
            [this](std::uint64_t job, vision::Guidance guidance) {
              inbox_.post_control(input::EnrolProgress{job, guidance, 0});
            },
            [this](std::uint64_t job, CustomerId customer, Result<vision::EnrolledFace> face) {
              inbox_.post_control(input::Enrolled{job, std::move(customer), std::move(face)});
            }),
        radio_desk_({[this](const CustomerId& customer, beacon::IdentityKind kind) {
                       return engine_.identity_ids(customer, kind);
                     },
                     [this] { return radio_health(radio_->status()); },
                     [this](const std::string& detail) {
                       return engine_.note_radio(detail, clock_->now());
                     }},
                    engine_.tracker()),
        control_(loop_, config.control_socket,
                 [this](const control::Request& request, const std::shared_ptr<Answer>& answer) {
                   on_request(request, answer);
                 }),
        signals_(loop_, SIGTERM, SIGINT, SIGHUP),
        ticker_(loop_) {
    uplink_ = make_uplink();
    floor_ = make_floor();
    radio_ = make_radio(config_, *clock_, eid_);
    for (const CameraConfig& camera : config_.cameras) cameras_.push_back(make_camera(camera));
    engine_.listen([this](const beacon::AdvertReport& report, const Now& now) {
      radio_desk_.heard(report, now);
    });
  }

  void run() {
    await_signal();
    await_tick();
    cameras_look_for(wanted_gallery_);
    uplink_->start();
    floor_->start();
    if (radio_) radio_->start(radio_callbacks());
    sd_notify(0, "READY=1");
    spdlog::info("welcomed {} is ready: session {}, radio {}, {} cameras", kVersion,
                 engine_.session(), config_.radio_source, cameras_.size());
    loop_.run();
    if (engine_.broken())
      throw std::runtime_error("the database is damaged; the next start mends it");
  }

 private:
  // -- Ports: what the engine asks of the world

  bool publish(contract::Message message, std::int64_t tag,
               std::optional<std::chrono::seconds> expiry) override {
    const auto& link = message.link == contract::LinkName::uplink ? uplink_ : floor_;
    return link && link->publish(std::move(message), tag, expiry);
  }

  void look_for(std::shared_ptr<const vision::Gallery> gallery) override {
    wanted_gallery_ = std::move(gallery);
    cameras_look_for(wanted_gallery_);
  }

  void enrol(std::uint64_t job, const FaceConsent& consent, const std::string& clip,
             std::shared_ptr<const vision::Gallery> everybody) override {
    if (!clip.empty()) return enroller_.start(job, consent, clip, std::move(everybody));
    const auto done = [this, job, customer = consent.customer()](auto face) {
      inbox_.post_control(input::Enrolled{job, customer, std::move(face)});
    };
    Camera* camera = desk_camera();
    if (camera == nullptr) return done(no_camera());
    vision::LiveEnrolment enrolment{
        consent, std::move(everybody), enrolment_options(config_, pack_),
        [this, job](vision::Guidance guidance, int views) {
          inbox_.post_control(input::EnrolProgress{job, guidance, views});
        },
        done};
    camera->worker->enrol(std::move(enrolment));
    enrolling_ = job;
  }

  void stop_enrolment(std::uint64_t job) override {
    if (Camera* camera = desk_camera(); camera != nullptr && enrolling_ == job) {
      camera->worker->stop_enrolment();
    }
  }

  // -- making the parts

  std::unique_ptr<sync::Link> make_uplink() {
    const contract::BoxAddress box{config_.tenant, config_.store, config_.box};
    auto link =
        link_config(config_.uplink, config_.tenant + "-" + config_.store + "-" + config_.box,
                    read_credential("uplink-password"));
    const auto subscriptions = contract::Subscriptions::box_uplink(box);
    link.subscriptions.assign(subscriptions.begin(), subscriptions.end());
    const auto state = [&](contract::LinkState what, const std::string& key = {}) {
      return contract::encode_state(box, {what, static_cast<std::uint64_t>(engine_.session()),
                                          kVersion, clock_->now().wall, key});
    };
    link.will = state(contract::LinkState::offline);
    link.birth = state(contract::LinkState::online, engine_.public_key());
    link.farewell = state(contract::LinkState::stopped);
    return std::make_unique<sync::Link>(std::move(link), link_sink(contract::LinkName::uplink));
  }

  std::unique_ptr<sync::Link> make_floor() {
    auto link = link_config(config_.floor, config_.box, read_credential("floor-password"));
    const auto subscriptions = contract::Subscriptions::box_floor();
    link.subscriptions.assign(subscriptions.begin(), subscriptions.end());
    link.echoed = {contract::Subscriptions::box_floor_echoed()};
    if (!config_.zone_of_box.empty()) {
      link.will = link.farewell = contract::encode_ranging(Neighbours::gone(
          {config_.tenant, config_.store, config_.box}, *zone_from_string(config_.zone_of_box),
          static_cast<std::uint64_t>(engine_.session()), clock_->now().wall));
    }
    return std::make_unique<sync::Link>(std::move(link), link_sink(contract::LinkName::floor));
  }

  sync::Link::Sink link_sink(contract::LinkName name) {
    return [this, name](sync::LinkEvent event) {
      const auto* raw = std::get_if<contract::RawMessage>(&event);
      const std::size_t bytes = raw != nullptr ? raw->topic.size() + raw->payload.size() : 0;
      input::FromLink input{name, std::move(event), std::chrono::steady_clock::now()};
      if (bytes == 0) {
        inbox_.post_control(std::move(input));
      } else {
        (void)inbox_.post_message(std::move(input), bytes);  // what is refused it counts
      }
    };
  }

  beacon::SourceCallbacks radio_callbacks() {
    return {
        [this](std::vector<beacon::AdvertReport> reports) {
          inbox_.post_sensor(input::Adverts{std::move(reports), std::chrono::steady_clock::now()});
        },
        [](const beacon::SourceStatus& status) {
          spdlog::info("radio {} {}", beacon::to_string(status.state), status.detail);
        }};
  }

  struct Camera {
    std::string name;
    std::string zone;
    std::unique_ptr<vision::CameraWorker> worker;
    vision::CameraHealth health = vision::CameraHealth::asleep;  // as last logged
  };

  std::unique_ptr<vision::FrameSource> make_source(const CameraConfig& camera,
                                                   const vision::Clock& now) {
    if (camera.source == "file") {
      return vision::make_file_source(
          {camera.path, [this] { return clock_->now().mono.time_since_epoch(); }, now, camera.fps});
    }
    if (camera.source == "rtsp") {
      return vision::make_rtsp_source(
          {with_password(camera.path, read_credential("camera-" + camera.name)), camera.fps, now});
    }
    return vision::make_v4l2_source(
        {camera.path, camera.width, camera.height, static_cast<int>(camera.fps), now});
  }

  Camera make_camera(const CameraConfig& camera) {
    const vision::Clock now = [this] { return clock_->now().mono; };
    const auto zone = zone_from_string(camera.zone).value_or(Zone::desk);
    // Every camera counts its tracks from one; in the engine no two may be alike.
    const auto first_track = static_cast<std::uint64_t>(cameras_.size()) << 48U;
    return {camera.name, camera.zone,
            std::make_unique<vision::CameraWorker>(
                analyser_options(config_), make_source(camera, now),
                std::make_unique<vision::Recogniser>(pack_), now,
                [this, zone, first_track](vision::FaceMatch match) {
                  match.track += first_track;
                  inbox_.post_sensor(
                      input::Face{std::move(match), zone, std::chrono::steady_clock::now()});
                })};
  }

  // Where customers are enrolled: the first camera at the desk, or else the first.
  Camera* desk_camera() {
    const auto desk = std::find_if(cameras_.begin(), cameras_.end(),
                                   [](const Camera& camera) { return camera.zone == "desk"; });
    if (desk != cameras_.end()) return &*desk;
    return cameras_.empty() ? nullptr : &cameras_.front();
  }

  static Result<vision::EnrolledFace> no_camera() {
    return fail(ErrorCode::unavailable, "this box has no camera: enrol from a clip");
  }

  void cameras_look_for(const std::shared_ptr<const vision::Gallery>& gallery) {
    for (const Camera& camera : cameras_) {
      if (gallery) {
        camera.worker->set_gallery(gallery);
        camera.worker->wake();
      } else {
        camera.worker->sleep();
        camera.worker->set_gallery(nullptr);
      }
    }
  }

  // Says what became of a camera once, not at every look.
  void watch_cameras() {
    using Health = vision::CameraHealth;
    for (Camera& camera : cameras_) {
      const auto status = camera.worker->status();
      const bool fine = status.health == Health::ok || status.health == Health::asleep;
      if (status.health == camera.health || status.health == Health::starting) continue;
      if (!fine) {
        spdlog::warn("camera {}: {}", camera.name, vision::to_string(status.health));
      } else if (camera.health != Health::ok && camera.health != Health::asleep) {
        spdlog::info("camera {}: well again", camera.name);
      }
      camera.health = status.health;
    }
  }

  // -- the loop

  void drain_inbox() {
    const auto until = std::chrono::steady_clock::now() + kDrainFor;
    while (true) {
      const auto inputs = inbox_.take();
      if (inputs.empty()) break;
      for (const auto& input : inputs) engine_.handle(input, clock_->now());
      if (std::chrono::steady_clock::now() < until) continue;
      asio::post(loop_, [this] { drain_inbox(); });
      break;
    }
    if (const auto refused = inbox_.control_refused(); refused != seen_refused_) {
      if (seen_refused_ == 0) spdlog::error("the inbox is full: messages are refused");
      seen_refused_ = refused;
      engine_.lost_messages(clock_->now());
    }
  }

  void await_tick() {
    ticker_.expires_after(kTick);
    ticker_.async_wait([this](boost::system::error_code e) {
      if (e) return;
      const Now now = clock_->now();
      engine_.tick(now);
      radio_desk_.tick(now);
      if (engine_.broken()) return stop();  // the store leaves a mark for the next start
      watch_cameras();
      sd_notify(0, "WATCHDOG=1");
      await_tick();
    });
  }

  void await_signal() {
    signals_.async_wait([this](boost::system::error_code e, int signal) {
      if (e) return;
      if (signal == SIGHUP) {
        (void)reload();
        await_signal();
        return;
      }
      stop();
    });
  }

  Result<void> reload() {
    Result<void> done;
    sd_notify(0, "RELOADING=1");
    try {
      const CommandLine line = read_config(argc_, argv_);
      const Config& fresh = line.config;
      const auto keys = read_crm_keys(fresh);
      spdlog::set_level(spdlog::level::from_str(fresh.log_level));
      engine_.set_zones(tracker_config(fresh), clock_->now());
      engine_.note_config(line.given, clock_->now());
      if (const auto pinned = engine_.set_crm_keys(keys, clock_->now()); !pinned) {
        throw ConfigError("consent.crm_keys: " + pinned.error().message);
      }
      // The certificate files may be new ones.
      if (!config_.uplink.tls_ca.empty()) uplink_->renew();
      if (!config_.floor.tls_ca.empty()) floor_->renew();
      spdlog::info(
          "configuration read again: log level, zones, the CRM's keys and certificates are in "
          "force, the rest after a restart");
    } catch (const ConfigError& error) {
      spdlog::error("configuration kept as it was: {}", error.what());
      done = fail(ErrorCode::refused, error.what());
    }
    sd_notify(0, "READY=1");
    return done;
  }

  void stop() {
    sd_notify(0, "STOPPING=1");
    spdlog::info("stopping");
    if (radio_) radio_->stop();
    cameras_.clear();
    ticker_.cancel();
    engine_.stopping(clock_->now());
    uplink_->stop();
    floor_->stop();
    loop_.stop();
  }

  static void give(const std::shared_ptr<Answer>& answer, const Result<nlohmann::json>& result) {
    if (result) {
      answer->data(*result);
    } else {
      answer->error(result.error().message);
    }
  }

  void on_request(const control::Request& request, const std::shared_ptr<Answer>& answer) {
    const auto id = request.text("id");
    if (request.command == "status") {
      answer->data(status());
    } else if (request.command == "visits") {
      answer->data(engine_.visits());
    } else if (request.command == "decisions") {
      answer->data(engine_.decisions());
    } else if (request.command == "outbox") {
      answer->data(engine_.outbox());
    } else if (request.command == "why") {
      give(answer, engine_.why(id));
    } else if (request.command == "rehearse start") {
      give(answer, engine_.start_rehearsal(clock_->now()));
    } else if (request.command == "rehearse stop") {
      give(answer, engine_.stop_rehearsal(clock_->now()));
    } else if (request.command == "recordings") {
      answer->data(engine_.recordings());
    } else if (request.command == "replay") {
      replay(id, request.args, answer);
    } else if (request.command == "customer export") {
      give(answer, engine_.export_person(CustomerId(id), clock_->now()));
    } else if (request.command == "audit show") {
      give(answer, engine_.audit_trail());
    } else if (request.command == "audit verify") {
      give(answer, engine_.audit_verdict());
    } else if (request.command.starts_with("radio ")) {
      if (!radio_) return answer->error("this box has no radio (radio.source = none)");
      radio_desk_.on_request(request, answer, clock_->now());
    } else if (request.command == "reload") {
      const auto done = reload();
      give(answer,
           done ? Result<nlohmann::json>(nlohmann::json::object()) : tl::unexpected(done.error()));
    } else if (request.command == "enrol") {
      const auto started = engine_.enrol(
          CustomerId(id), request.text("clip"), clock_->now(),
          [answer](const std::string& text) { answer->progress(text); },
          [answer](const Result<nlohmann::json>& done) { give(answer, done); });
      if (!started) answer->error(started.error().message);
    } else {
      answer->error("unknown command '" + request.command +
                    "': update welcomectl and welcomed together");
    }
  }

  // A week may take seconds: beside the loop, one at a time.
  void replay(const std::string& name, const nlohmann::json& args,
              const std::shared_ptr<Answer>& answer) {
    if (replaying_) return answer->error("another replay is running");
    auto rules = recording::other_rules(args.value("rules", nlohmann::json::object()));
    if (!rules) return answer->error(rules.error().message);
    auto order = engine_.replay_order(name, std::move(*rules), clock_->now());
    if (!order) return answer->error(order.error().message);
    replaying_ = true;
    replayer_ =
        std::jthread([this, answer, order = std::move(*order)](const std::stop_token& stop) {
          auto report = recording::replay(order, stop);
          asio::post(loop_, [this, answer, report = std::move(report)] {
            replaying_ = false;
            give(answer, report);
          });
        });
  }

  nlohmann::json status() const {
    auto status = engine_.status(clock_->now());
    if (radio_) {
      const auto radio = radio_->status();
      status["radio"].update(radio_health(radio));
    }
    auto& faces = status["faces"];
    auto& cameras = status["cameras"] = nlohmann::json::object();
    vision::AnalyserCounters all;
    for (const Camera& camera : cameras_) {
      const auto seen = camera.worker->status();
      all += seen.analysis;
      cameras[camera.name] = {
          {"zone", camera.zone},          {"health", vision::to_string(seen.health)},
          {"awake", seen.awake},          {"wakes", seen.wakes},
          {"frames", seen.frames},        {"frames_dropped", seen.frames_dropped},
          {"frames_bad", seen.frames_bad}};
    }
    faces["seen"] = all.faces_seen;
    faces["discarded"] = all.faces_discarded;
    faces["not_live"] = all.faces_not_live;
    faces["compared"] = all.faces_embedded;
    status["inbox"] = {{"sensor_dropped", inbox_.sensor_dropped()},
                       {"control_refused", inbox_.control_refused()}};
    status["control_refused"] = control_.refused();
    return status;
  }

  const int argc_;
  const char* const* const argv_;
  const Config config_;
  const vision::ModelPack pack_;
  const std::optional<beacon::BoxAdverts::RotatingEid> eid_;
  Uuids uuids_;
  store::Store store_;
  const std::unique_ptr<Clock> clock_;
  asio::io_context loop_{1};
  Inbox<Input> inbox_;
  std::shared_ptr<const vision::Gallery> wanted_gallery_;
  // The threads end before what they post to: declared after it.
  std::vector<Camera> cameras_;
  std::uint64_t enrolling_ = 0;  // at the desk's camera
  std::unique_ptr<beacon::AdvertSource> radio_;
  std::unique_ptr<sync::Link> uplink_, floor_;
  Engine engine_;
  Enroller enroller_;
  RadioDesk radio_desk_;
  ControlServer control_;
  asio::signal_set signals_;
  asio::steady_timer ticker_;
  std::uint64_t seen_refused_ = 0;
  bool replaying_ = false;
  std::jthread replayer_;
};

}  // namespace

void run(int argc, const char* const* argv, const CommandLine& line) {
  store::BoxKey key = read_box_key();
  App app(argc, argv, line, key);
  sodium_memzero(key.data(), key.size());
  app.run();
}

}  // namespace welcome::daemon
