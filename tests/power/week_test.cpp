// SPDX-License-Identifier: Apache-2.0
// A random week on the real engine and store: people come and go, agree, withdraw, are forgotten
// and come back; the line drops, the CRM falls silent, the clock jumps, the disk is full, the plug
// is pulled at any write, and somebody in the broker forges and replays consents. Beside it runs a
// tiny model of what everybody agreed to. Whatever the box does is held against the model: nobody
// is acted on without a consent that is valid at that moment, and no canary of anybody is in a
// file, a log line, or a message that is not for it.
//
// WELCOME_WEEKS=N plays N weeks from seed WELCOME_WEEK_FROM (1) on; without it a sample.
// WELCOME_WEEK=SEED plays one.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <stdexcept>

#include "contract/signed_text.h"
#include "contract/signing.h"
#include "harness/bench_box.h"
#include "sync/feed.h"
#include "tests/power/power_vfs.h"
#include "tests/power/week_model.h"

namespace welcome::test {
namespace {

using namespace std::chrono_literals;
using contract::Collection;
using contract::LinkName;
using nlohmann::json;

constexpr int kPeople = 6;
constexpr int kSteps = 70;
constexpr int kSample = 12;
// How strongly somebody is heard, in dBm.
constexpr int kInside = -55;
constexpr int kOutside = -84;
const std::string kStranger = "Canarystranger";

std::string id_of(int n) { return "c-canaryid" + std::to_string(n); }
CustomerId customer(int n) { return CustomerId(id_of(n)); }
std::string name_of(int n) { return "Canaryname" + std::to_string(n); }
std::string likes_of(int n) { return "canarylike" + std::to_string(n); }
std::string note_of(int n) { return "canarynote" + std::to_string(n); }
std::string uuid_of(int n) { return "ca4a1234-40b3-4a0e-9c55-0d2f8a7e1b0" + std::to_string(n); }
std::string uuid_bytes(int n) {
  return std::string("\xca\x4a\x12\x34\x40\xb3\x4a\x0e\x9c\x55\x0d\x2f\x8a\x7e\x1b", 15) +
         static_cast<char>(n);
}
std::string record_of(int n, Purpose p) {
  return "rec-" + std::to_string(n) + "-" + std::to_string(static_cast<int>(p));
}

// ---- the CRM ----

struct Shelf {
  std::string epoch = "e1";
  std::uint64_t seq = 0;
  std::map<std::string, std::pair<std::uint64_t, json>> items;

  std::string digest() const {
    contract::Digest digest;
    for (const auto& [key, item] : items) digest.toggle(key, item.first);
    return digest.hex();
  }
  void put(const std::string& key, json value) { items[key] = {++seq, std::move(value)}; }
  void remove(const std::string& key) {
    if (items.erase(key) > 0) ++seq;
  }
};

json profile(int n) {
  return {{"customer", id_of(n)},
          {"name", name_of(n)},
          {"greeting", name_of(n)},
          {"language", "en"},
          {"segments", {"regular"}},
          {"preferences",
           {{{"key", "drink"}, {"value", likes_of(n)}, {"confidence", 0.9}, {"confirmed", 2}}}}};
}

json identity(int n) {
  return {{"identity", "fob-" + std::to_string(n)},
          {"customer", id_of(n)},
          {"kind", "ibeacon"},
          {"uuid", uuid_of(n)},
          {"major", 12},
          {"minor", 3071},
          {"measured_power_1m_dbm", -59}};
}

json eva() {
  return {{"staff", "eva"},
          {"name", "Eva"},
          {"roles", {"staff"}},
          {"pin",
           "$argon2id$v=19$m=8192,t=1,p=1$" + std::string(22, 'a') + "$" + std::string(43, 'b')}};
}

constexpr const char* kSignInTopic = "welcome/v1/floor/tablet/t-1/session";

// ---- the week ----

class Week {
 public:
  explicit Week(std::uint64_t seed)
      : random_(seed),
        vfs_("week-" + std::to_string(seed)),
        log_(std::make_shared<spdlog::sinks::ostream_sink_mt>(log_text_)) {
    auto logger = std::make_shared<spdlog::logger>("week", log_);
    logger->set_level(spdlog::level::debug);
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(logger);
    contract::KeyRing ring;
    ring.pin("k1", signer_.public_key());
    box_.emplace(kStart, BenchSetup{vfs_.name(), ring.to_text()});
    box_->use_timekeeper();
    shelves_[Collection::policy].put("policy", {{"time_zone", "UTC"},
                                                {"consent_max_age_h", kConsentMaxAge.count()},
                                                {"prompt_min_level", "present"}});
    shelves_[Collection::campaigns].put("k",
                                        json::parse(R"({"campaign": "k", "name": "k", "priority": 1,
          "trigger": {"on": "pass_by", "zone": "street", "dwell_ms": 2000}, "expires_s": 86400,
          "cap": {"per": "day", "per_customer": 5},
          "variants": [{"id": "a", "weight": 1, "title": {"en": "Hello"},
                        "text": {"en": "Hello {{greeting}}"}}]})"));
    shelves_[Collection::staff].put("eva", eva());
    for (int n = 0; n < kPeople; ++n) {
      shelves_[Collection::profiles].put(id_of(n), profile(n));
      shelves_[Collection::identities].put("fob-" + std::to_string(n), identity(n));
      for (const Purpose p : kAllPurposes) {
        if (pick(3) > 0) step_of_consent(n, p, true);
      }
    }
    line_up();
    // What the box set aside here would be missing in all that follows.
    EXPECT_EQ(status()["crm"]["set_aside"], 0);
    EXPECT_EQ(status()["decisions"]["policy"], true);
  }
  ~Week() {
    box_.reset();
    spdlog::set_default_logger(before_);
  }

