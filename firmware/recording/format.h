// SPDX-License-Identifier: Apache-2.0
#pragma once
// The format of a recorded day, used both ways: recorder.h writes it, replay.h reads it. One JSON
// value a line: a head, then cards and moments as they come. A customer is a number here; a record
// that holds a CustomerId does not compile. Pure, any thread.
//
// docs/decide.md, "Recordings", says what may stand in it and what may not.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/pipeline.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::recording {

// Counts up with every change of what stands here: a replay reads its own version and no other.
inline constexpr int kFormatVersion = 5;

using Who = int;  // a customer's number in this file

// JSON text that is passed on as it is: an item of the CRM's feed.
struct ItemText {
  std::string json;
};
// What only a customer's own key opens (cards.h); base64.
struct Sealed {
  std::string text;
};

// ---- what a card holds, before it is sealed

// Of a profile what a rule may ask for; of name and greeting only that they are there.
struct KnownProfile {
  std::string language, tier;
  std::int64_t points = 0;
  std::int64_t next_reward_points = 0;
  std::vector<std::string> segments, tags;
  bool named = false;
  bool greeted = false;
  std::vector<Preference> preferences;
  std::optional<WallTime> not_today_at;
};
struct Consent {
  Purpose purpose = Purpose::proximity_offers;
  std::optional<WallTime> given_at, withdrawn_at, expires_at;
};
struct CardFace {
  std::uint64_t alias = 0;  // of this file; made of the store's with a salt that is written nowhere
  std::vector<Consent> consents;
  std::optional<KnownProfile> profile;
  std::optional<ItemText> facts;
};
struct SaidPreference {
  std::string key, value;
};

// ---- lines

struct Row {  // of StateRow
  StateRow::Kind kind = StateRow::Kind::store;
  std::string key;
  std::optional<Who> who;
  std::string value;  // of a visit without the customer, who is `who`
};
// What the rules stand on when the file begins.
struct Head {
  std::string box;
  Now at;
  PipelineSettings settings;
  std::optional<WallTime> heard;  // the CRM's last word
  std::optional<ItemText> policy;
  std::vector<ItemText> campaigns;
  std::vector<Function> paused;
  std::vector<Row> rows;
};

struct Card {
  Who who = 0;
  std::string key;  // its id
  Sealed card;      // CardFace
};

// The events of the pipeline (core/pipeline.h), with numbers for customers.
namespace happened {

struct Claim {
  Who who = 0;
  ClaimSource source = ClaimSource::face;
  Zone fast = Zone::away;
  Zone settled = Zone::away;
  double similarity = 0;
  std::uint64_t track = 0;
  bool doubted = false;
};
struct Staff {
  std::string id;
  VisitId visit;
  std::string by;  // tells staff apart, names nobody
  StaffAction::Kind kind = StaffAction::Kind::claim;
  bool noted = false;
  bool changed = false;
  WallTime at;
  std::optional<Sealed> said;  // SaidPreference
};
struct CampaignPut {
  ItemText item;
};
struct CampaignGone {
  CampaignId id;
};
struct PolicyPut {
  std::optional<ItemText> item;
};
struct Consented {
  Who who = 0;
  Consent consent;
};
struct ConsentsChanged {
  std::vector<Consented> records;
};
struct ConsentGone {
  Who who = 0;
  Purpose purpose = Purpose::proximity_offers;
  std::optional<Consent> instead = std::nullopt;
};
struct Forgotten {
  Who who = 0;
};
struct Heard {
  WallTime at;
};
struct Paused {
  Function function = Function::all;
  bool on = false;
};
struct ProfileChanged {
  Who who = 0;
  Sealed profile;  // std::optional<KnownProfile>
};
struct Sent {
  DecisionId decision;
};
struct Expired {
  DecisionId decision;
};
struct Elsewhere {
  Who who = 0;
  DecisionId decision;
  CampaignId campaign;
  std::string variant;
  WallTime at;
};
struct Told {
  DecisionId decision;
  std::uint64_t alias = 0;  // as on a card
  CampaignId campaign;
  WallTime at, expires_at;
  bool sent = false;
  bool own = false;
  bool kept = false;
};
struct TakenBack {
  DecisionId decision;
};
struct CameOf {
  Who who = 0;
  DecisionId decision;
  Outcome outcome = Outcome::opened;
  std::string product;
  double value = 0;
  WallTime at;
};
struct Tick {};

}  // namespace happened

using Happened =
    std::variant<happened::Claim, happened::Staff, happened::CampaignPut, happened::CampaignGone,
                 happened::PolicyPut, happened::ConsentsChanged, happened::ConsentGone,
                 happened::Forgotten, happened::Heard, happened::Paused, happened::ProfileChanged,
                 happened::Sent, happened::Expired, happened::Elsewhere, happened::Told,
                 happened::TakenBack, happened::CameOf, happened::Tick>;

struct VisitBegun {
  Who who = 0;
  VisitId visit;
};
struct Decided {
  DecisionId id;
  DecisionKind kind = DecisionKind::offer;
  Reason reason = Reason::made;
  Who who = 0;
  CampaignId campaign;
  std::string variant, survey;
};
// An event, and what came of it.
struct Moment {
  Now at;
  Happened what;
  std::vector<VisitBegun> visits;
  std::vector<Decided> decisions;
};

using Line = std::variant<Head, Card, Moment>;

// One line, newline included.
std::string encode(const Line& line);
// Errors: malformed; refused: a head of another version, with both of them.
Result<Line> decode_line(std::string_view line);

std::string encode(const CardFace& face);
std::string encode(const std::optional<KnownProfile>& profile);
std::string encode(const SaidPreference& said);
// Errors: malformed.
Result<CardFace> decode_card_face(std::string_view text);
Result<std::optional<KnownProfile>> decode_known_profile(std::string_view text);
Result<SaidPreference> decode_said_preference(std::string_view text);

}  // namespace welcome::recording
