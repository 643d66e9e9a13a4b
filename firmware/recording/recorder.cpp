#include "firmware/recording/recorder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <tuple>
#include <type_traits>

#include "core/hash.h"
#include "core/hex.h"
#include "core/store_clock.h"

namespace welcome::recording {

namespace fs = std::filesystem;
namespace chr = std::chrono;
using nlohmann::json;

namespace {

// A day of a busy store is some 50 MB.
constexpr std::uintmax_t kMostBytes = 512ULL << 20;
constexpr chr::hours kLatestSeam{3};  // local time by which a day is cut even if people are near
constexpr const char* kSuffix = ".jsonl";

std::int64_t ms(WallTime t) { return t.time_since_epoch().count(); }
json ms(const std::optional<WallTime>& t) { return t ? json(ms(*t)) : json(); }

std::string base64(std::string_view bytes) {
  std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // its terminating zero
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string out(text.size(), '\0');
  std::size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                        text.size(), nullptr, &size, nullptr,
                        sodium_base64_VARIANT_ORIGINAL) != 0) {
    return std::nullopt;
  }
  out.resize(size);
  return out;
}

std::string_view view(const std::array<std::uint8_t, 32>& secret) {
  return {reinterpret_cast<const char*>(secret.data()), secret.size()};
}

std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

// The words that a rule may ask for. Of name, greeting and the rest it may only know that they are
// there.
json profile_json(const Profile& p) {
  json j{{"language", p.language},      {"tier", p.tier},
         {"points", p.points},          {"next_reward_points", p.next_reward_points},
         {"segments", p.segments},      {"tags", p.tags},
         {"named", !p.name.empty()},    {"greeted", !p.greeting.empty()},
         {"preferences", json::array()}};
  for (const Preference& x : p.preferences) {
    j["preferences"].push_back(
        {x.key, x.value, x.confidence, x.confirmed, ms(x.last_confirmed), x.source});
  }
  return j;
}

json standing_json(const ConsentGate& gate, const CustomerId& customer) {
  json all = json::array();
  for (const Purpose purpose : kAllPurposes) {
    const ConsentStanding s = gate.standing(customer, purpose);
    if (!s.given_at && !s.withdrawn_at) continue;
    all.push_back({to_string(purpose), ms(s.given_at), ms(s.withdrawn_at), ms(s.expires_at)});
  }
  return all;
}

// What staff wrote stays with staff: that there is a note is all that a rule may know.
json facts_json(const std::optional<std::string>& facts) {
  if (!facts) return nullptr;
  json j = json::parse(*facts, nullptr, false);
  if (!j.is_object()) return nullptr;
  if (const auto note = j.find("note"); note != j.end()) (*note)["text"] = "…";
  return j;
}

// Staff are told apart, not named.
std::string alias(const std::string& staff) {
  return staff.empty() ? std::string()
                       : "staff-" + std::to_string(stable_hash(0, {staff}) % 1'000'000);
}

std::string random_hex() {
  std::array<std::uint8_t, 8> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return to_hex(bytes);
}

}  // namespace

// XChaCha20-Poly1305; the key's id is bound to it.
std::string seal_card(const CardKey& key, std::string_view plain) {
  std::string out(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + plain.size() +
                      crypto_aead_xchacha20poly1305_ietf_ABYTES,
                  '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  randombytes_buf(bytes, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      bytes + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, nullptr,
      reinterpret_cast<const unsigned char*>(plain.data()), plain.size(),
      reinterpret_cast<const unsigned char*>(key.id.data()), key.id.size(), nullptr, bytes,
      key.secret.data());
  return base64(out);
}

std::optional<std::string> open_card(const CardKey& key, std::string_view sealed) {
  constexpr std::size_t kOver =
      crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES;
  const auto bytes = from_base64(sealed);
  if (!bytes || bytes->size() < kOver) return std::nullopt;
  const auto* in = reinterpret_cast<const unsigned char*>(bytes->data());
  std::string plain(bytes->size() - kOver, '\0');
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr,
          in + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
          bytes->size() - crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
          reinterpret_cast<const unsigned char*>(key.id.data()), key.id.size(), in,
          key.secret.data()) != 0) {
    return std::nullopt;
  }
  return plain;
}

