#include "firmware/ctl/radio.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "firmware/ctl/capture_file.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/radio_table.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr std::int64_t kStandSeconds = 20;  // at each place of the walk test
// Another device this close in level could be meant as well.
constexpr double kClearlyLouderDb = 6.0;
constexpr const char* kZonesFile = "90-zones.conf";

std::atomic<bool> g_stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// Ctrl-C ends the work, not the program: a recording gets its last bytes.
void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { g_stop = true; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

int failed(const std::string& message) {
  std::cerr << "welcomectl: " << message << '\n';
  return kFailed;
}

// A line that is written over by the next, where there is a terminal; elsewhere every tenth.
class ProgressLine {
 public:
  void show(const std::string& text) {
    if (terminal_) {
      std::cerr << "\r\x1b[K" << text << std::flush;
    } else if (shown_++ % 10 == 0) {
      std::cerr << text << std::endl;
    }
  }
  void end() const {
    if (terminal_) std::cerr << "\r\x1b[K" << std::flush;
  }

 private:
  const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  unsigned shown_ = 0;
};

std::string size_text(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, bytes < 1e6 ? "%.0f kB" : "%.1f MB",
                bytes < 1e6 ? bytes / 1e3 : bytes / 1e6);
  return text;
}

std::string figures_text(const json& figures) {
  return figures.value("seconds", json(0)).dump() + " s, " +
         figures.value("known", json(0)).dump() + " adverts of known devices, " +
         figures.value("strangers", json(0)).dump() + " of strangers, " +
         size_text(figures.value("bytes", 0.0));
}

// ---- record

int record(const RadioCommand& command) {
  auto file = CaptureFile::create(command.operand);
  if (!file) return failed(file.error().message);
  json args{{"max_bytes", command.max_bytes}, {"with_strangers", command.with_strangers}};
  if (command.seconds) args["seconds"] = *command.seconds;

  ProgressLine progress;
  Result<void> written;
  bool malformed = false;
  Listener listener;
  listener.part = [&](const json& part) {
    if (part.contains("recorded")) progress.show("recording: " + figures_text(part["recorded"]));
    if (!part.contains("bytes") || !written) return;
    const auto bytes = part["bytes"].is_string()
                           ? control::from_hex(part["bytes"].get_ref<const std::string&>())
                           : std::nullopt;
    if (bytes) {
      written = file->write(*bytes);
    } else {
      malformed = true;
    }
  };
  listener.stop = [&] { return g_stop || !written || malformed; };
  const auto answer = ask(command.socket, {command.verb, args}, listener);
  progress.end();
  if (!answer) return failed(answer.error().message);
  if (!written)
    return failed(command.operand + ": " + written.error().message +
                  "; what it holds up to here is whole");
  if (malformed) return failed("welcomed sent something else: update both together");
  if (command.json) {
    (command.operand == "-" ? std::cerr : std::cout) << answer->dump() << std::endl;
  } else {
    std::cerr << "recorded " << figures_text(*answer) << "; ended by " << answer->value("ended", "")
              << std::endl;
  }
  return answer->value("ended", "") == "too slow" ? kFailed : kDone;
}

// ---- watch

int watch(const RadioCommand& command) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && !command.json;
  Listener listener;
  listener.part = [&](const json& table) {
    std::string out;
    if (command.json) {
      out = table.dump() + "\n";
    } else if (terminal) {
      winsize size{};
      const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
      // Home, the lines, each cleared to its end, and nothing below: no flicker over a slow line.
      out = "\x1b[H";
      for (const char c :
           radio_table(table, known ? size.ws_col : 80, known ? size.ws_row - 1U : 23)) {
        if (c == '\n') out += "\x1b[K";
        out += c;
      }
      out += "\x1b[J";
    } else {
      out = radio_line(table) + "\n";
    }
    std::cout << out << std::flush;
    if (!std::cout) g_stop = true;  // nobody reads any more
  };
  listener.stop = [] { return g_stop.load(); };
  json args = json::object();
  if (command.seconds) args["seconds"] = *command.seconds;
  if (terminal) std::cout << "\x1b[2J" << std::flush;
  const auto answer = ask(command.socket, {command.verb, args}, listener);
  return answer ? kDone : failed(answer.error().message);
}

