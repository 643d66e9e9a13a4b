// SPDX-License-Identifier: Apache-2.0
// Whatever there is because of a purpose goes with it, and nothing is forgotten in the table.

#include "core/purpose_rules.h"

#include <algorithm>
#include <gmock/gmock.h>

namespace welcome {
namespace {

bool holds(auto span, auto value) {
  return std::find(span.begin(), span.end(), value) != span.end();
}

TEST(PurposeRules, EveryPurposeHasItsOwn) {
  for (const Purpose purpose : kAllPurposes) EXPECT_EQ(rule_of(purpose).purpose, purpose);
}

TEST(PurposeRules, EveryKindOfMessageGoesWithAPurposeOrSaysWhyNot) {
  for (const OutboxKind kind : kAllOutboxKinds) {
    const bool owned = std::any_of(kAllPurposes.begin(), kAllPurposes.end(), [&](Purpose purpose) {
      return holds(rule_of(purpose).messages, kind);
    });
    const auto unowned = unowned_messages();
    const auto why = std::find_if(unowned.begin(), unowned.end(),
                                  [&](const Unowned& one) { return one.kind == kind; });
    EXPECT_NE(owned, why != unowned.end()) << to_string(kind);
    if (why == unowned.end()) continue;
    EXPECT_FALSE(why->why.empty()) << to_string(kind);
  }
}

TEST(PurposeRules, EveryKindOfRowGoesWithAPurposeOrSaysWhyNot) {
  int kinds = 0;
  for (int n = 0; to_string(static_cast<StateRow::Kind>(n)) != "?"; ++n, ++kinds) {
    const auto kind = static_cast<StateRow::Kind>(n);
    const bool owned = std::any_of(kAllPurposes.begin(), kAllPurposes.end(), [&](Purpose purpose) {
      return holds(rule_of(purpose).rows, kind);
    });
    const auto unowned = unowned_rows();
    const bool excused = std::any_of(unowned.begin(), unowned.end(),
                                     [&](const UnownedRow& one) { return one.kind == kind; });
    EXPECT_NE(owned, excused) << to_string(kind);
  }
  EXPECT_EQ(kinds, 6);
}

TEST(PurposeRules, WhatWasRecordedUnderAWiderConsentGoesWithAnyOfThem) {
  for (const Purpose purpose : kAllPurposes) {
    EXPECT_TRUE(holds(rule_of(purpose).rows, StateRow::Kind::recording)) << to_string(purpose);
  }
}

TEST(PurposeRules, WordsAreReadBackAsTheyAreWritten) {
  for (const OutboxKind kind : kAllOutboxKinds) {
    EXPECT_EQ(outbox_kind_from_string(to_string(kind)), kind);
  }
  EXPECT_EQ(outbox_kind_from_string("something else"), std::nullopt);
}

}  // namespace
}  // namespace welcome
