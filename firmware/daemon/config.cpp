// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/config.h"

#include <algorithm>
#include <initializer_list>
#include <ostream>
#include <string_view>
#include <unistd.h>

#include "core/nearest.h"
#include "firmware/control/wrapped.h"
#include "firmware/daemon/config_file.h"
#include "firmware/daemon/settings.h"
#include "mqtt/loopback.h"

namespace welcome::daemon {

namespace fs = std::filesystem;

namespace {

constexpr const char* kDefaultFile = "/etc/welcomed/welcomed.conf";
constexpr const char* kCommandLine = "command line";
constexpr std::string_view kCameraSection = "camera.";

// ---- the command line

struct Option {
  std::string_view name, letter, what;
  CommandLine::Action action;
};
constexpr Option kOptions[] = {
    {"--check", "", "read the configuration, say all that is wrong, and end",
     CommandLine::Action::check_config},
    {"--describe-options", "", "print the configuration reference as Markdown",
     CommandLine::Action::describe_options},
    {"--help", "-h", "print this", CommandLine::Action::help},
    {"--version", "", "print the version", CommandLine::Action::version},
};

struct Arguments {
  CommandLine::Action action = CommandLine::Action::run;
  std::string file = kDefaultFile;
  std::vector<Given> keys;
  std::vector<std::string> wrong;
};

std::string unknown_option(std::string_view name) {
  std::vector<std::string_view> known{"--config"};
  for (const Option& option : kOptions) known.push_back(option.name);
  return "unknown option '" + std::string(name) + "'" + did_you_mean(name, known);
}

// "--radio.source=hci" and "--radio.source hci"; the value of `argument` or the next word.
Arguments read_arguments(int argc, const char* const* argv) {
  Arguments result;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const auto* option = std::find_if(std::begin(kOptions), std::end(kOptions), [&](const auto& o) {
      return argument == o.name || (!o.letter.empty() && argument == o.letter);
    });
    if (option != std::end(kOptions)) {
      result.action = option->action;
      continue;
    }
    const auto dot = name.rfind('.');
    const bool is_key = name.starts_with("--") && dot != std::string::npos;
    if (name != "--config" && name != "-c" && !is_key) {
      result.wrong.push_back(unknown_option(name));
      continue;
    }
    if (equals == std::string::npos && i + 1 == argc) {
      result.wrong.push_back(name + " needs a value");
      continue;
    }
    const std::string value = equals == std::string::npos ? argv[++i] : argument.substr(equals + 1);
    if (is_key) {
      result.keys.push_back({name.substr(2, dot - 2), name.substr(dot + 1), value, kCommandLine});
    } else {
      result.file = value;
    }
  }
  return result;
}

// ---- from text to a configuration

// Puts together what stands in the files and on the line, and gathers all that is wrong with it.
class Reading {
 public:
  explicit Reading(const Arguments& arguments) : file_(arguments.file), wrong_(arguments.wrong) {
    for (const auto& file : config_files(arguments.file)) read_config_file(file, text_);
    wrong_.insert(wrong_.end(), text_.wrong.begin(), text_.wrong.end());
    text_.values.insert(text_.values.end(), arguments.keys.begin(), arguments.keys.end());
    find_cameras();
    sections_ = config_sections(cameras_);
    check_headers();
    sort_values();
    apply();
  }

  void check_together();
  std::vector<std::string> unreadable() const;