  void play() {
    for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) {
      step();
      look_around();
    }
  }

  // Weeks without any prove nothing.
  struct Seen {
    int visits = 0, prompts = 0, offers = 0, pledges = 0;
    Seen& operator+=(const Seen& other) {
      visits += other.visits;
      prompts += other.prompts;
      offers += other.offers;
      pledges += other.pledges;
      return *this;
    }
  };
  Seen happened;

 private:
  using Step = std::pair<const char*, void (Week::*)()>;

  void step() {
    static constexpr std::array<Step, 30> kKinds{{
        {"hear", &Week::hear_somebody}, {"hear", &Week::hear_somebody},
        {"hear", &Week::hear_somebody}, {"hear", &Week::hear_somebody},
        {"hear", &Week::hear_somebody}, {"face", &Week::face},
        {"face", &Week::face},          {"face", &Week::face},
        {"face", &Week::face},          {"consent", &Week::consent},
        {"consent", &Week::consent},    {"consent", &Week::consent},
        {"consent", &Week::consent},    {"forget", &Week::forget},
        {"line", &Week::line},          {"time", &Week::time},
        {"time", &Week::time},          {"silence", &Week::silence},
        {"plug", &Week::arm_the_cut},   {"plug", &Week::arm_the_cut},
        {"restart", &Week::restart},    {"disk", &Week::disk},
        {"attack", &Week::attack},      {"attack", &Week::attack},
        {"clock", &Week::clock},        {"snapshot", &Week::new_epoch},
        {"desk", &Week::desk},          {"desk", &Week::desk},
        {"answer", &Week::answer_desk}, {"answer", &Week::answer_desk},
    }};
    const auto& [name, run] = kKinds[pick(kKinds.size())];
    trail_ += std::string(name) + " ";
    (this->*run)();
  }

  // -- what happens

  void hear_somebody() { hear(any(), pick(2) == 0 ? kOutside : kInside); }
  void hear(int n, int strength) {
    const int rssi = strength - static_cast<int>(pick(8));
    const auto known = identified();
    const auto life = lives_;
    const bool before = model_.may(n, Purpose::proximity_offers, now());
    for (int i = 0; i < 20 && alive(); ++i) {
      beacon::AdvertReport report;
      report.at = now().mono;
      report.address = {0xC0, 1, 2, 3, 4, static_cast<std::uint8_t>(n)};
      report.address_type = beacon::AddressType::random_device;
      report.rssi_dbm = static_cast<std::int8_t>(rssi);
      std::string ad("\x1A\xFF\x4C\x00\x02\x15", 6);
      ad += uuid_bytes(n) + std::string("\x00\x0C\x0B\xFF\xC5", 5);
      report.ad =
          beacon::AdBytes(std::span(reinterpret_cast<const std::uint8_t*>(ad.data()), ad.size()));
      beacon::AdvertReport other = report;
      other.address = {0xC0, 0xFF, 0xEE, 0xC0, 0xFF, 0xEE};
      const std::string named = std::string("\x0F\x09", 2) + kStranger;
      other.ad = beacon::AdBytes(
          std::span(reinterpret_cast<const std::uint8_t*>(named.data()), named.size()));
      box_->engine().handle(daemon::input::Adverts{{report, other}, {}}, now());
      after();
      if (alive()) advance(200ms);
    }
    if (alive() && life == lives_ && known && identified() > *known) {
      EXPECT_TRUE(before || model_.may(n, Purpose::proximity_offers, now()))
          << "the key of " << n << " was loaded without consent "
          << model_.what_of(n, Purpose::proximity_offers, now()) << "\n"
          << trail_;
    }
  }

  // Somebody stands before the camera. First an enrolment, where there is consent.
  void face() {
    const int n = any();
    vision::Embedding seen;
    seen.values.assign(8, 0.0F);
    seen.values[static_cast<std::size_t>(n)] = 1.0F;
    if (box_->engine().enrol(
            customer(n), test::a_clip(), now(), [](auto&) {}, [](auto) {})) {
      EXPECT_TRUE(model_.may(n, Purpose::face_recognition, now()))
          << "of " << n << " a template may be made "
          << model_.what_of(n, Purpose::face_recognition, now()) << "\n"
          << trail_;
      vision::EnrolledFace made{customer(n), {}};
      made.templates.push_back(*vision::FaceTemplate::from_bytes(template_of(n)));
      box_->engine().handle(
          daemon::input::Enrolled{box_->world().enrolments.back(), customer(n), std::move(made)},
          now());
      after();
    }
    hear(n, kInside);
    if (!alive()) return;
    const auto& gallery = box_->world().gallery;
    const auto match = gallery ? gallery->match(seen) : std::nullopt;
    if (!match || match->customer != customer(n) || match->similarity < 0.9F) return;
    EXPECT_TRUE(model_.may(n, Purpose::face_recognition, now()))
        << "the template of " << n << " is loaded without consent\n"
        << trail_;
    box_->engine().handle(
        daemon::input::Face{
            {customer(n), 0.9, ++track_, gallery->generation(), now().mono}, Zone::desk, {}},
        now());
    after();
    if (!alive()) return;
    advance(2s);
    note();
  }

