// SPDX-License-Identifier: Apache-2.0
// What a configuration needs and the machine does not have.

#include <algorithm>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include "contract/signing.h"
#include "firmware/daemon/config_reading.h"
#include "firmware/daemon/radio.h"
#include "mqtt/certificate.h"
#include "vision/model_pack.h"

namespace welcome::daemon {

namespace fs = std::filesystem;

namespace {

// What systemd lays there is there only while the service runs.
constexpr std::string_view kHandedOver = "/run/credentials/";

bool is_readable(const fs::path& file) { return ::access(file.c_str(), R_OK) == 0; }

bool is_kind(const std::string& path, mode_t kind) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 && (file.st_mode & S_IFMT) == kind;
}

struct IsThere {
  const fs::path& adapters;

  bool operator()(const Adapter& adapter) const {
    if (const auto* number = std::get_if<std::uint16_t>(&adapter.name)) {
      return fs::exists(adapters / ("hci" + std::to_string(*number)));
    }
    const auto all = beacon::linux_adapters().value_or(std::vector<beacon::LinuxAdapter>{});
    return std::ranges::find(all, std::get<beacon::Address>(adapter.name),
                             &beacon::LinuxAdapter::address) != all.end();
  }
  bool operator()(const SerialLine& line) const { return is_kind(line.path, S_IFCHR); }
  bool operator()(const UnixSocket& socket) const { return is_kind(socket.path, S_IFSOCK); }
};

}  // namespace

std::vector<std::string> Reading::unreadable() const {
  std::vector<std::string> out;
  const auto look = [&](const std::string& where, const std::string& name, const fs::path& file) {
    if (file.empty() || file.string().starts_with(kHandedOver) || is_readable(file)) return;
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

std::vector<std::string> Reading::missing(const Machine& machine) const {
  std::vector<std::string> out;
  look_for_credentials(machine, out);
  look_for_devices(machine, out);
  look_into_files(out);
  return out;
}

void Reading::look_for_credentials(const Machine& machine, std::vector<std::string>& out) const {
  if (!machine.credentials) return;
  const auto need = [&](const std::string& where, const std::string& why, const std::string& name) {
    if (machine.damaged.contains(name)) {
      out.push_back(where + why + "the credential " + name +
                    " is not 32 bytes (raw, or 64 hexadecimal digits)");
    } else if (!machine.credentials->contains(name)) {
      out.push_back(where + why + "the credential " + name +
                    " is missing: /etc/credstore/welcomed." + name);
    }
  };
  need(file_ + ": ", "", "box-key");
  for (const auto& [section, broker] :
       {std::pair{std::string("uplink"), &config_.uplink}, {"floor", &config_.floor}}) {
    // A certificate says as well who it is.
    if (!broker->user.empty() && broker->tls_cert.empty())
      need(at({section + ".user"}), section + ".user: ", section + "-password");
    if (broker->tls_key.starts_with(kHandedOver))
      need(at({section + ".tls_key"}),
           section + ".tls_key: ", fs::path(broker->tls_key).filename().string());
  }
  if (config_.zone_of_box) need(at({"zones.box"}), "zones.box: ", "store-key");
}

void Reading::look_for_devices(const Machine& machine, std::vector<std::string>& out) const {
  const std::string& device = config_.radio_device;
  if (config_.radio_source == RadioSource::hci || config_.radio_source == RadioSource::bluez) {
    if (!std::visit(IsThere{machine.adapters}, parse_radio_device(device).value()))
      out.push_back(at({"radio.source", "radio.device"}) + "radio.device = " + device +
                    ": there is no such adapter");
  }
  for (const CameraConfig& camera : config_.cameras) {
    if (camera.source == CameraSource::v4l2 && !camera.path.empty() &&
        !is_kind(camera.path, S_IFCHR))
      out.push_back(at_camera(camera, "path") + "camera " + camera.name +
                    ": path = " + camera.path + ": there is no such camera");
  }
}

// What cannot be read is said already.
void Reading::look_into_files(std::vector<std::string>& out) const {
  for (const auto& [section, broker] :
       {std::pair{std::string("uplink"), &config_.uplink}, {"floor", &config_.floor}}) {
    for (const auto& [key, file] : {std::pair{section + ".tls_ca", &broker->tls_ca},
                                    {section + ".tls_cert", &broker->tls_cert}}) {
      if (file->empty() || !is_readable(*file) || mqtt::certificate_ends(*file)) continue;
      out.push_back(at({key}) + key + " = " + *file + " holds no certificate");
    }
  }
  if (!config_.crm_keys.empty() && is_readable(config_.crm_keys)) {
    std::ifstream in(config_.crm_keys);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (const auto keys = contract::KeyRing::parse(text); !keys) {
      out.push_back(at({"consent.crm_keys"}) + "consent.crm_keys = " + config_.crm_keys.string() +
                    ": " + keys.error().message);
    }
  }
  if (vision::absent_packs(config_.models_dir).empty()) return;
  const std::string pack(word_of(kModelPacks, config_.model_pack));
  try {
    (void)vision::load_model_pack(config_.models_dir, pack);
  } catch (const std::exception& error) {
    out.push_back(at({"vision.models_dir", "vision.pack"}) + "vision.pack = " + pack + ": " +
                  error.what());
  }
}

}  // namespace welcome::daemon