// ---- calibrate

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
  listener.stop = [] { return g_stop.load(); };
  const auto answer =
      ask(command.socket, {"radio sample", {{"seconds", command.seconds.value_or(kStandSeconds)}}},
          listener);
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
  return !g_stop && std::getline(std::cin, line) && !g_stop;
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

int calibrate(const RadioCommand& command) {
  const auto directory = command.config.parent_path() / "conf.d";
  std::error_code none;
  const auto needed =
      std::filesystem::exists(directory, none) ? directory : directory.parent_path();
  if (::access(needed.c_str(), W_OK) != 0) {
    return failed("cannot write into " + needed.string() + "; use sudo");
  }
  std::cerr << "Walk test: four places, " << command.seconds.value_or(kStandSeconds)
            << " s at each, with a member's phone in your hand. Nothing changes before the end.\n";
  json places = json::array();
  std::optional<Device> carried;
  for (std::size_t i = 0; i < std::size(kPlaces); ++i) {
    const Place& place = kPlaces[i];
    for (;;) {
      std::cerr << "\n"
                << i + 1 << " of " << std::size(kPlaces) << "  " << place.zone << ": stand "
                << place.where << ", then press Enter.\n";
      if (!wait_for_enter()) return failed("given up; nothing has changed");
      const auto devices = sample(command);
      if (!devices) return failed(devices.error().message);
      if (g_stop) return failed("given up; nothing has changed");
      Device here;
      if (!carried) {
        auto chosen = choose(command, *devices);
        if (!chosen) {
          std::cerr << "   " << chosen.error().message << "\n";
          continue;
        }
        carried = here = std::move(*chosen);
        std::cerr << "   this is " << here.identity << " of " << here.customer << "\n";
      } else {
        const auto found = std::find_if(devices->begin(), devices->end(), [&](const Device& d) {
          return d.identity == carried->identity && d.customer == carried->customer;
        });
        if (found == devices->end()) {
          std::cerr << "   not heard here. Is the app still open?\n";
          continue;
        }
        here = *found;
      }
      std::cerr << "   heard in " << here.levels.size() << " of "
                << command.seconds.value_or(kStandSeconds) << " s, median " << here.median()
                << " dB to 1 m\n";
      places.push_back({{"zone", place.zone}, {"levels_db", here.levels}});
      break;
    }
  }

  const auto found = ask(command.socket, {"radio thresholds", {{"places", places}}}, {});
  if (!found) return failed(found.error().message + ". Nothing has changed");
  const json borders = found->value("borders", json::array());
  std::time_t now = std::time(nullptr);
  char day[16];
  std::strftime(day, sizeof day, "%F", std::gmtime(&now));
  const auto file = put_zones(command, zones_file(borders, day));
  if (!file) return failed(file.error().message);
  const auto reloaded = ask(command.socket, {"reload", json::object()}, {});
  if (command.json) {
    std::cout << json{{"borders", borders},
                      {"file", file->string()},
                      {"in_force", reloaded.has_value()}}
                     .dump()
              << std::endl;
  } else {
    std::cout << "\n";
    for (const auto& border : borders) {
      std::printf(
          "%-7s up to %5.2f m by signal (%.1f dB), %.0f %% of the seconds on the wrong side\n",
          border.value("zone", "").c_str(), border.value("metres", 0.0),
          border.value("level_db", 0.0), border.value("wrong", 0.0) * 100);
    }
    std::printf("\nwritten to %s\n", file->c_str());
    std::puts(reloaded ? "in force" : "systemctl reload welcomed puts them in force");
    std::fflush(stdout);
  }
  return kDone;
}

}  // namespace

std::optional<std::int64_t> duration_seconds(std::string_view text) {
  constexpr std::int64_t kWeek = 7 * 24 * 3600;
  if (text.size() < 2) return std::nullopt;
  const char unit = text.back();
  const std::int64_t factor = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
  std::int64_t value = 0;
  const auto digits = text.substr(0, text.size() - 1);
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (factor == 0 || bad != std::errc() || end != digits.data() + digits.size() || value < 1 ||
      value > kWeek / factor) {
    return std::nullopt;
  }
  return value * factor;
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

int run_radio(const RadioCommand& command) {
  stop_on_signals();
  if (command.verb == "radio record") return record(command);
  if (command.verb == "radio watch") return watch(command);
  return calibrate(command);
}

}  // namespace welcome::ctl
