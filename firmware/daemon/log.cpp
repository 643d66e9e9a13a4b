// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/log.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <string>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

namespace welcome::daemon {

namespace {

// systemd says which file its journal is; it may be somebody else's by the time that we run.
bool is_journal(int fd) {
  const char* said = std::getenv("JOURNAL_STREAM");
  struct stat here {};
  if (said == nullptr || ::fstat(fd, &here) != 0) return false;
  return said == std::to_string(here.st_dev) + ":" + std::to_string(here.st_ino);
}

bool under_journal() {
  static const bool is = is_journal(STDERR_FILENO);
  return is;
}

int priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return LOG_DEBUG;
    case spdlog::level::info:
      return LOG_INFO;
    case spdlog::level::warn:
      return LOG_WARNING;
    case spdlog::level::err:
      return LOG_ERR;
    case spdlog::level::critical:
    case spdlog::level::off:
    case spdlog::level::n_levels:
      return LOG_CRIT;
  }
  return LOG_INFO;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// "<4>": how the journal is told a line's priority (sd-daemon(3)).
class PriorityFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string prefix = "<" + std::to_string(priority(message.level)) + ">";
    out.append(prefix.data(), prefix.data() + prefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PriorityFlag>();
  }
};

}  // namespace

void start_logging(LogLevel level) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("welcomed"));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  // The journal stamps the lines itself.
  formatter->add_flag<PriorityFlag>('*').set_pattern(under_journal() ? "%*%v"
                                                                     : "%H:%M:%S.%e %l: %v");
  spdlog::set_formatter(std::move(formatter));
  set_log_level(level);
}

void set_log_level(LogLevel level) { spdlog::set_level(spdlog_level(level)); }

void log_notable(Notable what, const std::string& text) {
  const auto& word = *std::find_if(kNotable.begin(), kNotable.end(),
                                   [&](const NotableWord& w) { return w.what == what; });
  const auto level = spdlog_level(word.level);
  if (!spdlog::should_log(level)) return;
  const bool sent =
      under_journal() && sd_journal_send("MESSAGE=%s", text.c_str(), "PRIORITY=%i", priority(level),
                                         "MESSAGE_ID=%s", std::string(word.message_id).c_str(),
                                         "SYSLOG_IDENTIFIER=welcomed", nullptr) == 0;
  if (!sent) spdlog::log(level, "{}", text);
}

}  // namespace welcome::daemon
