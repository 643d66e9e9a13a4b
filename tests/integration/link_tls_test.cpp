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
using welcome::testing::Authority;
using welcome::testing::Broker;
using welcome::testing::Peer;

const BoxAddress kBox{"demo", "aroma-1", "box-1"};

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
    config.tls = LinkTls{authority.certificate(),
                         authority.file("box.pem"),
                         authority.file("box.key"),
                         {"mqtt"},
                         true};
    return config;
  }

  static void expect_refused(const LinkConfig& config) {
    Peer box(config);
    ASSERT_TRUE(box.wait_down());
    EXPECT_EQ(box.ups, 0);
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
  expect_refused(config_for(broker, authority));
}

TEST_F(LinkTlsTest, RefusesAServerOfAnotherAuthority) {
  Authority authority("ca"), stranger("stranger");
  stranger.issue("server", "broker", "DNS:localhost");
  authority.issue("box", "box-1", "DNS:box-1");
  const Broker broker("allow_anonymous true\ncertfile " + stranger.file("server.pem") +
                      "\nkeyfile " + stranger.file("server.key") + "\n");
  expect_refused(config_for(broker, authority));
}

TEST_F(LinkTlsTest, RefusesAnExpiredServer) {
  Authority authority("ca");
  authority.issue_both("DNS:localhost", -1);
  const Broker broker(authority.broker_settings("server"));
  expect_refused(config_for(broker, authority));
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
  config.tls = LinkTls{authority.certificate(), "", "", {"mqtt"}, true};
  // Refused in the handshake: were it accepted, only the missing CONNACK would end it, much later.
  config.connect_timeout = 30s;
  Peer box(config);
  EXPECT_TRUE(box.wait_down(1, 8s));
}

TEST_F(LinkTlsTest, IsRefusedWithoutAValidCertificateOfItsOwn) {
  Authority authority("ca"), stranger("stranger");
  authority.issue("server", "broker", "DNS:localhost");
  stranger.issue("box", "box-1", "DNS:box-1");
  authority.issue("box", "box-1", "DNS:box-1", -1);
  const Broker broker(authority.broker_settings("server"));
  LinkConfig config = config_for(broker, authority);  // expired
  expect_refused(config);
  config.tls->cert_file = stranger.file("box.pem");
  config.tls->key_file = stranger.file("box.key");
  expect_refused(config);
  config.tls->cert_file.clear();
  expect_refused(config);
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
