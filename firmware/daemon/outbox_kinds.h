#pragma once
// What a row of the outbox is about: a withdrawal removes rows by these words (OutboxRow::kind).

#include <cstdint>
#include <string_view>

namespace welcome::daemon {

namespace kind {
inline constexpr std::string_view visit = "visit";
inline constexpr std::string_view offer = "offer";
inline constexpr std::string_view survey = "survey";
inline constexpr std::string_view report = "report";  // a suppressed decision, a raised prompt
inline constexpr std::string_view prompt = "prompt";
inline constexpr std::string_view told = "told";  // an offer, to the other boxes of the store
inline constexpr std::string_view staff = "staff";
inline constexpr std::string_view consent = "consent";  // given at the desk
inline constexpr std::string_view enrolment = "enrolment";
inline constexpr std::string_view feed = "feed";  // an item that was set aside
inline constexpr std::string_view receipt = "receipt";
inline constexpr std::string_view answer = "response";  // to a command
inline constexpr std::string_view health = "health";
}  // namespace kind

inline constexpr std::int64_t kNoRow = 0;  // tag of a message that is not in the outbox

}  // namespace welcome::daemon
