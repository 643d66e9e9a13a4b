// SPDX-License-Identifier: Apache-2.0
// Boxes are admitted and revoked; strangers get nothing and cannot fill the database.

#include "crm/boxes.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

#include "crm/box_account.h"
#include "crm/cli/cli.h"
#include "provision/broker_files.h"
#include "provision/qr.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

class BoxesTest : public CrmTest {
 protected:
  int cli(std::vector<std::string> words) {
    words.insert(words.begin(), {"-d", path()});
    out_.str("");
    err_.str("");
    return run(words, out_, err_);
  }
  json answer() const { return json::parse(out_.str()); }
  // As a box that has said hello and was told everything.
  void tell(const std::string& store, const std::string& box) {
    db_->execute("UPDATE box SET state = 'online' WHERE store = $1 AND box = $2", {store, box});
    for (const Collection collection :
         {Collection::profiles, Collection::consents, Collection::identities}) {
      const Position head = crm_->feed().head(collection);
      db_->execute(
          "INSERT INTO confirmed (store, box, collection, epoch, seq) VALUES ($1, $2, $3, $4, $5)",
          {store, box, std::string(contract::to_string(collection)), head.epoch, head.seq});
    }
  }
  std::string text_of(const std::string& name) const {
    std::ifstream in(dir_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
  }

  Boxes boxes_{*crm_};
  std::ostringstream out_, err_;
};

TEST_F(BoxesTest, AnAdmittedBoxIsServedUntilItIsRevoked) {
  EXPECT_FALSE(boxes_.admitted("aroma-1", "box-1"));
  ASSERT_EQ(cli({"boxes", "admit", "aroma-1/box-1", "--by", "ada"}), kDone) << err_.str();
  EXPECT_TRUE(boxes_.admitted("aroma-1", "box-1"));
  EXPECT_FALSE(boxes_.admitted("aroma-2", "box-1")) << "a name in another store is another box";
  ASSERT_EQ(cli({"--json", "boxes", "list"}), kDone);
  EXPECT_EQ(answer().at(0).at("admitted_by"), "ada");
  EXPECT_EQ(answer().at(0).at("state"), "new");
  ASSERT_EQ(cli({"boxes", "revoke", "aroma-1/box-1"}), kDone) << err_.str();
  EXPECT_FALSE(boxes_.admitted("aroma-1", "box-1"));
  EXPECT_EQ(cli({"boxes", "revoke", "aroma-1/box-1"}), kNo) << "there is no such box";
}

TEST_F(BoxesTest, AdmittedAgainItHasANewPasswordAndStaysWhatItWas) {
  ASSERT_EQ(cli({"--json", "boxes", "admit", "aroma-1/box-1"}), kDone);
  const std::string first = answer().at("password");
  EXPECT_EQ(answer().at("admitted_before"), false);
  EXPECT_EQ(answer().at("account"), "demo/aroma-1/box-1");
  ASSERT_EQ(cli({"--json", "boxes", "admit", "aroma-1/box-1"}), kDone);
  EXPECT_EQ(answer().at("admitted_before"), true);
  EXPECT_NE(answer().at("password"), first);
  EXPECT_GE(first.size(), 32U);
}

TEST_F(BoxesTest, NamesThatCouldBeSomethingElseAreRefused) {
  for (const char* name :
       {"app/box-1", "_all/box-1", "aroma 1/box-1", "aroma-1/box:1", "aroma-1/b\nuser crm",
        "aroma-1/", "/box-1", "aroma-1", "a/b/c", "aroma-1/+", "aroma-1/#", "floor/box-1"}) {
    EXPECT_EQ(cli({"boxes", "admit", name}), kUsage) << name;
  }
  EXPECT_EQ(cli({"boxes", "admit", "zürich-1/box.1_a"}), kDone);
}

TEST_F(BoxesTest, WithAKeyNoOtherIsTrusted) {
  const contract::Signer key("box-1", contract::Signer::new_seed());
  const contract::Signer other("box-1", contract::Signer::new_seed());
  ASSERT_EQ(cli({"boxes", "admit", "aroma-1/box-1", "--key",
                 contract::public_key_text(key.public_key())}),
            kDone);
  EXPECT_FALSE(crm_->box_says_key("aroma-1", "box-1", other.public_key(), now_));
  EXPECT_TRUE(crm_->box_says_key("aroma-1", "box-1", key.public_key(), now_));
  EXPECT_EQ(cli({"boxes", "admit", "aroma-1/box-2", "--key", "no key"}), kUsage);
  EXPECT_FALSE(boxes_.admitted("aroma-1", "box-2"));
}

TEST_F(BoxesTest, TheSlipHasAllThatTheTechnicianNeedsAndAQrCodeOfIt) {
  crm_->new_signing_key(now_);
  ASSERT_EQ(cli({"boxes", "admit", "aroma-1/box-1", "--broker", "mqtts://broker.example:8883"}),
            kDone);
  const std::string text = out_.str();
  for (const char* part : {"account demo/aroma-1/box-1\n", "password ",
                           "broker mqtts://broker.example:8883\n", "k-", "▀", "$7$101$"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    });
    if (line.starts_with("\x1b")) {
      EXPECT_LE(columns, 80 + 14) << "with its colours";
    }
  }
  EXPECT_EQ(provision::qr_for_terminal(std::string(3000, 'x')), "") << "too long for a terminal";
}

