// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/format.h"

#include <concepts>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "core/presence.h"

namespace welcome::recording {

namespace chr = std::chrono;
using nlohmann::json;

namespace {

// ---- values: write() and read() of everything that a record can hold

template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<Id<Tag>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

std::optional<Purpose> of_word(std::string_view text, Purpose) { return purpose_from_string(text); }
std::optional<Function> of_word(std::string_view text, Function) {
  return function_from_string(text);
}
std::optional<Zone> of_word(std::string_view text, Zone) { return zone_from_string(text); }
std::optional<ClaimSource> of_word(std::string_view text, ClaimSource) {
  for (std::size_t i = 0; i < kSources; ++i) {
    if (to_string(static_cast<ClaimSource>(i)) == text) return static_cast<ClaimSource>(i);
  }
  return std::nullopt;
}
std::optional<StaffAction::Kind> of_word(std::string_view text, StaffAction::Kind) {
  return staff_action_from_string(text);
}
std::optional<StateRow::Kind> of_word(std::string_view text, StateRow::Kind) {
  return state_row_kind_from_string(text);
}
std::optional<Outcome> of_word(std::string_view text, Outcome) { return outcome_from_string(text); }
std::optional<DecisionKind> of_word(std::string_view text, DecisionKind) {
  return decision_kind_from_string(text);
}
std::optional<Reason> of_word(std::string_view text, Reason) { return reason_from_string(text); }

template <class T>
json write(const T& value);
template <class T>
T read(const json& in);

// ---- records: the fields of each, once, in both directions

template <class A, class T>
using Of = std::conditional_t<A::kWrites, const T, T>&;

template <class A>
void fields(A& a, Of<A, Preference> r) {
  a("key", r.key);
  a("value", r.value);
  a("confidence", r.confidence);
  a("confirmed", r.confirmed);
  a("last_confirmed", r.last_confirmed);
  a("source", r.source);
}
template <class A>
void fields(A& a, Of<A, KnownProfile> r) {
  a("language", r.language);
  a("tier", r.tier);
  a("points", r.points);
  a("next_reward_points", r.next_reward_points);
  a("segments", r.segments);
  a("tags", r.tags);
  a("named", r.named);
  a("greeted", r.greeted);
  a("preferences", r.preferences);
  a("not_today_at", r.not_today_at);
}
template <class A>
void fields(A& a, Of<A, Consent> r) {
  a("purpose", r.purpose);
  a("given_at", r.given_at);
  a("withdrawn_at", r.withdrawn_at);
  a("expires_at", r.expires_at);
}
template <class A>
void fields(A& a, Of<A, CardFace> r) {
  a("alias", r.alias);
  a("consents", r.consents);
  a("profile", r.profile);
  a("facts", r.facts);
}
template <class A>
void fields(A& a, Of<A, SaidPreference> r) {
  a("key", r.key);
  a("value", r.value);
}
template <class A>
void fields(A& a, Of<A, FaceCalibration> r) {
  a("impostor_mean", r.impostor_mean);
  a("impostor_sd", r.impostor_sd);
  a("genuine_mean", r.genuine_mean);
  a("genuine_sd", r.genuine_sd);
}
template <class A>
void fields(A& a, Of<A, PipelineSettings> r) {
  a("encounter_ms", r.encounter_timeout);
  a("visit_ms", r.visit_timeout);
  a("face_window_ms", r.face_window);
  a("face_alone_ms", r.face_alone);
  a("left_behind_ms", r.left_behind);
  a("face", r.face);
  a("face_wake_zone", r.face_wake_zone);
  a("prompt_zone", r.prompt_zone);
  a("consent_max_age_h", r.consent_max_age);
  a("shared_store", r.shared_store);
}
template <class A>
void fields(A& a, Of<A, Row> r) {
  a("kind", r.kind);
  a("key", r.key);
  a("who", r.who);
  a("value", r.value);
}
template <class A>
void fields(A& a, Of<A, Head> r) {
  a("box", r.box);
  a("settings", r.settings);
  a("heard", r.heard);
  a("policy", r.policy);
  a("campaigns", r.campaigns);
  a("paused", r.paused);
  a("rows", r.rows);
}
template <class A>
void fields(A& a, Of<A, Card> r) {
  a("who", r.who);
  a("key", r.key);
  a("card", r.card);
}
template <class A>
void fields(A& a, Of<A, happened::Claim> r) {
  a("who", r.who);
  a("source", r.source);
  a("fast", r.fast);
  a("settled", r.settled);
  a("similarity", r.similarity);
  a("track", r.track);
  a("doubted", r.doubted);
}
template <class A>
void fields(A& a, Of<A, happened::Staff> r) {
  a("id", r.id);
  a("visit", r.visit);
  a("by", r.by);
  a("kind", r.kind);
  a("noted", r.noted);
  a("changed", r.changed);
  a("at", r.at);
  a("said", r.said);
}
template <class A>
void fields(A& a, Of<A, happened::CampaignPut> r) {
  a("item", r.item);
}
template <class A>
void fields(A& a, Of<A, happened::CampaignGone> r) {
  a("id", r.id);
}
template <class A>
void fields(A& a, Of<A, happened::PolicyPut> r) {
  a("item", r.item);
}
template <class A>
void fields(A& a, Of<A, happened::Consented> r) {
  a("who", r.who);
  a("consent", r.consent);
}
template <class A>
void fields(A& a, Of<A, happened::ConsentsChanged> r) {
  a("records", r.records);
}
template <class A>
void fields(A& a, Of<A, happened::ConsentGone> r) {
  a("who", r.who);
  a("purpose", r.purpose);
  a("instead", r.instead);
}
template <class A>
void fields(A& a, Of<A, happened::Forgotten> r) {
  a("who", r.who);
}
template <class A>
void fields(A& a, Of<A, happened::Heard> r) {
  a("at", r.at);
}
template <class A>
void fields(A& a, Of<A, happened::Paused> r) {
  a("function", r.function);
  a("on", r.on);
}
template <class A>
void fields(A& a, Of<A, happened::ProfileChanged> r) {
  a("who", r.who);
  a("profile", r.profile);
}
template <class A>
void fields(A& a, Of<A, happened::Sent> r) {
  a("decision", r.decision);
}
template <class A>
void fields(A& a, Of<A, happened::Expired> r) {
  a("decision", r.decision);
}
template <class A>
void fields(A& a, Of<A, happened::Elsewhere> r) {
  a("who", r.who);
  a("decision", r.decision);
  a("campaign", r.campaign);
  a("variant", r.variant);
  a("at", r.at);
}
template <class A>
void fields(A& a, Of<A, happened::Told> r) {
  a("decision", r.decision);
  a("alias", r.alias);
  a("campaign", r.campaign);
  a("at", r.at);
  a("expires_at", r.expires_at);
  a("sent", r.sent);
  a("own", r.own);
  a("kept", r.kept);
}
template <class A>
void fields(A& a, Of<A, happened::TakenBack> r) {
  a("decision", r.decision);
}
template <class A>
void fields(A& a, Of<A, happened::CameOf> r) {
  a("who", r.who);
  a("decision", r.decision);
  a("outcome", r.outcome);
  a("product", r.product);
  a("value", r.value);
  a("at", r.at);
}
template <class A>
void fields(A& /*a*/, Of<A, happened::Tick> /*r*/) {}
template <class A>
void fields(A& a, Of<A, VisitBegun> r) {
  a("who", r.who);
  a("visit", r.visit);
}
template <class A>
void fields(A& a, Of<A, Decided> r) {
  a("id", r.id);
  a("kind", r.kind);
  a("reason", r.reason);
  a("who", r.who);
  a("campaign", r.campaign);
  a("variant", r.variant);
  a("survey", r.survey);
}

// Of these a day has many: their fields stand in a list, in the order above.
template <class T>
constexpr bool kAsList =
    std::is_same_v<T, Preference> || std::is_same_v<T, FaceCalibration> || std::is_same_v<T, Row> ||
    std::is_same_v<T, happened::Claim> || std::is_same_v<T, Consent> ||
    std::is_same_v<T, VisitBegun> || std::is_same_v<T, Decided>;

template <bool as_list>
struct Writer {
  static constexpr bool kWrites = true;
  json out = as_list ? json::array() : json::object();

