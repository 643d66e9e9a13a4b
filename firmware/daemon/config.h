// SPDX-License-Identifier: Apache-2.0
#pragma once
// Configuration of welcomed: one file, `conf.d/*.conf` beside it in name order, then the command
// line; later values win. INI syntax, units in the key.
//
// Unknown keys and sections, values of the wrong type or out of range, and what does not fit
// together are errors that name file and line, all of them at once. settings.h has the keys.
// Secrets are not here: they are systemd credentials (see credentials.h). Start-up only: throws
// ConfigError.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/campaign.h"
#include "firmware/daemon/config_machine.h"
#include "firmware/engine/words.h"

namespace welcome::daemon {

// One line for each thing that is wrong.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct BrokerConfig {
  std::string host;
  std::uint16_t port = 0;
  std::string user;      // the password is a credential
  bool plain = false;    // without TLS also to another machine
  std::string tls_ca;    // file; empty = no TLS, loopback only
  std::string tls_cert;  // file; empty = no client certificate
  std::string tls_key;   // file
};

// A camera: its own section [camera.NAME], which starts from what [camera] says; without any such
// section there is one camera, "main", and it is what [camera] says.
struct CameraConfig {
  std::string name = "main";
  CameraSource source = CameraSource::none;
  std::string path;  // the password of an RTSP stream is the credential camera-NAME
  int width = 0;
  int height = 0;
  double fps = 0;
  Zone zone = Zone::desk;  // where somebody is whom it recognises
  QuarterTurns rotate = QuarterTurns::none;
};

struct Config {
  // [box]
  std::string tenant, store, box;
  std::filesystem::path state_dir;
  std::filesystem::path control_socket;
  LogLevel log_level = LogLevel::info;

  BrokerConfig uplink, floor;
  bool floor_shared = false;

  // [radio]
  RadioSource radio_source = RadioSource::none;
  std::filesystem::path radio_file;
  std::string radio_device;   // hciN or an address; hci also: a serial line, or unix:PATH
  unsigned radio_baud = 0;    // serial line
  std::string radio_ibeacon;  // hci: UUID:MAJOR:MINOR that wakes apps; empty = none
  bool radio_advertise_eid = false;
  int radio_advertise_interval_ms = 100;
  int radio_advertise_power_1m_dbm = -59;  // what a phone hears of it at 1 m
  int radio_tx_power_dbm = 127;            // 127 = the controller's choice
  int radio_scan_interval_ms = 60, radio_scan_window_ms = 60;
  bool radio_coded_phy = false;
  int radio_leave_after_s = 20;

  // [zones], metres by path loss
  double zone_desk_m = 0, zone_inside_m = 0, zone_door_m = 0, zone_street_m = 0;
  double path_loss_exponent = 0;
  std::optional<Zone> zone_of_box;  // where this box stands; nothing = it is alone in its store

  // [visits]
  int visit_end_after_s = 120;

  // [camera] and [camera.NAME]; no two of one name, none with the source none
  std::vector<CameraConfig> cameras;
  CameraWake camera_wake = CameraWake::nearby;
  std::optional<DayHours> camera_hours;  // for CameraWake::hours; the store's local time

  // [vision]
  std::filesystem::path models_dir;
  ModelPackName model_pack = ModelPackName::any;
  double false_match_rate = 1e-4;
  bool liveness = true;
  int agreeing_views = 2;
  int min_face_px = 45;
  bool far_faces = false;

  // [consent]
  int consent_max_age_h = 72;
  std::filesystem::path crm_keys;  // the CRM's public keys; empty = none is pinned
  bool consent_unsigned = false;   // signatures are not asked for

  // [staff]
  int staff_lock_after_min = 10;
  int staff_session_h = 12;

  // [recording]
  int recording_days = 0;  // how long what was decided upon is kept; 0 = not recorded

  // [replay]: recorded input plays against a clock of its own
  std::int64_t replay_epoch_ms = 0;  // real time (Unix) at which the recording starts; 0 = live
  std::int64_t replay_start_ms = 0;  // wall time (Unix) of the recording's first moment
  double replay_speed = 1.0;

  bool replaying() const { return replay_epoch_ms != 0; }
};

// A setting as it stands: where nothing is given, it has its default.
struct SettingState {
  std::string name;             // "radio.source"
  std::string value, fallback;  // as they stand in a file; no password
  std::string where;            // "/etc/welcomed/welcomed.conf:7"; empty: nowhere
  bool reloads = false;         // a reload is enough
};

// Of all that is otherwise on the disk than in force: key, in_force, on_disk, needs.
nlohmann::json differences(const std::vector<SettingState>& in_force,
                           const std::vector<SettingState>& on_disk);
// Puts in force what a reload is enough for, and that alone. No camera's.
void take_over(const std::vector<SettingState>& on_disk, std::vector<SettingState>& in_force,
               Config& config);

// A key that is called otherwise today: it counts, and a check says so.
struct FormerKey {
  std::string_view then, now;  // "radio.adapter", "radio.device"
};
std::span<const FormerKey> former_keys();

struct CommandLine {
  enum class Action { run, check_config, settings, help, version, describe_options };
  Action action = Action::run;
  Config config;
  std::map<std::string, std::string> given;  // what was not left to its default, as text
  // Files that the configuration names and nobody can read, each with its place. They may come yet,
  // so that a start goes on; a check does not.
  // A check says here what else the machine does not have.
  std::vector<std::string> unreadable;
  std::vector<std::string> notes;  // what is good for now, and somebody should look at
  std::vector<std::string> wrong;  // Action::settings only: all others throw
  std::vector<SettingState> settings;
};

// What the command line wants. Throws nothing.
CommandLine::Action action_of(int argc, const char* const* argv);
// Reads argv and the files it names. Throws ConfigError. `machine`: a check looks at it, too.
CommandLine read_config(int argc, const char* const* argv,
                        const std::optional<Machine>& machine = std::nullopt,
                        std::span<const FormerKey> former = former_keys());

// The answer to --settings: JSON for welcomectl.
void print_settings(const CommandLine& line, std::ostream& out);

void print_help(std::ostream& out);
// The reference of all keys, as it stands in docs/configuration.md.
void print_markdown_reference(std::ostream& out);

}  // namespace welcome::daemon