json settings_json(const PipelineSettings& s) {
  return {
      {"encounter_ms", s.encounter_timeout.count()},
      {"visit_ms", s.visit_timeout.count()},
      {"face_window_ms", s.face_window.count()},
      {"left_behind_ms", s.left_behind.count()},
      {"face", {s.face.impostor_mean, s.face.impostor_sd, s.face.genuine_mean, s.face.genuine_sd}},
      {"shared_store", s.shared_store},
      {"consent_max_age_h", s.consent_max_age.count()},
      {"face_wake_zone", to_string(s.face_wake_zone)},
      {"prompt_zone", to_string(s.prompt_zone)}};
}

PipelineSettings settings_of(const json& j) {
  const auto time = [&](const char* name) {
    return chr::milliseconds{j.at(name).get<std::int64_t>()};
  };
  const auto zone = [&](const char* name) {
    return zone_from_string(j.at(name).get<std::string>());
  };
  PipelineSettings s;
  s.encounter_timeout = time("encounter_ms");
  s.visit_timeout = time("visit_ms");
  s.face_window = time("face_window_ms");
  s.left_behind = time("left_behind_ms");
  const json& face = j.at("face");
  s.face = {face.at(0).get<double>(), face.at(1).get<double>(), face.at(2).get<double>(),
            face.at(3).get<double>()};
  s.shared_store = j.value("shared_store", false);
  s.consent_max_age = chr::hours{j.at("consent_max_age_h").get<std::int64_t>()};
  s.face_wake_zone = zone("face_wake_zone").value_or(s.face_wake_zone);
  s.prompt_zone = zone("prompt_zone").value_or(s.prompt_zone);
  return s;
}

Recorder::Recorder(fs::path dir, int days, store::Store& store, Pipeline::IdSource& ids)
    : dir_(std::move(dir)), days_(days), store_(store), ids_(ids) {
  const auto rows = store_.journal().states(StateRow::Kind::recording);
  if (!rows) return;
  for (const StateRow& row : *rows) {
    const json j = json::parse(*row.value, nullptr, false);
    const auto secret = j.is_object() ? from_base64(j.value("key", "")) : std::nullopt;
    if (!secret || secret->size() != 32) continue;
    CardKey key{row.key, {}};
    std::copy(secret->begin(), secret->end(), key.secret.begin());
    keys_[row.key] = {row.customer, key};
    key_ids_[row.customer] = row.key;
  }
}

// ---- files

std::string Recorder::day_of(const Pipeline& pipeline, WallTime wall) const {
  const auto clock = StoreClock::open(pipeline.policy().time_zone);
  return day_text((clock ? *clock : StoreClock()).local(wall).day);
}

fs::path Recorder::path_of(const std::string& name) const { return dir_ / (name + kSuffix); }

bool Recorder::wants_to_begin(const Pipeline& pipeline, const Now& now) const {
  // Without the time of day a recording has no name, and hardly a decision.
  if (days_ == 0 || !now.wall_trusted) return false;
  if (!file_.is_open() && !gave_up_) return true;
  if (day_of(pipeline, now.wall) == day_) return false;
  return pipeline.empty() || day_of(pipeline, now.wall - kLatestSeam) != day_;
}

void Recorder::begin(const Beginning& b, const Pipeline& pipeline, Pipeline::Directory& directory,
                     const Now& now) {
  if (file_.is_open()) file_.close();
  known_.clear();
  left_out_.clear();
  next_who_ = 1;
  bytes_ = 0;
  gave_up_ = false;
  randombytes_buf(&salt_, sizeof salt_);
  day_ = day_of(pipeline, now.wall);
  std::error_code failed;
  fs::create_directories(dir_, failed);
  fs::permissions(dir_, fs::perms::owner_all, failed);
  const fs::path path = path_of(day_ + "-" + std::to_string(b.session));
  file_.open(path, std::ios::trunc);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, failed);
  if (!file_) return stop("cannot write " + path.string());

  json head{{"recording", 1},
            {"box", b.box},
            {"t", now.mono.time_since_epoch().count()},
            {"w", ms(now.wall)},
            {"settings", settings_json(b.settings)},
            {"heard", ms(pipeline.gate().last_heard())},
            {"policy", b.policy ? json::parse(*b.policy, nullptr, false) : json()},
            {"campaigns", json::array()},
            {"paused", json::array()},
            {"rows", json::array()}};
  for (const std::string& c : b.campaigns) {
    head["campaigns"].push_back(json::parse(c, nullptr, false));
  }
  for (const Function f : kAllFunctions) {
    const bool by_itself = f == Function::all || !pipeline.gate().paused(Function::all);
    if (by_itself && pipeline.gate().paused(f)) head["paused"].push_back(to_string(f));
  }
  for (const StateRow& row : b.rows) {
    if (row.customer.empty()) {
      head["rows"].push_back({to_string(row.kind), row.key, nullptr, *row.value});
      continue;
    }
    std::string value = *row.value;
    if (row.kind == StateRow::Kind::visit) {
      json visit = json::parse(value, nullptr, false);
      if (!visit.is_object()) continue;
      visit["customer"] = "";
      visit["claimed_by"] = alias(visit.value("claimed_by", ""));
      value = dump(visit);
    }
    const auto number = introduce(row.customer, pipeline, directory);
    if (number) head["rows"].push_back({to_string(row.kind), row.key, *number, value});
  }
  write(head);
}