  // Or unlocks; with the right PIN. A box in trouble may not let her in.
  void sign_in() {
    const auto asked = box_->world().pins.size();
    const std::string id = "in-" + std::to_string(++signed_in_);
    // A session that goes on keeps its name: she leaves it first.
    inbound(LinkName::floor, kSignInTopic,
            {{"v", 1},
             {"id", "out"},
             {"kind", "sign_out"},
             {"sign_in", "in-" + std::to_string(signed_in_ - 1)},
             {"at", contract::to_rfc3339(now().wall)}});
    inbound(LinkName::floor, kSignInTopic,
            {{"v", 1},
             {"id", id},
             {"kind", "sign_in"},
             {"staff", "eva"},
             {"pin", "273910"},
             {"at", contract::to_rfc3339(now().wall)}});
    if (!alive() || box_->world().pins.size() == asked) return;
    box_->engine().handle(daemon::input::PinChecked{box_->world().pins.back().job, true}, now());
    after();
  }

  // Staff write something down about whom the tablet shows.
  void note() {
    if (!alive()) return;
    for (const auto& visit : box_->engine().visits()) {
      if (!visit["ended"].is_null() || pick(2) == 0) continue;
      const int n = whose(visit["customer"]);
      sign_in();
      inbound(LinkName::floor,
              "welcome/v1/floor/tablet/t-1/action/" + visit["visit"].get<std::string>(),
              {{"v", 1},
               {"id", "act-" + std::to_string(++actions_)},
               {"visit", visit["visit"]},
               {"sign_in", "in-" + std::to_string(signed_in_)},
               {"kind", "note"},
               {"text", note_of(n)},
               {"at", contract::to_rfc3339(now().wall)}});
      return;
    }
  }

  // Somebody agrees on the tablet, and will say on their page that it was them.
  void desk() {
    const int n = any();
    const Purpose p = kAllPurposes[pick(kAllPurposes.size())];
    sign_in();
    if (!alive()) return;
    const WallTime at = now().wall;
    const auto life = lives_;
    taken_at_desk_ = false;
    model_.said_at_desk(n, p, at);
    const std::string session = "e-" + std::to_string(++actions_);
    inbound(LinkName::floor, "welcome/v1/floor/tablet/t-1/enrol/" + session,
            {{"v", 1},
             {"id", "enrol-" + session},
             {"session", session},
             {"from", "tablet"},
             {"kind", "consent"},
             {"sign_in", "in-" + std::to_string(signed_in_)},
             {"customer", id_of(n)},
             {"purposes", {{to_string(p), true}}},
             {"notice", {{"id", "desk"}, {"version", "1"}, {"language", "en"}}},
             {"at", contract::to_rfc3339(at)}});
    // The plug may have been pulled before the box could say so.
    if (taken_at_desk_) {
      ++happened.pledges;
      taken_back_.erase({n, p});
    } else if (life == lives_) {
      model_.answered(n, p, true, at);
    }
  }

  // They say yes or no on their page; or the CRM does not want to hear of it.
  void answer_desk() {
    if (!up_ || !alive() || questions_.empty()) return;
    const auto chosen =
        std::next(questions_.begin(), static_cast<std::ptrdiff_t>(pick(questions_.size())));
    const auto [event, asked] = *chosen;
    questions_.erase(chosen);
    const bool believed = asked.at <= box_->right_time() + 5min &&
                          shelves_[Collection::profiles].items.contains(id_of(asked.n));
    if (believed && pick(2) == 0) {
      step_of_consent(asked.n, asked.p, true, asked.at);
      push(Collection::consents, 1);
    } else {
      take_back(event, asked);
    }
  }

  struct Question {
    int n;
    Purpose p;
    WallTime at;
  };
  void take_back(const std::string& event, const Question& asked) {
    const auto life = lives_;
    const json command{{"v", 1},
                       {"id", "back-" + std::to_string(++commands_)},
                       {"kind", "take_back"},
                       {"customer", id_of(asked.n)},
                       {"events", {event}},
                       {"reason", "refused"}};
    inbound(LinkName::uplink, box_prefix + "command",
            json::parse(contract::sent_command(command.dump(), bench_address,
                                               box_->right_time() + 1h, &signer_)));
    if (alive() && life == lives_ && !troubled()) model_.answered(asked.n, asked.p, true, asked.at);
  }

  void consent() {
    const int n = any();
    if (!shelves_[Collection::profiles].items.contains(id_of(n))) return come_back(n);
    const Purpose p = kAllPurposes[pick(kAllPurposes.size())];
    step_of_consent(n, p, pick(2) == 0);
    push(Collection::consents, 1);
  }

  void come_back(int n) {
    const bool still_going = std::any_of(erasures_.begin(), erasures_.end(),
                                         [&](const auto& e) { return e.first == n; });
    if (still_going || pick(2) == 0) return;
    step_of_consent(n, Purpose::proximity_offers, true);
    step_of_consent(n, Purpose::visit_analytics, true);
    push(Collection::consents, 2);
    shelves_[Collection::profiles].put(id_of(n), profile(n));
    push(Collection::profiles, 1);
    shelves_[Collection::identities].put("fob-" + std::to_string(n), identity(n));
    push(Collection::identities, 1);
  }

