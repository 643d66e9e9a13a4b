// SPDX-License-Identifier: Apache-2.0
// Random walks over consents with canary templates: whatever order of opt-ins, enrolments,
// withdrawals, erasures and power cuts, no embedding is in any file, message or answer in the open,
// and nobody is looked for without a consent in force.

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string_view>
#include <unordered_set>

#include "harness/bench_box.h"
#include "harness/face_consent.h"
#include "sync/feed.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;
using test::box_prefix;
using test::kStart;

constexpr std::size_t kDimension = 128;

// Finds any two neighbouring numbers of a canary in bytes: as they are, as hex, or as base64.
class Canaries {
 public:
  void add(const vision::Embedding& face) {
    for (std::size_t i = 0; i + 1 < face.values.size(); i += 2) {
      std::uint64_t pair = 0;
      std::memcpy(&pair, &face.values[i], sizeof pair);
      pairs_.insert(pair);
    }
  }

  bool in(std::string_view bytes) const {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (raw(bytes, i) || hex(bytes, i) || base64(bytes, i)) return true;
    }
    return false;
  }

 private:
  bool known(const char* eight) const {
    std::uint64_t pair = 0;
    std::memcpy(&pair, eight, sizeof pair);
    return pairs_.contains(pair);
  }
  bool raw(std::string_view bytes, std::size_t at) const {
    return at + 8 <= bytes.size() && known(bytes.data() + at);
  }
  bool hex(std::string_view bytes, std::size_t at) const {
    if (at + 16 > bytes.size()) return false;
    std::array<char, 8> decoded{};
    for (std::size_t i = 0; i < 16; ++i) {
      const char c = bytes[at + i];
      int digit = 0;
      if (c >= '0' && c <= '9') {
        digit = c - '0';
      } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = c - 'A' + 10;
      } else {
        return false;
      }
      decoded[i / 2] = static_cast<char>((decoded[i / 2] << 4) | digit);
    }
    return known(decoded.data());
  }
  // The pairs of a template that begin with a group of three bytes in its base64.
  bool base64(std::string_view bytes, std::size_t at) const {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (at + 12 > bytes.size()) return false;
    std::array<char, 9> decoded{};
    for (std::size_t group = 0; group < 3; ++group) {
      std::uint32_t bits = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        const auto digit = kAlphabet.find(bytes[at + 4 * group + i]);
        if (digit == std::string_view::npos) return false;
        bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
      }
      decoded[3 * group] = static_cast<char>(bits >> 16U);
      decoded[3 * group + 1] = static_cast<char>(bits >> 8U);
      decoded[3 * group + 2] = static_cast<char>(bits);
    }
    return known(decoded.data());
  }

  std::unordered_set<std::uint64_t> pairs_;
};

class Walk {
 public:
  explicit Walk(std::uint64_t seed) : random_(seed), box_(kStart) {
    connect();
    box_.feed_shop();
    box_.feed_staff({"eva"});
    const json batch = test::BenchBox::shop_consents();
    epoch_ = batch["epoch"];
    seq_ = batch["to_seq"];
    for (const json& item : batch["items"]) {
      items_[item["key"]] = item;
      if (item["value"]["purpose"] == "face_recognition") {
        records_[item["value"]["customer"]] = item["value"];
      } else {
        any_record_ = item["value"];
      }
    }
  }

  void step() {
    const CustomerId customer(pick({"c-paul", "c-mia", "c-bruno"}));
    switch (number(0, 11)) {
      case 0:
        crm_says(customer, "given");
        break;
      case 1:
        crm_says(customer, "withdrawn");
        EXPECT_TRUE(box_.store().people().templates_of(customer)->empty());
        break;
      case 2:
      case 3:
        at_the_desk(customer);
        break;
      case 4:
      case 5:
        enrol_from_a_clip(customer);
        break;
      case 6:
        box_.hear_mia_for(2s);
        break;
      case 7:
        see_somebody();
        break;
      case 8:
        not_this_person();
        break;
      case 9:
        box_.power_cycle();
        connect();
        break;
      case 10:
        ask_everything(customer);
        break;
      case 11:
        if (number(0, 9) == 0) {
          command({{"kind", "erase"}, {"customer", customer.str()}});
          EXPECT_TRUE(box_.store().people().templates_of(customer)->empty());
        } else {
          box_.skip(std::chrono::minutes(number(1, 90)));
        }
        break;
    }
    for (const auto& one : canaries_of_) check_nobody_without_consent(one);
  }