  template <class T>
  void operator()(const char* name, const T& value) {
    if constexpr (as_list) {
      out.push_back(write(value));
    } else {
      out[name] = write(value);
    }
  }
};

template <bool as_list>
struct Reader {
  static constexpr bool kWrites = false;
  const json& in;
  std::size_t next = 0;

  template <class T>
  void operator()(const char* name, T& value) {
    if constexpr (as_list) {
      value = read<T>(in.at(next++));
    } else {
      value = read<T>(in.at(name));
    }
  }
};

template <class T>
json write(const T& value) {
  static_assert(!std::is_same_v<T, CustomerId>, "a recording names nobody");
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (IsId<T>::value) {
    return value.str();
  } else if constexpr (std::is_enum_v<T>) {
    return to_string(value);
  } else if constexpr (std::is_same_v<T, WallTime>) {
    return value.time_since_epoch().count();
  } else if constexpr (requires { value.count(); }) {
    return value.count();
  } else if constexpr (std::is_same_v<T, ItemText>) {
    return json::parse(value.json, nullptr, false);
  } else if constexpr (std::is_same_v<T, Sealed>) {
    return value.text;
  } else if constexpr (IsOptional<T>::value) {
    return value ? write(*value) : json();
  } else if constexpr (IsVector<T>::value) {
    json out = json::array();
    for (const auto& one : value) out.push_back(write(one));
    return out;
  } else {
    Writer<kAsList<T>> writer;
    fields(writer, value);
    return std::move(writer.out);
  }
}

// 1e30 is a number, too, and would fit into none.
template <class T>
T whole(const json& in) {
  if (!in.is_number_integer()) throw std::invalid_argument("whole number");
  return in.get<T>();
}

template <class T>
T read(const json& in) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return whole<T>(in);
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return in.get<T>();
  } else if constexpr (IsId<T>::value) {
    return T(in.get<std::string>());
  } else if constexpr (std::is_enum_v<T>) {
    const auto value = of_word(in.get_ref<const std::string&>(), T{});
    if (!value) throw std::invalid_argument("word");
    return *value;
  } else if constexpr (std::is_same_v<T, WallTime>) {
    return WallTime{chr::milliseconds{whole<std::int64_t>(in)}};
  } else if constexpr (requires(T t) { t.count(); }) {
    return T{whole<std::int64_t>(in)};
  } else if constexpr (std::is_same_v<T, ItemText>) {
    return {in.dump()};
  } else if constexpr (std::is_same_v<T, Sealed>) {
    return {in.get<std::string>()};
  } else if constexpr (IsOptional<T>::value) {
    return in.is_null() ? T{} : T{read<typename T::value_type>(in)};
  } else if constexpr (IsVector<T>::value) {
    if (!in.is_array()) throw std::invalid_argument("list");
    T out;
    for (const json& one : in) out.push_back(read<typename T::value_type>(one));
    return out;
  } else {
    T out;
    Reader<kAsList<T>> reader{in};
    fields(reader, out);
    return out;
  }
}

