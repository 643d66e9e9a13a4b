// SPDX-License-Identifier: Apache-2.0
// Invitations of boxes: the first that answers has it, and the CRM cannot open what it keeps.

#include "crm/invitations.h"

#include <array>
#include <chrono>
#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

#include "crm/boxes.h"
#include "crm/cli/cli.h"
#include "crm/wall_clock.h"
#include "provision/qr.h"
#include "tests/unit/crm/fixture.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using provision::InvitationCode;
using testing::HasSubstr;
using Seed = std::array<std::uint8_t, 32>;

constexpr Seed kBox{1};
constexpr Seed kOther{2};

class InvitationsTest : public CrmTest {
 protected:
  InvitationsTest() {
    EXPECT_EQ(cli({"sign-keys", "--new"}), kDone);
    keys_ = out_.str();
  }
  int cli(std::vector<std::string> words) {
    words.insert(words.begin(), {"-d", path()});
    out_.str("");
    err_.str("");
    return run(words, out_, err_);
  }
  json answer() const { return json::parse(out_.str()); }
  InvitationCode invite(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"--json",   "boxes",
                                   "invite",   "aroma-1/box-1",
                                   "--broker", "mqtts://broker.example",
                                   "--door",   "https://my.aroma.example/phone/"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(cli(words), kDone) << err_.str();
    return *InvitationCode::read(answer().at("code").get<std::string>());
  }
  std::optional<std::string> ask(const InvitationCode& code, const Seed& box, WallTime at) {
    Transaction transaction(*db_);
    auto sealed = Invitations(*crm_).answer(provision::request_by(code, box), at);
    transaction.commit();
    return sealed;
  }
  std::optional<std::string> ask(const InvitationCode& code, const Seed& box) {
    return ask(code, box, wall_now());
  }
  Invitations::State state() { return *Invitations(*crm_).of("aroma-1", "box-1"); }
  std::string key_of(const Seed& box) {
    return provision::request_by(InvitationCode::fresh(), box).box_key;
  }
  std::string trusted() {
    const auto key = crm_->box_key("aroma-1", "box-1");
    return key ? contract::public_key_text(key->key) : "";
  }

  std::ostringstream out_, err_;
  std::string keys_;
};

TEST_F(InvitationsTest, HasAllThatABoxNeeds) {
  std::ofstream(dir_ / "ca.pem") << "-----BEGIN CERTIFICATE-----\nx\n";
  const auto code = invite({"--ca", (dir_ / "ca.pem").string(), "--by", "ada"});
  EXPECT_EQ(answer().at("link"), "https://my.aroma.example/#" + code.text());
  EXPECT_TRUE(Boxes(*crm_).admitted("aroma-1", "box-1"));
  EXPECT_EQ(trusted(), "") << "nobody has answered";
  const auto sealed = ask(code, kBox);
  ASSERT_TRUE(sealed);
  const auto opened = provision::open(code, *sealed);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->tenant, "demo");
  EXPECT_EQ(opened->store, "aroma-1");
  EXPECT_EQ(opened->box, "box-1");
  EXPECT_EQ(opened->host, "broker.example");
  EXPECT_EQ(opened->port, 8883);
  EXPECT_TRUE(opened->tls);
  EXPECT_EQ(opened->ca, "-----BEGIN CERTIFICATE-----\nx\n");
  EXPECT_GE(opened->password.size(), 32U);
  EXPECT_EQ(opened->crm_keys, keys_);
  EXPECT_EQ(trusted(), key_of(kBox)) << "its key is pinned in the same transaction";
}

TEST_F(InvitationsTest, TheSameBoxIsAnsweredAgainAndNoOther) {
  const auto code = invite();
  const auto sealed = ask(code, kBox);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(ask(code, kBox), sealed) << "the line went after the first";
  EXPECT_FALSE(ask(code, kOther)) << "somebody copied the code";
  EXPECT_FALSE(ask(code, kOther));
  EXPECT_EQ(trusted(), key_of(kBox));
  EXPECT_EQ(state().refused, 2);
  ASSERT_EQ(cli({"boxes"}), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("CODE TRIED by another box: 2"));
}