  void forget() {
    if (pick(2) == 0) return;
    const int n = any();
    auto& consents = shelves_[Collection::consents];
    for (const Purpose p : kAllPurposes) {
      if (!consents.items.contains(record_of(n, p))) continue;
      old_.push_back(consents.items[record_of(n, p)].second);
      consents.remove(record_of(n, p));
      push(Collection::consents, 1);
    }
    shelves_[Collection::profiles].remove(id_of(n));
    push(Collection::profiles, 1);
    shelves_[Collection::identities].remove("fob-" + std::to_string(n));
    push(Collection::identities, 1);
    std::erase_if(questions_, [&](const auto& one) { return one.second.n == n; });
    erasures_.push_back({n, "erase-" + std::to_string(++commands_)});
    send_erasures();
  }

  void line() {
    if (up_) {
      events_.clear();
      box_->link_down(LinkName::uplink);
      up_ = false;
      after();
    } else {
      line_up();
    }
  }

  void time() { advance(std::chrono::seconds(pick(40)), std::chrono::minutes(pick(300))); }

  void silence() {
    if (up_) line();
    advance(0s, 60h + std::chrono::hours(pick(30)));
  }

  void arm_the_cut() { vfs_.cut_at(vfs_.operations() + 1 + static_cast<std::int64_t>(pick(60))); }

  void restart() {
    box_->power_off();
    model_.plug_pulled();
    start();
  }

  void disk() {
    full_ = !full_;
    vfs_.full_from(full_ ? vfs_.operations() : -1);
    advance(3s);
  }

  void clock() {
    constexpr auto kYears = 24h * 365 * 4;
    const auto kind = pick(8);
    trail_ += std::to_string(kind) + " ";
    switch (kind) {
      case 0:  // by hand
        box_->set_machine(std::chrono::minutes(pick(2000)) - 1000min);
        break;
      case 1:
        box_->set_machine(kYears);
        break;
      case 2:
        box_->ntp_says(0s);
        break;
      case 3:  // somebody else answers for it
        box_->ntp_says(kYears);
        break;
      case 4:
        box_->ntp_says(-kYears);
        break;
      case 5:
        box_->ntp_is_silent();
        break;
      case 6:  // a day off, and no battery for the clock
        box_->set_machine(-24h);
        return restart();
      default:
        box_->set_machine(0s);
    }
    const auto before = withdrawals();
    const auto life = lives_;
    advance(2s, pick(2) == 0 ? 2h : 0h);
    if (!alive() || life != lives_ || troubled()) return;
    // No clock takes away the proof of what somebody said, however it jumps; an erasure has a proof
    // of its own.
    const auto after = withdrawals();
    for (const auto& [whose, at] : before) {
      const auto erased = box_->store().erasure().erased_at(customer(whose.first));
      const auto still = after.find(whose);
      EXPECT_TRUE((still != after.end() && still->second >= at) || (erased && *erased))
          << "a withdrawal of " << whose.first << "\n"
          << trail_;
    }
  }

  // As the box has them.
  std::map<std::pair<int, Purpose>, WallTime> withdrawals() {
    std::map<std::pair<int, Purpose>, WallTime> out;
    if (!alive()) return out;
    for (int n = 0; n < kPeople; ++n) {
      for (const Purpose p : kAllPurposes) {
        const auto at = box_->store().people().withdrawn_at(customer(n), p);
        if (at && *at) out.emplace(std::pair{n, p}, **at);
      }
    }
    return out;
  }

  void new_epoch() {
    for (auto& [collection, shelf] : shelves_) shelf.epoch = "e" + std::to_string(++epochs_);
    reconnect();
  }

  // The broker is in wrong hands: it can send what it likes, also what was sent before, but it has
  // no key of the CRM. Half of the records come in a batch that the CRM signed, as if it were
  // mistaken.
  void attack() {
    if (!up_) return;
    const int n = any();
    const Purpose p = kAllPurposes[pick(kAllPurposes.size())];
    Shelf& shelf = shelves_[Collection::consents];
    json item{{"op", "put"}, {"key", record_of(n, p)}, {"seq", shelf.seq + 1}};
    const auto kind = pick(5);
    const bool well_signed = kind < 3 && pick(2) == 0;
    if (kind == 4) {
      for (int i = 0; i < 3 && !said_.empty(); ++i) say(said_[pick(said_.size())]);
      return;
    }
    if (kind == 0 && !old_.empty()) {  // an old record, well signed
      item["value"] = old_[pick(old_.size())];
      item["key"] = item["value"]["record_id"];
    } else if (kind == 1) {  // signed by somebody else
      json made = record(n, p);
      made["history"] = {
          {{"state", "given"}, {"at", contract::to_rfc3339(now().wall)}, {"how", "app"}}};
      item["value"] = json::parse(*thief_.sign(made.dump()));
    } else if (kind == 2) {  // of another tenant, where the same CRM's key is good
      json made = record(n, p);
      made["tenant"] = "other";
      made["history"] = {
          {{"state", "given"}, {"at", contract::to_rfc3339(now().wall)}, {"how", "app"}}};
      item["value"] = json::parse(*signer_.sign(made.dump()));
    } else {
      item["op"] = "delete";
    }
    json batch{{"v", 1},
               {"collection", "consents"},
               {"kind", "delta"},
               {"epoch", shelf.epoch},
               {"from_seq", shelf.seq},
               {"to_seq", shelf.seq + 1},
               {"items", {item}}};
    Said said{box_prefix + "feed/consents", batch.dump()};
    if (well_signed) {
      batch["head"] = head_of(shelf);
      batch["head"]["seq"] = shelf.seq + 2;
      said.payload = contract::sign_text(signer_, batch.dump());
    }
    say(said);
    // The thief makes the most of it: the line stays away, and the box starts again.
    if (pick(2) == 0) {
      line();
      restart();
      hear(whose(item.contains("value") ? item["value"]["customer"] : json(id_of(n))), kInside);
      line_up();
    }
    // The true CRM goes on: what it has differs now, and the next hello shows it.
    if (shelf.items.empty()) return reconnect();
    const auto any_record =
        std::next(shelf.items.begin(), static_cast<std::ptrdiff_t>(pick(shelf.items.size())));
    for (int i = 0; i < 2; ++i) shelf.put(any_record->first, any_record->second.second);
    if (pick(2) == 0) {
      restart();
    } else {
      reconnect();
    }
  }