void Recorder::write(const json& line) {
  const std::string text = dump(line) + "\n";
  file_ << text;
  bytes_ += text.size();
  if (!file_) return stop("the disk refuses");
  if (bytes_ > kMostBytes) stop("it is large enough");
}

void Recorder::stop(std::string_view why) {
  spdlog::warn("recording ended for today: {}", why);
  file_.close();
  gave_up_ = true;
}

std::vector<std::string> Recorder::names() const {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(dir_, none)) {
    if (entry.path().extension() == kSuffix) names.push_back(entry.path().stem().string());
  }
  // "…-9" before "…-10".
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::make_tuple(a.substr(0, 10), a.size(), a) <
           std::make_tuple(b.substr(0, 10), b.size(), b);
  });
  return names;
}

std::vector<fs::path> Recorder::files(std::string_view prefix) const {
  std::vector<fs::path> found;
  for (const std::string& name : names()) {
    if (name.starts_with(prefix)) found.push_back(path_of(name));
  }
  return found;
}

void Recorder::flush(const Now& now) {
  if (file_.is_open()) file_.flush();
  for (const std::string& id : std::exchange(new_keys_, {})) {
    const auto key = keys_.find(id);
    if (key == keys_.end()) continue;  // forgotten since
    const json value{{"key", base64(view(key->second.second.secret))}, {"day", day_}};
    const auto kept = store_.journal().put_state(
        {StateRow::Kind::recording, id, key->second.first, value.dump()}, now.wall);
    if (!kept) new_keys_.push_back(id);  // a disk in trouble: another time
  }
}

void Recorder::apply_retention(const Now& now) {
  if (!now.wall_trusted) return;
  const std::string oldest = day_text(
      chr::local_days{chr::floor<chr::days>(now.wall).time_since_epoch()} - chr::days{days_});
  std::string first_kept = days_ > 0 && !day_.empty() ? day_ : "9999";
  for (const std::string& name : names()) {
    const std::string day = name.substr(0, 10);
    std::error_code failed;
    if (day < oldest || days_ == 0) {
      fs::remove(path_of(name), failed);
    } else {
      first_kept = std::min(first_kept, day);
    }
  }
  const auto rows = store_.journal().states(StateRow::Kind::recording);
  if (!rows) return;
  for (const StateRow& row : *rows) {
    const json j = json::parse(*row.value, nullptr, false);
    if (j.is_object() && j.value("day", "") >= first_kept) continue;
    if (const auto id = key_ids_.find(row.customer);
        id != key_ids_.end() && id->second == row.key) {
      if (known_.contains(row.customer)) continue;  // in use, not yet written down
      key_ids_.erase(id);
    }
    keys_.erase(row.key);
    (void)store_.journal().put_state({StateRow::Kind::recording, row.key, row.customer, {}},
                                     now.wall);
  }
}

// ---- people

std::optional<int> Recorder::who(const CustomerId& customer) const {
  const auto known = known_.find(customer);
  return known == known_.end() ? std::nullopt : std::optional(known->second.who);
}

const CardKey& Recorder::key_of(const CustomerId& customer) {
  auto [id, fresh] = key_ids_.try_emplace(customer);
  if (fresh) {
    id->second = random_hex();
    CardKey key{id->second, {}};
    randombytes_buf(key.secret.data(), key.secret.size());
    keys_[id->second] = {customer, key};
  }
  return keys_.at(id->second).second;
}

// The alias of a customer in the store could be made again from her id; this one cannot.
std::uint64_t Recorder::salted(std::uint64_t alias) const {
  return stable_hash(salt_, {std::to_string(alias)});
}

