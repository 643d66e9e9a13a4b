// SPDX-License-Identifier: Apache-2.0
#include "contract/quick_items.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "contract/contract.h"
#include "contract/quick_json.h"
#include "core/hex.h"

namespace welcome::contract {

namespace {

using enum Need;

constexpr std::int64_t kMax = 9'007'199'254'740'991;  // 53 bits

bool letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool alnum(char c) { return letter(c) || (c >= '0' && c <= '9'); }

// ^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$
bool language(std::string_view text) {
  for (int part = 0; part <= 4; ++part) {
    const std::string_view word = text.substr(0, text.find('-'));
    if (word.size() < (part == 0 ? 2U : 1U) || word.size() > 8) return false;
    if (!std::all_of(word.begin(), word.end(), part == 0 ? letter : alnum)) return false;
    if (word.size() == text.size()) return true;
    text.remove_prefix(word.size() + 1);
  }
  return false;
}

// [A-Za-z0-9+/]{86}==
bool signature(std::string_view text) {
  return text.size() == 88 && text.ends_with("==") &&
         std::all_of(text.begin(), text.end() - 2,
                     [](char c) { return alnum(c) || c == '+' || c == '/'; });
}

std::string word(QuickJson& in, std::size_t least, std::size_t most) {
  return std::string(in.string(least, most));
}

std::vector<std::string> words(QuickJson& in) {
  std::vector<std::string> out;
  in.array(200, [&] { out.push_back(word(in, 1, 200)); });
  return out;
}

std::string language_of(QuickJson& in) {
  const std::string_view text = in.string();
  in.want(language(text));
  return std::string(text);
}

WallTime time_of(QuickJson& in) {
  const auto time = from_rfc3339(in.string());
  in.want(time.has_value());
  return time.value_or(WallTime{});
}

int small(QuickJson& in, int least, int most) { return static_cast<int>(in.integer(least, most)); }

template <class Enum>
Enum known(QuickJson& in, const std::optional<Enum>& value) {
  in.want(value.has_value());
  return value.value_or(Enum{});
}

// ---- profiles ----

Preference preference_of(QuickJson& in) {
  Preference out;
  in.object(Member{"confidence", optional, [&] { out.confidence = in.number(0, 1); }},
            Member{"confirmed", optional, [&] { out.confirmed = small(in, 0, 1'000'000); }},
            Member{"key", required, [&] { out.key = word(in, 1, 64); }},
            Member{"last_confirmed", optional, [&] { out.last_confirmed = time_of(in); }},
            Member{"source", optional, [&] { out.source = word(in, 0, 64); }},
            Member{"value", required, [&] { out.value = word(in, 0, 500); }});
  return out;
}

std::optional<Conversation> conversation_of(QuickJson& in) {
  if (in.null()) return std::nullopt;
  Conversation out;
  in.object(Member{"at", required, [&] { out.at = time_of(in); }},
            Member{"text", required, [&] { out.text = word(in, 0, 2000); }});
  return out;
}

Item profile_of(QuickJson& in) {
  Profile out;
  const auto put_preference = [&] { out.preferences.push_back(preference_of(in)); };
  in.object(
      Member{"avoid", optional, [&] { out.avoid = words(in); }},
      Member{"customer", required, [&] { out.customer = CustomerId(word(in, 1, 128)); }},
      Member{"greeting", optional, [&] { out.greeting = word(in, 0, 200); }},
      Member{"language", optional, [&] { out.language = language_of(in); }},
      Member{"last_conversation", optional, [&] { out.last_conversation = conversation_of(in); }},
      Member{"met", optional, [&] { out.met = known(in, met_from_string(in.string())); }},
      Member{"name", required, [&] { out.name = word(in, 1, 200); }},
      Member{"next_reward_points", optional, [&] { out.next_reward_points = in.integer(0, kMax); }},
      Member{"not_today_at", optional, [&] { out.not_today_at = time_of(in); }},
      Member{"points", optional, [&] { out.points = in.integer(-kMax, kMax); }},
      Member{"preferences", optional, [&] { in.array(100, put_preference); }},
      Member{"pronunciation", optional, [&] { out.pronunciation = word(in, 0, 200); }},
      Member{"segments", optional, [&] { out.segments = words(in); }},
      Member{"tags", optional, [&] { out.tags = words(in); }},
      Member{"tier", optional, [&] { out.tier = word(in, 0, 64); }});
  return out;
}

// ---- consents ----

ConsentNotice notice_of(QuickJson& in) {
  ConsentNotice out;
  in.object(Member{"id", required, [&] { out.id = word(in, 1, 128); }},
            Member{"language", required, [&] { out.language = language_of(in); }},
            Member{"version", required, [&] { out.version = word(in, 1, 32); }});
  return out;
}

ConsentStep step_of(QuickJson& in) {
  ConsentStep out;
  const auto how = [&] {
    out.how = in.string();
    in.want(out.how == "app" || out.how == "desk" || out.how == "crm");
  };
  in.object(Member{"at", required, [&] { out.at = time_of(in); }},  //
            Member{"how", required, how},                           //
            Member{"state", required,
                   [&] { out.state = known(in, consent_state_from_string(in.string())); }});
  return out;
}

// Where it stands in its record, with the comma in front.
struct SigAt {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string key;
  std::string value;
};

SigAt sig_of(QuickJson& in) {
  SigAt out;
  out.begin = in.position() - std::min(in.position(), std::string_view(R"(,"sig":)").size());
  in.object(Member{"key", required, [&] { out.key = word(in, 1, 64); }},
            Member{"value", required, [&] {
                     out.value = in.string();
                     in.want(signature(out.value));
                   }});
  out.end = in.position();
  return out;
}

Item consent_of(QuickJson& in, std::optional<SigAt>& sig) {
  ConsentRecord out;
  const auto put_step = [&] { out.history.push_back(step_of(in)); };
  in.object(Member{"controller", required, [&] { out.controller = word(in, 1, 200); }},
            Member{"customer", required, [&] { out.customer = CustomerId(word(in, 1, 128)); }},
            Member{"data_categories", required, [&] { out.data_categories = words(in); }},
            Member{"expires_at", optional, [&] { out.expires_at = time_of(in); }},
            Member{"history", required, [&] { in.array(1000, put_step); }},
            Member{"jurisdiction", required, [&] { out.jurisdiction = word(in, 1, 64); }},
            Member{"notice", required, [&] { out.notice = notice_of(in); }},
            Member{"purpose", required,
                   [&] { out.purpose = known(in, purpose_from_string(in.string())); }},
            Member{"recipients", required, [&] { out.recipients = words(in); }},
            Member{"record_id", required, [&] { out.record_id = word(in, 1, 128); }},
            Member{"retention_days", required, [&] { out.retention_days = small(in, 0, 36500); }},
            Member{"schema_version", required, [&] { out.schema_version = word(in, 1, 32); }},
            Member{"sig", optional, [&] { sig = sig_of(in); }},
            Member{"storage_location", required, [&] { out.storage_location = word(in, 1, 200); }},
            Member{"tenant", required, [&] { out.tenant = word(in, 1, 64); }},
            Member{"withdraw_how", required, [&] { out.withdraw_how = word(in, 1, 500); }});
  in.want(!out.history.empty());
  return out;
}

// ---- identities ----

template <std::size_t N>
std::array<std::uint8_t, N> bytes_of(QuickJson& in, const std::optional<std::string_view>& hex) {
  std::array<std::uint8_t, N> out{};
  in.want(hex && from_hex(*hex, out));
  return out;
}

// 8-4-4-4-12 digits.
std::array<std::uint8_t, 16> uuid_of(QuickJson& in, const std::optional<std::string_view>& text) {
  std::string digits;
  for (std::size_t i = 0; text && i < text->size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != ((*text)[i] == '-')) in.give_up();
    if (!dash) digits += (*text)[i];
  }
  return bytes_of<16>(in, digits);
}

struct IdentityFields {
  std::string_view kind;
  std::optional<std::string_view> key, irk, uuid, id, name_space, instance;
  std::optional<int> rotation_exponent, major, minor;
  std::optional<WallTime> clock_zero;
};

// The members of one kind. Those of another are left to the thorough reader.
void read_key(QuickJson& in, const IdentityFields& f, IdentityItem& out) {
  const auto number = [&](const std::optional<int>& value) {
    in.want(value.has_value());
    return value.value_or(0);
  };
  int others = 0;
  for (const bool there : {f.key.has_value(), f.irk.has_value(), f.uuid.has_value(),
                           f.id.has_value(), f.name_space.has_value()}) {
    others += there ? 1 : 0;
  }
  in.want(others == 1);
  const bool rotates = f.rotation_exponent || f.clock_zero;
  in.want(rotates == f.key.has_value() && (f.major || f.minor) == f.uuid.has_value());
  in.want(f.instance.has_value() == f.name_space.has_value());
  if (f.kind == "eddystone_eid" || f.kind == "rotating_uuid") {
    in.want(f.clock_zero.has_value());
    out.key = RotatingKey{f.kind == "rotating_uuid", bytes_of<16>(in, f.key),
                          number(f.rotation_exponent), f.clock_zero.value_or(WallTime{})};
  } else if (f.kind == "irk") {
    out.key = ResolvingKey{bytes_of<16>(in, f.irk)};
  } else if (f.kind == "ibeacon") {
    out.key = IbeaconId{uuid_of(in, f.uuid), static_cast<std::uint16_t>(number(f.major)),
                        static_cast<std::uint16_t>(number(f.minor))};
  } else if (f.kind == "altbeacon") {
    out.key = AltBeaconId{bytes_of<20>(in, f.id)};
  } else {
    in.want(f.kind == "eddystone_uid");
    out.key = EddystoneUid{bytes_of<10>(in, f.name_space), bytes_of<6>(in, f.instance)};
  }
}

Item identity_of(QuickJson& in) {
  IdentityItem out;
  IdentityFields f;
  in.object(Member{"clock_zero", optional, [&] { f.clock_zero = time_of(in); }},
            Member{"customer", required, [&] { out.customer = CustomerId(word(in, 1, 128)); }},
            Member{"id", optional, [&] { f.id = in.string(); }},
            Member{"identity", required, [&] { out.identity = word(in, 1, 128); }},
            Member{"instance", optional, [&] { f.instance = in.string(); }},
            Member{"irk", optional, [&] { f.irk = in.string(); }},
            Member{"key", optional, [&] { f.key = in.string(); }},
            Member{"kind", required, [&] { f.kind = in.string(); }},
            Member{"major", optional, [&] { f.major = small(in, 0, 65535); }},
            Member{"measured_power_1m_dbm", optional,
                   [&] { out.measured_power_1m_dbm = small(in, -127, 20); }},
            Member{"minor", optional, [&] { f.minor = small(in, 0, 65535); }},
            Member{"namespace", optional, [&] { f.name_space = in.string(); }},
            Member{"rotation_exponent", optional, [&] { f.rotation_exponent = small(in, 0, 15); }},
            Member{"uuid", optional, [&] { f.uuid = in.string(); }});
  if (in.good()) read_key(in, f, out);
  if (in.good()) in.want(validate(out).has_value());
  return out;
}

}  // namespace

