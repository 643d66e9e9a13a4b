// SPDX-License-Identifier: Apache-2.0
// welcomed as a process between a real mosquitto and a real CRM: a month without a line, a broker
// that lies, and certificates that are renewed.

#include <deque>

#include "sync/link.h"
#include "tests/integration/daemon_world.h"
#include "tests/integration/link_authority.h"

namespace welcome::testing {
namespace {

using namespace std::chrono_literals;

const contract::BoxAddress kBox{"demo", "aroma-1", "box-1"};

class DaemonProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
    if (!std::filesystem::exists(kModels)) GTEST_SKIP() << "the face models are not prepared";
  }
};

constexpr int kCustomers = 500;

// They agree to visit_analytics.
void import_customers(CrmProcess& crm, const TempDir& dir) {
  std::ofstream customers(dir / "many.csv"), consents(dir / "many-consents.csv");
  customers << "customer,name\n";
  consents << "customer,purpose,state,at\n";
  for (int n = 0; n < kCustomers; ++n) {
    customers << "m-" << n << ",Member " << n << "\n";
    consents << "m-" << n << ",visit_analytics,given,2026-01-12T09:30:00Z\n";
  }
  customers.close();
  consents.close();
  ASSERT_EQ(
      crm.command({"import", (dir / "many.csv").string(), (dir / "many-consents.csv").string()}),
      0);
}

// 2,000 events a day for thirty days.
void fill_outbox(const DaemonProcess& daemon, int count) {
  auto store = daemon.open_store();
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  for (int from = 0; from < count; from += 1000) {
    const auto done = store.transaction([&](store::Tx& tx) {
      for (int n = from; n < from + 1000; ++n) {
        const CustomerId customer("m-" + std::to_string(n % kCustomers));
        contract::VisitNews visit;
        visit.visit = VisitId("v-" + std::to_string(n));
        visit.zone = Zone::door;
        const auto message = contract::encode_event(
            kBox, {MessageId(contract::new_uuid()), now, customer, visit, {}});
        store::OutboxRow row;
        row.id = message.id;
        row.topic = message.topic;
        row.payload = message.payload;
        row.content_type = message.content_type;
        row.customer = customer;
        row.kind = OutboxKind::visit;
        row.ref = visit.visit.str();
        row.created = now;
        tx.outbox().enqueue(row);
      }
    });
    ASSERT_TRUE(done) << done.error().message;
  }
}

TEST_F(DaemonProcessTest, AMonthWithoutALineArrivesOnceAndTheMemoryStaysFlat) {
  constexpr int kEvents = 60'000;
  Shop shop(1min, 1, {{"radio.source", "none"}, {"replay.epoch_ms", "0"}});
  DaemonProcess& box = shop.daemon();
  const TempDir dir;
  import_customers(shop.crm(), dir);
  fill_outbox(box, kEvents);
  shop.crm().serve();

  const auto began = std::chrono::steady_clock::now();
  double least = 1e9, most = 0;
  for (int life = 0; life < 6; ++life) {
    box.start();
    const auto left = [](const json& now) { return now["outbox"]["uplink"].get<int>(); };
    // It is killed in the middle of it, five times.
    const int stop_at = kEvents - (life + 1) * kEvents / 6;
    ASSERT_TRUE(box.until(
        [&](const json& now) {
          if (left(now) < kEvents - 1000) {
            const double mib = test::resident_mib(box.pid());
            least = std::min(least, mib);
            most = std::max(most, mib);
          }
          return left(now) <= stop_at;
        },
        180s))
        << box.status().dump();
    if (life < 5) box.stop(SIGKILL);
  }
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::cout << "  " << kEvents / took << " events a second with five restarts, resident " << least
            << " to " << most << " MiB\n";
  EXPECT_LT(most - least, 25) << "MiB";
  // The broker has them all; the CRM takes them from its queue.
  const auto ledger = [&] {
    std::map<std::string, int> told;
    for (const json& entry : shop.crm().ledger()) {
      if (entry.at("type").get<std::string>().find("visit.started") == std::string::npos) continue;
      ++told[entry.at("data").at("visit").get<std::string>()];
    }
    return told;
  };
  std::map<std::string, int> told = ledger();
  for (std::size_t before = 0; told.size() > before && told.size() < kEvents; told = ledger()) {
    before = told.size();
    std::this_thread::sleep_for(2s);
  }
  EXPECT_EQ(told.size(), static_cast<std::size_t>(kEvents)) << "nothing lost";
  for (const auto& [visit, times] : told) ASSERT_EQ(times, 1) << visit;
}

