// SPDX-License-Identifier: Apache-2.0
// What an invitation makes of a machine, and what a box waits for then.

#include "firmware/ctl/set_up.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <unistd.h>

#include "firmware/ctl/http.h"
#include "firmware/ctl/provision.h"

namespace welcome::ctl {
namespace {

namespace fs = std::filesystem;

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

provision::Invitation invitation() {
  provision::Invitation out;
  out.tenant = "demo";
  out.store = "aroma-1";
  out.box = "box-1";
  out.host = "broker.example";
  out.password = "s3cret";
  out.ca = "-----BEGIN CERTIFICATE-----\n";
  out.crm_keys = "crm-1 AAAA\n";
  return out;
}

class BoxSetUp : public testing::Test {
 protected:
  BoxSetUp() : places_{dir_ / "etc/welcomed.conf", dir_ / "credstore", "welcomed."} {}
  ~BoxSetUp() override { fs::remove_all(dir_); }
  fs::path password() const { return places_.credential("uplink-password"); }
  static std::string text(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static fs::perms mode(const fs::path& file) { return fs::status(file).permissions(); }

  const fs::path dir_ = fs::path(testing::TempDir()) / ("set-up-" + std::to_string(::getpid()));
  const BoxPlaces places_;
};

TEST_F(BoxSetUp, SecretsAreForTheirOwnerAndTheRestForTheService) {
  using enum fs::perms;
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(write_credentials(invitation(), places_));
    ASSERT_TRUE(write_configuration(invitation(), places_));
  }
  EXPECT_EQ(text(password()), "s3cret");
  EXPECT_EQ(mode(password()), owner_read | owner_write);
  EXPECT_EQ(text(places_.crm_keys()), "crm-1 AAAA\n");
  for (const fs::path& file : {places_.crm_keys(), places_.broker_ca(), places_.provisioned()}) {
    EXPECT_EQ(mode(file), owner_read | owner_write | group_read | others_read) << file;
    EXPECT_THAT(text(file), Not(HasSubstr("s3cret")));
  }
  EXPECT_THAT(text(places_.provisioned()),
              HasSubstr("[uplink]\nhost = broker.example\nport = 8883\nuser = demo/aroma-1/box-1\n"
                        "tls_ca = " +
                        places_.broker_ca().string()));
}

TEST_F(BoxSetUp, ABrokerWithoutACaOfItsOwnIsTrustedAsTheMachineTrusts) {
  auto is = invitation();
  is.ca.clear();
  ASSERT_TRUE(write_credentials(is, places_));
  ASSERT_TRUE(write_configuration(is, places_));
  EXPECT_FALSE(fs::exists(places_.broker_ca()));
  EXPECT_THAT(text(places_.provisioned()), HasSubstr("tls_ca = /etc/ssl/certs/"));
  is.tls = false;
  ASSERT_TRUE(write_configuration(is, places_));
  EXPECT_THAT(text(places_.provisioned()), Not(HasSubstr("tls_ca")));
}

TEST_F(BoxSetUp, ThereIsAnAccountAtTheFloorsBrokerOrNone) {
  ASSERT_TRUE(write_credentials(invitation(), places_));
  ASSERT_TRUE(write_configuration(invitation(), places_));
  EXPECT_THAT(text(places_.provisioned()), Not(HasSubstr("[floor]")));
  std::ofstream(places_.credential("floor-password")) << "x";
  ASSERT_TRUE(write_configuration(invitation(), places_));
  EXPECT_THAT(text(places_.provisioned()), HasSubstr("[floor]\nuser = box-1\n"));
}

TEST_F(BoxSetUp, SaysWhichFileItCannotWrite) {
  fs::create_directories(places_.config.parent_path());
  std::ofstream(dir_ / "etc/conf.d") << "a file where the folder should be";
  const auto done = write_configuration(invitation(), places_);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("50-provisioned.conf"));
}

TEST(Invitation, SaysNothingThatAFileOfOursObeys) {
  ASSERT_TRUE(check_words(invitation()));
  for (const std::string bad : {"", "a b", "a/b", "a\n[consent]", "#", "\"a\"", "a\x7F"}) {
    for (auto field : {&provision::Invitation::tenant, &provision::Invitation::store,
                       &provision::Invitation::box, &provision::Invitation::host}) {
      auto is = invitation();
      is.*field = bad;
      EXPECT_FALSE(check_words(is)) << bad;
    }
  }
  auto is = invitation();
  is.password = "a\nb";
  EXPECT_FALSE(check_words(is));
}

TEST(FirstSync, IsWaitedForInPlainWords) {
  json status = {{"links", {{"uplink", {{"state", "down"}, {"why", "not authorised"}}}}},
                 {"crm", {{"feed", json::object()}}},
                 {"consents", {{"footing", "crm_silent"}}}};
  EXPECT_EQ(waits_for(status), "the line to head office is down: not authorised");
  status["links"]["uplink"] = {{"state", "up"}, {"why", "the CRM has not spoken yet"}};
  EXPECT_EQ(waits_for(status), "the CRM has not spoken yet");
  status["links"]["uplink"] = {{"state", "up"}};
  EXPECT_EQ(waits_for(status), "head office is sending: policy, consents, identities");
  status["crm"]["feed"] = {{"policy", {{"seq", 1}}}, {"consents", {{"seq", 0}}}};
  EXPECT_EQ(waits_for(status), "head office is sending: identities");
  status["crm"]["feed"]["identities"] = {{"seq", 0}};
  EXPECT_EQ(waits_for(status), "consents do not count yet: crm_silent");
  status["consents"]["footing"] = "firm";
  EXPECT_EQ(waits_for(status), "");
  EXPECT_NE(waits_for(json()), "");
}

TEST(TheCode, ComesAloneOrInALink) {
  const auto link = code_and_door("https://my.aroma.example/phone/?x#7K2QD-0M4XW");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->door, "https://my.aroma.example");
  EXPECT_EQ(link->code, "7K2QD-0M4XW");
  const auto alone = code_and_door("7K2QD-0M4XW");
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->door, "");
  EXPECT_EQ(alone->code, "7K2QD-0M4XW");
  for (const char* bad : {"https://my.aroma.example/", "http://my.aroma.example/#A", "ftp://a/#A",
                          "https://u:p@a/#A", "file:///etc/passwd#A", "://#A", "https://#A"}) {
    EXPECT_FALSE(code_and_door(bad)) << bad;
  }
}

TEST(ADoor, IsAskedInClearOnThisMachineAlone) {
  EXPECT_EQ(origin_of("https://my.aroma.example:8443/x?y"), "https://my.aroma.example:8443");
  EXPECT_EQ(origin_of("http://127.0.0.1:8080/"), "http://127.0.0.1:8080");
  EXPECT_EQ(origin_of("http://127.0.0.1.evil.example/"), std::nullopt);
  EXPECT_EQ(origin_of("http://localhost.evil.example/"), std::nullopt);
  EXPECT_EQ(origin_of("my.aroma.example"), std::nullopt);
}

}  // namespace
}  // namespace welcome::ctl