  // -- the CRM's side

  json record(int n, Purpose p) const {
    return {{"record_id", record_of(n, p)},
            {"schema_version", "1"},
            {"tenant", "demo"},
            {"customer", id_of(n)},
            {"purpose", to_string(p)},
            {"notice", {{"id", "pledge"}, {"version", "3"}, {"language", "en"}}},
            {"data_categories", {"presence"}},
            {"controller", "Aroma Ltd"},
            {"storage_location", "box"},
            {"retention_days", 365},
            {"jurisdiction", "EU"},
            {"recipients", json::array()},
            {"withdraw_how", "in the app"},
            {"history", json::array()}};
  }

  void step_of_consent(int n, Purpose p, bool given, std::optional<WallTime> at_desk = {}) {
    Shelf& shelf = shelves_[Collection::consents];
    const auto found = shelf.items.find(record_of(n, p));
    json made = found == shelf.items.end() ? record(n, p) : found->second.second;
    if (found != shelf.items.end()) old_.push_back(made);
    made.erase("sig");
    // The CRM's own clock is right, and no two things happen in one millisecond.
    WallTime at = box_->right_time() - 2h + std::chrono::milliseconds(++ticks_);
    const auto add = [&](WallTime when) {
      made["history"].push_back({{"state", given ? "given" : "withdrawn"},
                                 {"at", contract::to_rfc3339(when)},
                                 {"how", at_desk ? "desk" : "app"}});
    };
    // A word from the future, which a box or a shop wrote whose clock was ahead.
    if (given && pick(12) == 0) at += 2h + std::chrono::minutes(pick(3000));
    if (at_desk) at = *at_desk;
    add(at);
    // The CRM writes a withdrawal twice when a grant bears a later time.
    const json before = made["history"];
    for (const json& step : before) {
      const auto when = *contract::from_rfc3339(step["at"].get<std::string>());
      if (!given && step["state"] == "given" && when > at) add(when);
    }
    made.erase("expires_at");
    if (given && pick(4) == 0) {
      made["expires_at"] = contract::to_rfc3339(at + 2h + std::chrono::minutes(pick(2000)));
    }
    shelf.put(record_of(n, p), json::parse(*signer_.sign(made.dump())));
    if (given) taken_back_.erase({n, p});
  }

  json put_of(const std::string& key, const std::pair<std::uint64_t, json>& item) const {
    return {{"op", "put"}, {"key", key}, {"seq", item.first}, {"value", item.second}};
  }

  // What the CRM has taken back, and the box knows that it lacks something: on a new line, or when
  // it could not store what came. Nothing that goes by it leaves.
  void box_lacks_something() {
    taken_back_.clear();
    const auto& consents = shelves_[Collection::consents].items;
    for (int n = 0; n < kPeople; ++n) {
      for (const Purpose p : kAllPurposes) {
        const auto found = consents.find(record_of(n, p));
        if (found == consents.end() ||
            found->second.second["history"].back()["state"] == "withdrawn") {
          if (!model_.waits(n, p)) taken_back_.insert({n, p});
        }
      }
    }
  }

  // The last `changes` of a collection, if the line is up.
  void push(Collection collection, std::uint64_t changes) {
    const Shelf& shelf = shelves_[collection];
    const std::uint64_t from = shelf.seq - changes;
    json items = json::array();
    for (const auto& [key, item] : shelf.items) {
      if (item.first > from) items.push_back(put_of(key, item));
    }
    // What is not there any more was removed: the box is told by key.
    if (items.empty()) return reconnect();
    deliver(collection, {{"kind", "delta"},
                         {"epoch", shelf.epoch},
                         {"from_seq", from},
                         {"to_seq", shelf.seq},
                         {"items", std::move(items)}});
  }

  void deliver(Collection collection, json batch) {
    if (!up_ || !alive()) return;
    batch["v"] = 1;
    batch["collection"] = contract::to_string(collection);
    // A snapshot leaves out what the CRM no longer has: that alone takes grants away.
    const json items = batch["items"];
    each_step(collection, items, [&](int n, Purpose p, bool given, WallTime at, auto expires) {
      if (given) model_.grant(n, p, at, expires);
    });
    if (now().wall_trusted) model_.heard(now().mono);
    const auto life = lives_;
    const auto epoch = batch["epoch"].get<std::string>();
    const auto to_seq = batch["to_seq"].get<std::int64_t>();
    const auto gaps = status()["crm"]["gaps"];
    batch["head"] = head_of(shelves_[collection]);
    said_.push_back({box_prefix + "feed/" + std::string(contract::to_string(collection)),
                     contract::sign_text(signer_, batch.dump())});
    say(said_.back());
    if (!alive() || life != lives_) return;
    const auto kept = *store::collection_from_string(std::string(contract::to_string(collection)));
    const auto state = box_->store().replica().state(kept);
    const bool taken = state && state->epoch == epoch && state->seq == to_seq;
    if (!taken) box_lacks_something();
    // It did not fit: the box asks for what it lacks.
    if (!taken && (!troubled() || status()["crm"]["gaps"] != gaps)) return;
    each_step(collection, items, [&](int n, Purpose p, bool given, WallTime at, auto) {
      if (!given) return model_.withdrawn(n, p, at, !troubled());
      model_.answered(n, p, !troubled(), at);
      model_.has(n, p, at, !troubled());
    });
  }

