// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every command of the control socket: its arguments, what it does, how long it may keep silent,
// and what its answer holds. welcomed dispatches by this table and checks requests with it;
// welcomectl's help and options and docs/control.md are made from it. Pure, any thread.

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace welcome::control {

enum class CommandId : std::uint8_t {
  status,
  doctor,
  visits,
  outbox,
  decisions,
  why,
  rehearse_start,
  rehearse_stop,
  recordings,
  replay,
  enrol,
  customer_export,
  audit_show,
  audit_verify,
  radio_watch,
  radio_record,
  radio_sample,
  radio_thresholds,
  identity_clock,
  camera_check,
  clock,
  clock_trust,
  tablets,
  tablet_sign_out,
  retire,
  config_diff,
  reload,
};

enum class Type : std::uint8_t {
  text,
  number,
  yes_no,
  texts,   // a list of text
  object,  // its members are fields of their own
  list,    // its elements are fields of their own, under "[]"
  open,    // somebody else's schema says what it holds
};

struct Argument {
  std::string_view name;
  Type type;
  bool needed;
  std::string_view what;
};

enum class Occurs : std::uint8_t { always, or_null, sometimes };

// A value of an answer. An object on the way to it needs no field of its own unless it may be
// missing.
struct Field {
  std::string_view path;  // keys with dots between; '*' is every key, "[]" every element
  Type type;
  std::string_view what;
  Occurs occurs = Occurs::always;
};

struct Command {
  CommandId id;
  std::string_view name;  // "radio watch"
  std::string_view what;
  std::span<const Argument> arguments;
  std::span<const Field> answer;
  std::span<const Field> part{};  // of {"part": …}, which come before the answer
  // How long nothing may come from a daemon that is well.
  std::chrono::seconds silence{10};
};

std::span<const Command> commands();
const Command& command(CommandId id);
const Command* find_command(std::string_view name);

// What is wrong with the arguments of a request. Errors: malformed.
Result<void> check_arguments(const Command& command, const nlohmann::json& arguments);
// What does not fit, one line each; empty = it fits.
std::vector<std::string> misfits(std::span<const Field> fields, const nlohmann::json& answer);

// The reference of docs/control.md.
std::string markdown_reference();

}  // namespace welcome::control