// Those of a database from before this step.
TEST_F(BoxesTest, ABoxThatWasHereBeforeCountsAsAdmitted) {
  see_box("aroma-1", "box-1");
  EXPECT_TRUE(boxes_.admitted("aroma-1", "box-1"));
  ASSERT_EQ(cli({"--json", "boxes"}), kDone);
  EXPECT_EQ(answer().at(0).at("admitted_at"), "") << "nobody knows when";
}

// ---- revoked ----

TEST_F(BoxesTest, ARevokedBoxHoldsUpNoErasureAndTheReasonIsOnRecord) {
  see_box("aroma-1", "box-1");
  see_box("aroma-1", "box-2");
  const auto id = crm_->forget("c-paul", now_);
  ASSERT_TRUE(id);
  crm_->erasure_done(*id, "aroma-1", "box-1", "{}", now_);
  EXPECT_EQ(cli({"erasure", "status", *id}), kNo);
  ASSERT_EQ(cli({"--json", "boxes", "revoke", "aroma-1/box-2"}), kDone);
  EXPECT_EQ(answer().at("erasures"), 1);
  ASSERT_EQ(cli({"erasure", "status", *id}), kDone);
  EXPECT_NE(out_.str().find("aroma-1/box-2: revoked "), std::string::npos) << out_.str();
  ASSERT_EQ(cli({"--json", "erasure", "status", *id}), kDone);
  EXPECT_EQ(answer().at("done"), 1);
  EXPECT_EQ(answer().at("revoked"), 1);
  EXPECT_TRUE(db_->query("SELECT id FROM command").empty());
  EXPECT_EQ(db_->query("SELECT customer FROM erasure").at(0).text(0), "") << "nobody needs the id";
}

TEST_F(BoxesTest, AnErasureIsNoEarlierThanWhatWasSignedBefore) {
  see_box("aroma-1", "box-1");
  add("c-mia", "a-mia");
  consent("c-mia", Purpose::proximity_offers, true, now_ + 4min);
  ASSERT_TRUE(crm_->forget("c-mia", now_));
  const json command = json::parse(db_->query("SELECT payload FROM command").at(0).text(0));
  EXPECT_EQ(command.at("at"), contract::to_rfc3339(now_ + 4min));
}

TEST_F(BoxesTest, ABoxThatWasNeverHereHasNothingToErase) {
  ASSERT_TRUE(boxes_.admit("aroma-1", "box-9", "", now_));
  const auto id = crm_->forget("c-paul", now_);
  ASSERT_TRUE(id);
  EXPECT_TRUE(crm_->erasure(*id)->done_at);
  EXPECT_TRUE(db_->query("SELECT id FROM command").empty());
}

