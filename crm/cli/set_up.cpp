// SPDX-License-Identifier: Apache-2.0
// init, import, campaign …, backup, restored, sign-keys

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <thread>

#include "core/store_clock.h"
#include "crm/cli/command.h"
#include "crm/import.h"
#include "crm/report.h"

namespace welcome::crm::cli {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// So long is one transaction of a long job, and so long others get their turn between two.
constexpr auto kPart = 40ms;
constexpr auto kTurnOfOthers = 4ms;
constexpr int kSignAtOnce = 200;
constexpr auto kProgressEvery = 2s;
constexpr std::size_t kNamed = 20;  // left out rows that are named one by one

std::string zone_of_this_machine() {
  std::error_code none;
  const std::string path = std::filesystem::read_symlink("/etc/localtime", none).string();
  const auto at = path.find("zoneinfo/");
  return at == std::string::npos ? "UTC" : path.substr(at + 9);
}

int init(const Call& call) {
  call.at_most(0);
  Settings settings;
  settings.tenant = call.text("tenant");
  settings.controller = call.text("controller");
  settings.jurisdiction = call.text("jurisdiction");
  settings.storage_location = call.text("storage-location");
  settings.retention_days = call.number("retention-days", 0, 36500);
  std::istringstream notice(call.text("notice"));
  if (!std::getline(notice, settings.notice.id, ':') ||
      !std::getline(notice, settings.notice.version, ':') ||
      !std::getline(notice, settings.notice.language)) {
    throw Usage("--notice is ID:VERSION:LANGUAGE");
  }
  settings.notice.language = contract::language_tag(settings.notice.language);
  if (settings.notice.language == "und")
    throw Usage("--notice: the language is one like en or de-CH");
  std::string zone = call.has("time-zone") ? call.text("time-zone") : zone_of_this_machine();
  if (!StoreClock::open(zone)) {
    if (call.has("time-zone")) throw Usage("--time-zone is one like Europe/Zurich");
    zone = "UTC";
  }
  if (!contract::valid_level(settings.tenant)) throw Usage("--tenant cannot be in a topic");
  const auto db = open_and_migrate(call.url);
  Transaction transaction(*db);
  Crm::init(*db, settings);
  const bool made_policy = Crm(*db).put_safe_policy(zone);
  transaction.commit();
  if (made_policy) {
    call.warn(
        "a careful policy is in force until you import yours: one offer a day, three a week, "
        "none from 20:00 to 09:00 in " +
        zone);
  }
  return call.done({{"ok", true}, {"tenant", settings.tenant}},
                   "ready for tenant " + settings.tenant);
}

// Said on stderr every two seconds of a long job.
class Progress {
 public:
  explicit Progress(const Call& call) : call_(call) {}
  void operator()(const std::string& what) {
    if (steady_clock::now() < next_) return;
    next_ += kProgressEvery;
    call_.warn(what);
  }

 private:
  const Call& call_;
  steady_clock::time_point next_ = steady_clock::now() + kProgressEvery;
};

// Takes what was checked, part by part, so that a running `serve` and others write between two.
void take_all(Opened& opened, Import& import, Progress& progress) {
  for (bool more = true; more;) {
    {
      Transaction transaction(*opened.db);
      more = import.take(steady_clock::now() + kPart);
      transaction.commit();
    }
    opened.db->announce();
    if (more) std::this_thread::sleep_for(kTurnOfOthers);
    progress("took " + std::to_string(import.done()) + " of " + std::to_string(import.rows()) +
             " rows");
  }
}

json to_json(const Import::LeftOut& one) {
  return {{"file", one.file}, {"place", one.place}, {"customer", one.customer}, {"why", one.why}};
}

void print_left_out(const Call& call, const Import& import) {
  std::size_t told = 0;
  for (const Import::LeftOut& one : import.left_out()) {
    if (++told > kNamed) break;
    call.warn(one.file + ": " + one.place + ": " + one.customer + " is left out: " + one.why);
  }
  if (import.left_out().size() > kNamed) {
    call.warn("and " + std::to_string(import.left_out().size() - kNamed) +
              " more; --json names all");
  }
}

int import_files(const Call& call) {
  if (call.words.empty()) throw Usage("a file is missing");
  Opened opened(call);
  Import import(opened.crm, wall_now());
  for (const std::string& path : call.words) {
    if (auto ok = import.add(path, read_file(path)); !ok) return call.no(ok.error());
  }
  // All files or none: consents of customers who did not arrive would be half a truth.
  Progress progress(call);
  const auto looked = [&](std::int64_t rows) {
    progress("looked at " + std::to_string(rows) + " rows");
  };
  if (auto ok = import.check(looked); !ok) return call.no(ok.error());
  take_all(opened, import, progress);
  print_left_out(call, import);
  if (call.json_wanted) {
    json left_out = json::array();
    for (const Import::LeftOut& one : import.left_out()) left_out.push_back(to_json(one));
    call.print({{"ok", true}, {"imported", import.taken()}, {"left_out", left_out}});
  } else {
    for (const auto& [kind, count] : import.taken()) *call.out << kind << ": " << count << "\n";
  }
  return kDone;
}

int campaign_remove(const Call& call) {
  const std::string& id = call.word(0, "ID");
  call.at_most(1);
  Opened opened(call);
  Transaction transaction(*opened.db);
  if (auto ok = opened.crm.remove_campaign(id); !ok) return call.no(ok.error());
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true}, {"campaign", id}},
                   id + " is over: boxes make no offer of it any more");
}

