// SPDX-License-Identifier: Apache-2.0
#pragma once
// HciHost: our own Bluetooth LE host, as much of one as hearing and being heard needs. A state
// machine without clock, thread or descriptor: packets in, packets out through `send`, reports out.
//
// Resets the controller, reads what it can, sets event masks, scans passively without the duplicate
// filter, and advertises an iBeacon and the box's rotating EID by turns. What the controller
// refuses of advertising is left out. A command that is not answered or not taken, a hardware error
// and a receiver that is deaf or says nothing are recovered from by another reset, and when that
// does not help the host has failed: open the transport again and start() over.
//
// There are up to three ways to scan. One that the controller refuses is not taken; one that hears
// nothing, or nothing whole, is left for the next, round and round; and where a lesser way hears
// something, each better one has one more try. Core Specification 5.4, Vol 4, Part E: sections
// named at each command in the .cpp.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "beacon/advert.h"
#include "beacon/intake.h"
#include "beacon/key_schedule.h"
#include "core/time.h"

namespace welcome::beacon {

// What the box says about itself. Both adverts take turns.
struct BoxAdverts {
  struct IBeaconId {
    Uuid128 uuid{};
    std::uint16_t major = 0;
    std::uint16_t minor = 0;
    std::int8_t measured_power = -59;
  };
  struct RotatingEid {
    Block key{};
    std::uint8_t rotation_exponent = 7;
    WallTime clock_zero;
    std::int8_t tx_power_0m = -18;
  };
  std::optional<IBeaconId> ibeacon;
  std::optional<RotatingEid> eid;
  std::chrono::milliseconds interval{100};
  std::chrono::milliseconds turn{1000};     // how long before the other advert's turn
  std::optional<std::int8_t> tx_power_dbm;  // extended advertising only; else the controller's
  Address address{0xC0, 0, 0, 0, 0, 1};     // random static

  bool any() const { return ibeacon.has_value() || eid.has_value(); }
};

struct HciHostConfig {
  BoxAdverts adverts;
  std::chrono::milliseconds scan_interval{60};
  std::chrono::milliseconds scan_window{60};
  bool coded_phy = false;  // listen on it too, where the controller can
  std::chrono::milliseconds command_timeout{2000};
  // Deaf: silent for at least this long while this many adverts were expected meanwhile.
  std::chrono::milliseconds shortest_stall{3000};
  double expected_adverts = 30.0;
  // In silence nothing else would show that the controller hangs: it is asked for its version this
  // often, and set up again after this long a silence, whatever was expected.
  std::chrono::milliseconds probe_every{5000};
  std::chrono::minutes longest_silence{10};
  // A way to scan that has heard nothing at all for this long is left for the next, if there is
  // one; twice as long each time that nothing was heard that way either, up to longest_silence.
  std::chrono::seconds first_silence{10};
  // A command out for this long whose answer may have been lost on the line is sent again.
  std::chrono::milliseconds repeat_after{250};
  int resets_before_failure = 3;
};

// The ways to scan, the best first. Extended commands hear all adverts; legacy ones those that are
// not extended, which are nearly all.
enum class ScanWay : std::uint8_t { extended_coded, extended, legacy };
inline constexpr std::size_t kScanWays = 3;
std::string_view to_string(ScanWay way);

// What a host knew that the next one on the same air goes on with.
struct HciMemory {
  double expected_per_second = 0.0;
  ScanWay way = ScanWay::extended_coded;
  bool deaf = false;
  bool babbles = false;
};

enum class HciState : std::uint8_t { idle, setting_up, running, failed };

struct HciCounters {
  std::uint64_t resets = 0;
  std::uint64_t command_timeouts = 0;
  std::uint64_t hardware_errors = 0;
  std::uint64_t stalls = 0;
  std::uint64_t long_silences = 0;
  std::uint64_t refused = 0;        // commands answered with an error
  std::uint64_t stray_answers = 0;  // answers nobody waited for
  std::uint64_t repeated = 0;       // commands sent again, because their answer may have been lost
  std::uint64_t way_changes = 0;    // to another way to scan
};

class HciHost {
 public:
  using Send = std::function<void(std::span<const std::uint8_t> packet)>;  // with H4 type

  HciHost(HciHostConfig config, Send send, HciMemory before = {});

  void start(const Now& now);
  void receive(std::span<const std::uint8_t> packet, const Now& now,
               std::vector<AdvertReport>& reports);
  void tick(const Now& now);  // every 100 ms or so
  // The transport lost something: perhaps the answer that is waited for.
  void bytes_lost(const Now& now);