  const std::vector<std::string>& wrong() const { return wrong_; }
  Config& config() { return config_; }
  std::map<std::string, std::string> given() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, given] : given_) out.emplace(name, given.value);
    return out;
  }

 private:
  // Of all sections [camera.NAME], and of --camera.NAME.key for one that a file knows.
  void find_cameras() {
    for (const Given& header : text_.sections) {
      if (!header.section.starts_with(kCameraSection)) continue;
      const std::string name = header.section.substr(kCameraSection.size());
      if (name.empty() || name.size() > 32 ||
          name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
        wrong_.push_back(header.where + ": a camera's name has 1 to 32 of a-z, 0-9 and -");
        bad_sections_.push_back(header.section);
      } else if (std::find(cameras_.begin(), cameras_.end(), name) == cameras_.end()) {
        cameras_.push_back(name);
        headers_.emplace(header.section, header.where);
      }
    }
  }

  const Section* section(std::string_view name) const {
    const auto found = std::find_if(sections_.begin(), sections_.end(),
                                    [&](const Section& s) { return s.name == name; });
    return found == sections_.end() ? nullptr : &*found;
  }

  // Says it once for each header, also where nothing follows.
  void check_headers() {
    for (const Given& header : text_.sections) {
      if (section(header.section) != nullptr || is_bad(header.section)) continue;
      wrong_.push_back(header.where + ": unknown section [" + header.section + "]" +
                       did_you_mean(header.section, section_names()));
      bad_sections_.push_back(header.section);
    }
  }

  bool is_bad(const std::string& name) const {
    return std::find(bad_sections_.begin(), bad_sections_.end(), name) != bad_sections_.end();
  }

  std::vector<std::string_view> section_names() const {
    std::vector<std::string_view> names;
    for (const Section& s : sections_) names.push_back(s.name);
    return names;
  }

  // Which value of each key holds: the last.
  void sort_values() {
    for (const Given& given : text_.values) {
      if (is_bad(given.section)) continue;
      const Section* home = section(given.section);
      if (home == nullptr) {
        wrong_.push_back(given.where + ": " + unknown_key(given));
        continue;
      }
      const bool known =
          std::any_of(home->settings.begin(), home->settings.end(),
                      [&](const Setting& setting) { return setting.key == given.key; });
      if (!known) {
        wrong_.push_back(given.where + ": " + unknown_key(given));
      } else {
        given_[given.name()] = given;
      }
    }
  }

  std::string unknown_key(const Given& given) const {
    if (given.section.empty()) return "'" + given.key + "' stands before the first [section]";
    std::vector<std::string> all;
    for (const Section& s : sections_) {
      for (const Setting& setting : s.settings) all.push_back(s.name + "." + setting.key);
    }
    const std::vector<std::string_view> views(all.begin(), all.end());
    return "unknown key '" + given.name() + "'" + did_you_mean(given.name(), views) +
           (nearest(given.name(), views).empty() ? "; welcomed --help lists all keys" : "");
  }

  // Defaults, then what is given. What [camera.NAME] does not say, [camera] says.
  void apply() {
    config_.cameras.resize(1 + cameras_.size());
    for (const Section& s : sections_) {
      if (const auto index = camera_index(s)) {
        config_.cameras[*index] = config_.cameras.front();
        config_.cameras[*index].name = cameras_[*index - 1];
      }
      for (const Setting& setting : s.settings) apply(s, setting);
    }
    if (config_.cameras.size() > 1) config_.cameras.erase(config_.cameras.begin());
    std::erase_if(config_.cameras,
                  [](const CameraConfig& c) { return c.source == CameraSource::none; });
  }

  std::optional<std::size_t> camera_index(const Section& s) const {
    if (!s.name.starts_with(kCameraSection)) return std::nullopt;
    const auto at =
        std::find(cameras_.begin(), cameras_.end(), s.name.substr(kCameraSection.size()));
    return static_cast<std::size_t>(at - cameras_.begin()) + 1;
  }

  void apply(const Section& s, const Setting& setting) {
    const std::string name = s.name + "." + setting.key;
    const auto found = given_.find(name);
    if (found == given_.end()) {
      if (!camera_index(s)) (void)setting.set(config_, setting.fallback);
      return;
    }
    const std::string& value = found->second.value;
    const bool quoted = value.size() > 1 && value.front() == value.back() &&
                        (value.front() == '"' || value.front() == '\'');
    const auto complaint = quoted ? "has quotes round it, which would be part of the value"
                                  : setting.set(config_, value);
    if (complaint) {
      wrong_.push_back(found->second.where + ": " + name + " = " + value + " " + *complaint);
      (void)setting.set(config_, setting.fallback);  // so that nothing else complains because of it
    }
  }

  // Where the last of some keys stands; the file as a whole when none is given.
  std::string at(std::initializer_list<std::string> names) const {
    std::string where;
    for (const std::string& name : names) {
      if (const auto found = given_.find(name); found != given_.end()) where = found->second.where;
    }
    return (where.empty() ? file_ : where) + ": ";
  }
  // Of a camera: the key in its own section, in the common one, or its section.
  std::string at_camera(const CameraConfig& camera, const std::string& key) const {
    const std::string own = std::string(kCameraSection) + camera.name;
    if (given_.contains(own + "." + key)) return at({own + "." + key});
    if (given_.contains("camera." + key)) return at({"camera." + key});
    const auto header = headers_.find(own);
    return header == headers_.end() ? at({}) : header->second + ": ";
  }

  void check_words_of_topics();
  void check_broker(const std::string& section, const BrokerConfig& broker);
  void check_radio();
  void check_camera(const CameraConfig& camera);

  const std::string file_;
  ConfigText text_;
  std::vector<std::string> wrong_;
  std::vector<std::string> cameras_;       // names of the sections [camera.NAME]
  std::vector<std::string> bad_sections_;  // complained about already
  std::map<std::string, std::string> headers_;
  std::vector<Section> sections_;
  std::map<std::string, Given> given_;  // by name; what holds
  Config config_;
};

