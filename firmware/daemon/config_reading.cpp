// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/config_reading.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/nearest.h"
#include "firmware/daemon/radio.h"
#include "mqtt/loopback.h"

namespace welcome::daemon {

namespace {

constexpr std::string_view kCameraSection = "camera.";

// An address may have a password in it, which the check refuses and nobody is to be shown.
std::string without_password(const std::string& value) {
  const auto scheme = value.find("://");
  if (scheme == std::string::npos) return value;
  const auto host = scheme + 3;
  const auto at = value.substr(host, value.find('/', host) - host).rfind('@');
  return at == std::string::npos ? value : value.substr(0, host) + "…" + value.substr(host + at);
}

}  // namespace

Reading::Reading(const Arguments& arguments, std::span<const FormerKey> former)
    : file_(arguments.file), wrong_(arguments.wrong) {
  for (const auto& file : config_files(arguments.file, arguments.instead)) {
    read_config_file(file.text, file.name, text_);
  }
  wrong_.insert(wrong_.end(), text_.wrong.begin(), text_.wrong.end());
  text_.values.insert(text_.values.end(), arguments.keys.begin(), arguments.keys.end());
  rename_former(former);
  find_cameras();
  sections_ = config_sections(cameras_);
  check_headers();
  sort_values();
  apply();
}

std::map<std::string, std::string> Reading::given() const {
  std::map<std::string, std::string> out;
  for (const auto& [name, given] : given_) out.emplace(name, given.value);
  return out;
}

// What [camera.NAME] does not say, [camera] says.
std::vector<SettingState> Reading::settings() const {
  std::vector<SettingState> out;
  for (const Section& s : sections_) {
    for (const Setting& setting : s.settings) {
      SettingState state{
          s.name + "." + setting.key, setting.fallback, setting.fallback, {}, setting.reloads};
      auto found = given_.find(state.name);
      if (found == given_.end() && camera_index(s))
        found = given_.find(std::string(kCameraSection) + setting.key);
      if (found != given_.end()) {
        state.value = without_password(found->second.value);
        state.where = found->second.where;
      }
      out.push_back(std::move(state));
    }
  }
  return out;
}

// A key that has another name today still counts, unless today's is given, too.
void Reading::rename_former(std::span<const FormerKey> former) {
  for (const FormerKey& key : former) {
    const auto is_now = [&](const Given& given) { return given.name() == key.now; };
    for (Given& given : text_.values) {
      if (given.name() != key.then) continue;
      text_.notes.push_back(given.where + ": " + std::string(key.then) + " is called " +
                            std::string(key.now) + " now, and the old name will go");
      if (std::any_of(text_.values.begin(), text_.values.end(), is_now)) continue;
      const auto dot = key.now.rfind('.');
      given.section = key.now.substr(0, dot);
      given.key = key.now.substr(dot + 1);
    }
    std::erase_if(text_.values, [&](const Given& given) { return given.name() == key.then; });
  }
}

// Of all sections [camera.NAME], and of --camera.NAME.key for one that a file knows.
void Reading::find_cameras() {
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

const Section* Reading::section(std::string_view name) const {
  const auto found = std::find_if(sections_.begin(), sections_.end(),
                                  [&](const Section& s) { return s.name == name; });
  return found == sections_.end() ? nullptr : &*found;
}

// Says it once for each header, also where nothing follows.
void Reading::check_headers() {
  for (const Given& header : text_.sections) {
    if (section(header.section) != nullptr || is_bad(header.section)) continue;
    wrong_.push_back(header.where + ": unknown section [" + header.section + "]" +
                     did_you_mean(header.section, section_names()));
    bad_sections_.push_back(header.section);
  }
}

bool Reading::is_bad(const std::string& name) const {
  return std::find(bad_sections_.begin(), bad_sections_.end(), name) != bad_sections_.end();
}

std::vector<std::string_view> Reading::section_names() const {
  std::vector<std::string_view> names;
  for (const Section& s : sections_) names.push_back(s.name);
  return names;
}

// Which value of each key holds: the last.
void Reading::sort_values() {
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

std::string Reading::unknown_key(const Given& given) const {
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
void Reading::apply() {
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

std::optional<std::size_t> Reading::camera_index(const Section& s) const {
  if (!s.name.starts_with(kCameraSection)) return std::nullopt;
  const auto at = std::find(cameras_.begin(), cameras_.end(), s.name.substr(kCameraSection.size()));
  return static_cast<std::size_t>(at - cameras_.begin()) + 1;
}

void Reading::apply(const Section& s, const Setting& setting) {
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
std::string Reading::at(std::initializer_list<std::string> names) const {
  std::string where;
  for (const std::string& name : names) {
    if (const auto found = given_.find(name); found != given_.end()) where = found->second.where;
  }
  return (where.empty() ? file_ : where) + ": ";
}
// Of a camera: the key in its own section, in the common one, or its section.
std::string Reading::at_camera(const CameraConfig& camera, const std::string& key) const {
  const std::string own = std::string(kCameraSection) + camera.name;
  if (given_.contains(own + "." + key)) return at({own + "." + key});
  if (given_.contains("camera." + key)) return at({"camera." + key});
  const auto header = headers_.find(own);
  return header == headers_.end() ? at({}) : header->second + ": ";
}

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
    const auto device = parse_radio_device(c.radio_device);
    if (device && !std::holds_alternative<Adapter>(*device)) {
      wrong_.push_back(at({"radio.device"}) + "radio.device = " + c.radio_device +
                       " is no adapter, which radio.source = bluez needs");
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

}  // namespace welcome::daemon