std::string Recorder::sealed(const CustomerId& customer, const json& what) {
  return seal_card(key_of(customer), dump(what));
}

std::optional<int> Recorder::introduce(const CustomerId& customer, const Pipeline& pipeline,
                                       Pipeline::Directory& directory) {
  if (const auto known = who(customer)) return known;
  if (pipeline.gate().forgotten(customer) || left_out_.contains(customer)) return std::nullopt;
  const Profile* profile = directory.profile(customer);
  const json card{{"alias", salted(store_alias(pipeline.policy(), customer))},
                  {"consents", standing_json(pipeline.gate(), customer)},
                  {"profile", profile ? profile_json(*profile) : json()},
                  {"facts", facts_json(directory.facts(customer))}};
  const CardKey& key = key_of(customer);
  new_keys_.push_back(key.id);
  const int number = next_who_++;
  known_[customer] = {number, key.id};
  write({{"who", number}, {"key", key.id}, {"card", sealed(customer, card)}});
  return number;
}

void Recorder::forget(const CustomerId& customer) {
  // Not once more in this file: a replay would meet her in the middle of a visit.
  if (known_.erase(customer) > 0) left_out_.insert(customer);
  const auto id = key_ids_.find(customer);
  if (id == key_ids_.end()) return;
  (void)store_.journal().put_state({StateRow::Kind::recording, id->second, customer, {}}, {});
  keys_.erase(id->second);
  key_ids_.erase(id);
}

// ---- events

std::string Recorder::visit(const CustomerId& customer) {
  std::string id = ids_.visit(customer);
  if (file_.is_open()) visits_.emplace_back(customer, id);
  return id;
}

void Recorder::before(const Event& event, const Pipeline& pipeline, Pipeline::Directory& directory,
                      const Now& now) {
  if (!file_.is_open()) return;
  visits_.clear();
  sealed_.clear();
  if (const auto* claim = std::get_if<event::Claim>(&event)) {
    // The gate turns the others away.
    if (!pipeline.gate().purposes(claim->claim.customer, now).empty()) {
      introduce(claim->claim.customer, pipeline, directory);
    }
  } else if (const auto* elsewhere = std::get_if<event::OfferElsewhere>(&event)) {
    introduce(elsewhere->customer, pipeline, directory);
  } else if (const auto* outcome = std::get_if<event::ExternalOutcome>(&event)) {
    introduce(outcome->customer, pipeline, directory);
  } else if (const auto* changed = std::get_if<event::ProfileChanged>(&event);
             changed && who(changed->customer)) {
    const Profile* profile = directory.profile(changed->customer);
    sealed_ = sealed(changed->customer, profile ? profile_json(*profile) : json());
  } else if (const auto* staff = std::get_if<event::Staff>(&event);
             staff && staff->action.kind == StaffAction::Kind::preference) {
    const StaffAction& a = staff->action;
    for (const VisitView& v : pipeline.visits()) {
      if (v.visit != a.visit || !who(v.customer)) continue;
      sealed_ = sealed(v.customer, json{a.preference_key, a.preference_value});
    }
  }
}