int backup(const Call& call) {
  const std::string& file = call.word(0, "FILE");
  call.at_most(1);
  if (std::filesystem::exists(file))
    return call.no({ErrorCode::refused, file + " is there already"});
  Opened opened(call);
  opened.db->backup(file);
  std::filesystem::permissions(
      file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return call.done({{"ok", true}, {"file", file}},
                   "saved in " + file + "; after you have put it back: welcome-crm restored");
}

int restored(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  Transaction transaction(*opened.db);
  opened.crm.restored(wall_now());
  transaction.commit();
  opened.db->announce();
  return call.done({{"ok", true}},
                   "every box is told everything again, and obeys what is paused here\n"
                   "say again: who was forgotten, what was paused, and who left, since the backup "
                   "was made");
}

void sign_all_again(Opened& opened) {
  std::string from;
  for (bool more = true; more; std::this_thread::sleep_for(kTurnOfOthers)) {
    Transaction transaction(*opened.db);
    more = opened.crm.sign_consents_again(from, kSignAtOnce);
    transaction.commit();
    if (more) opened.db->announce();
  }
}

int sign_keys(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  if (call.has("new") || call.has("use")) {
    Transaction transaction(*opened.db);
    if (call.has("new")) opened.crm.new_signing_key(wall_now());
    if (call.has("use")) {
      const auto late = opened.crm.boxes_without(call.text("use"));
      const auto used = opened.crm.use_signing_key(call.text("use"), wall_now());
      if (!used) return call.no(used.error());
      for (const auto& [store, box] : late) {
        call.warn(store + "/" + box +
                  " has not heard of this key yet: when it comes, the key before tells it");
      }
    }
    transaction.commit();
    opened.db->announce();
    sign_all_again(opened);
  }
  opened.crm.destroy_retired_keys();
  const std::string keys = opened.crm.public_keys();
  if (call.json_wanted) {
    call.print({{"keys", keys}, {"signing", opened.crm.signer() != nullptr}});
  } else if (keys.empty()) {
    *call.out << "# nothing is signed yet: welcome-crm sign-keys --new\n";
  } else {
    *call.out << keys;
  }
  return kDone;
}

int report(const Call& call) {
  const std::string& campaign = call.word(0, "CAMPAIGN");
  call.at_most(1);
  const std::string format = call.json_wanted ? "json" : call.text("format");
  Opened opened(call);
  const Report made = make_report(opened.crm, campaign);
  if (made.arms.empty() && !made.holdout &&
      !opened.crm.feed().get(Collection::campaigns, campaign)) {
    return call.no({ErrorCode::not_found, "there is no such campaign"});
  }
  if (format == "json") {
    *call.out << report_json(made);
  } else if (format == "svg") {
    *call.out << report_svg(made);
  } else if (format == "table") {
    *call.out << report_table(made);
  } else {
    throw Usage("--format is table, json or svg");
  }
  return kDone;
}

constexpr Option kInit[] = {
    {"tenant", nullptr, "who we are in topics: welcome/v1/TENANT/…", false, true},
    {"controller", nullptr, "the controller that consent records name", false, true},
    {"jurisdiction", "EU", "as consent records say it"},
    {"storage-location", "box", "as records say it"},
    {"retention-days", "365", "how long events say who it was; consent records say it, too"},
    {"notice", "welcome-pledge:1:en", "notice that a new grant refers to, ID:VERSION:LANGUAGE"},
    {"time-zone", nullptr, "of the first policy, Europe/Zurich; this machine's if not given"},
};

constexpr Option kKeys[] = {
    {"new", nullptr, "make a key; the first is used at once", true},
    {"use", nullptr, "sign everything with this key, retire the one before"},
};

constexpr Option kReport[] = {{"format", "table", "table, json, or svg (a picture)"}};

constexpr Command kSetUpCommands[] = {
    {"init", "", "make the database, or change what consent records say", init, kInit},
    {"import", "FILE…",
     "customers, consents, staff (CSV); campaigns, policy, identities (JSON); - is stdin",
     import_files},
    {"campaign remove", "ID", "end a campaign on every box", campaign_remove},
    {"report", "CAMPAIGN", "what each variant did, against the hold-out; survey scores", report,
     kReport},
    {"sign-keys", "", "public keys for the boxes' key ring", sign_keys, kKeys},
    {"backup", "FILE", "a copy of the database as it is now", backup},
    {"restored", "", "say it after a backup was put back: boxes know more than it does", restored},
};

}  // namespace

std::span<const Command> set_up_commands() { return kSetUpCommands; }

}  // namespace welcome::crm::cli
