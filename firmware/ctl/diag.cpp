// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/diag.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/utsname.h>
#include <system_error>
#include <utility>

#include "core/version.h"
#include "firmware/control/commands.h"
#include "firmware/control/value_at.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/doctor_text.h"
#include "firmware/ctl/metrics.h"
#include "firmware/ctl/process.h"
#include "firmware/ctl/terminal.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace {

namespace fs = std::filesystem;
using control::CommandId;
using control::value_at;
using nlohmann::json;

constexpr std::string_view kUnits[] = {"welcomed.service", "welcome-floor.service",
                                       "welcome-crm.service"};
// Those whose journal has nothing of a person; a broker's has the names of tablets.
constexpr std::string_view kJournals[] = {"welcomed.service", "welcome-crm.service"};
constexpr const char* kJournalLines = "2000";
constexpr std::size_t kFileShown = 4096;  // bytes of a file of the machine

constexpr std::string_view kPackages[] = {
    "welcome", "mosquitto", "nginx",   "libopencv-core", "libsqlite3-0",
    "libssl3", "bluez",     "systemd", "linux-image",    "prometheus-node"};

constexpr std::string_view kWhatIsInIt =
    "versions.txt   what is installed, in which version\n"
    "doctor.txt     the nine lights, and what to do\n"
    "status.json    the state of the box: figures, links, radio, cameras\n"
    "metrics.txt    the same for Prometheus\n"
    "config.txt     the configuration, each value with its file and line; it holds no secret\n"
    "counts.json    how many visits, decisions, messages and entries of the trail, by kind\n"
    "units.txt      how systemd sees our services\n"
    "journal-*.txt  the last 2000 lines of welcomed and welcome-crm\n"
    "machine.txt    board, system, memory, disks, adapters and cameras\n";
constexpr std::string_view kWhatIsNot =
    "Left out: customers, staff and tablets by name or id, notes and wishes, keys and passwords, "
    "face\n"
    "templates, addresses of devices, this machine's name. Look through it before you send it.\n";

std::string now_as(const char* format) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> out{};
  return {out.data(), std::strftime(out.data(), out.size(), format, &utc)};
}

std::string not_to_be_had(const std::string& why) { return "(not to be had: " + why + ")\n"; }

std::string output(std::vector<std::string> words) {
  const auto said = output_of(std::move(words), {}, Complaints::hidden);
  return said ? *said : not_to_be_had(said.error().message);
}

// One line of a file under /proc or /sys; such a text may end with a zero.
std::string line_of(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  line.resize(std::min({line.size(), kFileShown, line.find('\0')}));
  return line;
}

std::string lines_with(const fs::path& file, const std::vector<std::string_view>& begins) {
  std::ifstream in(file);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const bool wanted = std::any_of(begins.begin(), begins.end(),
                                    [&](auto begin) { return line.starts_with(begin); });
    if (wanted && out.find(line + "\n") == std::string::npos) out += line + "\n";
  }
  return out;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code none;
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder, none)) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::string disk(const fs::path& where) {
  std::error_code gone;
  const auto space = fs::space(where, gone);
  if (gone) return where.string() + ": " + gone.message() + "\n";
  constexpr auto kMega = std::uintmax_t{1'000'000};
  return where.string() + ": " + std::to_string(space.available / kMega) + " MB free of " +
         std::to_string(space.capacity / kMega) + "\n";
}

