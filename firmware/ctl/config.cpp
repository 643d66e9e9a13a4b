// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/config.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "core/nearest.h"
#include "core/result.h"
#include "firmware/ctl/client.h"
#include "firmware/ctl/config_text.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/process.h"
#include "firmware/ctl/settings.h"
#include "firmware/ctl/terminal.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kNewFile = "# By welcomectl config set; yours to change.\n";

using Lines = std::vector<std::string>;

Result<ToldSettings> settings(const ConfigCommand& command, const fs::path& instead = {}) {
  return told_settings(command.welcomed, command.config, instead);
}

// As `welcomectl config check` says it.
void say(const Lines& lines) {
  for (const auto& line : lines) std::cerr << "welcomed: " << for_terminal(line) << '\n';
}

std::string unknown(const ToldSettings& told, const std::string& name) {
  Lines names;
  for (const json& one : told.settings) names.push_back(one.value("key", ""));
  const std::vector<std::string_view> views(names.begin(), names.end());
  return "there is no key '" + name + "'" + did_you_mean(name, views);
}

std::string origin(const json& setting) {
  const std::string where = setting.value("where", "");
  return where.empty() ? "default" : where;
}

void print_table(const json& settings) {
  std::size_t left = 0;
  for (const json& one : settings) {
    left = std::max(left, one.value("key", "").size() + one.value("value", "").size() + 3);
  }
  for (const json& one : settings) {
    std::string line = one.value("key", "") + " = " + one.value("value", "");
    line.resize(std::max(line.size(), std::min<std::size_t>(left, 60)), ' ');
    std::cout << for_terminal(line + "  # " + origin(one)) << '\n';
  }
}

// ---- changing

fs::path local_file(const ConfigCommand& command) {
  return command.config.parent_path() / "conf.d" / "90-local.conf";
}

std::string broken(const fs::path& file) {
  return file.string() + ": " + std::strerror(errno) + (errno == EACCES ? "; use sudo" : "");
}

// What stands there; nothing stands in a file that is not there.
Result<std::string> text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (in) return std::string{std::istreambuf_iterator<char>(in), {}};
  if (errno == ENOENT) return std::string();
  return fail(ErrorCode::refused, broken(file));
}

// A file that waits to be put in another's place, and goes if it is not.
class Candidate {
 public:
  explicit Candidate(fs::path place) : place_(std::move(place)), file_(place_.string() + ".new") {}
  ~Candidate() { ::unlink(file_.c_str()); }
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;

  const fs::path& file() const { return file_; }

  // Whom the service is may read it.
  Result<void> write(const std::string& text) {
    std::error_code ignored;
    fs::create_directories(file_.parent_path(), ignored);
    ::unlink(file_.c_str());
    constexpr mode_t kReadable = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
    const provision::File out(
        ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kReadable));
    if (out.fd() < 0 || ::fchmod(out.fd(), kReadable) != 0 ||
        !provision::write_through(out.fd(), text))
      return fail(ErrorCode::refused, broken(file_));
    return {};
  }
  Result<void> settle() {
    if (::rename(file_.c_str(), place_.c_str()) != 0 || !provision::settle(place_.parent_path()))
      return fail(ErrorCode::refused, broken(place_));
    return {};
  }

 private:
  const fs::path place_, file_;
};

// What is new among what the machine lacks: what it lacked before is no reason to refuse.
Lines beyond(const Lines& now, const Lines& before) {
  const auto what = [](const std::string& line) {
    const auto colon = line.find(": ");
    return colon == std::string::npos ? line : line.substr(colon);
  };
  Lines out;
  for (const auto& line : now) {
    const bool known = std::any_of(before.begin(), before.end(),
                                   [&](const auto& old) { return what(old) == what(line); });
    if (!known) out.push_back(line);
  }
  return out;
}

struct Changed {
  std::string file;
  bool reload_is_enough = true;
};

// Puts the text into 90-local.conf if the configuration is good with it. `keys`: what is set.
Result<Changed> put(const ConfigCommand& command, const ToldSettings& before,
                    const std::string& text, const Lines& keys, bool set) {
  const fs::path file = local_file(command);
  Candidate candidate(file);
  if (auto done = candidate.write(text); !done) return tl::unexpected(done.error());
  const auto after = settings(command, candidate.file());
  if (!after) return tl::unexpected(after.error());
  const Lines lacks = beyond(after->missing, before.missing);
  say(after->wrong);
  say(after->missing);
  if (!after->wrong.empty() || !lacks.empty())
    return fail(ErrorCode::refused, "nothing has changed");
  Changed changed{file.string()};
  for (const auto& key : keys) {
    const json* const now = after->setting(key);
    // Of a camera that goes with its last key there is nothing more to say.
    if (now == nullptr || !now->value("reloads", false)) changed.reload_is_enough = false;
    if (set && now != nullptr && !origin(*now).starts_with(file.string() + ":"))
      return fail(ErrorCode::refused, origin(*now) + " says " + key +
                                          " as well, and is read later; nothing has changed");
  }
  if (auto done = candidate.settle(); !done) return tl::unexpected(done.error());
  return changed;
}

