// SPDX-License-Identifier: Apache-2.0
// serve

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "crm/cli/command.h"
#include "crm/server.h"
#include "mqtt/loopback.h"

namespace welcome::crm::cli {
namespace {

std::string credential(const Call& call, const char* option) {
  if (!call.has(option)) return {};
  std::string text = read_file(call.text(option));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// A password and everybody's name in clear over a network is for who has said so.
void must_be_secure(const Call& call, const mqtt::ClientConfig& broker, bool secure) {
  if (secure || call.has("plain") || mqtt::on_this_machine(broker.host)) return;
  throw Usage(
      "--broker: another machine wants mqtts:// (or --plain: whoever is on the way reads all)");
}

int serve(const Call& call) {
  call.at_most(0);
  ServeConfig config;
  const BrokerUrl broker = broker_of(call.text("broker"));
  const bool secure = broker.tls;
  config.broker.host = broker.host;
  config.broker.port = broker.port;
  must_be_secure(call, config.broker, secure);
  // Who speaks is said by the account, and so the session has its name: brokers bind the two.
  config.broker.client_id = config.broker.user = call.text("user");
  config.broker.password = credential(call, "password-file");
  if (secure) {
    if (!call.has("ca")) throw Usage("mqtts:// needs --ca FILE");
    config.broker.tls =
        mqtt::TlsFiles{call.text("ca"), call.text("cert"), call.text("key"), {}, true};
    // What is wrong with the files is said now; later the line just stays down.
    if (const auto tls = mqtt::Tls::load(*config.broker.tls); !tls) {
      throw std::runtime_error(tls.error().message);
    }
  }
  if (call.has("share")) config.share = call.text("share");
  config.heartbeat = std::chrono::seconds(call.number("heartbeat-s", 1, 3600));

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const int stop_fd = signalfd(-1, &signals, SFD_CLOEXEC);

  spdlog::set_default_logger(spdlog::stderr_logger_mt("welcome-crm"));
  Opened opened(call);
  {
    Transaction transaction(*opened.db);
    if (opened.crm.put_safe_policy("UTC")) {
      spdlog::warn("there was no policy: a careful one is in force until one is imported");
    }
    transaction.commit();
  }
  std::unique_ptr<Beside> door;
  if (call.has("door")) {
    if (call.beyond == nullptr) throw Usage("--door: this program has none");
    door = call.beyond->open_door(call);
    config.changed = [&door] { door->changed(); };
  }
  Server server(*opened.db, SigningKeys(call.keys), config);
  server.run(stop_fd);
  spdlog::info("stopped; {}", server.counted().dump());
  ::close(stop_fd);
  return kDone;
}

constexpr Option kServe[] = {
    {"broker", "mqtt://127.0.0.1:1883", "mqtt://HOST:PORT or mqtts://HOST:PORT"},
    {"user", "crm", "the broker's account, and the client id; each instance has its own"},
    {"password-file", nullptr, "file with its password"},
    {"plain", nullptr, "mqtt:// to another machine: whoever is on the way reads all", true},
    {"ca", nullptr, "mqtts: certificate authority, PEM"},
    {"cert", nullptr, "mqtts: our certificate, PEM"},
    {"key", nullptr, "mqtts: its key, PEM"},
    {"share", nullptr, "several instances: name of their shared subscription"},
    {"door", nullptr,
     "HOST:PORT where customers' pages come in, over HTTP: behind a proxy with TLS"},
    {"door-page", nullptr,
     "address of the customer's page, https://my.example.com/phone/; as it was said last"},
    {"heartbeat-s", "30", "how often every box is told where the feed stands"},
};

constexpr Command kServeCommands[] = {
    {"serve", "", "connect to the broker and serve the boxes", serve, kServe},
};

}  // namespace

std::span<const Command> serve_commands() { return kServeCommands; }

}  // namespace welcome::crm::cli
