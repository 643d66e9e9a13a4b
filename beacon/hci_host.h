#pragma once
// HciHost: our own Bluetooth LE host, as much of one as hearing and being heard needs. A state
// machine without clock, thread or descriptor: packets in, packets out through `send`, reports out.
//
// Resets the controller, reads what it can, sets event masks, scans passively without the duplicate
// filter (extended commands where the controller has them, else legacy), and advertises an iBeacon
// and the box's rotating EID by turns. What the controller refuses of advertising is left out; what
// it refuses of scanning, a command that is not answered or not taken, a hardware error or a deaf
// receiver is recovered from by another reset, and when that does not help the host has failed:
// open the transport again and start() over. Core Specification 5.4, Vol 4, Part E: sections named
// at each command in the .cpp.

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "beacon/advert.h"
#include "beacon/assembler.h"
#include "beacon/hci_events.h"
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
  // often, and set up anew after so long a silence, whatever was expected.
  std::chrono::milliseconds probe_every{5000};
  std::chrono::minutes longest_silence{10};
  int resets_before_failure = 3;
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
  HciReportCounters reports;
};

class HciHost {
 public:
  using Send = std::function<void(std::span<const std::uint8_t> packet)>;  // with H4 type

  // `expected_per_second`: what the host before this one on the same air expected.
  HciHost(HciHostConfig config, Send send, double expected_per_second = 0.0);

  void start(const Now& now);
  void receive(std::span<const std::uint8_t> packet, const Now& now,
               std::vector<AdvertReport>& reports);
  void tick(const Now& now);  // every 100 ms or so

  HciState state() const { return state_; }
  const std::string& detail() const { return detail_; }  // why it failed or had to start over
  // Set up, but nothing heard since a stall, while something still is to be expected.
  bool deaf() const { return deaf_; }
  const HciCounters& counters() const { return counters_; }
  const AssemblerCounters& assembler_counters() const { return assembler_.counters(); }
  double expected_per_second() const { return expected_rate_; }
  double heard_per_second() const { return heard_rate_; }
  bool extended_scan() const { return extended_scan_; }
  bool advertising() const { return advertising_; }

 private:
  enum class Need : std::uint8_t { must, may };
  struct Command {
    std::uint16_t opcode = 0;
    std::vector<std::uint8_t> parameters;
    Need need = Need::must;
    void (HciHost::*answered)(std::span<const std::uint8_t> result) = nullptr;
  };

  void recover(const std::string& why, const Now& now);
  void queue(Command command) { queue_.push_back(std::move(command)); }
  void send_next(const Now& now);
  void answer(std::uint16_t opcode, std::uint8_t status, std::span<const std::uint8_t> result,
              const Now& now);
  void on_commands(std::span<const std::uint8_t> result);
  void on_features(std::span<const std::uint8_t> result);
  void on_advertising(std::span<const std::uint8_t> result);
  void on_scanning(std::span<const std::uint8_t> result);
  void queue_scan();
  void queue_advertising();
  void queue_advert_data(const Now& now);
  void probe(const Now& now);
  std::vector<std::uint8_t> advert_payload(const Now& now) const;
  void watch_rate(const Now& now);

  HciHostConfig config_;
  Send send_;
  HciState state_ = HciState::idle;
  std::string detail_;
  HciCounters counters_;
  AdvertAssembler assembler_;

  std::deque<Command> queue_;
  std::optional<Command> waiting_;
  MonoTime sent_at_;
  unsigned credits_ = 1;  // commands the controller takes now

  bool can_extended_scan_ = false;
  bool can_extended_advertising_ = false;
  bool can_coded_phy_ = false;
  bool extended_refused_ = false;  // it says it can, and then cannot
  bool extended_scan_ = false;
  bool scanning_ = false;
  bool advertising_ = false;
  bool deaf_ = false;
  bool eid_turn_ = false;
  MonoTime turn_since_;
  Now now_;  // of the packet being handled

  int resets_in_a_row_ = 0;
  MonoTime running_since_;
  MonoTime last_heard_;
  MonoTime silent_since_;  // as last_heard_, but not moved by resets
  MonoTime rate_since_;
  std::uint64_t heard_since_ = 0;
  double expected_rate_ = 0.0;  // adverts a second: slow mean of what was heard
  double heard_rate_ = 0.0;
};

}  // namespace welcome::beacon