// ---- what must fit together

void Reading::check_words_of_topics() {
  for (const auto& [name, value] : {std::pair{"box.tenant", &config_.tenant},
                                    {"box.store", &config_.store},
                                    {"box.id", &config_.box}}) {
    if (value->empty()) {
      wrong_.push_back(at({name}) + name + " is missing: it names the box in every message");
    } else if (value->find_first_of("/+# \t") != std::string::npos) {
      wrong_.push_back(at({name}) + name + " = " + *value +
                       " cannot be used in a topic (space, '/', '+' or '#')");
    }
  }
}

void Reading::check_broker(const std::string& section, const BrokerConfig& broker) {
  if (!broker.tls_ca.empty() || broker.plain || mqtt::on_this_machine(broker.host)) return;
  wrong_.push_back(at({section + ".host"}) + section + ".host = " + broker.host +
                   " is another machine: it needs " + section + ".tls_ca (or " + section +
                   ".plain = yes, and then whoever is on the way reads everything)");
}

void Reading::check_radio() {
  const Config& c = config_;
  if (c.radio_source == RadioSource::btsnoop && !c.replaying()) {
    wrong_.push_back(at({"radio.source"}) +
                     "radio.source = btsnoop needs replay.epoch_ms: a recording has its own clock");
  }
  if (c.radio_source == RadioSource::btsnoop && c.radio_file.empty()) {
    wrong_.push_back(at({"radio.source"}) + "radio.source = btsnoop needs radio.file");
  }
  if (c.radio_source == RadioSource::bluez) {
    if (c.radio_advertise_eid || !c.radio_ibeacon.empty()) {
      wrong_.push_back(at({"radio.ibeacon", "radio.advertise_eid"}) +
                       "radio.source = bluez does not advertise: no ibeacon, no advertise_eid");
    }
    if (!c.radio_device.starts_with("hci")) {
      wrong_.push_back(at({"radio.device"}) + "radio.device = " + c.radio_device +
                       " is not hciN, which radio.source = bluez needs");
    }
  }
  if (c.radio_scan_window_ms > c.radio_scan_interval_ms) {
    wrong_.push_back(at({"radio.scan_interval_ms", "radio.scan_window_ms"}) +
                     "radio: scan_window_ms <= scan_interval_ms must hold");
  }
}

void Reading::check_camera(const CameraConfig& camera) {
  const std::string who = "camera " + camera.name + ": ";
  if (camera.path.empty()) {
    wrong_.push_back(at_camera(camera, "source") + who + "source = " +
                     std::string(word_of(kCameraSources, camera.source)) + " needs path");
    return;
  }
  if (camera.source != CameraSource::rtsp) return;
  const auto scheme = camera.path.find("://");
  const auto kind = camera.path.substr(0, scheme);
  if (scheme == std::string::npos || (kind != "rtsp" && kind != "rtsps")) {
    wrong_.push_back(at_camera(camera, "path") + who + "path is no rtsp:// or rtsps:// address");
    return;
  }
  const auto host = camera.path.substr(scheme + 3);
  if (host.substr(0, host.find('/')).find('@') != std::string::npos) {
    wrong_.push_back(
        at_camera(camera, "path") + who +
        "the password does not belong in the configuration; hand user:password over as "
        "the credential camera-" +
        camera.name);
  }
}

void Reading::check_together() {
  const Config& c = config_;
  check_words_of_topics();
  check_broker("uplink", c.uplink);
  check_broker("floor", c.floor);
  check_radio();
  for (const CameraConfig& camera : c.cameras) check_camera(camera);
  if (c.camera_wake == CameraWake::hours && !c.camera_hours) {
    wrong_.push_back(at({"camera.wake"}) + "camera.wake = hours needs camera.hours");
  }
  if (!(c.zone_desk_m < c.zone_inside_m && c.zone_inside_m < c.zone_door_m &&
        c.zone_door_m < c.zone_street_m)) {
    wrong_.push_back(at({"zones.desk_m", "zones.inside_m", "zones.door_m", "zones.street_m"}) +
                     "zones: desk_m < inside_m < door_m < street_m must hold");
  }
}

