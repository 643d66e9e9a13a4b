// SPDX-License-Identifier: Apache-2.0
// A recorded day: replayed to the same decisions, with other rules to others, and without a word
// about who was there.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unistd.h>
#include <unordered_map>
#include <utility>

#include "contract/items.h"
#include "core/hash.h"
#include "firmware/recording/recorder.h"
#include "firmware/recording/replay.h"
#include "harness/agreed_time.h"
#include "harness/bench_box.h"

namespace welcome::recording {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;
using test::kStart;
using testing::HasSubstr;
using testing::Not;

std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

json campaign_json(const std::string& id, const std::string& on, int priority = 0) {
  return {
      {"campaign", id},
      {"name", id},
      {"priority", priority},
      {"trigger", {{"on", on}, {"dwell_ms", on == "pass_by" ? 3000 : 1000}}},
      {"cap", {{"per_customer", 1}, {"per", "day"}}},
      {"holdout_percent", 20},
      {"choice", "learn"},
      {"variants",
       {{{"id", "a"}, {"title", {{"en", "Hello"}}}, {"text", {{"en", "{{greeting}}, a coffee?"}}}},
        {{"id", "b"}, {"title", {{"en", "Hi"}}}, {"text", {{"en", "Coffee?"}}}}}}};
}

// A box's rules and records without the box: days of chance.
class Shop : public Pipeline::Directory {
 public:
  explicit Shop(std::uint64_t seed) : random_(seed) {
    dir_ = fs::temp_directory_path() /
           ("welcome-recording-" + std::to_string(::getpid()) + "-" + std::to_string(seed));
    fs::create_directories(dir_);
    store::BoxKey key{};
    key.fill(9);
    store_.emplace(*store::Store::open((dir_ / "welcomed.db").string(), key));
    recorder_.emplace(dir_ / "recordings", 7, *store_, ids_);
    for (int i = 0; i < 6; ++i) {
      const CustomerId who("c-" + std::to_string(i));
      people_.push_back(who);
      Profile p;
      p.customer = who;
      p.name = "Maximilien Moreau";
      p.greeting = "Mr Moreau";
      p.segments = {i % 2 ? "regular" : "lunch"};
      p.preferences = {{"drink", "sparkling water", 0.8, 2, kStart - 48h}};
      p.last_conversation = Conversation{"Asked about Montpellier", kStart - 24h};
      profiles_[who] = p;
    }
    policy_ = {
        {"time_zone", "Europe/Berlin"},
        {"caps", {{"per_customer_day", 2}, {"per_store_day", 9}, {"min_gap_s", 60}}},
        {"surveys", {{{"id", "nps"}, {"kind", "nps"}, {"percent", 50}, {"min_visit_min", 0}}}},
        {"learn", {{"segments", {"regular"}}}}};
    campaigns_["k-pass"] = campaign_json("k-pass", "pass_by", 5);
    campaigns_["k-desk"] = campaign_json("k-desk", "dwell");
    start();
  }
  ~Shop() override { fs::remove_all(dir_); }

  const Profile* profile(const CustomerId& c) override {
    const auto it = profiles_.find(c);
    return it == profiles_.end() ? nullptr : &it->second;
  }
  std::optional<std::string> facts(const CustomerId& c) override {
    const auto row = rows_.find({StateRow::Kind::facts, c.str()});
    return row == rows_.end() ? std::nullopt : row->second.value;
  }

  // As the engine starts.
  void start() {
    pipeline_.emplace(PipelineSettings{}, *this, *recorder_);
    for (const ConsentRecord& r : consents_) pipeline_->gate_for_loading().put(r);
    pipeline_->handle(event::PolicyReplaced{std::get<Policy>(
                          *contract::decode_item(contract::Collection::policy, policy_.dump()))},
                      now_);
    std::vector<Campaign> campaigns;
    for (const auto& [id, c] : campaigns_) {
      campaigns.push_back(
          std::get<Campaign>(*contract::decode_item(contract::Collection::campaigns, c.dump())));
    }
    pipeline_->handle(event::CampaignsReplaced{campaigns}, now_);
    for (const Function f : paused_) pipeline_->handle(event::PauseChanged{f, true}, now_);
    std::vector<StateRow> rows;
    for (const auto& [key, row] : rows_) {
      if (row.kind != StateRow::Kind::facts) rows.push_back(row);
    }
    pipeline_->restore(rows, now_);
    Recorder::Beginning b;
    b.box = "box-1";
    b.session = ++session_;
    b.policy = policy_.dump();
    for (const auto& [id, c] : campaigns_) b.campaigns.push_back(c.dump());
    b.rows = rows;
    recorder_->begin(b, *pipeline_, *this, now_);
    ask(event::Tick{});
    if (consents_.empty()) {
      ask(event::CrmHeard{now_.wall});
      for (const CustomerId& who : people_) {
        for (const Purpose p : kAllPurposes) consent(who, p, ConsentState::given);
      }
    }
  }

