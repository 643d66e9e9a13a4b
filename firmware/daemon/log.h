// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program's log. Under systemd every line has its priority, and what somebody may wait for has
// a MESSAGE_ID (journalctl MESSAGE_ID=…); elsewhere they are lines on standard error. Any thread.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "firmware/engine/words.h"

namespace welcome::daemon {

// Once, before anything is logged.
void start_logging(LogLevel level);
void set_log_level(LogLevel level);

// What docs/technician.md lists: a test holds the two together.
enum class Notable : std::uint8_t {
  ready,
  stopping,
  configuration_kept,
  file_unreadable,
  database_set_aside,
  inbox_full,
  radio_lost,
  radio_back,
  camera_lost,
  camera_back,
};
struct NotableWord {
  Notable what;
  LogLevel level;
  std::string_view message_id;
  std::string_view meaning;
};
inline constexpr std::array<NotableWord, 10> kNotable{{
    {Notable::ready, LogLevel::info, "fb645af2400d4198b3e6456687885c4d", "welcomed is ready"},
    {Notable::stopping, LogLevel::info, "f8eb5df49f334ea18ac7bb13f9b23d07", "it was told to stop"},
    {Notable::configuration_kept, LogLevel::error, "6bfdce2e97f345e8a0d89d0017aa1225",
     "a reload was refused: the configuration is wrong, the old one stays in force"},
    {Notable::file_unreadable, LogLevel::error, "85784a4023934f8a8c34800dbc6899a4",
     "a file that the configuration names cannot be read"},
    {Notable::database_set_aside, LogLevel::error, "4d814a293e3743b6a064ab2647be2879",
     "the database was damaged; a new one was begun, the old one is beside it"},
    {Notable::inbox_full, LogLevel::error, "f8eaa5c66d864fd2ba2e342fd49799d1",
     "more came than can be handled: messages are refused"},
    {Notable::radio_lost, LogLevel::warning, "85470b78e2744eaca08356c564b02ff7",
     "the radio does not hear; it works on it"},
    {Notable::radio_back, LogLevel::info, "7b269a6462634bb994052f550be3ddab", "the radio hears"},
    {Notable::camera_lost, LogLevel::warning, "d10c5ac00cd0471c89616fbbaa4585fc",
     "a camera is away or gives no good pictures"},
    {Notable::camera_back, LogLevel::info, "6c108d41ac0f44dea0798ff4a4542ae6",
     "a camera is well again"},
}};

void log_notable(Notable what, const std::string& text);

}  // namespace welcome::daemon
