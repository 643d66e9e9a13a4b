// SPDX-License-Identifier: Apache-2.0
#pragma once
// BenchBox: a whole box on the test bench: the real Engine, Store, Tracker and codec, with a fake
// world behind the Ports and a clock that the test moves. The broker takes every message at once
// unless told otherwise.

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "firmware/engine/engine.h"

namespace welcome::test {

// A Monday morning in the shop's time zone: when a test's day begins.
inline constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 5 / 4} +
                                 std::chrono::hours(8)};
// What a bench box is called unless told otherwise, and what its topics begin with.
inline const contract::BoxAddress bench_address{"demo", "aroma-1", "box-1"};
inline const std::string box_prefix = "welcome/v1/demo/aroma-1/box-1/";

// Ids that count up, so that a run can be compared with another.
class CountingIds : public Pipeline::IdSource {
 public:
  explicit CountingIds(std::uint64_t after = 0) : last_(after) {}
  std::string next() override;

 private:
  std::uint64_t last_;
};

struct Sent {
  contract::Message message;
  MonoTime at;
  std::optional<std::chrono::seconds> expiry;
};

// Stands for an open clip; nobody reads it.
inline daemon::Clip a_clip() { return std::make_shared<const int>(-1); }

class FakeWorld : public daemon::Ports {
 public:
  bool publish(contract::Message message, std::int64_t tag,
               std::optional<std::chrono::seconds> expiry) override;
  void look_for(std::shared_ptr<const vision::Gallery> gallery) override;
  void enrol(std::uint64_t job, const FaceConsent& consent, daemon::Clip clip,
             std::shared_ptr<const vision::Gallery> everybody) override;
  void stop_enrolment(std::uint64_t job) override;
  void check_pin(std::uint64_t job, std::string pin, std::string hash) override;
  ClockState clock() const override { return time(); }
  Result<std::string> renew_uplink_password() override {
    return std::string("$7$101$") + std::string(16, 's') + "$" + std::string(88, 'h');
  }
  std::string clock_memory() const override { return "what was heard"; }
  std::vector<contract::LightView> lights() const override {
    return {{Light::radio, Lamp::red, "it hears nothing", "is it plugged in?"}};
  }
  void restart() override { ++restarts; }
  nlohmann::json whole_status() const override;
  void crm_says(WallTime signed_at, MonoTime heard) override;

  std::vector<std::pair<WallTime, MonoTime>> crm_said;  // signed times, as they were heard
  std::vector<Sent> sent;                               // in the order in which the link got them
  std::deque<std::pair<contract::LinkName, std::int64_t>> unacked;
  std::shared_ptr<const vision::Gallery> gallery;
  int restarts = 0;                       // asked for
  bool full = false;                      // the link's queue has no room
  std::vector<std::uint64_t> enrolments;  // started and not stopped
  // PINs to be checked: the test answers with input::PinChecked.
  struct PinCheck {
    std::uint64_t job;
    std::string pin;
    std::string hash;
  };
  std::vector<PinCheck> pins;
  std::function<MonoTime()> now;
  std::function<ClockState()> time;
  std::function<nlohmann::json()> status;
  std::function<void(const ClockWord&)> hear_time;
};

struct BenchSetup {
  std::string vfs;                      // SQLite VFS by name; empty = the default
  std::optional<std::string> crm_keys;  // text of the key ring
  std::function<void(daemon::EngineSettings&)> tweak{};
  std::uint64_t ids_after = 0;  // two boxes have no id in common
};

class BenchBox {
 public:
  // The state directory is made, and removed with the box.
  explicit BenchBox(WallTime start, BenchSetup setup = {});
  ~BenchBox();

  Now now() const;
  void advance(std::chrono::microseconds by);  // moves the clock and ticks every 50 ms
  void skip(std::chrono::microseconds by);     // moves the clock, ticks once
  // Ends the engine as a pulled plug does, and starts it again on what is on the disk.
  void power_cycle();
  // The same in two steps, for what happens to the disk in between.
  void power_off();
  void power_on();
  bool running() const { return engine_ != nullptr; }