  void restart() {
    recorder_->flush(now_);
    recorder_.emplace(dir_ / "recordings", 7, *store_, ids_);
    wake_.reset();
    now_.mono = MonoTime{1h};
    now_.wall += 5s;
    start();
  }

  void consent(const CustomerId& who, Purpose purpose, ConsentState state) {
    ConsentRecord r;
    r.customer = who;
    r.purpose = purpose;
    r.history = {{state, now_.wall, "app"}};
    consents_.push_back(r);
    ask(event::ConsentChanged{{r}});
  }

  void ask(const Event& event, const std::string& item = {}) {
    recorder_->before(event, *pipeline_, *this, now_);
    const Effects e = pipeline_->handle(event, now_);
    recorder_->after(event, item, e, now_);
    for (const StateRow& row : e.rows) {
      if (row.value) {
        rows_[{row.kind, row.key}] = row;
      } else {
        rows_.erase({row.kind, row.key});
      }
    }
    for (const Decision& d : e.decisions) {
      ++decisions;
      if (d.made() && d.kind == DecisionKind::offer) waiting_.push_back(d);
      if (d.made() && d.kind == DecisionKind::prompt) visit_ = d.visit;
    }
    for (const ConsentEffect& c : e.consents) {
      if (c.given) continue;
      EXPECT_TRUE(store_->transaction(
          [&](store::Tx& tx) { tx.withdraw(c.customer, c.purpose, std::nullopt); }));
      recorder_->forget(c.customer);
    }
    if (e.wake_at) wake_ = e.wake_at;
  }

  void pass(std::chrono::milliseconds time) {
    now_.mono += time;
    now_.wall += time;
    if (wake_ && *wake_ <= now_.mono) {
      wake_.reset();
      ask(event::Tick{});
    }
  }

  void claim(const CustomerId& who, Zone zone, ClaimSource source, double similarity = 0.0) {
    IdentityClaim c;
    c.customer = who;
    c.source = source;
    c.fast = c.settled = zone;
    c.similarity = similarity;
    c.track = source == ClaimSource::face ? 1 + random_.next() % 3 : 0;
    ask(event::Claim{c});
  }

  void step() {
    const CustomerId& who = people_[random_.next() % people_.size()];
    pass(std::chrono::milliseconds{50 * (1 + random_.next() % 40)});
    switch (random_.next() % 40) {
      case 0:
        return staff(StaffAction::Kind::note, "Maximilien spoke of Montpellier");
      case 1:
        return staff(StaffAction::Kind::preference, "");
      case 2:
        return staff(StaffAction::Kind::not_this_person, "");
      case 3:
      case 4:
        return resolve();
      case 5:
        profiles_[who].points += 10;
        profiles_[who].tags = {"tag-" + std::to_string(random_.next() % 3)};
        return ask(event::ProfileChanged{who});
      case 6: {
        const Function f = random_.next() % 2 ? Function::offers : Function::prompts;
        const bool on = !paused_.contains(f);
        on ? (void)paused_.insert(f) : (void)paused_.erase(f);
        return ask(event::PauseChanged{f, on});
      }
      case 7: {
        json& c = campaigns_[random_.next() % 2 ? "k-pass" : "k-desk"];
        c["priority"] = random_.next() % 9;
        return ask(event::CampaignPut{std::get<Campaign>(
                       *contract::decode_item(contract::Collection::campaigns, c.dump()))},
                   c.dump());
      }
      case 8:
        return ask(event::OfferElsewhere{who, CampaignId("k-pass"), "a",
                                         DecisionId("elsewhere-" + std::to_string(decisions)),
                                         now_.wall});
      case 9:
        return ask(event::ExternalOutcome{who, {}, Outcome::purchase, "espresso", 3.5, now_.wall});
      case 10:
        if (random_.next() % 8 == 0) restart();
        return;
      case 11:
        ask(event::CrmHeard{now_.wall});
        return pass(20min);
      case 12:
      case 13:
      case 14:
        return claim(who, Zone::desk, ClaimSource::face, 0.4 + 0.3 * random_.uniform());
      default:
        return claim(who, static_cast<Zone>(random_.next() % 5), ClaimSource::eddystone_eid);
    }
  }

