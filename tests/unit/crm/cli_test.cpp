// SPDX-License-Identifier: Apache-2.0
// The command line: what it prints, and the exit codes that scripts rely on.

#include "crm/cli/cli.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "contract/items.h"
#include "contract/signing.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class CliTest : public CrmTest {
 protected:
  int cli(std::vector<std::string> args) {
    args.insert(args.begin(), {"--database", path()});
    out_.str("");
    err_.str("");
    return run(args, out_, err_);
  }
  json answer() const { return json::parse(out_.str()); }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
    return (dir_ / name).string();
  }

  std::ostringstream out_, err_;
};

TEST_F(CliTest, HelpNamesEveryCommandAndEachCommandItsOptions) {
  EXPECT_EQ(cli({"--help"}), kDone);
  for (const char* command : {"init", "import", "customer consent", "erasure status", "boxes",
                              "ledger", "pause", "resume", "sign-keys", "report", "serve"}) {
    EXPECT_NE(out_.str().find(command), std::string::npos) << command;
  }
  EXPECT_EQ(cli({"serve", "--help"}), kDone);
  EXPECT_NE(out_.str().find("--broker"), std::string::npos);
}

TEST_F(CliTest, DescribesItsCommandsForTheManual) {
  out_.str("");
  ASSERT_EQ(run({"--describe-commands"}, out_, err_), kDone);
  const json said = answer();
  EXPECT_EQ(said["options"][0]["name"], "database");
  EXPECT_EQ(said["options"][0]["letter"], "d");
  EXPECT_EQ(said["options"][0]["value"], "VALUE");
  for (const json& command : said["commands"]) {
    if (command["name"] != "serve") continue;
    EXPECT_EQ(command["options"][0]["what"],
              "mqtt://HOST:PORT or mqtts://HOST:PORT (mqtt://127.0.0.1:1883)");
    return;
  }
  FAIL() << "no serve";
}

