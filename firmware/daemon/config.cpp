#include "firmware/daemon/config.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <fstream>
#include <iostream>
#include <sstream>

namespace welcome::daemon {

namespace po = boost::program_options;
namespace fs = std::filesystem;

namespace {

constexpr const char* kDefaultFile = "/etc/welcomed/welcomed.conf";

// Checks a value's range; the message names key, value and what is allowed.
template <class T>
auto in_range(std::string key, T low, T high) {
  return [=, key = std::move(key)](const T& value) {
    if (value < low || value > high) {
      std::ostringstream text;
      text << key << " = " << value << " is out of range (" << low << " … " << high << ")";
      throw ConfigError(text.str());
    }
  };
}

auto one_of(std::string key, std::vector<std::string> allowed) {
  return [key = std::move(key), allowed = std::move(allowed)](const std::string& value) {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
    std::string text = key + " = " + value + " is not one of";
    for (const auto& word : allowed) text += " " + word;
    throw ConfigError(text);
  };
}

// A word that may stand in an MQTT topic.
auto topic_word(const char* key) {
  return [key](const std::string& value) {
    if (value.empty() || value.find_first_of("/+# \t") != std::string::npos) {
      throw ConfigError(std::string(key) + " = '" + value +
                        "' cannot be used in a topic (empty, space, '/', '+' or '#')");
    }
  };
}

// The keys of a camera. Those of [camera] have defaults; [camera.NAME] takes the rest from there.
void add_camera_keys(po::options_description& options, const std::string& section, CameraConfig& c,
                     bool defaults) {
  const auto add = [&](const char* key, const char* what, auto* target, auto fallback, auto check) {
    const std::string name = section + "." + key;
    auto* value = po::value(target)->notifier(check(name));
    if (defaults) value->default_value(fallback);
    options.add_options()(name.c_str(), value, what);
  };
  const auto anything = [](const std::string&) { return [](const std::string&) {}; };
  const auto words = [](const std::vector<std::string>& allowed) {
    return [allowed](const std::string& name) { return one_of(name, allowed); };
  };
  const auto pixels = [](const std::string& name) { return in_range(name, 64, 8192); };
  add("source",
      "where pictures come from: none, file (a recorded video), v4l2 (a camera at this box) or "
      "rtsp (one in the network)",
      &c.source, std::string("none"), words({"none", "file", "v4l2", "rtsp"}));
  add("path",
      "video file, device such as /dev/video0, or rtsp://HOST/…; a stream's user:password is the "
      "credential camera-NAME (camera-main)",
      &c.path, std::string(), anything);
  add("width", "pixels to ask a v4l2 camera for", &c.width, 1280, pixels);
  add("height", "pixels to ask a v4l2 camera for", &c.height, 720, pixels);
  add("fps", "pictures looked at per second, at most", &c.fps, 15.0,
      [](const std::string& name) { return in_range(name, 1.0, 60.0); });
  add("zone", "where somebody is whom this camera recognises: desk, inside or door", &c.zone,
      std::string("desk"), words({"desk", "inside", "door"}));
}

// "07:00-22:30"; nothing if it is no such span.
std::optional<DayHours> hours_of(const std::string& text) {
  DayHours hours;
  int h1 = 0;
  int m1 = 0;
  int h2 = 0;
  int m2 = 0;
  char beyond = 0;
  if (std::sscanf(text.c_str(), "%2d:%2d-%2d:%2d%c", &h1, &m1, &h2, &m2, &beyond) != 4 || h1 < 0 ||
      h1 > 23 || h2 < 0 || h2 > 24 || m1 < 0 || m1 > 59 || m2 < 0 || m2 > 59) {
    return std::nullopt;
  }
  hours.from = std::chrono::hours(h1) + std::chrono::minutes(m1);
  hours.to = std::chrono::hours(h2) + std::chrono::minutes(m2);
  return hours;
}

// c.cameras: that of [camera], then one for each section [camera.NAME].
po::options_description file_options(Config& c) {
  po::options_description options("Configuration keys");
  auto add = options.add_options();
  const auto text = [](std::string* target, const std::string& fallback) {
    return po::value<std::string>(target)->default_value(fallback);
  };
  const auto path = [](fs::path* target, const std::string& fallback) {
    return po::value<std::string>()->default_value(fallback)->notifier(
        [target](const std::string& value) { *target = value; });
  };
  const auto broker = [&](const std::string& section, BrokerConfig* b, std::uint16_t port,
                          const char* what) {
    const auto key = [&](const char* name) { return section + "." + name; };
    options.add_options()(key("host").c_str(), text(&b->host, "127.0.0.1"), what)(
        key("port").c_str(), po::value<std::uint16_t>(&b->port)->default_value(port), "its port")(
        key("user").c_str(), text(&b->user, ""),
        ("account; the password is the credential " + section + "-password").c_str())(
        key("tls_ca").c_str(), text(&b->tls_ca, ""),
        "file with the CA certificate; empty = no TLS, for a broker on this machine only")(
        key("tls_cert").c_str(), text(&b->tls_cert, ""), "file with the client certificate")(
        key("tls_key").c_str(), text(&b->tls_key, ""), "file with the client certificate's key");
  };

  add("box.tenant", text(&c.tenant, ""), "the company, as in the MQTT topics");
  add("box.store", text(&c.store, ""), "the store this box hangs in");
  add("box.id", text(&c.box, ""), "this box");
  add("box.state_dir", path(&c.state_dir, "/var/lib/welcomed"), "where the database lives");
  add("box.control_socket", path(&c.control_socket, "/run/welcomed/control.sock"),
      "socket that welcomectl speaks to");
  add("box.log_level",
      text(&c.log_level, "info")
          ->notifier(one_of("box.log_level", {"debug", "info", "warning", "error"})),
      "debug, info, warning or error");

  broker("uplink", &c.uplink, 8883, "central broker, towards the CRM");
  broker("floor", &c.floor, 1883, "broker in the store, towards the tablets");
  add("floor.shared", po::value<bool>(&c.floor_shared)->default_value(false, "no"),
      "other boxes of this store use the same floor broker: offers are agreed upon with them");

  add("radio.source",
      text(&c.radio_source, "none")->notifier(one_of("radio.source", {"none", "hci", "btsnoop"})),
      "where adverts come from: none, hci (a controller, for ourselves alone), bluez (where "
      "bluetoothd must keep it; hears less) or btsnoop (a recorded capture)");
  add("radio.device", text(&c.radio_device, "hci0"),
      "hciN; for source = hci also a serial line such as /dev/ttyAMA1, or unix:SOCKET");
  add("radio.baud", po::value<unsigned>(&c.radio_baud)->default_value(0),
      "speed of a serial line; 0 = leave it as it is");
  add("radio.ibeacon", text(&c.radio_ibeacon, ""),
      "UUID:MAJOR:MINOR that the box advertises to wake apps in pockets; empty = nothing");
  add("radio.advertise_eid", po::value<bool>(&c.radio_advertise_eid)->default_value(false, "no"),
      "advertise the box's rotating EID, by which a phone proves that it was here");
  const auto whole = [&](const char* key, int* target, int fallback, int low, int high,
                         const char* what) {
    add(key, po::value<int>(target)->default_value(fallback)->notifier(in_range(key, low, high)),
        what);
  };
  whole("radio.advertise_interval_ms", &c.radio_advertise_interval_ms, 100, 100, 10240,
        "how often the box advertises");
  whole("radio.advertise_power_1m_dbm", &c.radio_advertise_power_1m_dbm, -59, -100, 20,
        "what a phone hears of the box at one metre; the adverts say it");
  add("radio.tx_power_dbm",
      po::value<int>(&c.radio_tx_power_dbm)
          ->default_value(127, "the controller's")
          ->notifier([](const int& value) {
            if (value != 127) in_range("radio.tx_power_dbm", -127, 20)(value);
          }),
      "transmit power, where the controller has extended advertising");
  whole("radio.scan_interval_ms", &c.radio_scan_interval_ms, 60, 3, 10240,
        "how often the scan changes its channel");
  whole("radio.scan_window_ms", &c.radio_scan_window_ms, 60, 3, 10240,
        "how much of each interval it listens; all of it hears most");
  add("radio.coded_phy", po::value<bool>(&c.radio_coded_phy)->default_value(false, "no"),
      "listen on the coded PHY too, where the controller can; halves the time for the other");
  add("radio.file", path(&c.radio_file, ""), "the capture, for source = btsnoop");
  add("radio.leave_after_s",
      po::value<int>(&c.radio_leave_after_s)
          ->default_value(20)
          ->notifier(in_range("radio.leave_after_s", 2, 600)),
      "a customer not heard for so long has left");
  const auto metres = [&](const char* key, double* target, double fallback, const char* what) {
    add(key,
        po::value<double>(target)->default_value(fallback)->notifier(in_range(key, 0.5, 100.0)),
        what);
  };
  metres("zones.desk_m", &c.zone_desk_m, 2.5, "outer edge of the zone desk, by signal (walk test)");
  metres("zones.inside_m", &c.zone_inside_m, 6, "outer edge of the zone inside");
  metres("zones.door_m", &c.zone_door_m, 10, "outer edge of the zone door");
  metres("zones.street_m", &c.zone_street_m, 30, "outer edge of the zone street; beyond is away");
  add("zones.path_loss_exponent",
      po::value<double>(&c.path_loss_exponent)
          ->default_value(2.2, "2.2")
          ->notifier(in_range("zones.path_loss_exponent", 1.0, 6.0)),
      "how fast the signal fades: 2 in free space, 3 to 4 between walls");
  add("zones.box",
      text(&c.zone_of_box, "")
          ->notifier(one_of("zones.box", {"", "street", "door", "inside", "desk"})),
      "where several boxes share a store: the zone this one stands in (street, door, inside or "
      "desk); needs the credential store-key. Empty = this box is alone");

  add("visits.end_after_s",
      po::value<int>(&c.visit_end_after_s)
          ->default_value(120)
          ->notifier(in_range("visits.end_after_s", 5, 3600)),
      "who has been away for so long has ended the visit");

  add_camera_keys(options, "camera", c.cameras.front(), true);
  for (std::size_t i = 1; i < c.cameras.size(); ++i) {
    add_camera_keys(options, "camera." + c.cameras[i].name, c.cameras[i], false);
  }
  add("camera.wake",
      text(&c.camera_wake, "nearby")
          ->notifier(one_of("camera.wake", {"nearby", "hours", "always"})),
      "nearby: look only while a consenting, enrolled customer is near; hours and always: for "
      "everybody enrolled, where the law of the place allows it");
  add("camera.hours",
      po::value<std::string>()->default_value("")->notifier([&c](const std::string& value) {
        if (value.empty()) return;
        c.camera_hours = hours_of(value);
        if (!c.camera_hours) {
          throw ConfigError("camera.hours = " + value + " is not a span such as 07:00-22:30");
        }
      }),
      "for wake = hours: from when to when, such as 07:00-22:30, in the store's local time");

  add("vision.models_dir", path(&c.models_dir, "/usr/share/welcomed/models"), "the face models");
  add("vision.pack",
      text(&c.model_pack, "best")->notifier(one_of("vision.pack", {"best", "known-origin"})),
      "which set of models; see docs/evaluation.md for what is known of each");

  add("vision.false_match_rate",
      po::value<double>(&c.false_match_rate)
          ->default_value(1e-5, "0.00001")
          ->notifier(in_range("vision.false_match_rate", 1e-7, 1e-2)),
      "how often a stranger's view may be taken for somebody of the gallery");
  add("vision.liveness", po::value<bool>(&c.liveness)->default_value(true, "yes"),
      "a face that looks like a picture of one, or that cannot be judged, is neither enrolled nor "
      "recognised; needs a pack with a liveness model");
  add("vision.agreeing_views",
      po::value<int>(&c.agreeing_views)
          ->default_value(2)
          ->notifier(in_range("vision.agreeing_views", 1, 10)),
      "views of a face that must name the same customer before anything happens");
  add("vision.min_face_px",
      po::value<int>(&c.min_face_px)
          ->default_value(45)
          ->notifier(in_range("vision.min_face_px", 24, 400)),
      "smaller faces are not compared; below 45 mistakes grow quickly");
  add("vision.far_faces", po::value<bool>(&c.far_faces)->default_value(false, "no"),
      "also find faces down to 24 pixels of a 720p picture, where something moves; costs up to "
      "five times the search");

  add("consent.max_age_h",
      po::value<int>(&c.consent_max_age_h)
          ->default_value(72)
          ->notifier(in_range("consent.max_age_h", 1, 24 * 90)),
      "no word from the CRM for so long means: nobody consents");

  add("consent.crm_keys", path(&c.crm_keys, ""),
      "file with the CRM's public keys (welcome-crm sign-keys); then unsigned consents, commands "
      "and "
      "control messages are refused");

  add("recording.days",
      po::value<int>(&c.recording_days)
          ->default_value(0)
          ->notifier(in_range("recording.days", 0, 90)),
      "keep for so many days what decisions were made from, for welcomectl replay; 0 = record "
      "nothing");

  add("replay.epoch_ms", po::value<std::int64_t>(&c.replay_epoch_ms)->default_value(0),
      "Unix time at which recorded input starts to play; 0 = live input, the machine's clock");
  add("replay.start_ms", po::value<std::int64_t>(&c.replay_start_ms)->default_value(0),
      "Unix time of the recording's first moment");
  add("replay.speed",
      po::value<double>(&c.replay_speed)
          ->default_value(1.0)
          ->notifier(in_range("replay.speed", 0.1, 100.0)),
      "pace of recorded input; 1 = as recorded");
  return options;
}

struct Arguments {
  std::string config_file;
  bool check = false, help = false, version = false, describe = false;
};

po::options_description program_options(Arguments& a) {
  po::options_description options("Options");
  options.add_options()("config,c",
                        po::value<std::string>(&a.config_file)->default_value(kDefaultFile),
                        "configuration file; conf.d/*.conf beside it is read too")(
      "check", po::bool_switch(&a.check), "read the configuration, say what is wrong, and end")(
      "describe-options", po::bool_switch(&a.describe),
      "print the configuration reference as Markdown")(
      "help,h", po::bool_switch(&a.help), "print this")("version", po::bool_switch(&a.version),
                                                        "print the version");
  return options;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Boost's own file parser knows no line numbers, so it gets one line at a time.
void read_file(const fs::path& file, const po::options_description& options,
               std::vector<po::parsed_options>& parsed) {
  std::ifstream in(file);
  if (!in) {
    throw ConfigError(file.string() + ": cannot be read; name another with --config");
  }
  std::string section;
  std::string raw;
  for (int number = 1; std::getline(in, raw); ++number) {
    const std::string line = trimmed(raw.substr(0, raw.find('#')));
    if (line.empty()) continue;
    const std::string where = file.string() + ":" + std::to_string(number) + ": ";
    if (line.front() == '[') {
      if (line.back() != ']') throw ConfigError(where + "section without ']'");
      section = line.substr(1, line.size() - 2);
      continue;
    }
    std::string alone = line + '\n';
    if (!section.empty()) alone.insert(0, '[' + section + "]\n");
    std::istringstream one(alone);
    try {
      auto result = po::parse_config_file(one, options);
      // Convert now, into a map of its own, so that a bad value is reported with its line.
      po::variables_map scratch;
      po::store(result, scratch);
      const auto& key = result.options.front().string_key;
      const auto* semantic = options.find(key, false).semantic().get();
      semantic->notify(scratch[key].value());
      parsed.push_back(std::move(result));
    } catch (const po::unknown_option& e) {
      throw ConfigError(where + "unknown key '" + e.get_option_name() +
                        "'; welcomed --help lists all keys");
    } catch (const ConfigError& e) {
      throw ConfigError(where + e.what());
    } catch (const po::error& e) {
      throw ConfigError(where + e.what());
    }
  }
}

void check_camera(const CameraConfig& camera) {
  if (camera.path.empty()) {
    throw ConfigError("camera " + camera.name + ": source = " + camera.source + " needs path");
  }
  if (camera.source != "rtsp") return;
  const auto scheme = camera.path.find("://");
  const auto kind = camera.path.substr(0, scheme);
  if (scheme == std::string::npos || (kind != "rtsp" && kind != "rtsps")) {
    throw ConfigError("camera " + camera.name + ": path is no rtsp:// or rtsps:// address");
  }
  const auto host = camera.path.substr(scheme + 3);
  if (host.substr(0, host.find('/')).find('@') != std::string::npos) {
    throw ConfigError("camera " + camera.name +
                      ": the password does not belong into the configuration; hand user:password "
                      "over as the credential camera-" +
                      camera.name);
  }
}

// The names of all sections [camera.NAME].
std::vector<std::string> camera_names(const std::vector<fs::path>& files) {
  std::vector<std::string> names;
  for (const fs::path& file : files) {
    std::ifstream in(file);
    std::string raw;
    for (int number = 1; std::getline(in, raw); ++number) {
      const std::string line = trimmed(raw.substr(0, raw.find('#')));
      if (!line.starts_with("[camera.") || line.back() != ']') continue;
      const std::string name = line.substr(8, line.size() - 9);
      if (name.empty() || name.size() > 32 ||
          name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
        throw ConfigError(file.string() + ":" + std::to_string(number) +
                          ": a camera's name has 1 to 32 of a-z, 0-9 and -");
      }
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

// What [camera.NAME] does not say, [camera] says.
void inherit(Config& config, const po::variables_map& values) {
  const CameraConfig common = config.cameras.front();
  for (std::size_t i = 1; i < config.cameras.size(); ++i) {
    CameraConfig& camera = config.cameras[i];
    const auto take = [&](const char* key, auto field) {
      if (values.count("camera." + camera.name + "." + key) == 0) camera.*field = common.*field;
    };
    take("source", &CameraConfig::source);
    take("path", &CameraConfig::path);
    take("width", &CameraConfig::width);
    take("height", &CameraConfig::height);
    take("fps", &CameraConfig::fps);
    take("zone", &CameraConfig::zone);
  }
  if (config.cameras.size() > 1) config.cameras.erase(config.cameras.begin());
  std::erase_if(config.cameras, [](const CameraConfig& c) { return c.source == "none"; });
}

void check_whole(const Config& c) {
  topic_word("box.tenant")(c.tenant);
  topic_word("box.store")(c.store);
  topic_word("box.id")(c.box);
  if (c.radio_source == "btsnoop" && !c.replaying()) {
    throw ConfigError(
        "radio.source = btsnoop needs replay.epoch_ms: a recording has its own clock");
  }
  if (c.radio_source == "bluez" && (c.radio_advertise_eid || !c.radio_ibeacon.empty())) {
    throw ConfigError("radio.source = bluez does not advertise: no ibeacon, no advertise_eid");
  }
  if (c.radio_scan_window_ms > c.radio_scan_interval_ms) {
    throw ConfigError("radio: scan_window_ms <= scan_interval_ms must hold");
  }
  for (const CameraConfig& camera : c.cameras) check_camera(camera);
  if (c.camera_wake == "hours" && !c.camera_hours) {
    throw ConfigError("camera.wake = hours needs camera.hours");
  }
  if (!(c.zone_desk_m < c.zone_inside_m && c.zone_inside_m < c.zone_door_m &&
        c.zone_door_m < c.zone_street_m)) {
    throw ConfigError("zones: desk_m < inside_m < door_m < street_m must hold");
  }
}

std::vector<fs::path> files_of(const std::string& main_file) {
  std::vector<fs::path> files{main_file};
  const fs::path drop_ins = fs::path(main_file).parent_path() / "conf.d";
  std::error_code none;
  std::vector<fs::path> more;
  for (const auto& entry : fs::directory_iterator(drop_ins, none)) {
    if (entry.path().extension() == ".conf") more.push_back(entry.path());
  }
  std::sort(more.begin(), more.end());
  files.insert(files.end(), more.begin(), more.end());
  return files;
}

}  // namespace

CommandLine read_config(int argc, const char* const* argv) {
  CommandLine result;
  Arguments arguments;
  const auto own = program_options(arguments);
  po::variables_map values;
  try {
    // The file's name may be on the line, and which cameras there are stands in the file.
    po::variables_map first;
    po::store(po::command_line_parser(argc, argv).options(own).allow_unregistered().run(), first);
    po::notify(first);
    if (arguments.help) result.action = CommandLine::Action::help;
    if (arguments.version) result.action = CommandLine::Action::version;
    if (arguments.describe) result.action = CommandLine::Action::describe_options;
    if (result.action != CommandLine::Action::run) return result;
    if (arguments.check) result.action = CommandLine::Action::check_config;

    const auto files = files_of(arguments.config_file);
    result.config.cameras.resize(1);
    for (const auto& name : camera_names(files)) {
      result.config.cameras.emplace_back().name = name;
    }
    const auto keys = file_options(result.config);
    po::options_description all;
    all.add(own).add(keys);
    const auto from_line = po::parse_command_line(argc, argv, all);
    // The first value of a key holds, as in po::store.
    const auto note_given = [&](const po::parsed_options& parsed) {
      for (const auto& option : parsed.options) {
        if (keys.find_nothrow(option.string_key, false) == nullptr || option.value.empty())
          continue;
        result.given.emplace(option.string_key, option.value.front());
      }
    };
    po::store(from_line, values);
    note_given(from_line);
    std::vector<po::parsed_options> from_files;
    for (const auto& file : files) read_file(file, keys, from_files);
    // po::store keeps the first value of a key: the line is stored already, then the last file.
    for (auto parsed = from_files.rbegin(); parsed != from_files.rend(); ++parsed) {
      po::store(*parsed, values);
      note_given(*parsed);
    }
    po::notify(values);
  } catch (const po::error& e) {
    throw ConfigError(e.what());
  }
  inherit(result.config, values);
  check_whole(result.config);
  return result;
}

void print_help(std::ostream& out) {
  Config config;
  config.cameras.resize(1);
  Arguments arguments;
  out << "welcomed greets the customers who asked for it.\n\n"
      << "Usage: welcomed [--config FILE] [--KEY=VALUE …]\n\n"
      << program_options(arguments) << "\n"
      << file_options(config) << "\n"
      << "In a file, keys stand in sections: [radio] then source = btsnoop. Several cameras have a "
         "section each, [camera.NAME].\n"
      << "SIGHUP reads box.log_level, zones.* and the CRM's keys again. Exit codes: 0 clean stop, "
         "1 failure, 2 configuration.\n";
}

void print_markdown_reference(std::ostream& out) {
  Config config;
  config.cameras.resize(1);
  out << "| key | default | what |\n|---|---|---|\n";
  const auto keys = file_options(config);
  for (const auto& option : keys.options()) {
    boost::any fallback;
    std::string shown = "none";
    if (option->semantic()->apply_default(fallback)) {
      // The textual form stands in the parameter's name: "arg (=15)".
      const std::string name = option->format_parameter();
      const auto from = name.find("(=");
      if (from != std::string::npos) shown = name.substr(from + 2, name.rfind(')') - from - 2);
      if (shown.empty()) shown = "none";
    }
    out << "| `" << option->long_name() << "` | " << shown << " | " << option->description()
        << " |\n";
  }
}

}  // namespace welcome::daemon
