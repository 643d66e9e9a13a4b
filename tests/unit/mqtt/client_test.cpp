// SPDX-License-Identifier: Apache-2.0
// The client against a broker of the test's own, which answers byte by byte what the test says.

#include "mqtt/client.h"

#include <arpa/inet.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/mqtt/bytes.h"

namespace welcome::mqtt {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

const std::string kConnack = bytes({0x20, 3, 0, 0, 0});

// Listens on loopback and holds one connection at a time.
class FakeBroker {
 public:
  FakeBroker() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener_, 8) != 0 ||
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no free port");
    }
    port_ = ntohs(address.sin_port);
  }
  ~FakeBroker() {
    hang_up();
    if (listener_ >= 0) ::close(listener_);
  }
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  std::uint16_t port() const { return port_; }
  bool accept_if_any() {
    pollfd fd{listener_, POLLIN, 0};
    if (line_ >= 0 || poll(&fd, 1, 0) <= 0) return false;
    line_ = accept(listener_, nullptr, nullptr);
    return true;
  }
  void say(const std::string& text) const {
    ASSERT_EQ(send(line_, text.data(), text.size(), MSG_NOSIGNAL), ssize_t(text.size()));
  }
  // What the client has sent since the last time.
  std::string hear() const {
    char text[4096];
    const ssize_t count = line_ < 0 ? 0 : recv(line_, text, sizeof text, MSG_DONTWAIT);
    return {text, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }
  void hang_up() {
    if (line_ >= 0) ::close(line_);
    line_ = -1;
  }
  void stop_listening() {
    ::close(listener_);
    listener_ = -1;
  }

 private:
  int listener_;
  int line_ = -1;
  std::uint16_t port_ = 0;
};

class MqttClientTest : public ::testing::Test {
 protected:
  void begin(ClientConfig config = {}) {
    config.port = broker_.port();
    config.client_id = "c";
    if (config.backoff_max == ClientConfig{}.backoff_max) {
      config.backoff_first = 1ms;
      config.backoff_max = 2ms;
    }
    client_ = std::make_unique<Client>(
        std::move(config), Handlers{.up = [this](const Limits& limits) { ups_.push_back(limits); },
                                    .down = [this](const Down& down) { downs_.push_back(down); },
                                    .message = [](const Publish&) {},
                                    .published =
                                        [this](std::int64_t tag, std::uint8_t reason) {
                                          published_.emplace_back(tag, reason);
                                        }});
  }

  // Turns the client's loop until `done`, or until the patience is over.
  bool turn_until(const std::function<bool()>& done) {
    const auto until = Clock::now() + 5s;
    while (!done()) {
      if (Clock::now() > until) return false;
      pollfd fd{client_->fd(), client_->events(), 0};
      if (poll(&fd, client_->fd() < 0 ? 0 : 1, 1) > 0) client_->ready(Clock::now());
      client_->tick(Clock::now());
      if (client_->up()) client_->flush(Clock::now());
    }
    return true;
  }

  // Up to CONNACK, with these bytes as the broker's answer.
  void connect(const std::string& answer = kConnack) {
    const std::size_t before = ups_.size();
    ASSERT_TRUE(turn_until([&] { return broker_.accept_if_any(); }));
    ASSERT_TRUE(turn_until([&] { return !broker_.hear().empty(); }));
    broker_.say(answer);
    ASSERT_TRUE(turn_until([&] { return ups_.size() > before; }));
  }

  FakeBroker broker_;
  std::vector<Limits> ups_;
  std::vector<Down> downs_;
  std::vector<std::pair<std::int64_t, int>> published_;
  std::unique_ptr<Client> client_;
};

Publish message(const std::string& payload = "x") {
  Publish out;
  out.topic = "t";
  out.payload = payload;
  return out;
}

TEST_F(MqttClientTest, ADisconnectThatComesWithTheEndSaysWhy) {
  begin();
  connect();
  broker_.say(bytes({0xE0, 1, kSessionTakenOver}));
  broker_.hang_up();
  ASSERT_TRUE(turn_until([&] { return !downs_.empty(); }));
  EXPECT_EQ(downs_[0].reason, kSessionTakenOver);
  EXPECT_THAT(downs_[0].why, HasSubstr("same client id"));
}

// Two boxes, or two serves, with one client id must not throw each other out for ever.
TEST_F(MqttClientTest, WhoIsTakenOverStaysAwayLongerThanAfterABreak) {
  ClientConfig config;
  config.backoff_first = 10ms;
  config.backoff_max = 1min;
  begin(config);
  connect();
  broker_.hang_up();
  ASSERT_TRUE(turn_until([&] { return downs_.size() == 1; }));
  EXPECT_LE(downs_[0].retry_in, 10ms);
  connect();
  broker_.say(bytes({0xE0, 1, kSessionTakenOver}));
  ASSERT_TRUE(turn_until([&] { return downs_.size() == 2; }));
  EXPECT_GE(downs_[1].retry_in, 16ms);
  EXPECT_THAT(downs_[1].why, HasSubstr("another program connects with the same client id"));
}

TEST_F(MqttClientTest, ABrokerMayTurnKeepAliveOff) {
  begin();
  connect(bytes({0x20, 6, 0, 0, 3, 0x13, 0, 0}));
  const auto now = Clock::now();
  for (int minute = 1; minute <= 120; ++minute) {
    client_->tick(now + std::chrono::minutes(minute));
    ASSERT_TRUE(client_->up()) << minute;
  }
  EXPECT_EQ(broker_.hear(), "") << "nothing is pinged";
}

