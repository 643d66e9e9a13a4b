// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/clock_report.h"

#include <nlohmann/json.hpp>
#include <string>

#include "contract/contract.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

std::string span_text(std::chrono::milliseconds span) {
  const auto text = [&](auto unit, const char* one, const char* many) {
    const auto n = std::chrono::round<decltype(unit)>(span).count();
    return std::to_string(n) + (n == 1 ? one : many);
  };
  if (span >= 48h) return text(std::chrono::days(), " day", " days");
  if (span >= 2h) return text(std::chrono::hours(), " hour", " hours");
  if (span >= 2min) return text(std::chrono::minutes(), " minute", " minutes");
  return text(std::chrono::seconds(), " second", " seconds");
}

std::chrono::milliseconds age(const ClockState& state) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(state.now.mono - state.word->heard);
}

std::string who(const ClockState& state) {
  switch (state.source) {
    case ClockSource::nobody:
      return "Nobody has said the time since the boot, so no consent counts: wait for NTP or for "
             "the CRM, or compare the clock and run welcomectl clock trust.";
    case ClockSource::ntp:
      return state.quality == ClockQuality::synchronised
                 ? "NTP keeps the machine's clock."
                 : "NTP has set the clock, and has been silent or overruled since.";
    case ClockSource::crm:
      return "The CRM signed a time; its message came " + span_text(age(state)) + " ago.";
    case ClockSource::technician:
      return "A technician vouched for the clock " + span_text(age(state)) +
             " ago; it counts until the next boot.";
    case ClockSource::recording:
      return "A recording is played, with its own time.";
  }
  return {};
}

std::string off(WallTime machine, WallTime right) {
  return span_text(std::chrono::abs(machine - right)) + (machine > right ? " ahead" : " behind");
}

std::string what_follows(const ClockState& state) {
  if (state.agreed) return {};
  constexpr const char* kNothing = " Nothing is deleted because of its age";
  if (!state.crm) return std::string(kNothing) + " until the CRM signs a time.";
  return " The machine's clock is " + off(state.machine, state.crm->at(state.now.mono)) +
         " of what the CRM signed: set it (timedatectl)." + kNothing + " before that.";
}

}  // namespace

nlohmann::json clock_report(const ClockState& state) {
  return {{"wall", contract::to_rfc3339(state.now.wall)},
          {"trusted", state.now.wall_trusted},
          {"quality", to_string(state.quality)},
          {"source", to_string(state.source)},
          {"heard_s_ago",
           state.word ? nlohmann::json(std::chrono::round<std::chrono::seconds>(age(state)).count())
                      : nlohmann::json()},
          {"heard", state.word ? nlohmann::json(contract::to_rfc3339(state.now.wall - age(state)))
                               : nlohmann::json()},
          {"machine", contract::to_rfc3339(state.machine)},
          {"deletes", state.agreed.has_value()},
          {"words", who(state) + what_follows(state)}};
}

}  // namespace welcome::daemon