TEST_F(BoxesTest, RevokeNamesWhoseDataItHeldAndWhoseKeysToChange) {
  add("c-new", "a-new");  // gives nothing: no box hears of them
  add("c-mia", "a-mia");
  consent("c-mia", Purpose::proximity_offers, true, kJanuary);
  const json irk = {{"identity", "i-phone"},
                    {"customer", "c-mia"},
                    {"kind", "irk"},
                    {"irk", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}};
  const json fixed = {{"identity", "i-tag"},
                      {"customer", "c-mia"},
                      {"kind", "eddystone_uid"},
                      {"namespace", "0102030405060708090a"},
                      {"instance", "0b0c0d0e0f10"}};
  ASSERT_TRUE(crm_->put_identity(irk));
  ASSERT_TRUE(crm_->put_identity(fixed));
  see_box("aroma-1", "box-1");
  ASSERT_TRUE(boxes_.admit("aroma-1", "box-2", "", now_));
  tell("aroma-1", "box-1");
  ASSERT_EQ(cli({"--json", "boxes", "revoke", "aroma-1/box-2"}), kDone);
  EXPECT_EQ(answer().at("held"), 0) << "it was never told anything";
  ASSERT_EQ(cli({"boxes", "revoke", "aroma-1/box-1", "--list"}), kDone);
  EXPECT_NE(out_.str().find("It was told of 2 customers; the keys of 1 devices"), std::string::npos)
      << out_.str();
  for (const char* one : {"c-mia", "c-paul", "i-phone"}) {
    EXPECT_NE(out_.str().find(one), std::string::npos) << one;
  }
  EXPECT_EQ(out_.str().find("c-new"), std::string::npos);
  EXPECT_EQ(out_.str().find("i-tag"), std::string::npos);
}

TEST_F(BoxesTest, SomebodyWhoLeftTheFeedAfterItsLastWordIsStillOnIt) {
  see_box("aroma-1", "box-1");
  see_box("aroma-1", "box-2");
  tell("aroma-1", "box-1");
  ASSERT_TRUE(crm_->forget("c-paul", now_));
  tell("aroma-1", "box-2");
  EXPECT_EQ(boxes_.held_by("aroma-1", "box-1"), std::vector<std::string>{"c-paul"});
  EXPECT_TRUE(boxes_.held_by("aroma-1", "box-2").empty());
}

TEST_F(BoxesTest, WhatARevokedBoxSaidLastIsNotActedOn) {
  see_box("aroma-1", "box-1");
  offer("e-1", "d-1", "c-paul");
  ASSERT_TRUE(boxes_.revoke("aroma-1", "box-1", now_));
  intake_->work(now_);
  EXPECT_TRUE(page("c-paul").empty());
  EXPECT_EQ(notes(), std::vector<std::string>{"not believed: revoked"});
}

// ---- strangers ----

TEST_F(BoxesTest, AStrangerIsShownWithWhatItTried) {
  EXPECT_TRUE(boxes_.turn_away("aroma-9", "box-1", "hello", now_));
  EXPECT_FALSE(boxes_.turn_away("aroma-9", "box-1", "event", now_ + std::chrono::hours(1)));
  EXPECT_FALSE(boxes_.turn_away("aroma-9", "box-1", "hello", now_ + std::chrono::hours(2)));
  ASSERT_EQ(cli({"boxes"}), kDone);
  EXPECT_NE(out_.str().find("not admitted"), std::string::npos) << out_.str();
  EXPECT_NE(out_.str().find("tried hello, event, 3 times since " + contract::to_rfc3339(now_)),
            std::string::npos)
      << out_.str();
  ASSERT_EQ(cli({"boxes", "admit", "aroma-9/box-1"}), kDone);
  EXPECT_TRUE(boxes_.strangers().empty());
}

TEST_F(BoxesTest, StrangersCauseAHundredRowsAndNoMore) {
  for (int i = 0; i < 300; ++i) {
    boxes_.turn_away("aroma-" + std::to_string(i), "box-1", "hello", now_);
  }
  EXPECT_EQ(boxes_.strangers().size(), 100U);
  // And old ones make room.
  EXPECT_TRUE(boxes_.turn_away("late", "box-1", "hello", now_ + std::chrono::hours(24 * 31)));
  EXPECT_EQ(boxes_.strangers().size(), 1U);
}

TEST_F(BoxesTest, ANameFromOutsideDoesNothingToATerminal) {
  boxes_.turn_away("a\x1b[2Jb",
                   "c\xC2\x9B"
                   "31m",
                   "hello", now_);
  ASSERT_EQ(cli({"boxes"}), kDone);
  EXPECT_EQ(out_.str().find('\x1b'), std::string::npos);
  EXPECT_EQ(out_.str().find("\xC2\x9B"), std::string::npos);
  EXPECT_NE(out_.str().find("a?[2Jb"), std::string::npos);
}

// ---- the broker's files ----

const contract::BoxAddress kBox{"demo", "aroma-1", "box-1"};