TEST_F(DaemonProcessTest, ABrokerThatLiesNeitherStopsNorFillsTheBox) {
  Shop shop(10min, 10);
  DaemonProcess& box = shop.daemon();
  sync::LinkConfig config;
  config.port = shop.broker().port();
  config.client_id = "liar";
  config.queue = 50'000;
  Peer liar(config);
  ASSERT_TRUE(liar.wait_up());
  const auto lie = [&](std::string topic, std::string payload, bool retain = false) {
    contract::Message message;
    message.topic = std::move(topic);
    message.payload = std::move(payload);
    message.retain = retain;
    message.qos = 0;
    return liar.link().publish(std::move(message), 1);
  };
  // Retained junk waits for the box on every topic.
  for (const auto collection : contract::kAllCollections) {
    lie(feed_topic(kBox, collection), R"({"v":1,"collection":"profiles"})", true);
  }
  lie(command_topic(kBox), R"({"v":1,"id":"x","kind":"erase"})", true);
  lie(contract::control_topic("demo", contract::kAllStores), "{}", true);
  shop.crm().serve();
  box.start();
  ASSERT_TRUE(box.until([](const json& now) {
    return now["crm"]["feed"]["profiles"]["items"] == kMembers && now["decisions"]["offers"] > 0;
  })) << box.status().dump();
  const double before = test::resident_mib(box.pid());

  // More than Maximum Packet Size, from another client of the broker.
  const auto huge = box.dir() / "huge";
  std::ofstream(huge).seekp(200'000'000).put('x');
  ASSERT_EQ(run_program({"mosquitto_pub", "-p", std::to_string(shop.broker().port()), "-t",
                         feed_topic(kBox, contract::Collection::profiles), "-f", huge.string()}),
            0);

  const std::vector<std::pair<std::string, std::string>> junk{
      {feed_topic(kBox, contract::Collection::consents), std::string(100'000, '[')},
      {feed_topic(kBox, contract::Collection::profiles), std::string("\xFF\xFE\x00\x01", 4)},
      {feed_topic(kBox, contract::Collection::profiles), std::string(1'000'000, ' ')},
      {"welcome/v1/demo/aroma-1/box-1/feed/weather", "{}"},
      {command_topic(kBox), R"({"v":1,"id":"x","kind":"config","settings":{}})"},
      {command_topic(kBox), ""},
      {contract::control_topic("demo", "aroma-1"), "null"},
      {"welcome/v1/floor/tablet/t/action/nobody", R"({"v":1})"},
  };
  const json at_first = box.status();
  const auto until = std::chrono::steady_clock::now() + 10s;
  std::int64_t sent = 0;
  double most = 0;
  while (std::chrono::steady_clock::now() < until) {
    for (int i = 0; i < 100; ++i) {
      // One in a thousand is large.
      const auto& [topic, payload] =
          junk[sent % 1000 == 999 ? 2 : static_cast<std::size_t>(sent) % junk.size()];
      if (payload.size() > 200'000 && sent % 1000 != 999) {
        ++sent;
        continue;
      }
      if (lie(topic, payload)) ++sent;
    }
    most = std::max(most, test::resident_mib(box.pid()));
    std::this_thread::sleep_for(10ms);
  }
  ASSERT_TRUE(box.running());
  json now = box.status();
  ASSERT_FALSE(now.is_null()) << "it still answers";
  const auto decisions = [](const json& status) {
    std::int64_t sum = status["decisions"]["offers"].get<std::int64_t>();
    for (const auto& [reason, count] : status["decisions"]["suppressed"].items()) {
      sum += count.get<std::int64_t>();
    }
    return sum;
  };
  std::cout << "  " << sent / 10 << " lies a second; decisions " << decisions(at_first) << " to "
            << decisions(now) << "; resident " << before << " MiB, at most " << most << "; log "
            << std::filesystem::file_size(box.log()) << " bytes\n";
  EXPECT_GT(decisions(now), decisions(at_first)) << "decisions go on";
  EXPECT_LT(most - before, 150) << "MiB";
  EXPECT_LT(std::filesystem::file_size(box.log()), 200'000U);
  EXPECT_TRUE(box.until([](const json& status) {
    return status["crm"]["refused"]["malformed"].get<std::int64_t>() > 1000;
  }));
  // The next honest word is heard.
  ASSERT_EQ(shop.crm().command({"pause", "offers"}), 0);
  EXPECT_TRUE(box.until([](const json& status) { return !status["paused"].empty(); }))
      << box.status().dump();
  EXPECT_EQ(box.stop(SIGTERM), 0);
}

// Box and CRM both come with certificates; the box's are replaced while it runs.
TEST_F(DaemonProcessTest, RenewsItsCertificatesOnSighupWithoutLosingTheLine) {
  Authority authority("ca");
  authority.issue("server", "broker", "DNS:localhost");
  authority.issue("box", "box-1", "DNS:box-1");
  authority.issue("crm", "crm", "DNS:crm");
  const Broker broker(authority.broker_settings("server"));
  const TempDir dir;
  CrmProcess crm(broker, "",
                 {"--broker", "mqtts://localhost:" + std::to_string(broker.port()), "--ca",
                  authority.certificate(), "--cert", authority.file("crm.pem"), "--key",
                  authority.file("crm.key")});
  import_members(crm, dir);
  crm.serve();
  DaemonProcess box(broker.port(), {{"uplink.host", "localhost"},
                                    {"uplink.tls_ca", authority.certificate()},
                                    {"uplink.tls_cert", authority.file("box.pem")},
                                    {"uplink.tls_key", authority.file("box.key")}});
  box.start();
  const auto profiles = [](const json& now) { return now["crm"]["feed"]["profiles"]["items"]; };
  ASSERT_TRUE(box.until([&](const json& now) { return profiles(now) == kMembers; }))
      << box.status().dump();

  const auto said = [&](const std::string& what) {
    std::ifstream in(box.log());
    const std::string log{std::istreambuf_iterator<char>(in), {}};
    int times = 0;
    for (auto at = log.find(what); at != std::string::npos; at = log.find(what, at + 1)) ++times;
    return times;
  };
  // Files that are no certificates: the line stays as it is.
  std::ofstream(authority.file("box.pem")) << "not a certificate\n";
  box.signal(SIGHUP);
  ASSERT_TRUE(box.until([&](const json&) { return said("the old connection stays") == 1; }));
  EXPECT_EQ(box.status()["links"]["uplink"]["state"], "up");
  EXPECT_EQ(said("uplink is up"), 1);

  authority.issue("box", "box-1", "DNS:box-1");
  box.signal(SIGHUP);
  ASSERT_TRUE(box.until([&](const json&) { return said("uplink is up") == 2; }));
  EXPECT_EQ(said("uplink is down: certificates renewed"), 1);
  ASSERT_EQ(crm.command({"customer", "forget", "c-3"}), 0);
  EXPECT_TRUE(box.until([&](const json& now) { return profiles(now) == kMembers - 1; }));
}

}  // namespace
}  // namespace welcome::testing
