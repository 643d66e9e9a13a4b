// SPDX-License-Identifier: Apache-2.0
#pragma once
// The words of the contract for enums that only the contract has. Inside sync/ only.

#include <array>
#include <string_view>
#include <utility>

#include "contract/contract.h"

namespace welcome::contract {

template <class E, std::size_t N>
using Names = std::array<std::pair<E, std::string_view>, N>;

inline constexpr Names<LinkState, 3> kLinkStates{{{LinkState::online, "online"},
                                                  {LinkState::stopped, "stopped"},
                                                  {LinkState::offline, "offline"}}};

inline constexpr Names<Trouble, 5> kTroubles{{{Trouble::crm_silent, "crm_silent"},
                                              {Trouble::clock_not_set, "clock_not_set"},
                                              {Trouble::store, "store"},
                                              {Trouble::radio, "radio"},
                                              {Trouble::camera, "camera"}}};

inline constexpr Names<Found::Answer, 3> kFoundAnswers{{{Found::Answer::known, "known"},
                                                        {Found::Answer::unknown, "unknown"},
                                                        {Found::Answer::too_often, "too_often"}}};

inline constexpr Names<Command::Kind, 8> kCommandKinds{{{Command::Kind::erase, "erase"},
                                                        {Command::Kind::export_data, "export"},
                                                        {Command::Kind::diagnostics, "diagnostics"},
                                                        {Command::Kind::presence, "presence"},
                                                        {Command::Kind::outcome, "outcome"},
                                                        {Command::Kind::offered, "offered"},
                                                        {Command::Kind::config, "config"},
                                                        {Command::Kind::take_back, "take_back"}}};

inline constexpr Names<Command::Reason, 5> kTakeBackReasons{
    {{Command::Reason::refused, "refused"},
     {Command::Reason::expired, "expired"},
     {Command::Reason::code, "code"},
     {Command::Reason::witness, "witness"},
     {Command::Reason::unknown, "unknown"}}};

inline constexpr Names<Confirmation::By, 3> kConfirmedBy{{{Confirmation::By::phone, "phone"},
                                                          {Confirmation::By::code, "code"},
                                                          {Confirmation::By::witness, "witness"}}};

inline constexpr Names<EnrolMessage::Known, 4> kEnrolKnown{
    {{EnrolMessage::Known::yes, "yes"},
     {EnrolMessage::Known::no, "no"},
     {EnrolMessage::Known::unchecked, "unchecked"},
     {EnrolMessage::Known::too_often, "too_often"}}};

inline constexpr Names<EnrolMessage::Confirmed, 7> kEnrolConfirmed{
    {{EnrolMessage::Confirmed::waiting, "waiting"},
     {EnrolMessage::Confirmed::yes, "yes"},
     {EnrolMessage::Confirmed::refused, "refused"},
     {EnrolMessage::Confirmed::expired, "expired"},
     {EnrolMessage::Confirmed::code, "code"},
     {EnrolMessage::Confirmed::witness, "witness"},
     {EnrolMessage::Confirmed::unknown, "unknown"}}};

inline constexpr Names<EnrolMessage::Kind, 9> kEnrolKinds{
    {{EnrolMessage::Kind::lookup, "lookup"},
     {EnrolMessage::Kind::member, "member"},
     {EnrolMessage::Kind::confirmation, "confirmation"},
     {EnrolMessage::Kind::start, "start"},
     {EnrolMessage::Kind::consent, "consent"},
     {EnrolMessage::Kind::stop, "stop"},
     {EnrolMessage::Kind::guide, "guide"},
     {EnrolMessage::Kind::done, "done"},
     {EnrolMessage::Kind::failed, "failed"}}};

inline constexpr Names<DoorRequest::Kind, 8> kDoorRequestKinds{
    {{DoorRequest::Kind::consent_set, "consent.set"},
     {DoorRequest::Kind::offer_opened, "offer.opened"},
     {DoorRequest::Kind::offer_redeemed, "offer.redeemed"},
     {DoorRequest::Kind::offer_dismissed, "offer.dismissed"},
     {DoorRequest::Kind::complaint, "complaint"},
     {DoorRequest::Kind::survey_answer, "survey.answer"},
     {DoorRequest::Kind::met_set, "met.set"},
     {DoorRequest::Kind::details_set, "details.set"}}};

// What a radio can have heard.
inline constexpr Names<ClaimSource, 4> kHeardSources{
    {{ClaimSource::static_beacon, "static_beacon"},
     {ClaimSource::eddystone_eid, "eddystone_eid"},
     {ClaimSource::rotating_uuid, "rotating_uuid"},
     {ClaimSource::resolvable_address, "resolvable_address"}}};

template <class E, std::size_t N>
std::string_view name_of(const Names<E, N>& names, E value) {
  for (const auto& [e, name] : names) {
    if (e == value) return name;
  }
  return "";
}

// The schema has made sure that the name is one of them.
template <class E, std::size_t N>
E value_of(const Names<E, N>& names, std::string_view name) {
  for (const auto& [e, known] : names) {
    if (known == name) return e;
  }
  return names[0].first;
}

// Middle of the CloudEvents type, and of the schema's name; visits have four.
template <class T>
inline constexpr std::string_view kEventName = "";
template <>
inline constexpr std::string_view kEventName<OfferNews> = "decision.offer";
template <>
inline constexpr std::string_view kEventName<PromptNews> = "decision.prompt";
template <>
inline constexpr std::string_view kEventName<SuppressedNews> = "decision.suppressed";
template <>
inline constexpr std::string_view kEventName<SurveyNews> = "decision.survey";
template <>
inline constexpr std::string_view kEventName<StaffNews> = "staff.action";
template <>
inline constexpr std::string_view kEventName<ConsentNews> = "consent.changed";
template <>
inline constexpr std::string_view kEventName<EnrolmentNews> = "enrolment.done";
template <>
inline constexpr std::string_view kEventName<ErasureReceipt> = "erasure.receipt";
template <>
inline constexpr std::string_view kEventName<SurveyAnswer> = "survey.answer";
template <>
inline constexpr std::string_view kEventName<ProfileWanted> = "profile.wanted";
template <>
inline constexpr std::string_view kEventName<FeedRejected> = "feed.rejected";
template <>
inline constexpr std::string_view kEventName<HealthNews> = "health";
template <>
inline constexpr std::string_view kEventName<BoxRetired> = "box.retired";

}  // namespace welcome::contract