// Null: it is about somebody who plays no part in this file.
json Recorder::line_of(const Event& event, std::string_view item) {
  const auto parsed = [&] { return item.empty() ? json() : json::parse(item, nullptr, false); };
  return std::visit(
      [&](const auto& e) -> json {
        using E = std::decay_t<decltype(e)>;
        if constexpr (requires { e.customer; }) {
          if (!who(e.customer)) return nullptr;
        }
        if constexpr (std::is_same_v<E, event::Claim>) {
          const IdentityClaim& c = e.claim;
          if (!who(c.customer)) return nullptr;
          return {{"c",
                   {*who(c.customer), static_cast<int>(c.source), static_cast<int>(c.fast),
                    static_cast<int>(c.settled), c.confidence, c.track}}};
        } else if constexpr (std::is_same_v<E, event::Staff>) {
          const StaffAction& a = e.action;
          return {{"e", "staff"},
                  {"id", a.id},
                  {"visit", a.visit.str()},
                  {"by", alias(a.staff.str())},
                  {"kind", to_string(a.kind)},
                  {"noted", !a.text.empty()},
                  {"changed", a.verdict == StaffAction::Verdict::change},
                  {"at", ms(a.at)},
                  {"card", sealed_}};
        } else if constexpr (std::is_same_v<E, event::CampaignPut>) {
          return {{"e", "campaign"}, {"item", parsed()}};
        } else if constexpr (std::is_same_v<E, event::CampaignRemoved>) {
          return {{"e", "campaign_gone"}, {"id", e.campaign.str()}};
        } else if constexpr (std::is_same_v<E, event::CampaignsReplaced>) {
          return nullptr;  // at start only, before a file begins
        } else if constexpr (std::is_same_v<E, event::PolicyReplaced>) {
          return {{"e", "policy"}, {"item", parsed()}};
        } else if constexpr (std::is_same_v<E, event::ConsentChanged>) {
          json records = json::array();
          for (const ConsentRecord& r : e.records) {
            if (!who(r.customer)) continue;
            const ConsentStanding s = standing(r);
            records.push_back({*who(r.customer), to_string(r.purpose), ms(s.given_at),
                               ms(s.withdrawn_at), ms(s.expires_at)});
          }
          return records.empty() ? json() : json{{"e", "consents"}, {"r", std::move(records)}};
        } else if constexpr (std::is_same_v<E, event::ConsentRemoved>) {
          return {{"e", "unconsent"}, {"who", *who(e.customer)}, {"purpose", to_string(e.purpose)}};
        } else if constexpr (std::is_same_v<E, event::CustomerForgotten>) {
          return {{"e", "forgotten"}, {"who", *who(e.customer)}};
        } else if constexpr (std::is_same_v<E, event::CrmHeard>) {
          return {{"e", "heard"}, {"at", ms(e.at)}};
        } else if constexpr (std::is_same_v<E, event::PauseChanged>) {
          return {{"e", "pause"}, {"function", to_string(e.function)}, {"on", e.paused}};
        } else if constexpr (std::is_same_v<E, event::ProfileChanged>) {
          return {{"e", "profile"}, {"who", *who(e.customer)}, {"card", sealed_}};
        } else if constexpr (std::is_same_v<E, event::DecisionSent>) {
          return {{"e", "sent"}, {"d", e.decision.str()}};
        } else if constexpr (std::is_same_v<E, event::DecisionExpired>) {
          return {{"e", "expired"}, {"d", e.decision.str()}};
        } else if constexpr (std::is_same_v<E, event::OfferElsewhere>) {
          return {{"e", "elsewhere"},      {"who", *who(e.customer)},
                  {"d", e.decision.str()}, {"campaign", e.campaign.str()},
                  {"variant", e.variant},  {"at", ms(e.at)}};
        } else if constexpr (std::is_same_v<E, event::OfferTold>) {
          const StoreOffer& o = e.offer;
          return {{"e", "told"},
                  {"d", o.decision.str()},
                  {"alias", salted(o.whom)},
                  {"campaign", o.campaign.str()},
                  {"at", ms(o.at)},
                  {"expires", ms(o.expires_at)},
                  {"sent", o.sent},
                  {"own", e.own},
                  {"kept", e.kept}};
        } else if constexpr (std::is_same_v<E, event::OfferTakenBack>) {
          return {{"e", "untold"}, {"d", e.decision.str()}};
        } else if constexpr (std::is_same_v<E, event::ExternalOutcome>) {
          return {{"e", "outcome"},        {"who", *who(e.customer)},
                  {"d", e.decision.str()}, {"outcome", to_string(e.outcome)},
                  {"product", e.product},  {"value", e.value},
                  {"at", ms(e.at)}};
        } else {
          static_assert(std::is_same_v<E, event::Tick>);
          return {{"e", "tick"}};
        }
      },
      event);
}

void Recorder::after(const Event& event, std::string_view item, const Effects& effects,
                     const Now& now) {
  if (!file_.is_open()) return;
  json line = line_of(event, item);
  if (line.is_null()) {
    if (effects.decisions.empty() && effects.visits.empty() && effects.rows.empty()) return;
    line = {{"e", "tick"}};  // it was only the time that did something
  }
  line["t"] = now.mono.time_since_epoch().count();
  line["w"] = ms(now.wall);
  if (!now.wall_trusted) line["u"] = true;
  for (const auto& [customer, id] : visits_) {
    if (const auto number = who(customer)) line["v"].push_back({*number, id});
  }
  for (const Decision& d : effects.decisions) {
    const auto number = who(d.customer);
    if (!number) continue;
    line["o"].push_back({d.id.str(), to_string(d.kind), to_string(d.reason), *number,
                         d.campaign.str(), d.variant, d.survey});
  }
  write(line);
}

}  // namespace welcome::recording