Result<void> apply(const ConfigCommand& command, bool reload_is_enough) {
  if (!reload_is_enough) {
    if (auto done = output_of({"systemctl", "restart", "welcomed"}); !done)
      return tl::unexpected(done.error());
    return {};
  }
  if (auto done = ask(command.socket, control::CommandId::reload); !done)
    return tl::unexpected(done.error());
  return {};
}

int end(const ConfigCommand& command, const Result<Changed>& changed) {
  if (!changed) return failed(changed.error());
  const std::string needs = changed->reload_is_enough ? "reload" : "restart";
  std::optional<Result<void>> applied;
  if (command.apply) applied = apply(command, changed->reload_is_enough);
  const bool in_force = applied && applied->has_value();
  if (command.json) {
    std::cout << json{{"file", changed->file}, {"needs", needs}, {"in_force", in_force}}.dump()
              << '\n';
  } else {
    std::cout << "written to " << changed->file << '\n'
              << (in_force ? "in force"
                           : "systemctl " + needs + " welcomed puts it in force (--apply says it)")
              << '\n';
  }
  if (!applied || in_force) return kDone;
  return failed(applied->error());
}

}  // namespace

int config_get(const ConfigCommand& command) {
  const auto told = settings(command);
  if (!told) return failed(told.error());
  json out = json::array();
  const std::string wanted = command.operands.empty() ? "" : command.operands.front();
  for (const json& one : told->settings) {
    const std::string key = one.value("key", "");
    if (wanted.empty() || key == wanted || key.starts_with(wanted + ".")) out.push_back(one);
  }
  if (out.empty()) return failed(unknown(*told, wanted));
  if (command.json) {
    std::cout << out.dump(-1, ' ', true) << '\n';
  } else if (out.size() == 1 && out[0].value("key", "") == wanted) {
    std::cout << for_terminal(out[0].value("value", "")) << '\n';
  } else {
    print_table(out);
  }
  say(told->wrong);
  return kDone;
}

int config_set(const ConfigCommand& command) {
  const auto before = settings(command);
  if (!before) return failed(before.error());
  auto text = text_of(local_file(command));
  if (!text) return failed(text.error());
  if (text->empty()) *text = kNewFile;
  Lines keys;
  for (std::size_t i = 0; i + 1 < command.operands.size(); i += 2) {
    const std::string& key = command.operands[i];
    const std::string& value = command.operands[i + 1];
    const auto name = key_name(key);
    if (!name) return failed(unknown(*before, key), kUsage);
    if (!can_be_said(value))
      return failed(key +
                        ": a value is one line, without blanks round it and without ' #', which "
                        "begins a comment",
                    kUsage);
    *text = with_value(*text, *name, value);
    keys.push_back(key);
  }
  return end(command, put(command, *before, *text, keys, true));
}

int config_unset(const ConfigCommand& command) {
  const auto before = settings(command);
  if (!before) return failed(before.error());
  const std::string& key = command.operands.front();
  const auto name = key_name(key);
  if (!name) return failed(unknown(*before, key), kUsage);
  const fs::path file = local_file(command);
  const auto text = text_of(file);
  if (!text) return failed(text.error());
  const auto left = without_value(*text, *name);
  if (!left) {
    const json* const one = before->setting(key);
    if (one == nullptr) return failed(unknown(*before, key));
    return failed(key + " does not stand in " + file.string() + ": " +
                  (one->value("where", "").empty() ? "it has its default" : "see " + origin(*one)));
  }
  return end(command, put(command, *before, *left, {key}, false));
}

int config_diff(const ConfigCommand& command) {
  const auto told = settings(command);
  if (!told) return failed(told.error());
  json differs = json::array();
  for (const json& one : told->settings) {
    if (one.value("value", "") != one.value("default", "")) differs.push_back(one);
  }
  const auto running = ask(command.socket, control::CommandId::config_diff);
  if (command.json) {
    std::cout << json{{"differs", differs}, {"changed", running ? *running : json()}}.dump(-1, ' ',
                                                                                           true)
              << '\n';
  } else {
    print_table(differs);
    if (running && !running->empty()) std::cout << "\nchanged since welcomed read it:\n";
    for (const json& one : running ? *running : json::array()) {
      std::cout << for_terminal(one.value("key", "") + ": " + one.value("in_force", "") + " -> " +
                                one.value("on_disk", "") + "  # " + one.value("needs", "") +
                                " welcomed")
                << '\n';
    }
  }
  say(told->wrong);
  if (running) return kDone;
  // One that does not run has read nothing.
  return running.error().code == ErrorCode::unavailable ? kDone : failed(running.error());
}

}  // namespace welcome::ctl
