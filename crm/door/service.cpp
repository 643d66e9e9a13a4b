// SPDX-License-Identifier: Apache-2.0
#include "crm/door/service.h"

#include <chrono>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <sys/resource.h>
#include <thread>

#include "crm/door/door.h"
#include "crm/door/listener.h"
#include "crm/wall_clock.h"

namespace welcome::crm {
namespace {

Now now() {
  const auto mono = std::chrono::steady_clock::now().time_since_epoch();
  return {MonoTime(std::chrono::duration_cast<MonoClock::duration>(mono)), wall_now()};
}

// Each open page is a file descriptor.
void allow_many_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string page_of(Crm& crm, const std::string& said) {
  if (said.empty() && !crm.page_address().empty()) return crm.page_address();
  if (origin_of(said).empty()) {
    throw std::runtime_error(
        "--door-page is the address of the customer's page, like https://my.example.com/phone/");
  }
  Transaction transaction(crm.database());
  crm.set_page_address(said);
  transaction.commit();
  return said;
}

class Service : public Beside {
 public:
  Service(std::unique_ptr<Database> db, SigningKeys keys, const DoorConfig& config)
      : db_(std::move(db)),
        crm_(*db_, std::move(keys)),
        door_(crm_, page_of(crm_, config.page)),
        listener_(
            listen_config(config),
            {.answer = [this](const Request& request) { return door_.answer(request, now()); },
             .may_listen = [this](const Stream& stream) { return may_listen(stream); },
             .news = [this] { return news(); }}),
        last_(crm_.newest_news()) {
    spdlog::info("the door is open at {}:{}", config.host, listener_.port());
    thread_ = std::thread([this] { listener_.run(); });
  }
  ~Service() override {
    listener_.stop();
    thread_.join();
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  void changed() override { listener_.wake(); }

 private:
  static ListenConfig listen_config(const DoorConfig& config) {
    allow_many_files();
    ListenConfig out;
    out.host = config.host;
    out.port = config.port;
    return out;
  }

  // When the database fails: the page stays open, and asks again by itself.
  bool may_listen(const Stream& stream) {
    try {
      return door_.may_listen(stream, wall_now());
    } catch (const DatabaseError& error) {
      spdlog::error("the door: the database: {}", error.what());
      return true;
    }
  }
  std::vector<Crm::News> news() {
    try {
      auto out = crm_.news_after(last_);
      if (!out.empty()) last_ = out.back().position;
      return out;
    } catch (const DatabaseError& error) {
      spdlog::error("the door: the database: {}", error.what());
      return {};
    }
  }

  std::unique_ptr<Database> db_;
  Crm crm_;
  Door door_;
  Listener listener_;
  std::int64_t last_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Beside> open_door(std::unique_ptr<Database> db, SigningKeys keys,
                                  const DoorConfig& config) {
  return std::make_unique<Service>(std::move(db), std::move(keys), config);
}

}  // namespace welcome::crm
