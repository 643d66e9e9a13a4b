// SPDX-License-Identifier: Apache-2.0
#pragma once
// How far a box is with the release that the CRM wants it to run: as the machine's own half says
// it, the CRM has it, and people read it.

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/enum_names.h"

namespace welcome {

enum class UpdateStep : std::uint8_t {
  no_image,    // it is no image: who looks after the machine updates its packages
  idle,        // nothing is wanted, or nothing else than what runs
  fetching,    // with a word of what is in the way
  waiting,     // it has the file, for the store's quiet hours
  installing,  // into the other slot, and the start with it
  done,        // it runs, and is as well as the version before
  back,        // it was worse than the version before, which runs again
  refused,     // lower than what runs, or not for this box
};

inline constexpr EnumNames<UpdateStep, 8> kUpdateSteps{{{UpdateStep::no_image, "no_image"},
                                                        {UpdateStep::idle, "idle"},
                                                        {UpdateStep::fetching, "fetching"},
                                                        {UpdateStep::waiting, "waiting"},
                                                        {UpdateStep::installing, "installing"},
                                                        {UpdateStep::done, "done"},
                                                        {UpdateStep::back, "back"},
                                                        {UpdateStep::refused, "refused"}}};

constexpr std::string_view to_string(UpdateStep step) { return enum_name(kUpdateSteps, step); }
constexpr std::optional<UpdateStep> update_step_from_string(std::string_view text) {
  return enum_value(kUpdateSteps, text);
}

}  // namespace welcome