// ---- lines

// The word of each event, in the order of Happened.
constexpr const char* kHappened[] = {
    "claim",     "staff",     "campaign", "campaign_gone", "policy",  "consents",
    "unconsent", "forgotten", "heard",    "pause",         "profile", "sent",
    "expired",   "elsewhere", "told",     "untold",        "outcome", "tick",
};
static_assert(std::size(kHappened) == std::variant_size_v<Happened>);
constexpr const char* kVersionKey = "recording";

void write_now(json& out, const Now& now) {
  out["t"] = now.mono.time_since_epoch().count();
  out["w"] = write(now.wall);
  if (!now.wall_trusted) out["u"] = true;
}

Now read_now(const json& in) {
  return {MonoTime{chr::microseconds{whole<std::int64_t>(in.at("t"))}}, read<WallTime>(in.at("w")),
          !in.value("u", false)};
}

json to_json(const Head& head) {
  json out = write(head);
  out[kVersionKey] = kFormatVersion;
  write_now(out, head.at);
  return out;
}

json to_json(const Card& card) { return write(card); }

json to_json(const Moment& moment) {
  json out = json::object();
  out[kHappened[moment.what.index()]] =
      std::visit([](const auto& what) { return write(what); }, moment.what);
  write_now(out, moment.at);
  if (!moment.visits.empty()) out["visits"] = write(moment.visits);
  if (!moment.decisions.empty()) out["decided"] = write(moment.decisions);
  return out;
}

