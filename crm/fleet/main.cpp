// SPDX-License-Identifier: Apache-2.0
// welcome-fleet: N boxes over real connections, with the real sync code, against one mosquitto and
// one welcome-crm that it starts itself. Prints what each step took as one JSON object.

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "crm/boxes.h"
#include "crm/crm.h"
#include "crm/database.h"
#include "crm/fleet/sim_box.h"
#include "crm/fleet/world.h"

namespace welcome::fleet {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

WallTime wall_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// Every connection is a file, here and (inherited by what is spawned) in the broker.
void allow_many_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class Fleet {
 public:
  Fleet(std::size_t count, std::uint16_t port, std::chrono::seconds patience)
      : patience_(patience) {
    for (std::size_t i = 0; i < count; ++i) {
      boxes_.push_back(std::make_unique<SimBox>(i, port, mailbox_));
    }
  }

  void start() {
    for (auto& box : boxes_) box->start();
  }

  // How long it took from now until each box was `done`: {p50, p95, max} in ms.
  json wait(const char* what, const std::function<bool(const SimBox&)>& done) {
    std::cerr << what << " …" << std::flush;
    const auto start = Clock::now();
    std::vector<double> took;
    std::vector<bool> is_done(boxes_.size());
    const auto check = [&](std::size_t i) {
      if (is_done[i] || !done(*boxes_[i])) return;
      is_done[i] = true;
      took.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    };
    while (took.size() < boxes_.size() && Clock::now() - start < patience_) {
      for (Mailbox::Letter& letter : mailbox_.take(std::chrono::milliseconds(100))) {
        boxes_[letter.box]->handle(std::move(letter.event));
        check(letter.box);
      }
      for (std::size_t i = 0; i < boxes_.size(); ++i) check(i);
    }
    std::cerr << " " << took.size() << " of " << boxes_.size() << "\n";
    std::sort(took.begin(), took.end());
    const auto at = [&](double share) {
      return took.empty() ? 0.0 : took[static_cast<std::size_t>(share * double(took.size() - 1))];
    };
    ok_ = ok_ && took.size() == boxes_.size();
    return {{"boxes", took.size()}, {"p50_ms", at(0.5)}, {"p95_ms", at(0.95)}, {"max_ms", at(1.0)}};
  }

  bool ok() const { return ok_; }
  int gaps() const {
    int sum = 0;
    for (const auto& box : boxes_) sum += box->gaps();
    return sum;
  }

 private:
  std::chrono::seconds patience_;
  Mailbox mailbox_;
  std::vector<std::unique_ptr<SimBox>> boxes_;
  bool ok_ = true;
};

template <class T>
void must(const Result<T>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

json campaign(const std::string& id) {
  return {{"campaign", id},
          {"name", "Probe of the fleet"},
          {"trigger", {{"on", "pass_by"}}},
          {"variants", {{{"id", "a"}, {"title", {{"en", "Hello"}}}, {"text", {{"en", "Hello"}}}}}}};
}

void add_customer(crm::Crm& crm, const std::string& id) {
  must(crm.put_customer({{"customer", id}, {"name", "Customer " + id}}, "", wall_now()));
  crm::ConsentChange change;
  change.customer = id;
  change.purpose = Purpose::proximity_offers;
  change.given = true;
  change.at = wall_now();
  change.how = "crm";
  must(crm.set_consent(change, wall_now()));
}

int run(std::size_t count, std::size_t customers, const std::string& crm_program,
        std::chrono::seconds patience) {
  allow_many_files();
  World world(crm_program);
  const auto db = crm::open_database(world.database());
  crm::migrate(*db);
  const auto change = [&](const std::function<void(crm::Crm&)>& what) {
    {
      crm::Transaction transaction(*db);
      crm::Crm crm(*db);
      what(crm);
      transaction.commit();
    }
    db->announce();
  };
  {
    crm::Transaction transaction(*db);
    crm::Settings settings;
    settings.tenant = "fleet";
    settings.controller = "Fleet";
    crm::Crm::init(*db, settings);
    transaction.commit();
  }
  change([&](crm::Crm& crm) {
    must(crm.put_policy({{"time_zone", "UTC"}}));
    for (std::size_t i = 0; i < count; ++i) {
      crm::Boxes(crm).admit("store-" + std::to_string(i), "box-1", "fleet", wall_now());
    }
    for (std::size_t i = 0; i < customers; ++i) add_customer(crm, "c-" + std::to_string(i));
  });
  world.start_broker();
  world.start_crm();

  json out = {{"boxes", count}, {"customers", customers}};
  Fleet fleet(count, world.port(), patience);
  const auto synced = [](const SimBox& box) { return box.synced(); };
  fleet.start();
  out["first_connect"] = fleet.wait("all connect and get everything", synced);

  change([](crm::Crm& crm) { must(crm.put_campaign(campaign("k-probe"))); });
  out["campaign"] = fleet.wait("a campaign goes to all", [](const SimBox& box) {
    return box.has(contract::Collection::campaigns, "k-probe");
  });

  std::string erasure;
  change([&](crm::Crm& crm) { erasure = crm.forget("c-0", wall_now()).value(); });
  const auto asked = Clock::now();
  out["erasure"] = fleet.wait("an erasure is confirmed by all",
                              [&](const SimBox& box) { return box.erased() == erasure; });
  crm::Crm crm(*db);
  while (!crm.erasure(erasure)->done_at && Clock::now() - asked < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  out["erasure"]["complete"] = crm.erasure(erasure)->done_at.has_value();
  out["erasure"]["complete_ms"] =
      std::chrono::duration<double, std::milli>(Clock::now() - asked).count();

  world.kill_broker();
  fleet.wait("the broker dies, all notice", [](const SimBox& box) { return !box.up(); });
  world.start_broker();
  out["reconnect"] = fleet.wait("all come back and are up to date", synced);

  out["gaps"] = fleet.gaps();
  out["crm_resident_mib"] = resident_mib(world.crm());
  out["broker_resident_mib"] = resident_mib(world.broker());
  out["ok"] = fleet.ok() && out["erasure"]["complete"].get<bool>();
  std::cout << out.dump(2) << "\n";
  return out["ok"].get<bool>() ? 0 : 1;
}

}  // namespace
}  // namespace welcome::fleet

int main(int argc, char** argv) {
  namespace po = boost::program_options;
  po::options_description options("welcome-fleet: many boxes against one broker and one CRM");
  options.add_options()("help,h", "this text")(
      "boxes", po::value<std::size_t>()->default_value(1000), "how many boxes")(
      "customers", po::value<std::size_t>()->default_value(100), "how many customers they get")(
      "crm", po::value<std::string>(), "the welcome-crm to use; else the one beside this program")(
      "patience-s", po::value<unsigned>()->default_value(180), "give a step up after so long");
  try {
    po::variables_map values;
    po::store(po::parse_command_line(argc, argv, options), values);
    if (values.count("help") != 0) {
      std::cout << options;
      return 0;
    }
    const std::string beside =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "welcome-crm").string();
    return welcome::fleet::run(values["boxes"].as<std::size_t>(),
                               std::max<std::size_t>(values["customers"].as<std::size_t>(), 1),
                               values.count("crm") != 0 ? values["crm"].as<std::string>() : beside,
                               std::chrono::seconds(values["patience-s"].as<unsigned>()));
  } catch (const std::exception& error) {
    std::cerr << "welcome-fleet: " << error.what() << "\n";
    return 2;
  }
}
