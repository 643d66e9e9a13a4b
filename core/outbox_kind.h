// SPDX-License-Identifier: Apache-2.0
#pragma once
// OutboxKind: what a waiting message is about. Rows are counted and removed by it: which kinds go
// with which purpose says purpose_rules.h.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace welcome {

enum class OutboxKind : std::uint8_t {
  visit,
  offer,
  survey,
  report,  // a suppressed decision, a raised prompt
  prompt,
  told,       // an offer, to the other boxes of the store
  staff,      // what staff did
  consent,    // given at the desk
  enrolment,  // a template was made
  feed,       // an item was set aside
  wanted,     // a profile
  receipt,    // of an erasure
  response,   // to a command
  health,
  retired,  // that the box is
};

inline constexpr std::array kAllOutboxKinds{
    OutboxKind::visit,     OutboxKind::offer,  OutboxKind::survey, OutboxKind::report,
    OutboxKind::prompt,    OutboxKind::told,   OutboxKind::staff,  OutboxKind::consent,
    OutboxKind::enrolment, OutboxKind::feed,   OutboxKind::wanted, OutboxKind::receipt,
    OutboxKind::response,  OutboxKind::health, OutboxKind::retired};

std::string_view to_string(OutboxKind kind);
std::optional<OutboxKind> outbox_kind_from_string(std::string_view text);

}  // namespace welcome