// No serial number, no host name, no address.
std::string machine(const fs::path& state) {
  utsname system{};
  ::uname(&system);
  std::string out = std::string(system.sysname) + " " + system.release + " " + system.machine +
                    "\n" + lines_with("/etc/os-release", {"PRETTY_NAME=", "VERSION_ID="});
  for (const char* file :
       {"/proc/device-tree/model", "/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name",
        "/etc/debian_version", "/etc/timezone"}) {
    if (const std::string line = line_of(file); !line.empty())
      out += std::string(file) + ": " + line + "\n";
  }
  out += lines_with("/proc/cpuinfo", {"model name", "Model", "Hardware"}) +
         lines_with("/proc/meminfo", {"MemTotal", "MemAvailable", "SwapTotal", "SwapFree"}) +
         "uptime: " + line_of("/proc/uptime") + "\nload: " + line_of("/proc/loadavg") + "\n";
  for (const auto& zone : entries("/sys/class/thermal")) {
    if (const std::string heat = line_of(zone / "temp"); !heat.empty())
      out += zone.filename().string() + ": " + heat + "\n";
  }
  out += "\ndisks\n" + disk("/") + disk(state);
  out += "\nBluetooth adapters\n";
  for (const auto& adapter : entries("/sys/class/bluetooth")) {
    out += adapter.filename().string() + " " + line_of(adapter / "device/modalias") + "\n";
  }
  out += "\ncameras\n";
  for (const auto& camera : entries("/sys/class/video4linux")) {
    out += camera.filename().string() + " " + line_of(camera / "name") + "\n";
  }
  out += "\nUSB\n";
  for (const auto& device : entries("/sys/bus/usb/devices")) {
    if (const std::string vendor = line_of(device / "idVendor"); !vendor.empty())
      out += vendor + ":" + line_of(device / "idProduct") + "\n";
  }
  return out;
}

std::string versions(const std::string& daemon) {
  std::string out =
      std::string("welcomectl ") + kVersion + "\n" + output({daemon, "--version"}) + "\n";
  // A pattern that matches nothing is an error to dpkg-query.
  std::istringstream packages(output({"dpkg-query", "-W"}));
  for (std::string line; std::getline(packages, line);) {
    const bool wanted = std::any_of(std::begin(kPackages), std::end(kPackages),
                                    [&](auto begin) { return line.starts_with(begin); });
    if (wanted) out += line + "\n";
  }
  return out;
}

// What one box answers, and whom its answers name.
class Collection {
 public:
  explicit Collection(const DiagCommand& command) : command_(command) {}

  std::vector<PackedText> texts() {
    status_ = ask(CommandId::status);
    learn_names();
    if (status_ && status_->is_object() && status_->contains("box")) {
      (*status_)["box"].erase("public_key");
      (*status_)["box"].erase("fingerprint");
    }
    const auto found = ask(CommandId::doctor);
    add("versions.txt", versions(command_.welcomed));
    add("doctor.txt", found ? doctor_text(*found, false) : not_to_be_had(found.error().message));
    add("status.json", status_ ? status_->dump(1) + "\n" : not_to_be_had(status_.error().message));
    add("metrics.txt", metrics(status_.value_or(json()), MetricsForm::prometheus));
    add("config.txt", settings());
    add("counts.json", counts().dump(1) + "\n");
    add("units.txt", units());
    for (const auto unit : kJournals) {
      const std::string name(unit.substr(0, unit.find('.')));
      add("journal-" + name + ".txt",
          output({"journalctl", "--no-pager", "--no-hostname", "-o", "short-iso", "-n",
                  kJournalLines, "-u", std::string(unit)}));
    }
    add("machine.txt", machine(state_dir_));
    add("README.txt", "A welcomed box, for support. " + now_as("%Y-%m-%dT%H:%M:%SZ") + "\n\n" +
                          std::string(kWhatIsInIt) + "\n" + std::string(kWhatIsNot));
    return std::move(texts_);
  }

  // "aroma-1-box-1"; "" where nobody says.
  std::string box_name() const {
    const json box = status_ ? value_at(*status_, "box") : json();
    if (!box.is_object()) return {};
    return "-" + box.value("store", "") + "-" + box.value("id", "");
  }
  bool away() const { return !status_; }

 private:
  Result<json> ask(CommandId id) const { return ctl::ask(command_.socket, id); }

  void learn_names() {
    for (const auto& [id, keys] :
         std::initializer_list<std::pair<CommandId, std::vector<const char*>>>{
             {CommandId::tablets, {"tablet", "staff", "name"}},
             {CommandId::visits, {"customer", "visit"}},
             {CommandId::decisions, {"customer", "visit", "id"}}}) {
      rows_[id] = ask(id).value_or(json::array());
      for (const json& row : rows_[id]) {
        for (const char* key : keys) {
          if (const json name = value_at(row, key); name.is_string()) scrub_.add(name);
        }
      }
    }
  }