  void staff(StaffAction::Kind kind, std::string text) {
    StaffAction a;
    a.id = "action-" + std::to_string(decisions) + std::to_string(random_.next() % 100);
    a.visit = visit_;
    a.staff = StaffId("eva");
    a.kind = kind;
    a.text = std::move(text);
    a.preference_key = "drink";
    a.preference_value = "tea number " + std::to_string(random_.next() % 3);
    a.verdict = StaffAction::Verdict::change;
    a.at = now_.wall;
    ask(event::Staff{a});
  }

  void resolve() {
    if (waiting_.empty()) return;
    const Decision d = waiting_.back();
    waiting_.pop_back();
    if (random_.next() % 4 == 0) return ask(event::DecisionExpired{d.id});
    ask(event::DecisionSent{d.id});
    ask(event::ExternalOutcome{d.customer, d.id,
                               random_.next() % 2 ? Outcome::redeemed : Outcome::opened, "", 0,
                               now_.wall});
  }

  json replayed(const json& rules = json::object()) {
    recorder_->flush(now_);
    ReplayOrder order{recorder_->files("2026-05"), recorder_->keys(), *other_rules(rules)};
    const auto report = replay(order, {});
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : json();
  }

  std::string text() {
    recorder_->flush(now_);
    std::string all;
    for (const auto& file : recorder_->files("")) all += read(file);
    return all;
  }

  test::CountingIds ids_;
  std::optional<store::Store> store_;
  std::optional<Recorder> recorder_;
  std::optional<Pipeline> pipeline_;
  Now now_{MonoTime{1h}, kStart, true};
  std::vector<CustomerId> people_;
  int decisions = 0;

 private:
  fs::path dir_;
  Random random_;
  std::unordered_map<CustomerId, Profile> profiles_;
  std::map<std::pair<StateRow::Kind, std::string>, StateRow> rows_;  // quicker than a store
  std::vector<ConsentRecord> consents_;
  json policy_;
  std::map<std::string, json> campaigns_;
  std::set<Function> paused_;
  std::vector<Decision> waiting_;
  VisitId visit_;
  std::optional<MonoTime> wake_;
  std::int64_t session_ = 0;
};

TEST(Replay, EqualsTheDayThatWasRecorded) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Shop shop(seed);
    for (int i = 0; i < 2000; ++i) shop.step();
    ASSERT_GT(shop.decisions, 50);
    const json report = shop.replayed();
    EXPECT_EQ(report["differences"], 0) << "seed " << seed << report["first_difference"].dump(2);
    EXPECT_EQ(report["left_out"], 0);
    int told = 0;
    for (const auto& [name, c] : report["campaigns"].items()) {
      told += c["then"]["offers"].get<int>();
      for (const auto& [reason, n] : c["then"]["suppressed"].items()) told += n.get<int>();
      EXPECT_EQ(c["then"], c["now"]) << name;
    }
    EXPECT_EQ(told, shop.decisions) << "every decision is in the recording";
  }
}

TEST(Replay, OfOtherRulesShowsTheFirstDifferenceAndWhatTheyWouldHaveDone) {
  Shop shop(3);
  for (int i = 0; i < 3000; ++i) shop.step();
  json other = campaign_json("k-desk", "dwell");
  other["schedule"] = {{"until", "2020-01-01T00:00:00Z"}};
  const json added = campaign_json("k-new", "enter", 9);
  const json report = shop.replayed({{"campaigns", {other, added}}});
  EXPECT_GT(report["differences"], 0);
  const json& first = report["first_difference"];
  EXPECT_NE(first["then"], first["now"]);
  EXPECT_FALSE(first["steps"].empty()) << "and why";
  EXPECT_GT(report["campaigns"]["k-desk"]["then"]["offers"], 0);
  EXPECT_EQ(report["campaigns"]["k-desk"]["now"]["offers"], 0);
  EXPECT_GT(report["campaigns"]["k-new"]["now"]["offers"], 0);
  std::string lines;
  for (const auto& line : report["lines"]) lines += line.get<std::string>() + "\n";
  EXPECT_THAT(lines, HasSubstr("decisions differ; the first:"));
  EXPECT_THAT(lines, HasSubstr("k-new"));
}

TEST(Replay, OfAnotherVersionIsRefusedAndSaysWhich) {
  const fs::path dir =
      fs::temp_directory_path() / ("welcome-versions-" + std::to_string(::getpid()));
  fs::create_directories(dir);
  const auto refusal = [&](const std::string& head) {
    const fs::path file = dir / "2026-05-04-1.jsonl";
    // A card comes first, in whatever form that version had.
    std::ofstream(file) << R"({"who":1,"key":"aa","card":"bb"})" << '\n' << head << '\n';
    const auto report = replay({{file}, {}, {}}, {});
    return report ? "replayed" : report.error().message;
  };
  const auto of = [](int version) {
    return R"({"recording":)" + std::to_string(version) + R"(,"box":"box-1","t":0,"w":0})";
  };
  EXPECT_THAT(refusal(of(1)),
              testing::AllOf(HasSubstr("2026-05-04-1.jsonl"), HasSubstr("an older welcomed"),
                             HasSubstr("format 1"),
                             HasSubstr("replays format " + std::to_string(kFormatVersion))));
  EXPECT_THAT(refusal(of(kFormatVersion + 1)), HasSubstr("a newer welcomed"));
  fs::remove_all(dir);
}

