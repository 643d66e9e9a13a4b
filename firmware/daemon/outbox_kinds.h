#pragma once
// What a row of the outbox is about: a withdrawal removes rows by these words (OutboxRow::kind).

#include <cstdint>
#include <string_view>

namespace welcome::daemon {

namespace kind {
inline constexpr std::string_view kVisit = "visit";
inline constexpr std::string_view kOffer = "offer";
inline constexpr std::string_view kSurvey = "survey";
inline constexpr std::string_view kReport = "report";  // a suppressed decision, a raised prompt
inline constexpr std::string_view kPrompt = "prompt";
inline constexpr std::string_view kTold = "told";  // an offer, to the other boxes of the store
inline constexpr std::string_view kStaff = "staff";
inline constexpr std::string_view kConsent = "consent";  // given at the desk
inline constexpr std::string_view kEnrolment = "enrolment";
inline constexpr std::string_view kFeed = "feed";  // an item that was set aside
inline constexpr std::string_view kReceipt = "receipt";
inline constexpr std::string_view kAnswer = "response";  // to a command
inline constexpr std::string_view kHealth = "health";
}  // namespace kind

inline constexpr std::int64_t kNoRow = 0;  // tag of a message that is not in the outbox

}  // namespace welcome::daemon
