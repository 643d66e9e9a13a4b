// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/radio.h"

#include <charconv>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include "firmware/ctl/capture_file.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/radio_table.h"
#include "firmware/ctl/terminal.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

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
  listener.stop = [&] { return stop_wanted() || !written || malformed; };
  const auto answer = ask(command.socket, {command.verb, args}, listener);
  progress.end();
  if (!answer) return failed(answer.error());
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
  return answer->value("ended", "") == "too slow" ? kRefused : kDone;
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
      for (const char c : for_terminal(
               radio_table(table, known ? size.ws_col : 80, known ? size.ws_row - 1U : 23))) {
        if (c == '\n') out += "\x1b[K";
        out += c;
      }
      out += "\x1b[J";
    } else {
      out = for_terminal(radio_line(table)) + "\n";
    }
    std::cout << out << std::flush;
    if (!std::cout) ask_to_stop();  // nobody reads any more
  };
  listener.stop = stop_wanted;
  json args = json::object();
  if (command.seconds) args["seconds"] = *command.seconds;
  if (terminal) std::cout << "\x1b[2J" << std::flush;
  const auto answer = ask(command.socket, {command.verb, args}, listener);
  return answer ? kDone : failed(answer.error());
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

int run_radio(const RadioCommand& command) {
  stop_on_signals();
  if (command.verb == "radio record") return record(command);
  if (command.verb == "radio watch") return watch(command);
  return calibrate(command);
}

}  // namespace welcome::ctl