TEST(Replay, RulesThatCannotBeMeantAreRefusedWithTheReason) {
  const auto refusal = [](const json& file) {
    const auto rules = other_rules(file);
    return rules ? "accepted" : rules.error().message;
  };
  json bad = campaign_json("k", "enter");
  bad["cap"]["per_customer"] = -1;
  EXPECT_THAT(refusal({{"campaigns", {bad}}}), HasSubstr("campaign 1"));
  EXPECT_THAT(refusal({{"campaign", {bad}}}), HasSubstr("neither campaigns nor policy"));
  EXPECT_THAT(refusal(json::array()), HasSubstr("not an object"));
  EXPECT_EQ(refusal({{"campaigns", {campaign_json("k", "enter")}}}), "accepted");
}

TEST(Recording, NamesNobodyAndHoldsNoKeyAndNoNote) {
  Shop shop(5);
  for (int i = 0; i < 3000; ++i) shop.step();
  const std::string text = shop.text();
  ASSERT_GT(text.size(), 50'000U);
  // None so short that sealed bytes in base64 spell it by chance.
  for (const char* word :
       {"Moreau", "Maximilien", "Montpellier", "sparkling", "tea number", "c-1", "\"eva\""}) {
    EXPECT_THAT(text, Not(HasSubstr(word)));
  }
}

TEST(Recording, WhoWithdrawsIsLeftOutOfEveryReplay) {
  Shop shop(2);
  for (int i = 0; i < 2000; ++i) shop.step();
  const CustomerId gone = shop.people_[0];
  const auto told_of = [&] {
    int cards = 0;
    for (const auto& [id, key] : shop.recorder_->keys()) cards += key.first == gone;
    return cards;
  };
  ASSERT_EQ(told_of(), 1);
  shop.consent(gone, Purpose::preference_prompts, ConsentState::withdrawn);
  EXPECT_EQ(told_of(), 0);
  const auto rows = shop.store_->journal().states(StateRow::Kind::recording);
  ASSERT_TRUE(rows);
  for (const StateRow& row : *rows) {
    EXPECT_NE(row.customer, gone);
  }
  const json report = shop.replayed();
  EXPECT_EQ(report["left_out"], 1);
  EXPECT_THAT(report["lines"][1].get<std::string>(), HasSubstr("left out: 1"));
}

TEST(Recording, IsKeptForItsDaysAndItsKeysNoLonger) {
  Shop shop(1);
  for (int i = 0; i < 200; ++i) shop.step();
  shop.recorder_->flush(shop.now_);
  ASSERT_FALSE(shop.recorder_->names().empty());
  Now later = shop.now_;
  later.wall += 24h * 6;
  shop.recorder_->apply_retention(test::agreed(later));
  EXPECT_FALSE(shop.recorder_->names().empty());
  // Another start, days after: nothing of it is in use any more.
  test::CountingIds ids;
  Recorder next(shop.recorder_->files("").front().parent_path(), 7, *shop.store_, ids);
  later.wall += 24h * 3;
  next.apply_retention(test::agreed(later));
  EXPECT_TRUE(next.names().empty());
  EXPECT_TRUE(shop.store_->journal().states(StateRow::Kind::recording)->empty());
}

// ---- on the whole box

TEST(Recording, OfABoxIsReplayedFromItsDisk) {
  test::BenchBox box(kStart);
  box.links_up();
  box.feed_shop();
  box.hear_mia_for(10s);
  box.power_cycle();
  box.link_up(contract::LinkName::uplink);
  box.hear_mia_for(10s);
  box.advance(40s);
  ASSERT_EQ(box.engine().recordings().size(), 2U) << "one for each start";
  EXPECT_FALSE(box.engine().replay_order("1999", {}, box.now()));
  const auto order = box.engine().replay_order("2026-05-04", {}, box.now());
  ASSERT_TRUE(order);
  const auto report = replay(*order, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ((*report)["differences"], 0) << (*report)["first_difference"].dump(2);
  EXPECT_GT((*report)["events"], 20);
  EXPECT_FALSE((*report)["campaigns"].empty());
  for (const auto& file : order->files) {
    EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_THAT(read(file), Not(HasSubstr("c-mia")));
  }
}

}  // namespace
}  // namespace welcome::recording
