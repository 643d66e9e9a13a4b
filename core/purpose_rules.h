// SPDX-License-Identifier: Apache-2.0
#pragma once
// What there is because of a purpose, and goes when the customer withdraws it. The one place that
// says so: the pipeline changes its facts by it, store::Tx::withdraw() removes the rows, the daemon
// unloads keys and rewords time lines. A test fails when a kind of message or row has no owner.
//
// What is about a person and belongs to no purpose (consents, receipts, the profile that the CRM
// sent) goes with the person: store::Erasure.

#include <span>
#include <string_view>

#include "core/outbox_kind.h"
#include "core/pipeline.h"
#include "core/purpose.h"

namespace welcome {

// Parts of what the pipeline remembers of a customer (core/facts.h).
enum class FactPart : std::uint8_t {
  waiting_offers,        // all that were not sent
  waiting_personalised,  // of them, those that were made for this customer
  history,               // visits, purchases, variants
  notes,                 // of staff, and preferences they learnt
  face_doubt,
};

// Words of a visit's time line that are kept for a purpose. `visit` is of whoever was noticed by
// phone or face, and goes with the visit.
enum class TimelineOf : std::uint8_t { visit, face, prompt, offer };
std::string_view to_string(TimelineOf of);

struct PurposeRule {
  Purpose purpose;
  std::span<const OutboxKind> messages;  // unsent
  std::span<const StateRow::Kind> rows;  // beside the pipeline's own, which it changes itself
  std::span<const FactPart> facts;
  std::span<const TimelineOf> words;
  bool sightings = false;  // visits and decisions as they are stored
  bool templates = false;
  bool loads = false;  // keys or templates are in memory for it
};

const PurposeRule& rule_of(Purpose purpose);

// Kinds that no purpose owns, and why.
struct Unowned {
  OutboxKind kind;
  std::string_view why;
};
std::span<const Unowned> unowned_messages();
struct UnownedRow {
  StateRow::Kind kind;
  std::string_view why;
};
std::span<const UnownedRow> unowned_rows();

}  // namespace welcome