template <std::size_t I = 0>
Happened read_happened(const json& in) {
  if constexpr (I == std::variant_size_v<Happened>) {
    throw std::invalid_argument("event");
  } else {
    const auto found = in.find(kHappened[I]);
    if (found == in.end()) return read_happened<I + 1>(in);
    return read<std::variant_alternative_t<I, Happened>>(*found);
  }
}

Moment read_moment(const json& in) {
  Moment moment{read_now(in), read_happened(in), {}, {}};
  if (const auto visits = in.find("visits"); visits != in.end()) {
    moment.visits = read<std::vector<VisitBegun>>(*visits);
  }
  if (const auto decided = in.find("decided"); decided != in.end()) {
    moment.decisions = read<std::vector<Decided>>(*decided);
  }
  return moment;
}

Result<Line> read_head(const json& in, const json& version) {
  if (!version.is_number_integer()) return fail(ErrorCode::malformed, "no recording");
  const auto written = version.get<std::int64_t>();
  if (written != kFormatVersion) {
    return fail(ErrorCode::refused,
                std::string("recorded by ") + (written < kFormatVersion ? "an older" : "a newer") +
                    " welcomed, in format " + std::to_string(written) +
                    "; this one replays format " + std::to_string(kFormatVersion));
  }
  Head head = read<Head>(in);
  head.at = read_now(in);
  return head;
}

std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

template <class T>
Result<T> decode(std::string_view text) {
  try {
    return read<T>(json::parse(text));
  } catch (const std::exception&) {
    return fail(ErrorCode::malformed, "not of a recording");
  }
}

}  // namespace

std::string encode(const Line& line) {
  return std::visit([](const auto& l) { return dump(to_json(l)); }, line) + "\n";
}

Result<Line> decode_line(std::string_view line) {
  try {
    const json in = json::parse(line);
    if (!in.is_object()) return fail(ErrorCode::malformed, "not of a recording");
    if (const auto version = in.find(kVersionKey); version != in.end()) {
      return read_head(in, *version);
    }
    if (in.contains("card")) return read<Card>(in);
    return read_moment(in);
  } catch (const std::exception&) {
    return fail(ErrorCode::malformed, "not of a recording");
  }
}

std::string encode(const CardFace& face) { return dump(write(face)); }
std::string encode(const std::optional<KnownProfile>& profile) { return dump(write(profile)); }
std::string encode(const SaidPreference& said) { return dump(write(said)); }

Result<CardFace> decode_card_face(std::string_view text) { return decode<CardFace>(text); }
Result<std::optional<KnownProfile>> decode_known_profile(std::string_view text) {
  return decode<std::optional<KnownProfile>>(text);
}
Result<SaidPreference> decode_said_preference(std::string_view text) {
  return decode<SaidPreference>(text);
}

}  // namespace welcome::recording