  // The machine's clock from now on: by so much beside the right time, and whether it is believed.
  // Where it is, the CRM's word agrees with it.
  void set_wall(std::chrono::milliseconds beside, bool trusted);
  // From now on what was said is judged as on a real box: by NTP, by the CRM, or by nobody.
  void use_timekeeper() { keeper_.emplace(); }
  void set_machine(std::chrono::milliseconds beside) { beside_ = beside; }
  void ntp_says(std::chrono::milliseconds beside);  // and sets the machine's clock
  void ntp_is_silent() { synchronised_.reset(); }
  void crm_says(WallTime signed_at);
  // Another boot: nothing is remembered of the time.
  void reboot();
  WallTime right_time() const;
  ClockState clock() const;

  void link_up(contract::LinkName link);
  void links_up();  // the uplink, then the floor's
  void link_down(contract::LinkName link);
  // The broker acknowledges what it has.
  void ack_all();
  void inbound(contract::LinkName link, std::string topic, std::string payload);

  // The CRM's whole feed of the replay tests' shop.
  void feed_shop();
  // The batch of that feed that has the consents.
  static nlohmann::json shop_consents();
  // Of it, the customer's record of this purpose.
  static nlohmann::json shop_consent(const std::string& customer, const std::string& purpose);
  // This consent record as the `nth` change after that feed.
  void feed_consent(nlohmann::json record, int nth = 1);
  // That this record is deleted, in the same way.
  void feed_deletion(const std::string& record, int nth = 1);
  // The customer's record of that feed with one more step: "given" or "withdrawn", by now.
  void feed_step_of_consent(const std::string& customer, const std::string& purpose,
                            const std::string& state, int nth = 1);

  // The CRM sends a profile that cannot be read, which the box reports: an event of its own.
  void have_an_item_refused(const std::string& about);

  // From the next start on this statement fails, as on a bad disk: `on` is "INSERT ON audit", say;
  // `when` a condition on the row, or empty. Only while it is off.
  void refuse_to_store(const std::string& on, const std::string& when = {});
  void store_everything_again();

  // The CRM hands on that the customer's app has heard this box just now.
  void report_presence(const std::string& customer);
  // The policy of that feed with these members changed.
  void feed_policy(const nlohmann::json& changes);
  // A campaign for everybody who comes in; its id.
  std::string feed_an_offer();
  // The broker does not take the message with this id, which it has not acknowledged yet.
  void refuse(const std::string& id, int code, bool for_good);

  // The CRM says who works here, all of them: ids, each with a PIN unless it ends with '-'.
  // `also`: by id, a role beside that of staff.
  void feed_staff(const std::vector<std::string>& ids,
                  const std::map<std::string, std::string>& also = {});
  // Somebody signs in on a tablet, with the right PIN; the id of the session.
  std::string sign_in(const std::string& staff = "eva", const std::string& tablet = "tablet-1");
  // What the tablet says below its own name, stamped: action/VISIT, enrol/SESSION, session.
  void tablet_says(const std::string& what, nlohmann::json message,
                   const std::string& tablet = "tablet-1");

  // The CRM's command to forget somebody.
  void erase(const std::string& customer, const std::string& id);

  // What was sent to topics with this part, parsed; empty payloads as null.
  std::vector<nlohmann::json> sent(const std::string& topic_part) const;
  // What the CRM was told, of types with this part.
  std::vector<nlohmann::json> events(const std::string& type_part) const;

  // The audit log, oldest first: kind, actor, detail.
  std::vector<std::string> audit() const;

  // c-mia's fob of the shop's feed, two metres from the box: one advert, or five a second.
  void hear_mia();
  void hear_mia_for(std::chrono::seconds time);

  // What its radio would advertise.
  std::optional<beacon::BoxAdverts::RotatingEid> box_eid() const;

  daemon::Engine& engine() { return *engine_; }
  store::Store& store() { return *store_; }
  FakeWorld& world() { return world_; }
  const std::filesystem::path& dir() const { return dir_; }

  bool broker_acks = true;  // ack_all() after every step
  bool crm_answers = true;  // a hello with a heartbeat, if the box has anything of the feed

  BenchSetup setup;  // of the next start

 private:
  void answer_hello();

  std::filesystem::path dir_;
  std::chrono::milliseconds beside_{};
  bool trusted_ = true;
  mutable std::optional<Timekeeper> keeper_;
  std::optional<std::int64_t> synchronised_;
  WallTime start_;
  MonoTime mono_{};
  store::BoxKey key_{};
  contract::BoxAddress address_;
  CountingIds ids_;
  FakeWorld world_;
  std::optional<store::Store> store_;
  std::unique_ptr<daemon::Engine> engine_;
  int staff_seq_ = 0;
  int tablet_said_ = 0;
};

}  // namespace welcome::test