  HciState state() const { return state_; }
  const std::string& detail() const { return detail_; }  // why it failed or had to start over
  // Set up, but it has not heard anything since it went deaf, or talks without saying anything.
  bool deaf() const { return deaf_ || babbles_; }
  const HciCounters& counters() const { return counters_; }
  const AdvertIntake& intake() const { return intake_; }
  HciMemory memory() const { return {expected_rate_, way_, deaf_, babbles_}; }
  double heard_per_second() const { return heard_rate_; }
  ScanWay way() const { return way_; }
  // What a person should know although it runs: another way to scan is tried, and why; or what is
  // missing in what it hears. Mostly empty.
  std::string remark() const;
  bool advertising() const { return advertising_; }

 private:
  enum class Need : std::uint8_t { must, may };
  struct Command {
    std::uint16_t opcode = 0;
    std::vector<std::uint8_t> parameters;
    Need need = Need::must;
    void (HciHost::*answered)(std::span<const std::uint8_t> result) = nullptr;
  };
  // Of each way to scan.
  struct Way {
    bool possible = false;   // by the controller's features and the configuration
    bool refused = false;    // it says it can, and then cannot
    bool had_a_try = false;  // in an air where another way heard something
  };

  void recover(const std::string& why, const Now& now);
  void fail(const std::string& why);
  void recover_from_silence(const std::string& why, const Now& now);
  Way& of(ScanWay way) { return ways_[static_cast<std::size_t>(way)]; }
  bool usable(ScanWay way) { return of(way).possible && !of(way).refused; }
  std::optional<ScanWay> other_way();
  void take_way(ScanWay way);
  void refused(const Command& command, const Now& now);
  void queue(Command command) { queue_.push_back(std::move(command)); }
  void send_next(const Now& now);
  void answer(std::uint16_t opcode, std::uint8_t status, std::span<const std::uint8_t> result,
              const Now& now);
  void on_commands(std::span<const std::uint8_t> result);
  void on_features(std::span<const std::uint8_t> result);
  void on_advertising(std::span<const std::uint8_t> result);
  void on_scanning(std::span<const std::uint8_t> result);
  void queue_setup();
  void queue_scan();
  void queue_advertising();
  void queue_advert_data(const Now& now);
  void probe(const Now& now);
  std::vector<std::uint8_t> advert_payload(const Now& now) const;
  void transmit(const Now& now);
  void heard(std::uint64_t reports, const Now& now);
  void watch(const Now& now);
  void end_window(double seconds, const Now& now);
  void try_better(const Now& now);
  bool extended() const { return way_ != ScanWay::legacy; }

  HciHostConfig config_;
  Send send_;
  HciState state_ = HciState::idle;
  std::string detail_;
  HciCounters counters_;
  AdvertIntake intake_;

  std::deque<Command> queue_;
  std::optional<Command> waiting_;
  MonoTime sent_at_;
  unsigned credits_ = 1;  // commands the controller takes now

  bool can_extended_scan_ = false;
  std::array<Way, kScanWays> ways_{};
  ScanWay way_ = ScanWay::extended_coded;
  bool proven_ = false;       // this way has heard something since it was taken
  bool tries_ = false;        // it was taken because another heard nothing
  bool parts_alone_ = false;  // the extended ways give no whole adverts, and were left for it
  bool scanning_ = false;
  bool advertising_ = false;
  bool deaf_ = false;
  bool babbles_ = false;  // it reports, and the reports say nothing
  bool eid_turn_ = false;
  MonoTime turn_since_;
  Now now_;  // of the packet being handled

  int resets_in_a_row_ = 0;
  unsigned silent_resets_ = 0;  // since something was heard
  std::optional<MonoTime> repeat_at_;
  MonoTime running_since_;
  std::optional<MonoTime> first_heard_;  // since running_since_
  MonoTime last_heard_;
  MonoTime silent_since_;  // as last_heard_, but not moved by resets
  MonoTime rate_since_;
  std::uint64_t heard_since_ = 0;
  IntakeCounters at_rate_since_;  // the counts then
  IntakeCounters at_heard_;       // the counts when something was heard last
  double expected_rate_ = 0.0;    // adverts a second: slow mean of what was heard
  double heard_rate_ = 0.0;
};

}  // namespace welcome::beacon