TEST_F(InvitationsTest, WhoMerelyHeardTheRequestGetsNothing) {
  const auto code = invite();
  auto heard = provision::request_by(code, kBox);
  heard.box_key = key_of(kOther);  // and puts their own key in
  Transaction transaction(*db_);
  EXPECT_FALSE(Invitations(*crm_).answer(heard, wall_now()));
  transaction.commit();
  EXPECT_EQ(trusted(), "");
  EXPECT_EQ(state().refused, 0) << "they have no code";
  EXPECT_TRUE(ask(code, kBox));
}

TEST_F(InvitationsTest, EndsByItselfAlsoForTheBoxThatHasIt) {
  const auto code = invite({"--hours", "2"});
  ASSERT_TRUE(ask(code, kBox, wall_now() + 119min));
  EXPECT_FALSE(ask(code, kBox, wall_now() + 121min));
  EXPECT_FALSE(ask(InvitationCode::fresh(), kBox)) << "there never was one";
  Transaction transaction(*db_);
  EXPECT_EQ(Invitations(*crm_).forget_old(wall_now() + 24h, 100), 0);
  EXPECT_EQ(Invitations(*crm_).forget_old(wall_now() + 8 * 24h, 100), 1);
}

TEST_F(InvitationsTest, TheAuthorityOfTheBrokerIsRememberedUntilItIsTakenBack) {
  std::ofstream(dir_ / "ca.pem") << "-----BEGIN CERTIFICATE-----\nx\n";
  const auto ca = [&](std::vector<std::string> more) {
    const auto code = invite(std::move(more));
    return provision::open(code, *ask(code, kBox))->ca;
  };
  EXPECT_EQ(ca({}), "");
  EXPECT_NE(ca({"--ca", (dir_ / "ca.pem").string()}), "");
  EXPECT_NE(ca({}), "");
  EXPECT_EQ(ca({"--ca", ""}), "");
  EXPECT_EQ(ca({}), "");
}

TEST_F(InvitationsTest, ANewOneTakesItsPlace) {
  const auto first = invite();
  const std::string link = answer().at("link");
  ASSERT_EQ(cli({"--json", "boxes", "invite", "aroma-1/box-1"}), kDone) << err_.str();
  EXPECT_EQ(answer().at("admitted_before"), true);
  const auto second = *InvitationCode::read(answer().at("code").get<std::string>());
  EXPECT_NE(answer().at("link"), link);
  EXPECT_FALSE(ask(first, kBox));
  const auto sealed = ask(second, kBox);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(provision::open(second, *sealed)->host, "broker.example") << "as it was said last";
  EXPECT_EQ(db_->query("SELECT COUNT(*) FROM invitation").at(0).integer(0), 1);
}

// A box that was replaced: the new machine has another key.
TEST_F(InvitationsTest, TheBoxThatItWasForIsTrustedInPlaceOfTheOneBefore) {
  ASSERT_TRUE(ask(invite(), kBox));
  const auto again = invite();
  EXPECT_EQ(trusted(), key_of(kBox)) << "until somebody answers";
  ASSERT_TRUE(ask(again, kOther));
  EXPECT_EQ(trusted(), key_of(kOther));
}

TEST_F(InvitationsTest, EndsWithTheBox) {
  const auto code = invite();
  ASSERT_EQ(cli({"boxes", "revoke", "aroma-1/box-1"}), kDone) << err_.str();
  EXPECT_FALSE(ask(code, kBox));
  EXPECT_FALSE(Invitations(*crm_).of("aroma-1", "box-1"));
}