  // What the CRM signs; its own clock is right.
  json head_of(const Shelf& shelf) const {
    const auto since =
        std::chrono::duration_cast<std::chrono::milliseconds>(now().mono.time_since_epoch());
    const bool staff = &shelf == &shelves_.at(Collection::staff);
    return {{"tenant", "demo"},
            {"scope", staff ? contract::store_scope(bench_address.store) : "all"},
            {"seq", shelf.seq},
            {"digest", shelf.digest()},
            {"at", contract::to_rfc3339(kStart + since)}};
  }

  struct Said {
    std::string topic, payload;
  };
  void say(const Said& said) {
    if (!alive()) return;
    box_->inbound(LinkName::uplink, said.topic, said.payload);
    after();
  }

  template <class Fn>
  void each_step(Collection collection, const json& items, const Fn& fn) {
    if (collection != Collection::consents) return;
    for (const auto& item : items) {
      const json& value = item["value"];
      std::optional<WallTime> expires;
      if (value.contains("expires_at"))
        expires = contract::from_rfc3339(value["expires_at"].get<std::string>());
      for (const auto& one : value["history"]) {
        fn(whose(value["customer"]), *purpose_from_string(value["purpose"].get<std::string>()),
           one["state"] == "given", *contract::from_rfc3339(one["at"].get<std::string>()), expires);
      }
    }
  }

  void send_erasures() {
    const auto due = erasures_;
    for (const auto& [n, id] : due) {
      if (!up_ || !alive()) return;
      const json command{{"v", 1}, {"id", id}, {"kind", "erase"}, {"customer", id_of(n)}};
      const std::string sent =
          contract::sent_command(command.dump(), bench_address, box_->right_time() + 1h, &signer_);
      // A consent that is given later counts again.
      const WallTime at = box_->right_time();
      const auto life = lives_;
      inbound(LinkName::uplink, box_prefix + "command", json::parse(sent));
      if (!alive() || life != lives_ || erased_there_.contains(id)) continue;
      const bool done = !troubled();
      model_.erased(n, at, done);
      if (done) erased_there_.insert(id);
    }
  }

  void answer(const json& hello) {
    say_taken();  // before all that the box lacks
    send_erasures();
    for (const Collection collection : contract::kAllCollections) {
      const Shelf& shelf = shelves_[collection];
      const json have = hello["have"].value(std::string(contract::to_string(collection)), json());
      if (have == json{{"epoch", shelf.epoch}, {"seq", shelf.seq}, {"digest", shelf.digest()}}) {
        deliver(collection, {{"kind", "delta"},
                             {"epoch", shelf.epoch},
                             {"from_seq", shelf.seq},
                             {"to_seq", shelf.seq},
                             {"items", json::array()}});
        continue;
      }
      json items = json::array();
      for (const auto& [key, item] : shelf.items) items.push_back(put_of(key, item));
      deliver(collection, {{"kind", "snapshot"},
                           {"epoch", shelf.epoch},
                           {"to_seq", shelf.seq},
                           {"part", 1},
                           {"parts", 1},
                           {"digest", shelf.digest()},
                           {"items", std::move(items)}});
    }
  }

  void say_taken() {
    const auto taken =
        contract::encode_taken(bench_address, {std::exchange(events_, {})}, &signer_);
    say({taken.topic, taken.payload});
  }

  void line_up() {
    if (!alive()) return;
    up_ = true;
    box_lacks_something();
    box_->links_up();
    after();
    advance(2s);
  }
  void reconnect() {
    if (!up_) return;
    line();
    line_up();
  }

  // -- the box's side

  Now now() const { return box_->now(); }
  bool alive() const { return box_->running() && !vfs_.is_cut(); }
  bool troubled() { return !status()["store"]["trouble"].get<std::string>().empty(); }
  json status() { return box_->engine().status(now()); }
  std::optional<std::uint64_t> identified() {
    if (!alive()) return std::nullopt;
    return status()["radio"]["identified"].get<std::uint64_t>();
  }
  std::size_t pick(std::size_t below) { return random_() % below; }
  int any() { return static_cast<int>(pick(kPeople)); }
  static int whose(const json& id) { return id.get<std::string>().back() - '0'; }
  static std::vector<std::uint8_t> template_of(int n) {
    const std::string model = "test-model";
    std::vector<std::uint8_t> bytes{'W', 'F', 'T', '1', static_cast<std::uint8_t>(model.size()), 0};
    bytes.insert(bytes.end(), model.begin(), model.end());
    bytes.insert(bytes.end(), {8, 0, 0, 0});
    for (int i = 0; i < 8; ++i) {
      const float value = i == n ? 1.0F : 0.0F;
      const auto* raw = reinterpret_cast<const std::uint8_t*>(&value);
      bytes.insert(bytes.end(), raw, raw + sizeof value);
    }
    return bytes;
  }