std::optional<QuickItem> quick_item(Collection collection, std::string_view text) {
  QuickJson in(text);
  QuickItem out;
  std::optional<SigAt> sig;
  switch (collection) {
    case Collection::profiles:
      out.item = profile_of(in);
      break;
    case Collection::consents:
      out.item = consent_of(in, sig);
      break;
    case Collection::identities:
      out.item = identity_of(in);
      break;
    case Collection::campaigns:
    case Collection::policy:
    case Collection::staff:
      return std::nullopt;  // few, and read for people who write them
  }
  if (!in.good() || !in.at_end()) return std::nullopt;
  if (sig && in.canonical()) {
    out.signed_part = QuickItem::Signed{std::string(text.substr(0, sig->begin)),
                                        std::move(sig->key), std::move(sig->value)};
    out.signed_part->text.append(text.substr(sig->end));
  }
  return out;
}

std::optional<LiftedItems> lift_items(std::string_view batch) {
  QuickJson in(batch);
  LiftedItems out;
  const auto entry = [&] {
    LiftedEntry one;
    const auto op = [&] {
      const std::string_view word = in.string();
      one.deleted = word == "delete";
      in.want(one.deleted || word == "put");
    };
    in.object(
        Member{"key", required, [&] { one.key = in.string(1, 128); }}, Member{"op", required, op},
        Member{"seq", required, [&] { one.seq = static_cast<std::uint64_t>(in.integer(1, kMax)); }},
        Member{"value", optional, [&] {
                 if (in.want(in.is('{'))) one.value = in.skip();
               }});
    out.entries.push_back(one);
  };
  int lists = 0;
  in.members([&](std::string_view name) {
    if (name != "items") {
      in.skip();
      return;
    }
    in.want(++lists == 1);
    out.rest.assign(batch.substr(0, in.position())).append("[]");
    in.array(kMaxItemsPerBatch, entry);
    out.rest.append(batch.substr(in.position()));
  });
  if (!in.good() || !in.at_end() || lists != 1) return std::nullopt;
  return out;
}

}  // namespace welcome::contract
