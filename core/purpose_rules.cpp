// SPDX-License-Identifier: Apache-2.0
#include "core/purpose_rules.h"

#include <array>

#include "core/enum_names.h"

namespace welcome {

namespace {

using K = OutboxKind;
using Row = StateRow::Kind;

constexpr K kOffers[] = {K::offer, K::survey};
constexpr K kPersonal[] = {K::offer};
constexpr K kPrompts[] = {K::prompt};
constexpr K kAnalytics[] = {K::visit, K::report};

// Whatever is withdrawn: what was recorded under the wider consent becomes unreadable.
constexpr Row kRecordings[] = {Row::recording};
constexpr Row kRadio[] = {Row::recording, Row::device};

constexpr FactPart kWaiting[] = {FactPart::waiting_offers};
constexpr FactPart kProfileFacts[] = {FactPart::waiting_personalised, FactPart::history};
constexpr FactPart kNotes[] = {FactPart::notes};
constexpr FactPart kFaceDoubt[] = {FactPart::face_doubt};

constexpr TimelineOf kFaceWords[] = {TimelineOf::face};
constexpr TimelineOf kPromptWords[] = {TimelineOf::prompt};

constexpr std::array kRules{
    PurposeRule{.purpose = Purpose::proximity_offers,
                .messages = kOffers,
                .rows = kRadio,
                .facts = kWaiting,
                .words = {},
                .sightings = true,
                .loads = true},
    PurposeRule{.purpose = Purpose::face_recognition,
                .messages = {},
                .rows = kRecordings,
                .facts = kFaceDoubt,
                .words = kFaceWords,
                .templates = true,
                .loads = true},
    PurposeRule{.purpose = Purpose::preference_prompts,
                .messages = kPrompts,
                .rows = kRecordings,
                .facts = kNotes,
                .words = kPromptWords},
    PurposeRule{.purpose = Purpose::personalised_offers,
                .messages = kPersonal,
                .rows = kRecordings,
                .facts = kProfileFacts,
                .words = {}},
    PurposeRule{.purpose = Purpose::visit_analytics,
                .messages = kAnalytics,
                .rows = kRecordings,
                .facts = {},
                .words = {}},
};
static_assert(kRules.size() == kAllPurposes.size());

constexpr Unowned kUnowned[] = {
    {K::told, "names nobody outside of the store, and is taken back by its own message"},
    {K::staff, "an act of staff, which happened"},
    {K::consent, "the consent itself, and its proof"},
    {K::enrolment, "says that there was one; the template is erased here"},
    {K::feed, "about an item, not a person"},
    {K::wanted, "the CRM answers only what is allowed when it comes"},
    {K::receipt, "must outlive what was erased"},
    {K::response, "to who asked"},
    {K::health, "about the box"},
    {K::retired, "about the box"},
};

constexpr UnownedRow kUnownedRows[] = {
    {Row::visit, "the pipeline ends the visit and deletes the row"},
    {Row::facts, "the pipeline rewrites what is left of them"},
    {Row::decision, "the pipeline deletes it with the waiting offer"},
    {Row::store, "about nobody"},
};

constexpr EnumNames<OutboxKind, 15> kKindNames{{
    {K::visit, "visit"},
    {K::offer, "offer"},
    {K::survey, "survey"},
    {K::report, "report"},
    {K::prompt, "prompt"},
    {K::told, "told"},
    {K::staff, "staff"},
    {K::consent, "consent"},
    {K::enrolment, "enrolment"},
    {K::feed, "feed"},
    {K::wanted, "wanted"},
    {K::receipt, "receipt"},
    {K::response, "response"},
    {K::health, "health"},
    {K::retired, "retired"},
}};
static_assert(kKindNames.size() == kAllOutboxKinds.size());

constexpr EnumNames<TimelineOf, 4> kWordNames{{
    {TimelineOf::visit, "visit"},
    {TimelineOf::face, "face"},
    {TimelineOf::prompt, "prompt"},
    {TimelineOf::offer, "offer"},
}};

}  // namespace

const PurposeRule& rule_of(Purpose purpose) { return kRules[static_cast<std::size_t>(purpose)]; }

std::string_view to_string(OutboxKind kind) { return enum_name(kKindNames, kind); }
std::optional<OutboxKind> outbox_kind_from_string(std::string_view text) {
  return enum_value(kKindNames, text);
}
std::string_view to_string(TimelineOf of) { return enum_name(kWordNames, of); }

std::span<const Unowned> unowned_messages() { return kUnowned; }
std::span<const UnownedRow> unowned_rows() { return kUnownedRows; }

}  // namespace welcome
