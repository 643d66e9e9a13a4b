// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 with certificates of both sides, against a real mosquitto.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/link_authority.h"
#include "tests/integration/link_broker.h"
#include "tests/integration/link_peer.h"

namespace welcome::sync {

using namespace contract;
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using welcome::testing::Authority;
using welcome::testing::Broker;
using welcome::testing::kBox;
using welcome::testing::Peer;

class LinkTlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
  }

  static LinkConfig config_for(const Broker& broker, const Authority& authority) {
    LinkConfig config;
    config.host = "localhost";
    config.port = broker.port();
    config.client_id = "box-1";
    config.backoff_first = 100ms;
    config.backoff_max = 400ms;
    config.tls = mqtt::TlsFiles{authority.certificate(),
                                authority.file("box.pem"),
                                authority.file("box.key"),
                                {"mqtt"},
                                true};
    return config;
  }

  // Never up, and the reason has these words in it.
  static void expect_refused(const LinkConfig& config, const std::string& why) {
    Peer box(config);
    ASSERT_TRUE(box.wait_down());
    EXPECT_EQ(box.ups, 0);
    EXPECT_THAT(box.downs.at(0).reason, HasSubstr(why));
  }

  static bool delivers(Peer& peer, std::int64_t tag) {
    const Message message = encode_hello(kBox, {});
    return peer.link().publish(message, tag) && peer.wait([tag](const Peer& it) {
      return std::find(it.acked.begin(), it.acked.end(), tag) != it.acked.end();
    });
  }
};

TEST_F(LinkTlsTest, ConnectsWithCertificatesOfBothSides) {
  Authority authority("ca");
  authority.issue_both();
  const Broker broker(authority.broker_settings("server"));
  Peer box(config_for(broker, authority));
  ASSERT_TRUE(box.wait_up());
  EXPECT_TRUE(delivers(box, 1));
}

TEST_F(LinkTlsTest, RefusesAServerWithAnotherName) {
  Authority authority("ca");
  authority.issue_both("DNS:other.example");
  const Broker broker(authority.broker_settings("server"));
  expect_refused(config_for(broker, authority), "another name");
}

TEST_F(LinkTlsTest, RefusesAServerOfAnotherAuthority) {
  Authority authority("ca"), stranger("stranger");
  stranger.issue("server", "broker", "DNS:localhost");
  authority.issue("box", "box-1", "DNS:box-1");
  const Broker broker("allow_anonymous true\ncertfile " + stranger.file("server.pem") +
                      "\nkeyfile " + stranger.file("server.key") + "\n");
  expect_refused(config_for(broker, authority), "authority that is not in the CA file");
}

TEST_F(LinkTlsTest, RefusesAnExpiredServer) {
  Authority authority("ca");
  authority.issue_both("DNS:localhost", -1);
  const Broker broker(authority.broker_settings("server"));
  expect_refused(config_for(broker, authority), "the broker's certificate has expired");
}

TEST_F(LinkTlsTest, RefusesAServerThatOnlySpeaksTls12) {
  Authority authority("ca");
  authority.issue("server", "broker", "DNS:localhost");
  const std::uint16_t port = welcome::testing::free_port();
  welcome::testing::Process server({"openssl", "s_server", "-accept", std::to_string(port),
                                    "-tls1_2", "-quiet", "-cert", authority.file("server.pem"),
                                    "-key", authority.file("server.key")});
  ASSERT_TRUE(welcome::testing::wait_listening(port, server));
  LinkConfig config;
  config.host = "localhost";
  config.port = port;
  config.client_id = "box-1";
  config.tls = mqtt::TlsFiles{authority.certificate(), "", "", {"mqtt"}, true};
  // Refused in the handshake: were it accepted, only the missing CONNACK would end it, much later.
  config.connect_timeout = 30s;
  Peer box(config);
  EXPECT_TRUE(box.wait_down(1, 8s));
  EXPECT_THAT(box.downs.at(0).reason, HasSubstr("TLS 1.3"));
}

TEST_F(LinkTlsTest, IsRefusedWithoutAValidCertificateOfItsOwn) {
  Authority authority("ca"), stranger("stranger");
  authority.issue("server", "broker", "DNS:localhost");
  stranger.issue("box", "box-1", "DNS:box-1");
  authority.issue("box", "box-1", "DNS:box-1", -1);
  const Broker broker(authority.broker_settings("server"));
  LinkConfig config = config_for(broker, authority);  // expired
  expect_refused(config, "our certificate has expired");
  config.tls->cert_file = stranger.file("box.pem");
  config.tls->key_file = stranger.file("box.key");
  expect_refused(config, "does not know the authority that signed our certificate");
  config.tls->cert_file.clear();
  expect_refused(config, "wants a client certificate");
}

// What a technician gets wrong in the files, or in the port.
TEST_F(LinkTlsTest, SaysWhichFileOrPortIsWrong) {
  Authority authority("ca");
  authority.issue_both();
  const Broker broker(authority.broker_settings("server"));
  const LinkConfig good = config_for(broker, authority);
  std::ofstream(authority.file("rubbish.pem")) << "not a certificate\n";
  LinkConfig config = good;
  config.tls->key_file = authority.file("server.key");
  expect_refused(config, "do not belong together");
  config = good;
  config.tls->key_file = authority.file("nowhere.key");
  expect_refused(config, "key of our certificate cannot be read");
  config = good;
  config.tls->cert_file = authority.file("rubbish.pem");
  expect_refused(config, "holds no certificate");
  config = good;
  config.tls->ca_file = authority.file("nowhere.pem");
  expect_refused(config, "the CA file cannot be read");
  config = good;
  config.tls.reset();
  expect_refused(config, "TLS");
  const Broker plain;
  config = good;
  config.port = plain.port();
  expect_refused(config, "TLS");
}

TEST_F(LinkTlsTest, TakesARenewedCertificateAndKeepsTheOldConnectionUntilThen) {
  Authority authority("ca");
  authority.issue_both();
  const Broker broker(authority.broker_settings("server"));
  Peer box(config_for(broker, authority));
  ASSERT_TRUE(box.wait_up());

  // A broken renewal: the files are no certificate. Nothing is lost.
  std::filesystem::copy_file(authority.file("box.pem"), authority.file("good.pem"));
  std::ofstream(authority.file("box.pem")) << "not a certificate\n";
  box.link().renew();
  EXPECT_FALSE(box.wait_down(1, 3s));
  EXPECT_TRUE(delivers(box, 1));

  authority.issue("box", "box-1", "DNS:box-1");
  box.link().renew();
  ASSERT_TRUE(box.wait_up(2));
  EXPECT_TRUE(delivers(box, 2));
  EXPECT_EQ(box.downs.size(), 1U);
  EXPECT_EQ(box.downs[0].retry_in, 0ms);
}

}  // namespace
}  // namespace welcome::sync
