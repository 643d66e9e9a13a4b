// SPDX-License-Identifier: Apache-2.0
// A line that is down says why in words a technician can act on: one table of what can be wrong,
// asked of the box's link and of the real welcome-crm, whose `status` shows it.

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sched.h>

#include "tests/integration/link_authority.h"
#include "tests/integration/link_broker.h"
#include "tests/integration/link_peer.h"

namespace welcome::testing {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;

const std::string kCrmProgram = WELCOME_CRM_PROGRAM;

// Where a line leads, and with what.
struct Line {
  std::string host = "localhost";
  std::uint16_t port = 0;
  std::optional<mqtt::TlsFiles> tls;
  std::string password = "right";
};

// Two authorities, and a broker made as a case wants it.
class World {
 public:
  World() {
    ours_.issue("box", "box-1", "DNS:box-1");
    stranger_.issue("box", "box-1", "DNS:box-1");
  }

  Line to(const std::string& settings) {
    broker_ = std::make_unique<Broker>(settings);
    return {.port = broker_->port(), .tls = {}};
  }
  Line with_tls(Authority& authority, const std::string& name, int days = 30) {
    authority.issue("server", "broker", name, days);
    Line line = to(authority.broker_settings("server"));
    line.tls =
        mqtt::TlsFiles{ours_.certificate(), ours_.file("box.pem"), ours_.file("box.key"), {}, true};
    return line;
  }
  Line with_password() {
    const std::string file = ours_.file("passwords");
    run_program({"mosquitto_passwd", "-b", "-c", file, "crm", "right"});
    return to("password_file " + file + "\n");
  }
  Authority& ours() { return ours_; }
  Authority& stranger() { return stranger_; }

 private:
  Authority ours_{"ca"}, stranger_{"stranger"};
  std::unique_ptr<Broker> broker_;
};

struct Case {
  const char* name;
  const char* words;
  Line (*line)(World& world);
  bool own_network = false;  // without a route to anywhere
};

constexpr Case kCases[] = {
    {"Refused", "connection refused", [](World&) { return Line{.port = free_port(), .tls = {}}; }},
    {"NoSuchName", "name cannot be resolved",
     [](World&) { return Line{.host = "no-such-name.invalid", .port = 1883, .tls = {}}; }},
    {"NoRoute", "there is no route to the broker",
     [](World&) { return Line{.host = "192.0.2.1", .port = 1883, .tls = {}}; }, true},
    {"Expired", "the broker's certificate has expired",
     [](World& world) { return world.with_tls(world.ours(), "DNS:localhost", -1); }},
    {"AnotherName", "for another name",
     [](World& world) { return world.with_tls(world.ours(), "DNS:other.example"); }},
    {"AnotherCa", "authority that is not in the CA file",
     [](World& world) { return world.with_tls(world.stranger(), "DNS:localhost"); }},
    {"OurCertificate", "does not know the authority that signed our certificate",
     [](World& world) {
       Line line = world.with_tls(world.ours(), "DNS:localhost");
       line.tls->cert_file = world.stranger().file("box.pem");
       line.tls->key_file = world.stranger().file("box.key");
       return line;
     }},
    {"NoCertificate", "wants a client certificate",
     [](World& world) {
       Line line = world.with_tls(world.ours(), "DNS:localhost");
       line.tls->cert_file.clear();
       line.tls->key_file.clear();
       return line;
     }},
    {"NotTls", "does this port speak TLS",
     [](World& world) {
       Line line = world.to("allow_anonymous true\n");
       line.tls = mqtt::TlsFiles{world.ours().certificate(), "", "", {}, true};
       return line;
     }},
    {"WantsTls", "TLS",
     [](World& world) {
       Line line = world.with_tls(world.ours(), "DNS:localhost");
       line.tls.reset();
       return line;
     }},
    {"WrongPassword", "the broker refuses the connection: not authorised",
     [](World& world) {
       Line line = world.with_password();
       line.password = "wrong";
       return line;
     }},
};

class LinkWordsTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
    if (GetParam().own_network && run_program({"unshare", "-rn", "true"}) != 0) {
      GTEST_SKIP() << "no network of its own: unshare is not allowed here";
    }
  }

  World world_;
  TempDir dir_;
};