std::vector<std::string> Reading::unreadable() const {
  std::vector<std::string> out;
  const auto look = [&](const std::string& where, const std::string& name, const fs::path& file) {
    // What systemd lays there is there only while the service runs.
    if (file.empty() || file.string().starts_with("/run/credentials/")) return;
    if (::access(file.c_str(), R_OK) == 0) return;
    out.push_back(where + name + " = " + file.string() + " cannot be read");
  };
  const auto look_at = [&](const std::string& name, const fs::path& file) {
    look(at({name}), name, file);
  };
  for (const auto& [section, broker] :
       {std::pair{std::string("uplink"), &config_.uplink}, {"floor", &config_.floor}}) {
    look_at(section + ".tls_ca", broker->tls_ca);
    look_at(section + ".tls_cert", broker->tls_cert);
    look_at(section + ".tls_key", broker->tls_key);
  }
  if (config_.radio_source == RadioSource::btsnoop) look_at("radio.file", config_.radio_file);
  look_at("consent.crm_keys", config_.crm_keys);
  look_at("vision.models_dir", config_.models_dir / "models.json");
  for (const CameraConfig& camera : config_.cameras) {
    if (camera.source != CameraSource::file) continue;
    look(at_camera(camera, "path"), "camera " + camera.name + ": path", camera.path);
  }
  return out;
}

std::string lines_of(const std::vector<std::string>& wrong) {
  std::string out;
  for (const auto& line : wrong) out += (out.empty() ? "" : "\n") + line;
  return out;
}

// ---- help

std::string shown(const std::string& fallback) { return fallback.empty() ? "none" : fallback; }

// For radio.tx_power_dbm the figure says nothing to anybody.
std::string what_of(const Setting& setting, std::string_view quote) {
  std::string out = setting.what;
  const char* between = ": ";
  for (const auto& [word, meaning] : setting.words) {
    out += between;
    out.append(quote).append(word).append(quote).append(" (").append(meaning).append(")");
    between = ", ";
  }
  return out;
}

}  // namespace

CommandLine read_config(int argc, const char* const* argv) {
  const Arguments arguments = read_arguments(argc, argv);
  CommandLine result;
  result.action = arguments.action;
  if (result.action != CommandLine::Action::run &&
      result.action != CommandLine::Action::check_config) {
    return result;
  }
  Reading reading(arguments);
  reading.check_together();
  auto wrong = reading.wrong();
  result.unreadable = reading.unreadable();
  if (result.action == CommandLine::Action::check_config) {
    wrong.insert(wrong.end(), result.unreadable.begin(), result.unreadable.end());
  }
  if (!wrong.empty()) throw ConfigError(lines_of(wrong));
  result.config = std::move(reading.config());
  result.given = reading.given();
  return result;
}

void print_help(std::ostream& out) {
  constexpr std::size_t kIndent = 6;
  const std::string indent(kIndent, ' ');
  out << "welcomed greets the customers who asked for it.\n\n"
      << "Usage: welcomed [--config FILE] [--KEY=VALUE …]\n\n"
      << "  --config FILE, -c FILE\n"
      << indent
      << control::wrapped(std::string("configuration file; conf.d/*.conf beside it is read too (") +
                              kDefaultFile + ")",
                          kIndent)
      << '\n';
  for (const Option& option : kOptions) {
    out << "  " << option.name << (option.letter.empty() ? "" : ", ") << option.letter << '\n'
        << indent << option.what << '\n';
  }
  for (const Section& section : config_sections({})) {
    out << "\n[" << section.name << "]\n";
    for (const Setting& setting : section.settings) {
      out << "  " << setting.key << " = " << shown(setting.fallback) << '\n'
          << indent << control::wrapped(what_of(setting, ""), kIndent) << '\n';
    }
  }
  out << "\nOn the command line a key is --SECTION.KEY=VALUE. Several cameras have a section each, "
         "[camera.NAME].\n"
      << "SIGHUP reads box.log_level, zones.* and the CRM's keys again. Exit codes: 0 clean stop, "
         "1 failure, 2 configuration.\n";
}

void print_markdown_reference(std::ostream& out) {
  out << "| key | default | what |\n|---|---|---|\n";
  for (const Section& section : config_sections({})) {
    for (const Setting& setting : section.settings) {
      out << "| `" << section.name << "." << setting.key << "` | " << shown(setting.fallback)
          << " | " << what_of(setting, "`") << " |\n";
    }
  }
}

}  // namespace welcome::daemon