  void look_everywhere() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(box_.dir())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(in), {}};
      EXPECT_FALSE(canaries_.in(bytes)) << entry.path();
    }
    for (const auto& one : box_.world().sent) {
      EXPECT_FALSE(canaries_.in(one.message.payload)) << one.message.topic;
    }
    for (const std::string& answer : answers_) EXPECT_FALSE(canaries_.in(answer)) << answer;
  }

  std::size_t enrolled() const { return canaries_of_.size(); }

 private:
  int number(int from, int to) { return std::uniform_int_distribution<int>(from, to)(random_); }
  std::string pick(std::vector<std::string> words) {
    return words[static_cast<std::size_t>(number(0, static_cast<int>(words.size()) - 1))];
  }

  void connect() {
    box_.links_up();
    if (!items_.empty()) answer_hello();
  }

  void crm_says(const CustomerId& customer, const std::string& state) {
    box_.skip(1s);
    json record = records_.contains(customer.str()) ? records_[customer.str()] : any_record_;
    if (record["purpose"] != "face_recognition" || record["customer"] != customer.str()) {
      record["record_id"] = "r-face-" + customer.str();
      record["customer"] = customer.str();
      record["purpose"] = "face_recognition";
      record["history"] = json::array();
    }
    record["history"].push_back(
        {{"state", state}, {"at", contract::to_rfc3339(box_.now().wall)}, {"how", "app"}});
    records_[customer.str()] = record;
    const json item{
        {"key", record["record_id"]}, {"seq", seq_ + 1}, {"op", "put"}, {"value", record}};
    box_.inbound(LinkName::uplink, box_prefix + "feed/consents",
                 json{{"v", 1},
                      {"collection", "consents"},
                      {"kind", "delta"},
                      {"epoch", epoch_},
                      {"from_seq", seq_},
                      {"to_seq", seq_ + 1},
                      {"items", {item}}}
                     .dump());
    ++seq_;
    items_[record["record_id"]] = item;
    answer_hello();
  }

  // After an erasure and a new consent the box asks for everything.
  void answer_hello() {
    const auto& sent = box_.world().sent;
    const auto hello = std::find_if(sent.rbegin(), sent.rend(), [](const auto& one) {
      return one.message.topic.ends_with("/hello");
    });
    if (json::parse(hello->message.payload)["have"].contains("consents")) return;
    contract::Digest digest;
    json items = json::array();
    for (const auto& [key, item] : items_) {
      digest.toggle(key, item["seq"].get<std::uint64_t>());
      items.push_back(item);
    }
    box_.inbound(LinkName::uplink, box_prefix + "feed/consents",
                 json{{"v", 1},
                      {"collection", "consents"},
                      {"kind", "snapshot"},
                      {"epoch", epoch_},
                      {"part", 1},
                      {"parts", 1},
                      {"to_seq", seq_},
                      {"digest", digest.hex()},
                      {"items", items}}
                     .dump());
  }

  void command(json what) {
    what["v"] = 1;
    what["id"] = "k-" + std::to_string(++said_);
    contract::RawMessage raw;
    raw.topic = box_prefix + "command";
    raw.payload = what.dump();
    raw.response_topic = box_prefix + "response/crm";
    box_.engine().handle(daemon::input::FromLink{LinkName::uplink, std::move(raw), {}}, box_.now());
    box_.ack_all();
  }

  void tablet(json message) {
    message["session"] = "s-1";
    message["from"] = "tablet";
    message["sign_in"] = box_.sign_in();
    box_.tablet_says("enrol/s-1", std::move(message));
  }

  void at_the_desk(const CustomerId& customer) {
    box_.skip(1s);
    tablet({{"kind", "consent"},
            {"customer", customer.str()},
            {"purposes", {{"face_recognition", true}}},
            {"notice", {{"id", "n"}, {"version", "1"}, {"language", "en"}}}});
    const auto before = box_.world().enrolments.size();
    tablet({{"kind", "start"}, {"customer", customer.str()}});
    if (box_.world().enrolments.size() > before) camera_answers(customer);
  }

  void enrol_from_a_clip(const CustomerId& customer) {
    const auto started = box_.engine().enrol(
        customer, test::a_clip(), box_.now(), [](const std::string&) {},
        [this](const Result<json>& done) {
          answers_.push_back(done ? done->dump() : done.error().message);
        });
    if (started) camera_answers(customer);
  }

  void camera_answers(const CustomerId& customer) {
    const auto job = box_.world().enrolments.back();
    box_.world().enrolments.clear();
    vision::EnrolledFace face{customer, {}};
    for (int view = 0; view < 2; ++view) {
      std::normal_distribution<float> normal;
      vision::Embedding canary;
      double square = 0;
      for (std::size_t i = 0; i < kDimension; ++i) {
        canary.values.push_back(normal(random_));
        square += static_cast<double>(canary.values[i]) * static_cast<double>(canary.values[i]);
      }
      for (float& value : canary.values) value /= static_cast<float>(std::sqrt(square));
      canaries_.add(canary);
      canaries_of_.emplace_back(customer, canary);
      face.templates.emplace_back(test::face_consent(customer, box_.now()), "test-model", canary);
    }
    if (number(0, 4) == 0) crm_says(customer, "withdrawn");  // while the camera looked
    box_.engine().handle(daemon::input::Enrolled{job, customer, std::move(face)}, box_.now());
    box_.ack_all();
  }

  void see_somebody() {
    if (!box_.world().gallery || canaries_of_.empty()) return;
    const auto& [customer, canary] =
        canaries_of_[static_cast<std::size_t>(number(0, static_cast<int>(enrolled()) - 1))];
    const auto found = box_.world().gallery->match(canary);
    if (!found || !found->accepted) return;
    vision::FaceMatch match;
    match.customer = found->customer;
    match.similarity = static_cast<double>(found->similarity);
    match.track = static_cast<std::uint64_t>(number(1, 5));
    match.generation = box_.world().gallery->generation();
    match.at = box_.now().mono;
    box_.engine().handle(daemon::input::Face{match, Zone::desk, {}}, box_.now());
    box_.ack_all();
  }

  void not_this_person() {
    const auto visits = box_.engine().visits();
    for (const auto& visit : visits) {
      if (!visit["ended"].is_null()) continue;
      box_.tablet_says("action/" + visit["visit"].get<std::string>(),
                       {{"id", "a-" + std::to_string(++said_)},
                        {"visit", visit["visit"]},
                        {"sign_in", box_.sign_in()},
                        {"kind", "not_this_person"}});
    }
  }

  void ask_everything(const CustomerId& customer) {
    answers_.push_back(box_.engine().status(box_.now()).dump());
    answers_.push_back(box_.engine().visits().dump());
    answers_.push_back(box_.engine().decisions().dump());
    answers_.push_back(box_.engine().outbox().dump());
    if (const auto trail = box_.engine().audit_trail()) answers_.push_back(trail->dump());
    // The person's own copy holds her template, and is handed out at the box only.
    if (auto all = box_.engine().export_person(customer, box_.now())) {
      for (json& face : (*all)["face_templates"]) face.erase("template");
      answers_.push_back(all->dump());
    }
    command({{"kind", "export"}, {"customer", customer.str()}});
    command({{"kind", "diagnostics"}});
  }

  void check_nobody_without_consent(const std::pair<CustomerId, vision::Embedding>& one) {
    const auto& gallery = box_.world().gallery;
    const auto found = gallery ? gallery->match(one.second) : std::nullopt;
    if (!found || !found->accepted || found->customer != one.first) return;
    // She is looked for: then her templates are there, and they are only with a consent.
    EXPECT_FALSE(box_.store().people().templates_of(one.first)->empty());
    EXPECT_TRUE(box_.engine().enrol(one.first, test::a_clip(), box_.now(), {}, [](const auto&) {}))
        << one.first.str() << " is looked for without a consent";
    box_.world().enrolments.clear();
  }

  std::mt19937_64 random_;
  test::BenchBox box_;
  std::string epoch_;
  std::int64_t seq_ = 0;
  int said_ = 0;
  json any_record_;
  std::map<std::string, json> items_;    // of the consents, as the CRM has them
  std::map<std::string, json> records_;  // of face recognition, by customer
  Canaries canaries_;
  std::vector<std::pair<CustomerId, vision::Embedding>> canaries_of_;
  std::vector<std::string> answers_;
};