std::string words_of_box(const Line& line) {
  sync::LinkConfig config;
  config.host = line.host;
  config.port = line.port;
  config.client_id = "box-1";
  config.user = "crm";
  config.password = line.password;
  config.tls = line.tls;
  Peer box(config);
  return box.wait_down() ? box.downs.at(0).reason : "it is not down";
}

// The same, where no address can be reached.
std::string in_own_network(const std::function<std::string()>& words) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    std::string said = "unshare() failed";
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) said = words();
    [[maybe_unused]] const ssize_t written = write(ends[1], said.data(), said.size());
    _exit(0);
  }
  close(ends[1]);
  char text[512];
  const ssize_t count = read(ends[0], text, sizeof text);
  close(ends[0]);
  exit_code_of(child);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

TEST_P(LinkWordsTest, TheBoxSaysWhy) {
  const Line line = GetParam().line(world_);
  const auto words = [&] { return words_of_box(line); };
  EXPECT_THAT(GetParam().own_network ? in_own_network(words) : words(),
              HasSubstr(GetParam().words));
}

TEST_P(LinkWordsTest, TheCrmSaysWhy) {
  const Line line = GetParam().line(world_);
  const std::string database = (dir_ / "crm.db").string();
  std::ofstream(dir_ / "password") << line.password << "\n";
  ASSERT_EQ(run_program({kCrmProgram, "--database", database, "init", "--tenant", "demo",
                         "--controller", "Aroma Ltd"}),
            0);
  std::vector<std::string> words{
      kCrmProgram,
      "--database",
      database,
      "serve",
      "--broker",
      (line.tls ? "mqtts://" : "mqtt://") + line.host + ":" + std::to_string(line.port),
      "--user",
      "crm",
      "--password-file",
      (dir_ / "password").string(),
      "--heartbeat-s",
      "1"};
  words.insert(words.end(), line.tls ? std::initializer_list<std::string>{"--ca", line.tls->ca_file}
                                     : std::initializer_list<std::string>{"--plain"});
  if (line.tls && !line.tls->cert_file.empty()) {
    words.insert(words.end(), {"--cert", line.tls->cert_file, "--key", line.tls->key_file});
  }
  if (GetParam().own_network) words.insert(words.begin(), {"unshare", "-rn"});
  const Process serve(words);
  std::string said;
  for (int i = 0; i < 100 && said.find(GetParam().words) == std::string::npos; ++i) {
    std::this_thread::sleep_for(100ms);  // what it writes down nobody is told of
    const json status = json::parse(
        output_of(kCrmProgram + " --database '" + database + "' --json status"), nullptr, false);
    if (status.is_array() && !status.empty()) said = status[0].at("link").get<std::string>();
  }
  EXPECT_THAT(said, HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(All, LinkWordsTest, ::testing::ValuesIn(kCases),
                         [](const auto& of) { return std::string(of.param.name); });

// ---- what happens later ----

// Whoever comes with our client id ends our line; both sides say so, also where the broker does
// not.
TEST(LinkTakenOverTest, BothSidesSaySo) {
  if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
  const Broker broker("allow_anonymous true\n");
  const TempDir dir;
  sync::LinkConfig config;
  config.port = broker.port();
  config.client_id = "crm";
  config.backoff_first = 100ms;
  const std::string database = (dir / "crm.db").string();
  ASSERT_EQ(run_program({kCrmProgram, "--database", database, "init", "--tenant", "demo",
                         "--controller", "Aroma Ltd"}),
            0);
  Peer box(config);
  ASSERT_TRUE(box.wait_up());
  const std::string log = (dir / "serve.log").string();
  const Process serve({kCrmProgram, "--database", database, "serve", "--broker",
                       "mqtt://127.0.0.1:" + std::to_string(broker.port()), "--heartbeat-s", "1"},
                      log);
  EXPECT_TRUE(box.wait([](const Peer& peer) {
    return std::any_of(peer.downs.begin(), peer.downs.end(), [](const auto& down) {
      return down.reason.find("same client id") != std::string::npos;
    });
  }));
  std::string said;
  for (int i = 0; i < 100 && said.find("same client id") == std::string::npos; ++i) {
    std::this_thread::sleep_for(100ms);
    std::ifstream file(log);
    said.assign(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_THAT(said, HasSubstr("same client id"));
}

}  // namespace
}  // namespace welcome::testing
