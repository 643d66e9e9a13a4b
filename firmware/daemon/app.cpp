// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/app.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <systemd/sd-daemon.h>
#include <thread>
#include <utility>
#include <vector>

#include "core/version.h"
#include "firmware/control/commands.h"
#include "firmware/daemon/cameras.h"
#include "firmware/daemon/control_server.h"
#include "firmware/daemon/credentials.h"
#include "firmware/daemon/enroller.h"
#include "firmware/daemon/heat.h"
#include "firmware/daemon/image.h"
#include "firmware/daemon/inbox.h"
#include "firmware/daemon/leaving.h"
#include "firmware/daemon/lights.h"
#include "firmware/daemon/log.h"
#include "firmware/daemon/parts.h"
#include "firmware/daemon/pin_checker.h"
#include "firmware/daemon/radio.h"
#include "firmware/daemon/radio_desk.h"
#include "firmware/daemon/radio_help.h"
#include "firmware/daemon/uplink_passwords.h"
#include "firmware/engine/clock.h"
#include "firmware/engine/clock_report.h"
#include "firmware/engine/engine.h"
#include "firmware/engine/feed_intake.h"
#include "mqtt/certificate.h"

namespace welcome::daemon {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto kLastAnswer = std::chrono::milliseconds(500);  // before a restart
constexpr auto kTick = 50ms;
constexpr auto kExamineFor = 4s;   // a camera that opens at all does so within this
constexpr auto kLookOverFor = 3s;  // somebody who stands there is seen more than once

class Uuids : public Pipeline::IdSource {
 public:
  std::string next() override { return contract::new_uuid(); }
};

// What it does, and whether it hears as much as it should.
nlohmann::json radio_health(const beacon::SourceStatus& radio) {
  const auto rounded = [](double rate) { return std::round(rate * 10) / 10; };
  return {{"source", beacon::to_string(radio.state)},
          {"detail", radio.detail},
          {"scan", radio.scan},
          {"per_second", rounded(radio.reports_per_second)},
          {"expected_per_second", rounded(radio.expected_per_second)},
          {"advertising", radio.advertising},
          {"malformed", radio.malformed},
          {"empty", radio.empty},
          {"lost_parts", radio.lost_parts},
          {"line_losses", radio.line_losses},
          {"skipped", radio.skipped},
          {"restarts", radio.restarts},
          {"stalls", radio.stalls},
          {"command_timeouts", radio.command_timeouts},
          {"hardware_errors", radio.hardware_errors},
          {"commands_refused", radio.refused}};
}

// ---- the app ----

class App : private Ports {
 public:
  App(int argc, const char* const* argv, const CommandLine& line, const control::BoxKeys& keys)
      : App(argc, argv, line.config, keys) {
    settings_ = line.settings;
    engine_.note_config(line.given, clock_->now());
  }

