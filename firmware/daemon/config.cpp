// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>
#include <utility>

#include "contract/json_text.h"
#include "core/nearest.h"
#include "firmware/control/wrapped.h"
#include "firmware/daemon/config_file.h"
#include "firmware/daemon/config_reading.h"
#include "firmware/daemon/settings.h"

namespace welcome::daemon {

namespace {

constexpr const char* kDefaultFile = "/etc/welcomed/welcomed.conf";
constexpr const char* kCommandLine = "command line";
constexpr std::string_view kInstead = "--instead";

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
    {"--settings", "",
     "print every setting with where it comes from, and all that is wrong, as JSON",
     CommandLine::Action::settings},
    {"--help", "-h", "print this", CommandLine::Action::help},
    {"--version", "", "print the version", CommandLine::Action::version},
};

std::string unknown_option(std::string_view name) {
  std::vector<std::string_view> known{"--config", kInstead};
  for (const Option& option : kOptions) known.push_back(option.name);
  return "unknown option '" + std::string(name) + "'" + did_you_mean(name, known);
}

// "--radio.source=hci" and "--radio.source hci"; the value of `argument` or the next word.
Arguments read_arguments(int argc, const char* const* argv) {
  Arguments result;
  result.file = kDefaultFile;
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
    if (name != "--config" && name != "-c" && name != kInstead && !is_key) {
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
    } else if (name == kInstead) {
      result.instead = value;
    } else {
      result.file = value;
    }
  }
  return result;
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

CommandLine::Action action_of(int argc, const char* const* argv) {
  return read_arguments(argc, argv).action;
}

CommandLine read_config(int argc, const char* const* argv, const std::optional<Machine>& machine,
                        std::span<const FormerKey> former) {
  const Arguments arguments = read_arguments(argc, argv);
  CommandLine result;
  result.action = arguments.action;
  if (result.action == CommandLine::Action::help || result.action == CommandLine::Action::version ||
      result.action == CommandLine::Action::describe_options) {
    return result;
  }
  Reading reading(arguments, former);
  reading.check_together();
  result.wrong = reading.wrong();
  result.unreadable = reading.unreadable();
  result.notes = reading.notes();
  result.settings = reading.settings();
  if (machine && result.action != CommandLine::Action::run) {
    for (auto& line : reading.missing(*machine)) result.unreadable.push_back(std::move(line));
  }
  if (result.action == CommandLine::Action::settings) return result;
  auto wrong = result.wrong;
  if (result.action == CommandLine::Action::check_config) {
    wrong.insert(wrong.end(), result.unreadable.begin(), result.unreadable.end());
  }
  if (!wrong.empty()) throw ConfigError(lines_of(wrong));
  result.config = std::move(reading.config());
  result.given = reading.given();
  return result;
}

namespace {

const SettingState* named(const std::vector<SettingState>& settings, const std::string& name) {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [&](const SettingState& one) { return one.name == name; });
  return found == settings.end() ? nullptr : &*found;
}

}  // namespace

// A camera of one's own that came or went has keys on one side alone.
nlohmann::json differences(const std::vector<SettingState>& in_force,
                           const std::vector<SettingState>& on_disk) {
  nlohmann::json out = nlohmann::json::array();
  const auto note = [&](const SettingState& one, const std::string& was, const std::string& is) {
    if (was == is) return;
    out.push_back({{"key", one.name},
                   {"in_force", was},
                   {"on_disk", is},
                   {"needs", one.reloads ? "reload" : "restart"}});
  };
  for (const SettingState& one : on_disk) {
    const auto* const was = named(in_force, one.name);
    note(one, was == nullptr ? "" : was->value, one.value);
  }
  for (const SettingState& one : in_force) {
    if (named(on_disk, one.name) == nullptr) note(one, one.value, "");
  }
  return out;
}

void take_over(const std::vector<SettingState>& on_disk, std::vector<SettingState>& in_force,
               Config& config) {
  for (const Section& section : config_sections({})) {
    for (const Setting& setting : section.settings) {
      const auto* const is = named(on_disk, section.name + "." + setting.key);
      // It was found good when it was read.
      if (setting.reloads && is != nullptr) setting.set(config, is->value);
    }
  }
  for (SettingState& one : in_force) {
    const auto* const is = named(on_disk, one.name);
    if (one.reloads && is != nullptr) one.value = is->value;
  }
}

void print_settings(const CommandLine& line, std::ostream& out) {
  nlohmann::json settings = nlohmann::json::array();
  for (const SettingState& one : line.settings) {
    settings.push_back({{"key", one.name},
                        {"value", one.value},
                        {"default", one.fallback},
                        {"where", one.where},
                        {"reloads", one.reloads}});
  }
  out << contract::dump({{"settings", settings},
                         {"wrong", line.wrong},
                         {"missing", line.unreadable},
                         {"notes", line.notes}})
      << '\n';
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
  out << "  " << kInstead << " FILE\n"
      << indent << "read it in the place of conf.d/" << kLocalFile << ": what --check would say\n";
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