TEST_F(BoxesTest, TheLinesForTheBrokerAreThoseOfTheTemplate) {
  std::ifstream in(WELCOME_SOURCE_DIR "/packaging/broker/central-box.acl.in");
  std::string wanted;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("#")) wanted += line + "\n";
  }
  for (const auto& [name, value] :
       {std::pair{"@TENANT@", "demo"}, {"@STORE@", "aroma-1"}, {"@BOX@", "box-1"}}) {
    for (auto at = wanted.find(name); at != std::string::npos; at = wanted.find(name)) {
      wanted.replace(at, std::string_view(name).size(), value);
    }
  }
  EXPECT_EQ(acl_lines(kBox), wanted);
}

TEST_F(BoxesTest, AnAccountIsPutIntoTheFilesAndTakenOutAndTheRestStays) {
  write("passwords", "crm:$7$101$x$y\ndemo/aroma-1/box-10:$7$101$a$b\n");
  const std::string rules = "pattern read a/%u\n# the CRM\nuser crm\ntopic write b\n";
  write("acl", rules);
  ::chmod((dir_ / "passwords").c_str(), 0640);
  for (int times = 0; times < 2; ++times)
    ASSERT_TRUE(
        provision::put_account(dir_.string(), address_text(kBox), acl_lines(kBox), "secret"));
  const std::string passwords = text_of("passwords");
  EXPECT_EQ(std::count(passwords.begin(), passwords.end(), '\n'), 3);
  EXPECT_NE(passwords.find("\ndemo/aroma-1/box-1:$7$101$"), std::string::npos);
  EXPECT_EQ(passwords.find("secret"), std::string::npos);
  EXPECT_EQ(text_of("acl"), rules + acl_lines(kBox));
  struct stat as {};
  ASSERT_EQ(::stat((dir_ / "passwords").c_str(), &as), 0);
  EXPECT_EQ(as.st_mode & 0777, 0640U) << "the broker may still read it";
  ASSERT_TRUE(provision::remove_account(dir_.string(), address_text(kBox)));
  EXPECT_EQ(text_of("passwords"), "crm:$7$101$x$y\ndemo/aroma-1/box-10:$7$101$a$b\n");
  EXPECT_EQ(text_of("acl"), rules);
}

TEST_F(BoxesTest, WhereThereIsNoBrokerNothingIsAdmitted) {
  EXPECT_EQ(cli({"boxes", "admit", "aroma-1/box-1", "--broker-files", dir_.string()}), kNo);
  EXPECT_NE(err_.str().find("acl"), std::string::npos) << err_.str();
  EXPECT_FALSE(boxes_.admitted("aroma-1", "box-1"));
}

TEST_F(BoxesTest, ADeviceGetsAnotherKeyAndBoxesAreToldOfThatOne) {
  const std::string old = "c2a94d1087e35f6b0b7d9e4421a6f83c";
  const std::string fresh = "5b1e0f7a9c3d48264e80b1d2f3657a91";
  ASSERT_TRUE(crm_->put_identity(
      {{"identity", "i-phone"}, {"customer", "c-paul"}, {"kind", "irk"}, {"irk", old}}));
  ASSERT_TRUE(crm_->put_identity({{"identity", "i-card"},
                                  {"customer", "c-paul"},
                                  {"kind", "ibeacon"},
                                  {"uuid", "7d1c6f52-40b3-4a0e-9c55-0d2f8a7e1b36"},
                                  {"major", 1},
                                  {"minor", 2}}));
  ASSERT_TRUE(crm_->set_device_key("i-phone", fresh));
  const auto told = crm_->feed().get(Collection::identities, "i-phone");
  ASSERT_TRUE(told);
  EXPECT_NE(told->value.find(fresh), std::string::npos);
  EXPECT_EQ(told->value.find(old), std::string::npos);
  EXPECT_FALSE(crm_->set_device_key("i-phone", fresh)) << "it has that one";
  EXPECT_FALSE(crm_->set_device_key("i-phone", std::string(32, '0')));
  EXPECT_FALSE(crm_->set_device_key("i-phone", "none"));
  EXPECT_FALSE(crm_->set_device_key("i-card", fresh)) << "a number is no secret";
  EXPECT_FALSE(crm_->set_device_key("i-none", fresh));
}

}  // namespace
}  // namespace welcome::crm
