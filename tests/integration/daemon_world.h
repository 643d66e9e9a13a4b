// SPDX-License-Identifier: Apache-2.0
#pragma once
// welcomed as a process of its own, between a real mosquitto and a real welcome-crm, with a
// recorded radio in which a few dozen members come and go all day.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sqlite3.h>
#include <string>
#include <sys/un.h>
#include <vector>

#include "beacon/btsnoop.h"
#include "firmware/store/store.h"
#include "harness/memory.h"
#include "tests/integration/crm_world.h"

namespace welcome::testing {

inline const std::filesystem::path kModels =
    std::filesystem::path(WELCOME_SOURCE_DIR) / "build" / "models";

// The members' fobs: c-0, c-1, …
constexpr int kMembers = 24;
constexpr const char* kFobUuid = "7d1c6f52-40b3-4a0e-9c55-0d2f8a7e1b36";

// Everybody comes for half a minute out of every `every`, each at another time.
inline void record_members(const std::filesystem::path& file, beacon::CaptureTime start,
                           std::chrono::seconds length, std::chrono::seconds every) {
  using namespace std::chrono_literals;
  constexpr auto kStays = 30s;
  auto writer = beacon::BtsnoopWriter::create(file);
  ASSERT_TRUE(writer);
  for (auto t = 0ms; t < length; t += 500ms) {
    for (int n = 0; n < kMembers; ++n) {
      const auto since = (t + n * every / kMembers) % every;
      if (since > kStays) continue;
      // In from the street, past the desk, and out again.
      const double part = std::abs(std::chrono::duration<double>(since - kStays / 2) /
                                   std::chrono::duration<double>(kStays / 2));
      const auto rssi = static_cast<std::int8_t>(-50 - 35 * part);
      std::vector<std::uint8_t> event{0x3E,
                                      0,
                                      0x02,
                                      0x01,
                                      0x00,
                                      0x01,
                                      static_cast<std::uint8_t>(n),
                                      2,
                                      3,
                                      4,
                                      5,
                                      0xC6,
                                      27,
                                      0x1A,
                                      0xFF,
                                      0x4C,
                                      0x00,
                                      0x02,
                                      0x15,
                                      0x7d,
                                      0x1c,
                                      0x6f,
                                      0x52,
                                      0x40,
                                      0xb3,
                                      0x4a,
                                      0x0e,
                                      0x9c,
                                      0x55,
                                      0x0d,
                                      0x2f,
                                      0x8a,
                                      0x7e,
                                      0x1b,
                                      0x36,
                                      0x00,
                                      0x0C,
                                      0x00,
                                      static_cast<std::uint8_t>(n),
                                      0xC5,
                                      static_cast<std::uint8_t>(rssi)};
      event[1] = static_cast<std::uint8_t>(event.size() - 2);
      ASSERT_TRUE(writer->write(start + t, beacon::HciPacketType::event, true, event));
    }
  }
  ASSERT_TRUE(writer->close());
}

// What the CRM needs to know of them: everything is permitted, and one campaign greets them.
inline void import_members(CrmProcess& crm, const TempDir& dir) {
  const auto file = [&](const char* name, const std::string& text) {
    std::ofstream(dir / name) << text;
    return (dir / name).string();
  };
  std::string customers = "customer,app_id,name\n";
  std::string consents = "customer,purpose,state,at\n";
  json identities = json::array();
  for (int n = 0; n < kMembers; ++n) {
    const std::string id = "c-" + std::to_string(n);
    customers += id + ",a-" + std::to_string(n) + ",Member " + std::to_string(n) + "\n";
    for (const Purpose purpose : kAllPurposes) {
      consents += id + "," + std::string(to_string(purpose)) + ",given,2026-01-12T09:30:00Z\n";
    }
    identities.push_back({{"identity", "i-" + std::to_string(n)},
                          {"customer", id},
                          {"kind", "ibeacon"},
                          {"uuid", kFobUuid},
                          {"major", 12},
                          {"minor", n},
                          {"measured_power_1m_dbm", -59}});
  }
  const json campaign = {
      {"campaign", "k-hello"},
      {"name", "Hello"},
      {"trigger", {{"on", "pass_by"}}},
      {"variants",
       {{{"id", "a"}, {"title", {{"en", "Hello"}}}, {"text", {{"en", "Hello again"}}}}}}};
  ASSERT_EQ(crm.command({"init", "--tenant", "demo", "--controller", "Aroma Ltd"}), 0);
  ASSERT_EQ(crm.command({"boxes", "admit", "aroma-1/box-1"}), 0);
  ASSERT_EQ(crm.command({"import", file("customers.csv", customers), file("consents.csv", consents),
                         file("identities.json", json{{"identities", identities}}.dump()),
                         file("campaigns.json", json{{"campaigns", {campaign}}}.dump()),
                         file("policy.json", R"({"policy":{"time_zone":"UTC"}})")}),
            0);
}

// So that it is believed of days that a recording plays, which lie before this one.
inline void was_admitted_long_ago(const CrmProcess& crm) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(crm.database().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "UPDATE box SET admitted_at = '2026-01-01T00:00:00.000Z'", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
}

class DaemonProcess {
 public:
  // `settings`: as in the configuration file, section.key → value.
  DaemonProcess(std::uint16_t broker_port, std::map<std::string, std::string> settings = {}) {
    std::filesystem::create_directories(dir_ / "credentials");
    std::ofstream(dir_ / "credentials" / "box-key") << std::string(64, '7');
    std::ofstream(dir_ / "empty.conf");
    settings.insert({{"box.tenant", "demo"},
                     {"box.store", "aroma-1"},
                     {"box.id", "box-1"},
                     {"box.state_dir", dir_.path().string()},
                     {"box.control_socket", socket()},
                     {"uplink.port", std::to_string(broker_port)},
                     {"floor.port", std::to_string(broker_port)},
                     {"consent.unsigned", "yes"},  // the CRM of these tests has no key
                     {"vision.models_dir", kModels.string()}});
    words_ = {WELCOMED_PROGRAM, "--config", (dir_ / "empty.conf").string()};
    for (const auto& [key, value] : settings) words_.push_back("--" + key + "=" + value);
  }