  json counts() {
    const auto rows = [&](CommandId id) { return ask(id).value_or(json::array()); };
    json lines = counts_by(rows_[CommandId::tablets], {"locked"});
    return {{"tablets", std::move(lines)},
            {"visits", counts_by(rows_[CommandId::visits], {"zone", "level", "by"})},
            {"decisions", counts_by(rows_[CommandId::decisions], {"kind", "reason"})},
            {"outbox", counts_by(rows(CommandId::outbox), {"link", "kind", "priority"})},
            {"trail", counts_by(rows(CommandId::audit_show), {"kind"})},
            {"recordings", rows(CommandId::recordings).size()}};
  }

  std::string settings() {
    const auto told = told_settings(command_.welcomed, command_.config, {}, Complaints::hidden);
    if (!told) return not_to_be_had(told.error().message);
    if (told->setting("box.state_dir") != nullptr) state_dir_ = told->value("box.state_dir");
    return settings_text(*told);
  }

  static std::string units() {
    constexpr const char* kProperties =
        "LoadState,ActiveState,SubState,Result,NRestarts,ExecMainCode,ExecMainStatus,"
        "StateChangeTimestamp,MemoryCurrent,CPUUsageNSec,UnitFileState";
    std::string out;
    for (const auto unit : kUnits) {
      out += std::string(unit) + "\n" +
             output({"systemctl", "show", std::string(unit), "--property", kProperties}) + "\n";
    }
    return out;
  }

  void add(const std::string& name, const std::string& text) {
    texts_.push_back({"welcomed-diag/" + name, scrub_(text)});
  }

  const DiagCommand& command_;
  Result<json> status_;
  std::map<CommandId, json> rows_;
  std::string state_dir_ = "/var/lib/welcomed";
  Scrub scrub_;
  std::vector<PackedText> texts_;
};

}  // namespace

json counts_by(const json& rows, const std::vector<std::string_view>& keys) {
  std::map<std::string, std::size_t> counts;
  for (const json& row : rows) {
    std::string kind;
    for (const auto key : keys) {
      const json value = value_at(row, key);
      kind += (kind.empty() ? "" : ", ") +
              (value.is_string() ? value.get<std::string>() : value.dump());
    }
    ++counts[kind];
  }
  return counts;
}

std::string settings_text(const ToldSettings& told) {
  // "/etc/…:8: uplink.port = VALUE is not a whole number": the line and the key are enough.
  std::string wrong;
  for (const auto& line : told.wrong) {
    const auto value = line.find(" = ");
    wrong += "wrong: " + line.substr(0, value) +
             (value == std::string::npos ? "" : " is no good value") + "\n";
  }
  std::string out;
  for (const json& one : told.settings) {
    const std::string key = one.value("key", "");
    const std::string where = one.value("where", "");
    const bool good = wrong.find(" " + key + " is no good value\n") == std::string::npos;
    out += key + " = " + (good ? one.value("value", "") : "(no good value)");
    out += (where.empty() ? "" : "    # " + where) + "\n";
  }
  out += wrong;
  for (const auto& line : told.missing) out += "missing: " + line + "\n";
  for (const auto& line : told.notes) out += "note: " + line + "\n";
  return out;
}

int diag_collect(const DiagCommand& command) {
  Collection collection(command);
  const auto texts = collection.texts();
  const auto packed = tar_gz(texts, std::chrono::system_clock::now());
  if (!packed) return failed(packed.error());
  const std::string file = command.file.empty() ? "welcomed-diag" + collection.box_name() +
                                                      now_as("-%Y%m%dT%H%M%SZ.tar.gz")
                                                : command.file;
  if (!provision::replace_private(file, *packed)) return failed(file + ": " + std::strerror(errno));
  if (command.json) {
    json names = json::array();
    for (const auto& one : texts) names.push_back(one.name);
    std::cout << json{{"file", file}, {"bytes", packed->size()}, {"holds", names}}.dump() << '\n';
    return kDone;
  }
  std::cout << file << ", " << (packed->size() + 999) / 1000 << " kB\n\n"
            << kWhatIsInIt << '\n'
            << kWhatIsNot;
  if (collection.away()) {
    std::cout << "\nwelcomed did not answer: what only it knows is not there.\n";
  }
  return kDone;
}

}  // namespace welcome::ctl