  void inbound(LinkName link, const std::string& topic, const json& payload) {
    if (!alive()) return;
    box_->inbound(link, topic, payload.dump());
    after();
  }

  // Time passes: first as it is, with every tick, then in one leap.
  void advance(std::chrono::milliseconds ticking, std::chrono::milliseconds leap = 0ms) {
    for (auto left = ticking; left > 0ms && alive(); left -= 500ms) {
      box_->advance(std::min<std::chrono::milliseconds>(left, 500ms));
      after();
    }
    if (leap == 0ms || !alive()) return;
    box_->skip(leap);
    after();
    if (alive()) box_->advance(2s);
    after();
  }

  // After every call: what went out, whether the power went, what the box asks for.
  void after() {
    if (!box_->running()) return;
    check_messages();
    if (vfs_.is_cut()) {
      trail_ += "CUT ";
      box_->power_off();
      model_.plug_pulled();
      full_ = false;
      vfs_.full_from(-1);
      start();
      return;
    }
    if (!full_ && !troubled()) model_.all_on_disk();
    while (!hellos_.empty() && up_) {
      const json hello = hellos_.front();
      hellos_.erase(hellos_.begin());
      if (++answers_ < 2000) answer(hello);
    }
    // Some of what comes is only in its ledger after the next line.
    if (up_ && events_.size() > pick(20)) say_taken();
  }

  void start() {
    ++lives_;
    hellos_.clear();
    events_.clear();
    if (full_) {
      vfs_.full_from(-1);  // a full disk keeps the box from starting at all
      full_ = false;
    }
    // The plug may be pulled again while the box starts.
    do {
      if (vfs_.is_cut()) vfs_.restore(random_());
      box_->use_timekeeper();  // another boot: nobody has said the time yet
      box_->ntp_is_silent();
      try {
        box_->power_on();
      } catch (const std::runtime_error&) {
        if (!vfs_.is_cut()) throw;
      }
      if (vfs_.is_cut()) box_->power_off();
    } while (vfs_.is_cut());
    if (up_) line_up();
  }

  // -- the checks

  void check_messages() {
    auto& sent = box_->world().sent;
    for (const auto& one : sent) {
      const auto& topic = one.message.topic;
      const std::string& payload = one.message.payload;
      EXPECT_EQ(payload.find(kStranger), std::string::npos) << topic;
      if (topic.ends_with("/hello")) {
        hellos_.push_back(json::parse(payload));
        continue;
      }
      if (payload.empty()) continue;
      const json body = json::parse(payload);
      if (topic.ends_with("/event")) events_.emplace_back(body["id"].get<std::string>());
      const std::string type = body.value("type", "");
      taken_at_desk_ = taken_at_desk_ || body.value("confirmed", "") == "waiting";
      if (type.find("consent.changed") != std::string::npos) ask_them(body);
      if (type.find("erasure.receipt") != std::string::npos) {
        std::erase_if(erasures_, [&](const auto& e) {
          return e.second == body["data"]["command"].get<std::string>();
        });
        continue;
      }
      if (type.find("feed.rejected") != std::string::npos) continue;  // names the record
      for (int n = 0; n < kPeople; ++n) {
        const bool named = payload.find(name_of(n)) != std::string::npos ||
                           payload.find(likes_of(n)) != std::string::npos ||
                           payload.find(note_of(n)) != std::string::npos;
        const bool about = payload.find(id_of(n)) != std::string::npos;
        if (!named && !about) continue;
        const std::string what =
            type + " on " + topic + " about " + std::to_string(n) + "\n" + trail_;
        if (topic.find("/prompt/") != std::string::npos) {
          ++happened.prompts;
          EXPECT_TRUE(model_.may(n, Purpose::preference_prompts, now())) << what;
          EXPECT_TRUE(model_.may_be_noticed(n, now())) << what;
        } else if (type.find("decision.offer") != std::string::npos) {
          ++happened.offers;
          expect_not_taken_back(n, Purpose::proximity_offers, what);
          if (named) expect_not_taken_back(n, Purpose::personalised_offers, what);
        } else if (type.find("visit.") != std::string::npos ||
                   type.find("decision.") != std::string::npos) {
          expect_not_taken_back(n, Purpose::visit_analytics, what);
        } else if (named || model_.gone(n)) {
          // Staff's own words, an enrolment: of somebody who was not forgotten meanwhile.
          bool any_consent = false;
          for (const Purpose p : kAllPurposes) any_consent = any_consent || !model_.revoked(n, p);
          EXPECT_TRUE(any_consent) << what;
        }
      }
    }
    sent.clear();
  }

  // An event that is sent again is the same question.
  void ask_them(const json& event) {
    const json& data = event["data"];
    const std::string id = event["id"];
    if (data["state"] != "given" || !asked_.insert(id).second) return;
    questions_[id] = {whose(event["subject"]),
                      *purpose_from_string(data["purpose"].get<std::string>()),
                      *contract::from_rfc3339(data["at"].get<std::string>())};
  }

  void expect_not_taken_back(int n, Purpose p, const std::string& what) const {
    EXPECT_FALSE(model_.revoked(n, p)) << what;
    EXPECT_FALSE(taken_back_.contains({n, p})) << "taken back before the line came: " << what;
  }

