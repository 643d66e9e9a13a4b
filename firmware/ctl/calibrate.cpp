// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "firmware/ctl/client.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/radio.h"
#include "firmware/ctl/terminal.h"

// The walk test.

namespace welcome::ctl {

namespace {

using nlohmann::json;

constexpr std::int64_t kStandSeconds = 20;  // at each place
// Another device this close in level could be meant as well.
constexpr double kClearlyLouderDb = 6.0;
constexpr const char* kZonesFile = "90-zones.conf";
constexpr const char* kGivenUp = "given up; nothing has changed";

struct Device {
  std::string identity;
  std::string customer;
  std::vector<double> levels;

  double median() const {
    std::vector<double> sorted = levels;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty() ? -1000.0 : sorted[sorted.size() / 2];
  }
};

Result<std::vector<Device>> sample(const RadioCommand& command) {
  ProgressLine progress;
  Listener listener;
  listener.progress = [&](const std::string& text) { progress.show("   " + text); };
  listener.stop = stop_wanted;
  const auto answer = ask(command.socket, control::CommandId::radio_sample,
                          {{"seconds", command.seconds.value_or(kStandSeconds)}}, listener);
  progress.end();
  if (!answer) return tl::unexpected(answer.error());
  std::vector<Device> devices;
  for (const auto& heard : answer->value("heard", json::array())) {
    devices.push_back({heard.value("identity", ""), heard.value("customer", ""),
                       heard.value("levels_db", std::vector<double>{})});
  }
  std::sort(devices.begin(), devices.end(),
            [](const Device& a, const Device& b) { return a.median() > b.median(); });
  return devices;
}

// The device that is carried: the one named, or the one that is clearly the loudest.
Result<Device> choose(const RadioCommand& command, const std::vector<Device>& devices) {
  std::vector<Device> candidates = devices;
  if (!command.customer.empty()) {
    std::erase_if(candidates, [&](const Device& d) { return d.customer != command.customer; });
  }
  if (candidates.empty()) {
    return fail(ErrorCode::not_found,
                "no known device is heard. Is the app open, and does the CRM's feed hold its key?");
  }
  // A second identity of the same person is no other device to confuse it with.
  for (const auto& other : candidates) {
    if (other.customer != candidates[0].customer &&
        candidates[0].median() - other.median() < kClearlyLouderDb) {
      return fail(ErrorCode::refused, "two devices are about equally loud, of " +
                                          candidates[0].customer + " and " + other.customer +
                                          ": name yours with --customer");
    }
  }
  return candidates[0];
}

// False at the end of the input or after Ctrl-C.
bool wait_for_enter() {
  std::string line;
  return !stop_wanted() && std::getline(std::cin, line) && !stop_wanted();
}

std::optional<std::string> contents(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Result<void> put(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::trunc);
  out << text;
  out.close();
  if (!out) return fail(ErrorCode::unavailable, "cannot write " + file.string());
  return {};
}

bool configuration_is_good(const RadioCommand& command) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);  // standard output is for the result
    ::execlp(command.welcomed.c_str(), command.welcomed.c_str(), "--check", "--config",
             command.config.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Writes the file, lets welcomed check all of its configuration, and takes it back when that is not
// good.
Result<std::filesystem::path> put_zones(const RadioCommand& command, const std::string& text) {
  const auto file = command.config.parent_path() / "conf.d" / kZonesFile;
  std::error_code failed_to_make;
  std::filesystem::create_directories(file.parent_path(), failed_to_make);
  const auto before = contents(file);
  if (auto written = put(file, text); !written) return tl::unexpected(written.error());
  if (configuration_is_good(command)) return file;
  if (before) {
    if (auto back = put(file, *before); !back) return tl::unexpected(back.error());
  } else {
    std::filesystem::remove(file, failed_to_make);
  }
  return fail(ErrorCode::refused, "the configuration would not be good with it: nothing changed");
}

struct Place {
  const char* zone;
  const char* where;
};
constexpr Place kPlaces[] = {
    {"desk", "where a customer stands who is being served"},
    {"inside", "in the middle of the room, away from the desk"},
    {"door", "on the threshold"},
    {"street", "outside, where somebody passes by that you would still greet"},
};

std::int64_t stand_seconds(const RadioCommand& command) {
  return command.seconds.value_or(kStandSeconds);
}

// The carried device among what is heard at a place: chosen at the first, the same at all others.
Result<Device> find_carried(const RadioCommand& command, const std::vector<Device>& heard,
                            const std::optional<Device>& carried) {
  if (!carried) return choose(command, heard);
  const auto found = std::find_if(heard.begin(), heard.end(), [&](const Device& d) {
    return d.identity == carried->identity && d.customer == carried->customer;
  });
  if (found != heard.end()) return *found;
  return fail(ErrorCode::not_found, "not heard here. Is the app still open?");
}

// Stands at one place until the carried device was heard there. Errors: refused, given up.
Result<Device> stand_at(const RadioCommand& command, std::size_t number,
                        const std::optional<Device>& carried) {
  const Place& place = kPlaces[number];
  for (;;) {
    std::cerr << "\n"
              << number + 1 << " of " << std::size(kPlaces) << "  " << place.zone << ": stand "
              << place.where << ", then press Enter.\n";
    if (!wait_for_enter()) return fail(ErrorCode::refused, kGivenUp);
    const auto heard = sample(command);
    if (!heard) return tl::unexpected(heard.error());
    if (stop_wanted()) return fail(ErrorCode::refused, kGivenUp);
    auto here = find_carried(command, *heard, carried);
    if (!here) {
      std::cerr << "   " << for_terminal(here.error().message) << "\n";
      continue;
    }
    if (!carried) {
      std::cerr << for_terminal("   this is " + here->identity + " of " + here->customer) << "\n";
    }
    std::cerr << "   heard in " << here->levels.size() << " of " << stand_seconds(command)
              << " s, median " << here->median() << " dB to 1 m\n";
    return here;
  }
}

// The places with the levels that were heard there, as welcomed wants them.
Result<json> walk(const RadioCommand& command) {
  std::cerr << "Walk test: four places, " << stand_seconds(command)
            << " s at each, with a member's phone in your hand. Nothing changes before the end.\n";
  json places = json::array();
  std::optional<Device> carried;
  for (std::size_t i = 0; i < std::size(kPlaces); ++i) {
    auto here = stand_at(command, i, carried);
    if (!here) return tl::unexpected(here.error());
    places.push_back({{"zone", kPlaces[i].zone}, {"levels_db", here->levels}});
    if (!carried) carried = std::move(*here);
  }
  return places;
}

Result<void> can_write_beside(const std::filesystem::path& config) {
  const auto directory = config.parent_path() / "conf.d";
  std::error_code none;
  const auto needed =
      std::filesystem::exists(directory, none) ? directory : directory.parent_path();
  if (::access(needed.c_str(), W_OK) == 0) return {};
  return fail(ErrorCode::refused, "cannot write into " + needed.string() + "; use sudo");
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char day[16];
  std::strftime(day, sizeof day, "%F", std::gmtime(&now));
  return day;
}

void report(const RadioCommand& command, const json& borders, const std::string& file,
            bool in_force) {
  if (command.json) {
    std::cout << json{{"borders", borders}, {"file", file}, {"in_force", in_force}}.dump()
              << std::endl;
    return;
  }
  std::cout << "\n";
  for (const auto& border : borders) {
    std::printf(
        "%-7s up to %5.2f m by signal (%.1f dB), %.0f %% of the seconds on the wrong side\n",
        border.value("zone", "").c_str(), border.value("metres", 0.0),
        border.value("level_db", 0.0), border.value("wrong", 0.0) * 100);
  }
  std::printf("\nwritten to %s\n", file.c_str());
  std::puts(in_force ? "in force" : "systemctl reload welcomed puts them in force");
  std::fflush(stdout);
}

}  // namespace

int calibrate(const RadioCommand& command) {
  if (const auto may = can_write_beside(command.config); !may) return failed(may.error());
  const auto places = walk(command);
  if (!places) return failed(places.error());
  const auto found =
      ask(command.socket, control::CommandId::radio_thresholds, {{"places", *places}});
  if (!found) return failed(found.error().message + ". Nothing has changed");
  const json borders = found->value("borders", json::array());
  const auto file = put_zones(command, zones_file(borders, today()));
  if (!file) return failed(file.error());
  const auto reloaded = ask(command.socket, control::CommandId::reload);
  report(command, borders, file->string(), reloaded.has_value());
  return kDone;
}

std::string zones_file(const json& borders, std::string_view day) {
  std::string text = "# Walk test of " + std::string(day) +
                     ", written by welcomectl radio calibrate. Remove it for the zones of before.\n"
                     "[zones]\n";
  for (const auto& border : borders) {
    char metres[32];
    std::snprintf(metres, sizeof metres, "%.2f", border.value("metres", 0.0));
    text += border.value("zone", "") + "_m = " + metres + "\n";
  }
  return text;
}

}  // namespace welcome::ctl