  App(int argc, const char* const* argv, const Config& config, const control::BoxKeys& keys)
      : argc_(argc),
        argv_(argv),
        config_(config),
        pack_(load_models(config)),
        eid_(box_eid(config, keys.next.value_or(keys.key))),
        store_(open_store(config, keys)),
        clock_(make_clock(config, store_)),
        inbox_({}, [this] { asio::post(loop_, [this] { drain_inbox(); }); }),
        cameras_(config, pack_, *clock_,
                 [this](vision::FaceMatch match, Zone zone) {
                   inbox_.post_sensor(input::Face{std::move(match), zone, steady_now()});
                 }),
        passwords_(config.state_dir, read_credential("uplink-password")),
        engine_(settings_of(config, keys), store_, *this, uuids_, clock_->now()),
        enroller_(
            pack_, enrolment_options(config, pack_),
            [this](std::uint64_t job, vision::Guidance guidance) {
              inbox_.post_control(input::EnrolProgress{job, guidance, 0});
            },
            [this](std::uint64_t job, CustomerId customer, vision::EnrolmentResult face) {
              inbox_.post_control(input::Enrolled{job, std::move(customer), std::move(face)});
            }),
        pins_([this](std::uint64_t job, bool right) {
          inbox_.post_control(input::PinChecked{job, right});
        }),
        radio_desk_({[this](const CustomerId& customer, beacon::IdentityKind kind) {
                       return engine_.identity_ids(customer, kind);
                     },
                     [this] { return radio_health(radio_->status()); },
                     [this](const std::string& detail) {
                       return engine_.note("radio", detail, clock_->now());
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
    engine_.listen([this](const beacon::AdvertReport& report, const Now& now) {
      radio_desk_.heard(report, now);
    });
  }

  void run() {
    await_signal();
    await_tick();
    cameras_.look_for(wanted_gallery_);
    uplink_->start();
    floor_->start();
    if (radio_) radio_->start(radio_callbacks());
    sd_notify(0, "READY=1");
    log_notable(Notable::ready, "welcomed " + std::string(kVersion) + " is ready: session " +
                                    std::to_string(engine_.session()) + ", radio " +
                                    std::string(word_of(kRadioSources, config_.radio_source)) +
                                    ", " + std::to_string(cameras_.size()) + " cameras");
    warn_of_what_is_open();
    loop_.run();
    if (engine_.broken())
      throw std::runtime_error("the database is damaged; the next start mends it");
    if (leaving_.starts_again())
      throw std::runtime_error(
          "head office has it that this box is retired; the next start ends it");
    // systemd starts again what fails.
    if (restart_at_) throw std::runtime_error("a technician restarts it on a tablet");
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
    cameras_.look_for(wanted_gallery_);
  }

  void enrol(std::uint64_t job, const FaceConsent& consent, Clip clip,
             std::shared_ptr<const vision::Gallery> everybody) override {
    if (clip) return enroller_.start(job, consent, std::move(clip), std::move(everybody));
    const auto done = [this, job, customer = consent.customer()](vision::EnrolmentResult face) {
      inbox_.post_control(input::Enrolled{job, customer, std::move(face)});
    };
    vision::CameraWorker* camera = cameras_.at_desk();
    if (camera == nullptr) return done(tl::unexpected(vision::EnrolmentEnd::no_camera));
    vision::LiveEnrolment enrolment{
        consent, std::move(everybody), enrolment_options(config_, pack_),
        [this, job](vision::Guidance guidance, int views) {
          inbox_.post_control(input::EnrolProgress{job, guidance, views});
        },
        done};
    camera->enrol(std::move(enrolment));
    enrolling_ = job;
  }

  void stop_enrolment(std::uint64_t job) override {
    if (auto* camera = cameras_.at_desk(); camera != nullptr && enrolling_ == job) {
      camera->stop_enrolment();
    }
  }

  void check_pin(std::uint64_t job, std::string pin, std::string hash) override {
    pins_.check(job, std::move(pin), std::move(hash));
  }

  ClockState clock() const override { return clock_->state(); }
  nlohmann::json whole_status() const override { return status_now(); }
  std::string clock_memory() const override { return clock_->memory(); }
  std::vector<contract::LightView> lights() const override {
    const Now now = clock_->now();
    std::vector<contract::LightView> out;
    for (const auto& found : look_around(with_senses(engine_.vitals(now)), now)) {
      out.push_back({found.state.light, found.state.lamp, found.state.what, found.to_do});
    }
    return out;
  }
  // The answer leaves before it.
  void restart() override { restart_at_ = clock_->now().mono + kLastAnswer; }
  Result<std::string> renew_uplink_password() override { return passwords_.renew(); }
  void crm_says(WallTime signed_at, MonoTime heard) override { clock_->crm_says(signed_at, heard); }

  // -- making the parts

  EngineSettings settings_of(const Config& config, const control::BoxKeys& keys) const {
    EngineSettings settings = engine_settings(config, pack_, eid_);
    settings.key_changing = keys.next.has_value();
    return settings;
  }

  contract::Message state_message(contract::LinkState what) const {
    contract::BoxState said{what, static_cast<std::uint64_t>(engine_.session()), kVersion,
                            clock_->now().wall};
    if (what == contract::LinkState::online) {
      said.key = engine_.public_key();
      said.vouched = engine_.vouched();
      said.lights = states_of(lights_.steady());
      said.update = update_;
    }
    return contract::encode_state({config_.tenant, config_.store, config_.box}, said);
  }

  std::unique_ptr<sync::Link> make_uplink() {
    const contract::BoxAddress box{config_.tenant, config_.store, config_.box};
    auto link = link_config(config_.uplink, contract::address_text(box), "");
    link.passwords = [this] { return passwords_.to_try(); };
    link.password_worked = [this](const std::string& password) { passwords_.worked(password); };
    const auto subscriptions = contract::Subscriptions::box_uplink(box);
    link.subscriptions.assign(subscriptions.begin(), subscriptions.end());
    link.will = state_message(contract::LinkState::offline);
    link.birth = state_message(contract::LinkState::online);
    link.farewell = state_message(contract::LinkState::stopped);
    return std::make_unique<sync::Link>(std::move(link), link_sink(contract::LinkName::uplink));
  }

  std::unique_ptr<sync::Link> make_floor() {
    auto link = link_config(config_.floor, config_.box, read_credential("floor-password"));
    const auto subscriptions = contract::Subscriptions::box_floor();
    link.subscriptions.assign(subscriptions.begin(), subscriptions.end());
    link.echoed = {contract::Subscriptions::box_floor_echoed()};
    if (config_.zone_of_box) {
      link.will = link.farewell = contract::encode_ranging(
          Neighbours::gone({config_.tenant, config_.store, config_.box}, *config_.zone_of_box,
                           static_cast<std::uint64_t>(engine_.session()), clock_->now().wall));
    }
    return std::make_unique<sync::Link>(std::move(link), link_sink(contract::LinkName::floor));
  }

  // On the link's thread.
  sync::Link::Sink link_sink(contract::LinkName name) {
    return [this, name](sync::LinkEvent event, const sync::Receipt& receipt) {
      const bool uplink = name == contract::LinkName::uplink;
      const auto* raw = std::get_if<contract::RawMessage>(&event);
      if (raw == nullptr) {
        // What it lacks the box asks for on a new line.
        if (uplink && std::holds_alternative<sync::LinkUp>(event)) {
          inbox_.drop_feed();
          new_line_ = true;
        }
        return inbox_.post_control(input::FromLink{name, std::move(event), steady_now(), {}});
      }
      const std::size_t bytes = raw->topic.size() + raw->payload.size();
      std::vector<input::Feed> pieces;
      if (uplink) {
        const contract::BoxAddress box{config_.tenant, config_.store, config_.box};
        pieces = feed_pieces(box, *raw, engine_.crm_keys(), steady_now(), receipt);
      }
      // What the inbox refuses it counts.
      for (auto& piece : pieces) (void)inbox_.post_feed(std::move(piece), bytes / pieces.size());
      if (!pieces.empty()) return;
      input::FromLink input{name, std::move(event), steady_now(), receipt};
      (void)inbox_.post_message(std::move(input), bytes);
    };
  }

  beacon::SourceCallbacks radio_callbacks() {
    return {[this](std::vector<beacon::AdvertReport> reports) {
              inbox_.post_sensor(input::Adverts{std::move(reports), steady_now()});
            },
            [](const beacon::SourceStatus& status) {
              using enum beacon::SourceState;
              const bool lost = status.state == recovering || status.state == failed;
              const std::string text = "radio " + std::string(beacon::to_string(status.state)) +
                                       (status.detail.empty() ? "" : ": " + status.detail);
              if (lost || status.state == running) {
                log_notable(lost ? Notable::radio_lost : Notable::radio_back, text);
              } else {
                spdlog::info("{}", text);
              }
            }};
  }

  // What somebody has opened by the configuration.
  void warn_of_what_is_open() const {
    if (config_.consent_unsigned)
      spdlog::warn("consent.unsigned = yes: what nobody signed is believed");
    for (const auto& [name, broker] :
         {std::pair{"uplink", &config_.uplink}, {"floor", &config_.floor}}) {
      if (broker->plain && broker->tls_ca.empty())
        spdlog::warn("{}.plain = yes: the line to {} is not encrypted", name, broker->host);
    }
  }

  // -- the loop

  // One long input in a turn of the loop: timers and the control socket have theirs in between.
  void drain_inbox() {
    auto inputs = inbox_.take();
    for (auto& input : inputs) engine_.handle(std::move(input), clock_->now());
    if (!inputs.empty()) asio::post(loop_, [this] { drain_inbox(); });
    if (const auto refused = inbox_.control_refused(); refused != seen_refused_) {
      if (seen_refused_ == 0)
        log_notable(Notable::inbox_full, "the inbox is full: messages are refused");
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
      cameras_.watch();
      tell_of_lights(now);
      if (radio_) radio_help_.look(radio_->status(), now.mono);
      if (examination_) examine(now);
      if (leaving_.tick(now)) return stop();
      if (restart_at_ && *restart_at_ <= now.mono) return stop();
      sd_notify(0, "WATCHDOG=1");
      await_tick();
    });
  }

  void await_signal() {
    signals_.async_wait([this](boost::system::error_code e, int signal) {
      if (e) return;
      if (signal == SIGHUP) {
        (void)reload_configuration();
        await_signal();
        return;
      }
      stop();
    });
  }

  Result<nlohmann::json> reload_configuration() {
    Result<nlohmann::json> done = nlohmann::json::object();
    sd_notify(0, "RELOADING=1");
    try {
      const CommandLine line = read_config(argc_, argv_);
      Config config = config_;
      auto settings = settings_;
      take_over(line.settings, settings, config);
      // Whatever may be refused comes first.
      if (const auto pinned = engine_.set_crm_keys(read_crm_keys(config), clock_->now()); !pinned)
        throw ConfigError("consent.crm_keys: " + pinned.error().message);
      set_log_level(config.log_level);
      engine_.set_zones(tracker_config(config));
      engine_.note_config(line.given, clock_->now());
      settings_ = std::move(settings);
      // The certificate files may be new ones.
      if (!config_.uplink.tls_ca.empty()) uplink_->renew();
      if (!config_.floor.tls_ca.empty()) floor_->renew();
      spdlog::info(
          "configuration read again: log level, zones, the CRM's keys and certificates are in "
          "force, the rest after a restart");
    } catch (const std::exception& error) {
      log_notable(Notable::configuration_kept,
                  std::string("configuration kept as it was: ") + error.what());
      done = fail(ErrorCode::refused, error.what());
    }
    sd_notify(0, "READY=1");
    return done;
  }

  // What a restart, or a reload, would change.
  Result<nlohmann::json> changed_settings() const {
    try {
      return differences(settings_, read_config(argc_, argv_).settings);
    } catch (const ConfigError& error) {
      return fail(ErrorCode::refused, error.what());
    }
  }

  void stop() {
    sd_notify(0, "STOPPING=1");
    log_notable(Notable::stopping, "stopping");
    if (radio_) radio_->stop();
    cameras_.close();
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
    const auto* command = control::find_command(request.command);
    if (command == nullptr) {
      return answer->error("unknown command '" + request.command +
                           "': update welcomectl and welcomed together");
    }
    if (const auto fits = control::check_arguments(*command, request.args); !fits) {
      return answer->error(fits.error().message);
    }
    const auto id = request.text("id");
    switch (command->id) {
      using enum control::CommandId;
      case status:
        return answer->data(status_now());
      case visits:
        return answer->data(engine_.visits());
      case outbox:
        return answer->data(engine_.outbox());
      case decisions:
        return answer->data(engine_.decisions());
      case why:
        return give(answer, engine_.why(id));
      case rehearse_start:
        return give(answer, engine_.start_rehearsal(clock_->now()));
      case rehearse_stop:
        return give(answer, engine_.stop_rehearsal(clock_->now()));
      case recordings:
        return answer->data(engine_.recordings());
      case replay:
        return start_replay(id, request.args, answer);
      case enrol:
        return start_enrolment(id, request.file, answer);
      case customer_export:
        return give(answer, engine_.export_person(CustomerId(id), clock_->now()));
      case audit_show:
        return give(answer, engine_.audit_trail());
      case audit_verify:
        return give(answer, engine_.audit_verdict());
      case radio_watch:
      case radio_record:
      case radio_sample:
      case radio_thresholds:
        if (!radio_) return answer->error("this box has no radio (radio.source = none)");
        return radio_desk_.on_request(request, answer, clock_->now());
      case identity_clock:
        return give(answer, engine_.set_clock(id, clock_->now()));
      case doctor:
        return start_examination(answer);
      case camera_check:
        return start_look_over(request.text("name"), answer);
      case clock:
        return answer->data(clock_report(clock_->state()));
      case clock_trust:
        return give(answer, trust_clock(request));
      case tablets:
        return answer->data(engine_.tablets(clock_->now()));
      case tablet_sign_out:
        if (!request.by_root) return answer->error("only root can sign somebody out");
        return answer->data({{"signed_out", engine_.sign_out(id, clock_->now())}});
      case retire:
        return leaving_.start(request, answer, clock_->now());
      case config_diff:
        return give(answer, changed_settings());
      case reload:
        return give(answer, reload_configuration());
    }
  }

  Result<nlohmann::json> trust_clock(const control::Request& request) {
    if (!request.by_root) return fail(ErrorCode::refused, "only root can vouch for the time");
    const auto shown = contract::from_rfc3339(request.text("shown"));
    if (!shown) return fail(ErrorCode::malformed, "shown is no time like 2026-11-21T09:30:00Z");
    if (auto done = clock_->technician_says(*shown); !done) return tl::unexpected(done.error());
    engine_.note_clock("trusted at " + contract::to_rfc3339(*shown), clock_->now());
    return clock_report(clock_->state());
  }

  void start_enrolment(const std::string& customer, Clip clip,
                       const std::shared_ptr<Answer>& answer) {
    if (!clip) return answer->error("no clip was handed over: update welcomectl");
    const auto started = engine_.enrol(
        CustomerId(customer), std::move(clip), clock_->now(),
        [answer](const std::string& text) { answer->progress(text); },
        [answer](const Result<nlohmann::json>& done) { give(answer, done); });
    if (!started) answer->error(started.error().message);
  }

  // A week may take seconds: beside the loop, one at a time.
  void start_replay(const std::string& name, const nlohmann::json& args,
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

  // -- the lights

  Signs signs(const Now& now) const {
    Signs signs{now.wall, engine_.last_decision(), {}, {}, temperature()};
    if (!config_.uplink.tls_cert.empty()) {
      if (const auto ends = mqtt::certificate_ends(config_.uplink.tls_cert))
        signs.certificate_ends = std::chrono::time_point_cast<WallTime::duration>(*ends);
    }
    std::error_code ignored;
    const auto disk = std::filesystem::space(config_.state_dir, ignored);
    if (!ignored) signs.disk_free = disk.available;
    return signs;
  }

  std::vector<Finding> look_around(const nlohmann::json& status, const Now& now) const {
    return findings(status, engine_.tablets(now), signs(now));
  }

  // Head office with the state of the box, the tablets with its troubles.
  void tell_of_lights(const Now& now) {
    if (now.mono < next_lights_) return;
    next_lights_ = now.mono + LightsWatch::kEvery;
    lights_.look(look_around(with_senses(engine_.vitals(now)), now));
    engine_.senses_are(troubles_of(lights_.steady()), now);
    const bool update_news = look_at_update(now);
    // What a new line begins with says neither. A line that is down, or full, is told when it has
    // room.
    if (new_line_.exchange(false)) update_told_.reset();
    if ((lights_.has_news() || update_news || !update_told_) &&
        uplink_->publish(state_message(contract::LinkState::online), kNoRow, std::nullopt)) {
      lights_.told();
      update_told_ = update_;
    }
  }

  // True: head office does not know yet how far it is.
  bool look_at_update(const Now& now) {
    image_.order(engine_.updates().order(now));
    update_ = image_.look(engine_.updates().word(), engine_.updates().wanted());
    return update_ != update_told_;
  }

  // A camera that sleeps is opened, so that it is known to work before somebody comes.
  void start_examination(const std::shared_ptr<Answer>& answer) {
    if (examination_) return answer->error("another doctor is at work");
    if (cameras_.size() > 0) {
      const auto noted =
          engine_.note("doctor", "the cameras were opened to see that they work", clock_->now());
      if (!noted) return answer->error(noted.error().message);
      cameras_.open_all();
    }
    examination_ = Examination{answer, clock_->now().mono + kExamineFor, {}};
    examine(clock_->now());
  }

  // As that, and each says what it sees.
  void start_look_over(const std::string& name, const std::shared_ptr<Answer>& answer) {
    if (examination_) return answer->error("another doctor is at work");
    if (cameras_.size() == 0) return answer->error("this box has no camera (camera.source = none)");
    if (!name.empty() && !cameras_.has(name)) return answer->error("there is no camera " + name);
    const auto noted =
        engine_.note("camera check", "a camera was opened to see what it shows", clock_->now());
    if (!noted) return answer->error(noted.error().message);
    cameras_.look_over(name);
    examination_ = Examination{answer, clock_->now().mono + kLookOverFor, name};
  }

  void examine(const Now& now) {
    const bool all = examination_->camera || !cameras_.all_known();
    if (all && now.mono < examination_->until) return;
    const auto done = *std::exchange(examination_, {});
    if (done.camera) {
      done.answer->data(cameras_.views(*done.camera, config_.min_face_px));
      cameras_.look_away();
    } else {
      done.answer->data(findings_json(look_around(figures(now), now)));
    }
    cameras_.look_for(wanted_gallery_);  // to sleep, where nobody is expected
  }

  // Which faces it can tell apart, and what it would gain by files that are not there.
  nlohmann::json models_status() const {
    nlohmann::json models{{"pack", pack_.name},
                          {"recognisers", vision::model_of(pack_).name()},
                          {"absent", nlohmann::json::object()}};
    for (const auto& absent : vision::absent_packs(config_.models_dir)) {
      models["absent"][absent.name] = {{"files", absent.files}, {"gain", absent.gain}};
    }
    return models;
  }

  nlohmann::json with_senses(nlohmann::json status) const {
    if (radio_) status["radio"].update(radio_health(radio_->status()));
    status["cameras"] = cameras_.status();
    status["models"] = {{"pack", pack_.name}};
    const auto& retirement = engine_.retirement();
    status["box"]["retirement"] = !retirement             ? "none"
                                  : retirement->confirmed ? "confirmed"
                                                          : "said";
    return status;
  }

  nlohmann::json status_now() const {
    const Now now = clock_->now();
    auto status = figures(now);
    add_signs(status, now);
    return status;
  }

  // Without what the lights are made of besides.
  nlohmann::json figures(const Now& now) const {
    auto status = with_senses(engine_.status(now));
    auto& faces = status["faces"];
    const auto all = cameras_.counters();
    faces["seen"] = all.faces_seen;
    faces["discarded"] = all.faces_discarded;
    faces["not_live"] = all.faces_not_live;
    faces["covered"] = all.faces_covered;
    faces["compared"] = all.faces_embedded;
    status["models"] = models_status();
    status["inbox"] = {{"sensor_dropped", inbox_.sensor_dropped()},
                       {"control_refused", inbox_.control_refused()}};
    status["control_refused"] = control_.refused();
    return status;
  }

  void add_signs(nlohmann::json& status, const Now& now) const {
    const auto time = [](const std::optional<WallTime>& at) {
      return at ? nlohmann::json(contract::to_rfc3339(*at)) : nlohmann::json();
    };
    const Signs seen = signs(now);
    const auto tablets = engine_.tablets(now);
    status["crm"]["certificate_ends"] = time(seen.certificate_ends);
    status["decisions"]["last"] = time(seen.decided);
    status["store"]["disk_free"] =
        seen.disk_free ? nlohmann::json(*seen.disk_free) : nlohmann::json();
    status["box"]["temperature_c"] =
        seen.temperature ? nlohmann::json(*seen.temperature) : nlohmann::json();
    status["tablets"] = {{"known", tablets.size()}, {"heard", heard_lately(tablets)}};
    status["lights"] = lights_json(findings(status, tablets, seen));
    status["update"] =
        update_json(update_.value_or(contract::UpdateState{}), engine_.updates().wanted());
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
  Cameras cameras_;
  std::uint64_t enrolling_ = 0;  // at the desk's camera
  std::unique_ptr<beacon::AdvertSource> radio_;
  UplinkPasswords passwords_;
  std::unique_ptr<sync::Link> uplink_, floor_;
  Engine engine_;
  Enroller enroller_;
  PinChecker pins_;
  RadioDesk radio_desk_;
  ControlServer control_;
  asio::signal_set signals_;
  asio::steady_timer ticker_;
  std::vector<SettingState> settings_;  // in force
  std::uint64_t seen_refused_ = 0;
  LightsWatch lights_;
  MonoTime next_lights_;
  Image image_{image_folder(), config_.state_dir};
  RadioHelp radio_help_{std::filesystem::path(config_.control_socket).parent_path(),
                        config_.radio_source == RadioSource::hci ? config_.radio_device : ""};
  std::optional<MonoTime> restart_at_;  // a technician asked for it
  Leaving leaving_{engine_, config_.state_dir};
  std::atomic<bool> new_line_{false};  // the uplink's
  std::optional<contract::UpdateState> update_, update_told_;
  struct Examination {
    std::shared_ptr<Answer> answer;
    MonoTime until;
    std::optional<std::string> camera;  // to be looked over: its name, or all; nothing: the doctor
  };
  std::optional<Examination> examination_;
  bool replaying_ = false;
  std::jthread replayer_;
};

}  // namespace

void run(int argc, const char* const* argv, const CommandLine& line) {
  for (const auto& note : line.notes) spdlog::warn("{}", note);
  for (const auto& file : line.unreadable) log_notable(Notable::file_unreadable, file);
  control::BoxKeys keys = read_box_keys();
  App app(argc, argv, line, keys);
  sodium_memzero(keys.key.data(), keys.key.size());
  if (keys.next) sodium_memzero(keys.next->data(), keys.next->size());
  app.run();
}

}  // namespace welcome::daemon