TEST_F(InvitationsTest, TheListSaysUntilWhenOneIsOpen) {
  const auto code = invite();
  const std::string until = answer().at("expires_at");
  ASSERT_EQ(cli({"boxes"}), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("new, invited until " + until));
  ASSERT_TRUE(ask(code, kBox));
  ASSERT_EQ(cli({"boxes"}), kDone);
  EXPECT_EQ(out_.str().find("invited"), std::string::npos);
  ASSERT_EQ(cli({"--json", "boxes"}), kDone);
  EXPECT_TRUE(answer().at(0).at("invitation").at("used_at").is_string());
}

TEST_F(InvitationsTest, TheDatabaseHoldsNeitherCodeNorPassword) {
  const auto code = invite();
  const std::string sealed = *ask(code, kBox);
  const std::string password = provision::open(code, sealed)->password;
  std::string symbols = code.text();
  std::erase(symbols, '-');
  for (const std::string name : {"crm.db", "crm.db-wal"}) {
    std::ifstream in(dir_ / name, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (const std::string& secret : {code.text(), symbols, password}) {
      EXPECT_EQ(text.find(secret), std::string::npos) << name;
    }
  }
}

TEST_F(InvitationsTest, AFileIsWhatTheDoorWouldAnswer) {
  const std::string file = (dir_ / "box-1.invitation").string();
  const auto code = invite({"--file", file});
  std::ifstream in(file);
  const json written = json::parse(in);
  EXPECT_EQ(written, (json{{"sealed", *ask(code, kBox)}}));
  EXPECT_TRUE(provision::open(code, written.at("sealed").get<std::string>()));
}

TEST_F(InvitationsTest, IsShownAsTextAndAsACodeToScan) {
  ASSERT_EQ(cli({"boxes", "invite", "aroma-1/box-1", "--broker", "mqtts://b", "--door",
                 "https://d.example"}),
            kDone)
      << err_.str();
  const std::string shown = out_.str();
  const auto at = shown.find("welcomectl provision https://d.example/#");
  ASSERT_NE(at, std::string::npos);
  const std::string link = shown.substr(at + 21, shown.find('\n', at) - at - 21);
  EXPECT_THAT(shown, HasSubstr(provision::qr_for_terminal(link)));
  EXPECT_THAT(shown, HasSubstr("password_file")) << "nobody has written it";
}

TEST_F(InvitationsTest, IsNotMadeOfWhatABoxCouldNotUse) {
  const std::vector<std::string> good{"boxes", "invite", "aroma-1/box-1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), good.begin(), good.end());
    return cli(more);
  };
  EXPECT_EQ(with({"--broker", "mqtts://b"}), kUsage) << "no door is known";
  EXPECT_EQ(with({"--door", "https://d"}), kUsage) << "no broker is known";
  EXPECT_EQ(with({"--door", "http://d", "--broker", "mqtts://b"}), kUsage) << "in clear";
  EXPECT_EQ(with({"--door", "https://d", "--broker", "mqtt://b"}), kUsage) << "in clear";
  EXPECT_EQ(with({"--door", "http://127.0.0.1:8080", "--broker", "mqtt://127.0.0.1"}), kDone);
  std::ofstream(dir_ / "key.pem") << "-----BEGIN PRIVATE KEY-----\nx\n";
  EXPECT_EQ(with({"--ca", (dir_ / "key.pem").string()}), kUsage);
  EXPECT_EQ(with({"--hours", "0"}), kUsage);
  EXPECT_EQ(with({"--file", (dir_ / "none/file").string()}), kNo);
  EXPECT_EQ(cli({"boxes", "invite", "app/box-1"}), kUsage);
}

class UnsignedInvitations : public CrmTest {};

TEST_F(UnsignedInvitations, AreNone) {
  std::ostringstream out, err;
  EXPECT_EQ(run({"-d", path(), "boxes", "invite", "aroma-1/box-1", "--broker", "mqtts://b",
                 "--door", "https://d"},
                out, err),
            kNo);
  EXPECT_THAT(err.str(), HasSubstr("sign-keys --new"));
  EXPECT_FALSE(Boxes(*crm_).admitted("aroma-1", "box-1")) << "nothing is half done";
}

}  // namespace
}  // namespace welcome::crm
