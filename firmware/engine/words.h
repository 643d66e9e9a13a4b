// SPDX-License-Identifier: Apache-2.0
#pragma once
// The settings of the configuration that are one word of several: an enum each, and one table with
// word and meaning. The check, the message of a wrong word, --help and docs/configuration.md are
// made from these tables (settings.cpp); a test starts what every word of them chooses.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/claim.h"

namespace welcome::daemon {

template <class E>
struct Word {
  E value;
  std::string_view word;
  std::string_view meaning;
};
template <class E, std::size_t N>
using Words = std::array<Word<E>, N>;

enum class LogLevel : std::uint8_t { debug, info, warning, error };
inline constexpr Words<LogLevel, 4> kLogLevels{{
    {LogLevel::debug, "debug", "every step, for a search"},
    {LogLevel::info, "info", "what changes"},
    {LogLevel::warning, "warning", "what somebody should look at"},
    {LogLevel::error, "error", "what does not work"},
}};

enum class RadioSource : std::uint8_t { none, hci, bluez, btsnoop };
inline constexpr Words<RadioSource, 4> kRadioSources{{
    {RadioSource::none, "none", "no radio"},
    {RadioSource::hci, "hci", "a controller, for ourselves alone"},
    {RadioSource::bluez, "bluez",
     "by way of bluetoothd, where it must keep the adapter; hears less"},
    {RadioSource::btsnoop, "btsnoop", "a capture: btsnoop, pcap, pcapng, PacketLogger"},
}};

inline constexpr Words<Zone, 4> kBoxZones{{
    {Zone::street, "street", "in the window"},
    {Zone::door, "door", "at the entrance"},
    {Zone::inside, "inside", "in the room"},
    {Zone::desk, "desk", "where customers are served"},
}};

enum class CameraSource : std::uint8_t { none, file, v4l2, rtsp };
inline constexpr Words<CameraSource, 4> kCameraSources{{
    {CameraSource::none, "none", "no camera"},
    {CameraSource::file, "file", "a recorded video"},
    {CameraSource::v4l2, "v4l2", "a camera at this box"},
    {CameraSource::rtsp, "rtsp", "one in the network"},
}};

inline constexpr Words<Zone, 3> kCameraZones{{
    {Zone::desk, "desk", "it looks at who is being served"},
    {Zone::inside, "inside", "at the room"},
    {Zone::door, "door", "at the entrance"},
}};

// For whom cameras look.
enum class CameraWake : std::uint8_t { nearby, hours, always };
inline constexpr Words<CameraWake, 3> kCameraWakes{{
    {CameraWake::nearby, "nearby", "only while a consenting, enrolled customer is near"},
    {CameraWake::hours, "hours",
     "for everybody enrolled, within camera.hours, where the law of the place allows it"},
    {CameraWake::always, "always", "for everybody enrolled, where the law of the place allows it"},
}};

// By how many quarters, clockwise, a camera's pictures are turned to stand upright.
enum class QuarterTurns : std::uint8_t { none, one, two, three };
inline constexpr Words<QuarterTurns, 4> kRotations{{
    {QuarterTurns::none, "0", "it hangs upright"},
    {QuarterTurns::one, "90", "its pictures lie on their left side"},
    {QuarterTurns::two, "180", "it hangs upside down"},
    {QuarterTurns::three, "270", "its pictures lie on their right side"},
}};
constexpr int degrees_of(QuarterTurns turns) { return 90 * static_cast<int>(turns); }

enum class ModelPackName : std::uint8_t { any, clear, fused, best, known_origin };
inline constexpr Words<ModelPackName, 5> kModelPacks{{
    {ModelPackName::any, "auto", "clear where its files are, else best"},
    {ModelPackName::clear, "clear", "two recognisers of known authors, Apache-2.0"},
    {ModelPackName::fused, "fused", "misses fewest people"},
    {ModelPackName::best, "best", "the best single recogniser that a package carries"},
    {ModelPackName::known_origin, "known-origin", "of all its models it is known who trained them"},
}};

// The word of a value; "" for one that no table has.
template <class E, std::size_t N>
constexpr std::string_view word_of(const Words<E, N>& words, E value) {
  for (const auto& word : words) {
    if (word.value == value) return word.word;
  }
  return {};
}

}  // namespace welcome::daemon
