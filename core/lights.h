// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a box is, by the parts that somebody can mend: the nine lights of `welcomectl doctor`, as the
// CRM, metrics and the technician's screen have them, too.

#include <cstdint>
#include <string_view>

#include "core/enum_names.h"

namespace welcome {

enum class Light : std::uint8_t {
  clock,
  line,  // to the central broker
  floor,
  radio,
  camera,
  models,
  store,
  consents,
  decisions,
};
enum class Lamp : std::uint8_t {
  green,
  yellow,  // it works, and somebody should look before it does not
  red,
  off,  // not set up here, or not known yet
};

inline constexpr EnumNames<Light, 9> kLights{{{Light::clock, "clock"},
                                              {Light::line, "line"},
                                              {Light::floor, "floor"},
                                              {Light::radio, "radio"},
                                              {Light::camera, "camera"},
                                              {Light::models, "models"},
                                              {Light::store, "store"},
                                              {Light::consents, "consents"},
                                              {Light::decisions, "decisions"}}};
inline constexpr EnumNames<Lamp, 4> kLamps{
    {{Lamp::green, "green"}, {Lamp::yellow, "yellow"}, {Lamp::red, "red"}, {Lamp::off, "off"}}};

// In their order.
inline constexpr auto kLightNames = words_of(kLights);
inline constexpr auto kLampNames = words_of(kLamps);

constexpr std::string_view to_string(Light light) { return enum_name(kLights, light); }
constexpr std::string_view to_string(Lamp lamp) { return enum_name(kLamps, lamp); }

}  // namespace welcome