TEST(Canaries, AreFoundWhereTheyLieInTheOpen) {
  vision::Embedding face;
  for (std::size_t i = 0; i < kDimension; ++i) {
    face.values.push_back(std::sin(static_cast<float>(i) + 1) / 8);
  }
  Canaries canaries;
  EXPECT_FALSE(canaries.in("nothing of the kind, 0123456789abcdef0123456789ABCDEF+/ and so on"));
  canaries.add(face);
  const std::string raw(reinterpret_cast<const char*>(face.values.data()), 4 * kDimension);
  EXPECT_TRUE(canaries.in("x" + raw));
  std::string hex;
  for (const char c : raw) {
    constexpr const char* kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(c) >> 4U];
    hex += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  EXPECT_TRUE(canaries.in("{\"face\":\"" + hex + "\"}"));
  for (const std::size_t lead : {0U, 1U, 2U}) {
    const std::string bytes = std::string(lead, 'x') + raw;
    std::string text;
    for (std::size_t i = 0; i + 3 <= bytes.size(); i += 3) {
      constexpr const char* kAlphabet =
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      std::uint32_t bits = 0;
      for (std::size_t k = 0; k < 3; ++k) {
        bits = (bits << 8U) | static_cast<unsigned char>(bytes[i + k]);
      }
      for (const unsigned shift : {18U, 12U, 6U, 0U}) text += kAlphabet[(bits >> shift) & 63U];
    }
    EXPECT_TRUE(canaries.in(text)) << lead;
  }
}

TEST(RandomWalkOverConsents, NoCanaryIsInAnyFileMessageOrAnswer) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(seed);
    for (int i = 0; i < 150; ++i) {
      walk.step();
      if (i % 30 == 29) walk.look_everywhere();
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(walk.enrolled(), 10U);
  }
}

}  // namespace
}  // namespace welcome