  // What nobody confirmed counts as long as they are here, or half an hour.
  void end_with_the_visit() {
    std::set<int> here;
    for (const auto& visit : box_->engine().visits()) {
      if (visit["ended"].is_null()) here.insert(whose(visit["customer"]));
    }
    for (int n = 0; n < kPeople; ++n) {
      for (const Purpose p : kAllPurposes) {
        auto& since = waiting_since_[{n, p}];
        if (!model_.waits(n, p)) {
          since.reset();
        } else if (!since || since->first != std::pair{lives_, *model_.waits(n, p)}) {
          since = {{lives_, *model_.waits(n, p)}, now().mono};
        } else if (!here.contains(n) && now().mono - since->second > 31min && !troubled()) {
          model_.answered(n, p, true);
        }
      }
    }
  }

  void look_around() {
    if (!alive()) return;
    end_with_the_visit();
    for (const auto& visit : box_->engine().visits()) {
      if (!visit["ended"].is_null()) continue;
      ++happened.visits;
      EXPECT_TRUE(model_.may_be_noticed(whose(visit["customer"]), now()))
          << "a visit of " << visit["customer"] << "\n"
          << trail_;
    }
    std::vector<std::string> canaries{kStranger, "\xC0\xFF\xEE\xC0\xFF\xEE",
                                      "\xEE\xFF\xC0\xEE\xFF\xC0"};
    for (int n = 0; n < kPeople; ++n) {
      for (const auto& text :
           {id_of(n), name_of(n), likes_of(n), note_of(n), uuid_of(n), uuid_bytes(n)})
        canaries.push_back(text);
      if (model_.forgotten(n) && !troubled()) {
        const auto erased = box_->store().erasure().erased_at(customer(n));
        EXPECT_TRUE(erased && *erased) << "the tombstone of " << n << "\n" << trail_;
      }
      // Whoever was forgotten, and has not come back, is not even there under a seal.
      if (model_.forgotten(n) && !troubled()) {
        const auto held = box_->store().erasure().export_person(customer(n), now());
        ASSERT_TRUE(held);
        const json all = json::parse(*held);
        for (const char* part : {"profiles", "identities", "visits", "decisions", "face_templates"})
          EXPECT_TRUE(all[part].empty()) << part << " of " << n << "\n" << trail_;
      }
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(box_->dir())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), {}};
      for (const auto& canary : canaries)
        EXPECT_EQ(bytes.find(canary), std::string::npos) << canary << " in " << entry.path();
    }
    const std::string log = log_text_.str();
    for (const auto& canary : canaries)
      EXPECT_EQ(log.find(canary), std::string::npos) << canary << " in the log";
    log_text_.str({});
  }

  std::mt19937_64 random_;
  PowerVfs vfs_;
  std::ostringstream log_text_;
  std::shared_ptr<spdlog::sinks::ostream_sink_mt> log_;
  std::shared_ptr<spdlog::logger> before_;
  std::vector<Said> said_;  // by the CRM
  const contract::Signer signer_{"k1", contract::Signer::new_seed()};
  const contract::Signer thief_{"k1", contract::Signer::new_seed()};
  std::optional<BenchBox> box_;
  Model model_;
  std::map<Collection, Shelf> shelves_;
  std::vector<json> old_;  // records that were replaced: what an attacker has kept
  std::vector<std::pair<int, std::string>> erasures_;
  std::set<std::string> erased_there_;
  std::set<std::pair<int, Purpose>> taken_back_;
  std::map<std::string, Question> questions_;  // by the event that asked
  std::set<std::string> asked_;
  bool taken_at_desk_ = false;
  // In which life of the box, of which time, and since when it was seen to wait.
  std::map<std::pair<int, Purpose>,
           std::optional<std::pair<std::pair<std::uint64_t, WallTime>, MonoTime>>>
      waiting_since_;
  std::vector<json> hellos_;
  std::vector<MessageId> events_;  // with the CRM, which has not said so
  std::uint64_t lives_ = 0;
  std::uint64_t track_ = 0;
  int answers_ = 0;
  int actions_ = 0;
  int signed_in_ = 0;
  int commands_ = 0;
  int epochs_ = 1;
  std::int64_t ticks_ = 0;
  bool up_ = false;
  bool full_ = false;
  std::string trail_;
};

TEST(RandomWeek, NobodyIsActedOnWithoutAConsentThatIsValidThenAndNobodyLeavesATrace) {
  std::uint64_t first = 1;
  std::uint64_t count = kSample;
  if (const char* weeks = std::getenv("WELCOME_WEEKS")) count = std::stoull(weeks);
  if (const char* from = std::getenv("WELCOME_WEEK_FROM")) first = std::stoull(from);
  if (const char* one = std::getenv("WELCOME_WEEK")) {
    first = std::stoull(one);
    count = 1;
  }
  Week::Seen seen;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("WELCOME_WEEK=" + std::to_string(seed));
    Week week(seed);
    week.play();
    seen += week.happened;
    if (HasFailure()) return;
  }
  if (count == 1) return;  // one week may be a quiet one
  fprintf(stderr, "SEEN %d %d %d %d\n", seen.visits, seen.prompts, seen.offers, seen.pledges);
  const int weeks = static_cast<int>(count);
  EXPECT_GT(seen.visits, weeks * 5) << "the weeks were too quiet to prove anything";
  EXPECT_GT(seen.prompts, weeks / 4) << "staff were hardly told of anybody";
  EXPECT_GT(seen.offers, weeks / 4) << "hardly anything was offered";
  EXPECT_GT(seen.pledges, weeks) << "hardly anybody agreed at the desk";
}

}  // namespace
}  // namespace welcome::test