TEST_F(CliTest, MetricsAreThoseOfTheirPage) {
  std::ifstream in(WELCOME_SOURCE_DIR "/docs/metrics.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  ASSERT_EQ(run({"--describe-metrics"}, out_, err_), kDone);
  EXPECT_NE(page.find(out_.str()), std::string::npos)
      << "put the output of welcome-crm --describe-metrics into docs/metrics.md";
}

TEST_F(CliTest, WrongUsageIsCodeTwoAndSaysWhat) {
  EXPECT_EQ(cli({"custmer", "list"}), kUsage);
  EXPECT_NE(err_.str().find("custmer"), std::string::npos);
  EXPECT_EQ(cli({"customer", "show"}), kUsage);
  EXPECT_EQ(cli({"customer", "show", "c-paul", "more"}), kUsage);
  EXPECT_EQ(cli({"customer", "consent", "c-paul", "proximity_offers", "maybe"}), kUsage);
  EXPECT_EQ(cli({"boxes", "--sideways"}), kUsage);
  EXPECT_EQ(cli({"serve", "--broker", "http://x"}), kUsage);
  EXPECT_EQ(cli({"serve", "--broker", "mqtt://broker.example"}), kUsage) << "in clear";
  EXPECT_EQ(cli({"pause", "lights"}), kUsage);
}

// It says who, of phones and faces, in each language, and where to read more; nothing in it is
// looked up elsewhere or runs.
TEST_F(CliTest, TheSignAtTheDoorSaysWhoAndLeadsToTheNotice) {
  ASSERT_EQ(cli({"init", "--tenant", "demo", "--controller", "Café <Aroma> & Co"}), kDone);
  ASSERT_EQ(cli({"sign", "--page", "https://my.example.com/phone/", "--language", "de,ar"}), kDone)
      << err_.str();
  const std::string page = out_.str();
  for (const char* part : {"Café &lt;Aroma&gt; &amp; Co", "<section lang=\"de\" dir=\"ltr\">",
                           "<section lang=\"ar\" dir=\"rtl\">", "Eine Kamera",
                           "https://my.example.com/phone/", "<svg viewBox=", "welcome-pledge 1"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  for (const char* part : {"@WHO@", "<script", "src=", "@import", "url("}) {
    EXPECT_EQ(page.find(part), std::string::npos) << part;
  }
  ASSERT_EQ(cli({"sign", "--page", "https://my.example.com/", "--no-camera"}), kDone);
  EXPECT_EQ(out_.str().find("camera"), std::string::npos);
  EXPECT_EQ(cli({"sign", "--page", "https://my.example.com/", "--language", "it"}), kUsage);
  EXPECT_NE(err_.str().find("en, de, fr, ar"), std::string::npos) << err_.str();
  EXPECT_EQ(cli({"sign", "--page", "my.example.com"}), kUsage);
}

TEST_F(CliTest, RegionsAreSaidOfStoresThenOfCustomersThenForAll) {
  ASSERT_EQ(cli({"boxes", "admit", "aroma-1/box-1"}), kDone);
  EXPECT_EQ(cli({"scope", "region"}), kNo) << "nothing is signed";
  ASSERT_EQ(cli({"sign-keys", "--new"}), kDone);
  EXPECT_EQ(cli({"scope", "region"}), kNo);
  EXPECT_NE(err_.str().find("aroma-1"), std::string::npos) << "which store has none";
  EXPECT_EQ(cli({"region", "store", "aroma-1", "all"}), kUsage);
  EXPECT_EQ(cli({"region", "store", "aroma-1", "north,south"}), kUsage) << "a store is in one";
  ASSERT_EQ(cli({"region", "store", "aroma-1", "north"}), kDone);
  EXPECT_EQ(cli({"customer", "region", "c-paul", "nroth"}), kNo);
  EXPECT_EQ(cli({"customer", "region", "c-nobody", "north"}), kNo);
  EXPECT_EQ(cli({"scope", "everywhere"}), kUsage);
  EXPECT_EQ(cli({"scope", "all", "region"}), kUsage);
  ASSERT_EQ(cli({"scope", "region", "visited"}), kDone);
  EXPECT_NE(err_.str().find("no customer has a region"), std::string::npos);
  ASSERT_EQ(cli({"--json", "scope"}), kDone);
  EXPECT_EQ(answer().at("scope"), "region visited");
  EXPECT_EQ(cli({"boxes", "admit", "aroma-9/box-1"}), kNo) << "where is that?";
  ASSERT_EQ(cli({"boxes", "admit", "aroma-9/box-1", "--region", "south"}), kDone);
  ASSERT_EQ(cli({"boxes", "admit", "aroma-9/box-2"}), kDone) << "its store has one";
  ASSERT_EQ(cli({"customer", "region", "c-paul", "south,north"}), kDone);
  ASSERT_EQ(cli({"--json", "customer", "show", "c-paul"}), kDone);
  EXPECT_EQ(answer().at("regions"), (json{"north", "south"}));
  ASSERT_EQ(cli({"--json", "boxes"}), kDone);
  EXPECT_EQ(answer().at(0).at("region"), "north");
  EXPECT_EQ(answer().at(0).at("up_to_date"), false) << "it does not know where it is";
}

TEST_F(CliTest, AnImportSaysWhereCustomersAreAtHome) {
  ASSERT_EQ(cli({"region", "store", "aroma-1", "north"}), kDone);
  ASSERT_EQ(cli({"region", "store", "aroma-2", "south"}), kDone);
  const auto customers = [&](const std::string& regions) {
    return cli(
        {"import", file("customers.csv", "customer,name,regions\nc-mia,Mia," + regions + "\n")});
  };
  const auto home = [&] { return crm_->feed().regions().home_of("c-mia"); };
  ASSERT_EQ(customers("south;north"), kDone);
  EXPECT_EQ(home(), "north,south");
  ASSERT_EQ(cli({"import", file("names.csv", "customer,name\nc-mia,Mia B\n")}), kDone);
  EXPECT_EQ(home(), "north,south") << "a file that does not say it leaves it";
  EXPECT_NE(customers("nroth"), kDone);
  EXPECT_NE(err_.str().find("line 2"), std::string::npos);
  EXPECT_EQ(home(), "north,south");
  ASSERT_EQ(customers(""), kDone);
  EXPECT_EQ(home(), "") << "an empty cell clears: everywhere";
}

TEST_F(CliTest, NoIsCodeOne) {
  EXPECT_EQ(cli({"customer", "show", "c-nobody"}), kNo);
  EXPECT_EQ(cli({"customer", "export", "c-nobody"}), kNo);
  EXPECT_EQ(cli({"erasure", "status", "c-nobody"}), kNo);
  EXPECT_EQ(cli({"report", "k-nothing"}), kNo);
}

TEST_F(CliTest, ADatabaseThatIsNotThereIsCodeThree) {
  std::ostringstream out, err;
  EXPECT_EQ(run({"--database", "/nowhere/crm.db", "boxes"}, out, err), kFailed);
  EXPECT_NE(err.str().find("/nowhere/crm.db"), std::string::npos);
}

TEST_F(CliTest, TheClockOfAFobIsSetAnew) {
  const std::string identities = json{{"identities",
                                       {{{"identity", "i-fob"},
                                         {"customer", "c-paul"},
                                         {"kind", "eddystone_eid"},
                                         {"key", "5b1e0f7a9c3d48264e80b1d2f3657a91"},
                                         {"rotation_exponent", 10},
                                         {"clock_zero", "2020-01-01T00:00:00Z"}},
                                        {{"identity", "i-phone"},
                                         {"customer", "c-paul"},
                                         {"kind", "irk"},
                                         {"irk", "c2a94d1087e35f6b0b7d9e4421a6f83c"}}}}}
                                     .dump();
  ASSERT_EQ(cli({"import", file("identities.json", identities)}), kDone) << err_.str();
  ASSERT_EQ(cli({"identity", "clock", "i-fob", "--began", "2026-11-28T10:00:00Z"}), kDone)
      << err_.str();
  const auto told = crm_->feed().get(contract::Collection::identities, "i-fob");
  ASSERT_TRUE(told);
  EXPECT_EQ(json::parse(told->value)["clock_zero"], "2026-11-28T10:00:00.000Z");
  EXPECT_EQ(cli({"identity", "clock", "i-fob"}), kDone);
  EXPECT_EQ(cli({"identity", "clock", "i-phone"}), kNo);
  EXPECT_EQ(cli({"identity", "clock", "i-nobody"}), kNo);
  EXPECT_EQ(cli({"identity", "clock"}), kUsage);
}

TEST_F(CliTest, ConsentIsSetAndShown) {
  ASSERT_EQ(cli({"customer", "consent", "c-paul", "face_recognition", "withdrawn"}), kDone);
  ASSERT_EQ(cli({"--json", "customer", "show", "c-paul"}), kDone);
  EXPECT_EQ(answer().at("purposes").at("face_recognition"), false);
  EXPECT_EQ(answer().at("purposes").at("proximity_offers"), true);
}

TEST_F(CliTest, AnImportWithAMistakeChangesNothing) {
  const std::string good = file("good.csv", "customer,name\nc-new,New\n");
  const std::string bad = file("bad.csv", "customer,name\nc-x\n");
  EXPECT_EQ(cli({"import", good, bad}), kUsage);
  EXPECT_NE(err_.str().find("bad.csv: line 2"), std::string::npos);
  EXPECT_FALSE(crm_->profile("c-new"));
  EXPECT_EQ(cli({"import", good}), kDone);
  EXPECT_TRUE(crm_->profile("c-new"));
}

TEST_F(CliTest, FilesMayBeNamedInAnyOrder) {
  const std::string consents =
      file("a.csv", "customer,purpose,state\nc-new,proximity_offers,given\n");
  const std::string customers = file("b.csv", "customer,name\nc-new,New\n");
  EXPECT_EQ(cli({"import", consents, customers}), kDone) << err_.str();
  EXPECT_TRUE(
      crm_->given("c-new", now_ + std::chrono::hours(24 * 3650)).has(Purpose::proximity_offers));
}

TEST_F(CliTest, AnErasureIsOutstandingUntilEveryBoxHasAnswered) {
  see_box("aroma-1", "box-1");
  ASSERT_EQ(cli({"customer", "forget", "c-paul"}), kDone);
  EXPECT_EQ(cli({"erasure", "status", "c-paul"}), kNo);
  EXPECT_NE(out_.str().find("0 of 1 boxes"), std::string::npos);
  EXPECT_NE(out_.str().find("aroma-1/box-1: outstanding"), std::string::npos);
  crm_->erasure_done(crm_->erasure("c-paul")->id, "aroma-1", "box-1", "{}", now_);
  ASSERT_EQ(cli({"--json", "erasure", "status", "c-paul"}), kDone);
  EXPECT_EQ(answer().at("complete"), true);
}

TEST_F(CliTest, ABoxWithAnotherKeyIsNamedUntilItIsTrusted) {
  const contract::Signer key("box-1", contract::Signer::new_seed());
  const contract::Signer other("box-1", contract::Signer::new_seed());
  see_box("aroma-1", "box-1");
  ASSERT_EQ(cli({"boxes"}), kDone);
  EXPECT_NE(out_.str().find("not said"), std::string::npos);
  crm_->box_says_key("aroma-1", "box-1", key.public_key(), now_);
  crm_->box_says_key("aroma-1", "box-1", other.public_key(), now_);
  ASSERT_EQ(cli({"customer", "forget", "c-paul"}), kDone);
  event("e-1", "erasure.receipt", "", receipt(crm_->erasure("c-paul")->id, "c-paul", &other));
  intake_->work(now_);

  ASSERT_EQ(cli({"boxes"}), kDone);
  EXPECT_NE(out_.str().find(contract::fingerprint(key.public_key()) + ", now says " +
                            contract::fingerprint(other.public_key()) + ", receipts refused: 1"),
            std::string::npos)
      << out_.str();
  EXPECT_EQ(cli({"erasure", "status", "c-paul"}), kNo);
  EXPECT_NE(out_.str().find("aroma-1/box-1: outstanding; its receipt was refused: it is signed "
                            "with a key that is not trusted"),
            std::string::npos)
      << out_.str();

  ASSERT_EQ(cli({"boxes", "trust", "aroma-1/box-1"}), kDone) << err_.str();
  EXPECT_NE(out_.str().find(contract::fingerprint(other.public_key())), std::string::npos);
  intake_->work(now_);
  EXPECT_EQ(cli({"erasure", "status", "c-paul"}), kDone);
  ASSERT_EQ(cli({"--json", "boxes"}), kDone);
  EXPECT_EQ(answer().at(0).at("key").at("public_key"),
            contract::public_key_text(other.public_key()));
  EXPECT_EQ(answer().at(0).at("receipts_refused"), 0);
}

TEST_F(CliTest, AKeyIsPinnedBeforeTheBoxComes) {
  const contract::Signer key("box-1", contract::Signer::new_seed());
  EXPECT_EQ(cli({"boxes", "trust", "aroma-1/box-1"}), kNo);
  EXPECT_EQ(cli({"boxes", "trust", "box-1"}), kUsage);
  EXPECT_EQ(cli({"boxes", "trust", "aroma-1/box-1", "--key", "short"}), kUsage);
  ASSERT_EQ(cli({"boxes", "trust", "aroma-1/box-1", "--key",
                 contract::public_key_text(key.public_key())}),
            kDone)
      << err_.str();
  EXPECT_EQ(crm_->box_key("aroma-1", "box-1")->key, key.public_key());
  ASSERT_EQ(cli({"customer", "forget", "c-paul"}), kDone);
  EXPECT_TRUE(crm_->erasure("c-paul")->boxes.empty()) << "a box that never came holds nobody";
}

TEST_F(CliTest, TheLedgerIsOneObjectALine) {
  offer("e-1", "d-1", "c-paul");
  event("e-2", "visit.started", "c-paul", {{"visit", "v"}, {"zone", "door"}, {"level", "near"}});
  ASSERT_EQ(cli({"ledger", "--json", "--type", "decision"}), kDone);
  EXPECT_EQ(answer().at("id"), "e-1") << "one line is one object";
}

TEST_F(CliTest, KeysAreInTheFormThatABoxReads) {
  ASSERT_EQ(cli({"sign-keys", "--new"}), kDone);
  const auto ring = contract::KeyRing::parse(out_.str());
  ASSERT_TRUE(ring) << ring.error().message;
  EXPECT_FALSE(ring->empty());
}

TEST_F(CliTest, AKeyThatIsRetiredIsNotPinnedAnyMore) {
  ASSERT_EQ(cli({"sign-keys", "--new"}), kDone);
  ASSERT_EQ(cli({"sign-keys", "--new"}), kDone);
  const auto pinned = [&] { return contract::KeyRing::parse(out_.str())->to_text(); };
  const std::string both = pinned();
  const std::string out = out_.str();
  const std::string unused = out.substr(out.find("# not used yet\n") + 15);
  const std::string id = unused.substr(0, unused.find(' '));
  ASSERT_EQ(cli({"sign-keys", "--use", id}), kDone);
  EXPECT_LT(pinned().size(), both.size());
  EXPECT_EQ(pinned().substr(0, id.size()), id);
}

TEST_F(CliTest, WhatAFileIsItsContentSays) {
  const std::string campaigns = file("CAMPAIGNS.JSON", "{\"campaigns\":[]}");
  EXPECT_EQ(cli({"import", campaigns}), kDone) << err_.str();
  const std::string text = file("policy.txt", "\n {\"policy\":{\"time_zone\":\"UTC\"}}");
  EXPECT_EQ(cli({"import", text}), kDone) << err_.str();
  EXPECT_TRUE(crm_->feed().get(Collection::policy, "policy"));
  std::istringstream in("{\"policy\":{\"time_zone\":\"Europe/Zurich\"}}");
  auto* const before = std::cin.rdbuf(in.rdbuf());
  EXPECT_EQ(cli({"import", "-"}), kDone) << err_.str();
  std::cin.rdbuf(before);
  EXPECT_NE(crm_->feed().get(Collection::policy, "policy")->value.find("Zurich"),
            std::string::npos);
}

TEST_F(CliTest, APolicyOfATimeZoneThatNobodyKnowsIsRefused) {
  EXPECT_EQ(cli({"import", file("p.json", "{\"policy\":{\"time_zone\":\"Europe/Zurch\"}}")}), kNo);
  EXPECT_NE(err_.str().find("time_zone"), std::string::npos) << err_.str();
}

TEST_F(CliTest, InitLeavesACarefulPolicyBehind) {
  std::ostringstream out, err;
  const std::string other = (dir_ / "other.db").string();
  EXPECT_EQ(
      run({"-d", other, "init", "--tenant", "demo", "--controller", "A", "--time-zone", "Mars"},
          out, err),
      kUsage);
  ASSERT_EQ(run({"-d", other, "init", "--tenant", "demo", "--controller", "A", "--time-zone",
                 "Europe/Zurich"},
                out, err),
            kDone)
      << err.str();
  EXPECT_NE(err.str().find("careful policy"), std::string::npos);
  const auto db = open_sqlite(other);
  Crm crm(*db);
  const auto item = contract::decode_item(Collection::policy,
                                          crm.feed().get(Collection::policy, "policy")->value);
  const auto& policy = std::get<Policy>(*item);
  EXPECT_EQ(policy.caps.per_customer_day, 1);
  EXPECT_TRUE(policy.quiet_hours);
}

TEST_F(CliTest, WhoWasErasedIsNamedAndTheRestIsImported) {
  ASSERT_EQ(cli({"customer", "forget", "c-paul"}), kDone);
  const std::string nightly = file("nightly.csv", "customer,name\nc-paul,Paul\nc-new,New\n");
  EXPECT_EQ(cli({"import", nightly}), kDone);
  EXPECT_NE(err_.str().find("nightly.csv: line 2: c-paul is left out: was erased"),
            std::string::npos)
      << err_.str();
  EXPECT_TRUE(crm_->profile("c-new"));
  ASSERT_EQ(cli({"--json", "import", nightly}), kDone);
  EXPECT_EQ(answer().at("left_out").at(0).at("customer"), "c-paul");
}

TEST_F(CliTest, APauseOfAStoreThatNobodyKnowsWarns) {
  see_box("aroma-1", "box-1");
  EXPECT_EQ(cli({"pause", "face", "--store", "aroma-1"}), kDone);
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(cli({"pause", "face", "--store", "aroma-l"}), kDone);
  EXPECT_NE(err_.str().find("aroma-l"), std::string::npos);
}

TEST_F(CliTest, ACampaignIsRemoved) {
  const json campaign = {
      {"campaign", "k-espresso"},
      {"name", "Espresso"},
      {"trigger", {{"on", "pass_by"}}},
      {"variants", {{{"id", "a"}, {"title", {{"en", "Hello"}}}, {"text", {{"en", "Coffee?"}}}}}}};
  ASSERT_TRUE(crm_->put_campaign(campaign));
  EXPECT_EQ(cli({"campaign", "remove", "k-espresso"}), kDone) << err_.str();
  EXPECT_FALSE(crm_->feed().get(Collection::campaigns, "k-espresso"));
  EXPECT_EQ(cli({"campaign", "remove", "k-espresso"}), kNo);
}

TEST_F(CliTest, AThousandCustomersAreListedInPages) {
  {
    Transaction transaction(*db_);
    for (int i = 0; i < 1200; ++i) add("c-x" + std::to_string(i), "");
    transaction.commit();
  }
  ASSERT_EQ(cli({"--json", "customer", "list"}), kDone);
  EXPECT_EQ(answer().size(), 1201U);
  EXPECT_EQ(answer().at(0).at("purposes").at("face_recognition"), true);
  ASSERT_EQ(cli({"customer", "list"}), kDone);
  const std::string text = out_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1202);
}

TEST_F(CliTest, ABackupIsACopyThatStandsByItself) {
  const std::string copy = (dir_ / "copy.db").string();
  ASSERT_EQ(cli({"backup", copy}), kDone) << err_.str();
  EXPECT_EQ(cli({"backup", copy}), kNo) << "it overwrites nothing";
  EXPECT_EQ(std::filesystem::status(copy).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  consent("c-paul", Purpose::face_recognition, false, now_);
  const Position before = Crm(*open_sqlite(copy)).feed().head(Collection::consents);
  ASSERT_EQ(run({"-d", copy, "restored"}, out_, err_), kDone);
  const auto db = open_sqlite(copy);
  Crm restored(*db);
  EXPECT_TRUE(restored.given("c-paul", now_).has(Purpose::face_recognition));
  EXPECT_NE(restored.feed().head(Collection::consents).epoch, before.epoch);
}

TEST_F(CliTest, ALedgerIsListedFromATimeOn) {
  offer("e-1", "d-1", "c-paul");
  now_ += std::chrono::hours(1);
  offer("e-2", "d-2", "c-paul");
  ASSERT_EQ(cli({"ledger", "--json", "--since", contract::to_rfc3339(now_)}), kDone);
  EXPECT_EQ(answer().at("id"), "e-2");
  ASSERT_EQ(cli({"ledger", "--since", contract::to_rfc3339(now_ + std::chrono::hours(1))}), kDone);
  EXPECT_EQ(out_.str().find("e-"), std::string::npos);
}

}  // namespace
}  // namespace welcome::crm