  void start() {
    setenv("CREDENTIALS_DIRECTORY", (dir_ / "credentials").c_str(), 1);
    process_ = std::make_unique<Process>(words_, log());
  }
  // From the next start on.
  void set(const std::string& key, const std::string& value) {
    std::erase_if(words_, [&](const auto& word) { return word.starts_with("--" + key + "="); });
    words_.push_back("--" + key + "=" + value);
  }
  // Its control socket is there: everything is loaded, the radio and the links are about to start.
  bool wait_ready(std::chrono::milliseconds patience = std::chrono::seconds(30)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket().copy(address.sun_path, sizeof address.sun_path - 1);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline && running()) {
      const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const bool ok = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
      close(fd);
      if (ok) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  // As Process::stop(); 0 when it does not run.
  int stop(int signal) { return process_ ? process_->stop(signal) : 0; }
  void signal(int number) const { kill(pid(), number); }
  bool running() { return process_ && !process_->ended(); }
  pid_t pid() const { return process_->pid(); }

  // Null while it does not answer.
  json status() const {
    const std::string text =
        output_of(std::string(WELCOMECTL_PROGRAM) + " --socket " + socket() + " --json status");
    return json::accept(text) ? json::parse(text) : json();
  }
  // Polls until `done` says so of a status.
  bool until(const std::function<bool(const json&)>& done,
             std::chrono::milliseconds patience = std::chrono::seconds(60)) const {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline) {
      const json now = status();
      if (!now.is_null() && done(now)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }
  bool wait_up() const {
    return until([](const json& now) { return now["links"]["uplink"]["state"] == "up"; });
  }

  // Its database, once it is stopped.
  store::Store open_store() const {
    store::BoxKey key;
    key.fill(0x77);
    auto store = store::Store::open((dir_ / "welcomed.db").string(), key);
    if (!store) throw std::runtime_error(store.error().message);
    return std::move(*store);
  }
  std::string log() const { return (dir_ / "welcomed.log").string(); }
  const TempDir& dir() const { return dir_; }
  // The daemon's control socket.
  std::string socket() const { return (dir_ / "control.sock").string(); }

 private:
  TempDir dir_;
  std::vector<std::string> words_;
  std::unique_ptr<Process> process_;
};

// A broker, a CRM with the members, and a box that hears them.
class Shop {
 public:
  static bool possible() { return Broker::installed() && std::filesystem::exists(kModels); }

  // The recording plays `speed` times as fast as it was made, from when the shop is made; it ends
  // before today, as nothing has happened later than it is told.
  Shop(std::chrono::seconds length, double speed, std::map<std::string, std::string> settings = {})
      : broker_("allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 200\n"),
        crm_(broker_) {
    using namespace std::chrono_literals;
    import_members(crm_, dir_);
    was_admitted_long_ago(crm_);
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto start = now - length - 1h;
    record_members(dir_ / "members.btsnoop", start, length, 120s);
    const auto text = [](WallTime at) { return std::to_string(at.time_since_epoch().count()); };
    settings.insert({{"radio.source", "btsnoop"},
                     {"radio.file", (dir_ / "members.btsnoop").string()},
                     {"radio.leave_after_s", "8"},
                     {"visits.end_after_s", "12"},
                     {"replay.epoch_ms", text(now)},
                     {"replay.start_ms", text(start)},
                     {"replay.speed", std::to_string(speed)}});
    daemon_ = std::make_unique<DaemonProcess>(broker_.port(), std::move(settings));
  }

  Broker& broker() { return broker_; }
  CrmProcess& crm() { return crm_; }
  DaemonProcess& daemon() { return *daemon_; }

  // Lets the box finish without its radio, and compares what it did with what the CRM was told:
  // every visit and every decision exactly once, and nothing that the box does not know of.
  void compare_with_ledger() {
    daemon_->stop(SIGTERM);
    daemon_->set("radio.source", "none");
    daemon_->start();
    ASSERT_TRUE(daemon_->until([](const json& now) {
      return now["visits"]["near"] == 0 && now["links"]["uplink"]["state"] == "up" &&
             now["outbox"]["uplink"] == 0;
    })) << daemon_->status().dump();
    ASSERT_EQ(daemon_->stop(SIGTERM), 0);
    auto store = daemon_->open_store();
    auto& journal = store.journal();
    std::multiset<std::string> done, told;
    const auto visits = journal.visits(1'000'000);
    const auto decisions = journal.decisions(1'000'000);
    ASSERT_TRUE(visits && decisions);
    for (const auto& visit : *visits) {
      done.insert("visit.started " + visit.id.str());
      if (visit.ended) done.insert("visit.ended " + visit.id.str());
    }
    for (const auto& decision : *decisions) {
      done.insert("decision " + decision.id.str());
    }
    for (const json& entry : crm_.ledger()) {
      const std::string type = entry.at("type");
      const json& data = entry.at("data");
      if (type.find(".decision.") != std::string::npos) {
        told.insert("decision " + data.at("decision").get<std::string>());
      } else if (type.find(".visit.started") != std::string::npos) {
        told.insert("visit.started " + data.at("visit").get<std::string>());
      } else if (type.find(".visit.ended") != std::string::npos) {
        told.insert("visit.ended " + data.at("visit").get<std::string>());
      }
    }
    EXPECT_GT(done.size(), 100U) << "the day was too quiet to say anything";
    std::vector<std::string> lost, invented;
    std::set_difference(done.begin(), done.end(), told.begin(), told.end(),
                        std::back_inserter(lost));
    std::set_difference(told.begin(), told.end(), done.begin(), done.end(),
                        std::back_inserter(invented));
    EXPECT_TRUE(lost.empty()) << lost.size() << " lost, the first: " << lost.front();
    EXPECT_TRUE(invented.empty()) << invented.size() << " twice or unknown: " << invented.front();
    std::cout << "  " << done.size() << " facts, each told once\n";
  }

 private:
  TempDir dir_;
  Broker broker_;
  CrmProcess crm_;
  std::unique_ptr<DaemonProcess> daemon_;
};

}  // namespace welcome::testing