TEST_F(MqttClientTest, PingsAsOftenAsTheBrokerWishes) {
  ClientConfig config;
  config.keep_alive_s = 60;
  begin(config);
  connect(bytes({0x20, 6, 0, 0, 3, 0x13, 0, 4}));
  const auto now = Clock::now();
  client_->tick(now + 2100ms);
  ASSERT_TRUE(turn_until([&] { return broker_.hear() == bytes({0xC0, 0}); }));
  client_->tick(now + 7s);
  EXPECT_THAT(downs_.at(0).why, HasSubstr("silent"));
}

TEST_F(MqttClientTest, WhatIsLargerThanTheBrokerTakesIsRefusedAndTheLineStays) {
  begin();
  connect(bytes({0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 64}));
  EXPECT_EQ(ups_.at(0).packet_bytes, 64U);
  ASSERT_TRUE(client_->publish(message(std::string(100, 'x')), 7));
  ASSERT_TRUE(client_->publish(message(), 8));
  EXPECT_EQ(published_.at(0), std::pair(std::int64_t{7}, int{kPacketTooLarge}));
  EXPECT_TRUE(client_->up());
}

TEST_F(MqttClientTest, RetainedMessagesAreRefusedWhereTheBrokerKeepsNone) {
  begin();
  connect(bytes({0x20, 5, 0, 0, 2, 0x25, 0}));
  Publish retained = message();
  retained.retain = true;
  ASSERT_TRUE(client_->publish(retained, 1));
  EXPECT_EQ(published_.at(0), std::pair(std::int64_t{1}, int{kRetainNotSupported}));
}

// A broker that says no limit and hangs up on what it does not like.
TEST_F(MqttClientTest, AMessageThatBreaksTheLineTwiceIsRefusedAndTheOthersPass) {
  begin();
  const std::vector<std::string> payloads{"good-1", "poison", "good-2"};
  std::set<std::int64_t> left{0, 1, 2};
  std::size_t seen = 0;
  for (int round = 0; round < 10 && !left.empty(); ++round) {
    connect();
    std::string inbound;
    const std::size_t breaks = downs_.size();
    std::set<std::int64_t> on_the_way;
    ASSERT_TRUE(turn_until([&] {
      for (const auto tag : left) {
        if (on_the_way.contains(tag)) continue;
        if (!client_->publish(message(payloads[static_cast<std::size_t>(tag)]), tag)) break;
        on_the_way.insert(tag);
      }
      inbound += broker_.hear();
      if (inbound.find("poison") != std::string::npos) {
        broker_.say(bytes({0xE0, 1, kPacketTooLarge}));
        broker_.hang_up();
        inbound.clear();
      }
      // PUBLISH of "good-N": header 2, topic 3, id 2, property length 1.
      for (std::size_t at; (at = inbound.find("good-")) != std::string::npos;) {
        broker_.say(bytes({0x40, 2, inbound[at - 3], inbound[at - 2]}));
        inbound.erase(0, at + 6);
      }
      for (; seen < published_.size(); ++seen) left.erase(published_[seen].first);
      return left.empty() || downs_.size() > breaks;
    }));
  }
  EXPECT_TRUE(left.empty());
  int refused = 0;
  for (const auto& [tag, reason] : published_) {
    if (reason >= kRefused) {
      ++refused;
      EXPECT_EQ(tag, 1);
    }
  }
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(downs_.size(), 2U) << "the second time it is known";
}

TEST_F(MqttClientTest, AClosedPortIsSaidInWords) {
  begin();
  broker_.stop_listening();
  ASSERT_TRUE(turn_until([&] { return !downs_.empty(); }));
  EXPECT_THAT(downs_[0].why, HasSubstr("refused"));
}

TEST_F(MqttClientTest, APortThatSpeaksTlsIsSaidInWords) {
  begin();
  ASSERT_TRUE(turn_until([&] { return broker_.accept_if_any(); }));
  ASSERT_TRUE(turn_until([&] { return !broker_.hear().empty(); }));
  broker_.say(bytes({0x15, 3, 1, 0, 2, 2, 70}));
  broker_.hang_up();
  ASSERT_TRUE(turn_until([&] { return !downs_.empty(); }));
  EXPECT_THAT(downs_[0].why, HasSubstr("speaks TLS"));
}

TEST_F(MqttClientTest, EveryAddressOfANameIsTried) {
  // The resolver gives ::1 first wherever the machine knows it; the broker listens on IPv4 alone.
  ClientConfig config;
  config.host = "localhost";
  begin(config);
  connect();
  EXPECT_TRUE(downs_.empty());
}

TEST_F(MqttClientTest, ARefusedConnectGivesTheBrokersReason) {
  begin();
  ASSERT_TRUE(turn_until([&] { return broker_.accept_if_any(); }));
  broker_.say(bytes({0x20, 3, 0, 0x86, 0}));
  ASSERT_TRUE(turn_until([&] { return !downs_.empty(); }));
  EXPECT_EQ(downs_[0].reason, 0x86);
  EXPECT_THAT(downs_[0].why, HasSubstr("bad user name or password"));
}

}  // namespace
}  // namespace welcome::mqtt
