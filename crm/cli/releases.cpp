// SPDX-License-Identifier: Apache-2.0
// fleet release add|list|remove, fleet update

#include "crm/releases.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <fcntl.h>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unistd.h>

#include "crm/bundle.h"
#include "crm/cli/command.h"
#include "crm/cli/door_address.h"
#include "crm/setting.h"
#include "provision/files.h"

namespace welcome::crm::cli {

namespace {

namespace fs = std::filesystem;

// Where the proxy before the door hands them out from (packaging/nginx/door-location.conf.in).
constexpr const char* kFolder = "/var/lib/welcome-releases";

std::string folder_of(const Call& call, Opened& opened) {
  const std::string said = said_last(call, opened, "folder", "releases");
  return said.empty() ? kFolder : said;
}

// A file beside its place until it is put there: nobody is handed half of it, also after a power
// cut, and `serve` does not wait for as long as it is copied. What is not put there goes again.
class Copy {
 public:
  explicit Copy(fs::path there) : there_(std::move(there)) {}
  ~Copy() {
    std::error_code ignored;
    fs::remove(beside_, ignored);
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  // The proxy is another user.
  Result<void> make(const std::string& file) const {
    std::error_code failed;
    fs::copy_file(file, beside_, fs::copy_options::overwrite_existing, failed);
    if (!failed) {
      fs::permissions(beside_,
                      fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read |
                          fs::perms::others_read,
                      failed);
    }
    if (!failed) {
      const provision::File copied(::open(beside_.c_str(), O_RDONLY | O_CLOEXEC));
      if (copied.fd() < 0 || ::fsync(copied.fd()) != 0) failed = of_system();
    }
    return said(failed);
  }
  Result<void> put() const {
    std::error_code failed;
    fs::rename(beside_, there_, failed);
    if (!failed && !provision::settle(there_.parent_path())) failed = of_system();
    return said(failed);
  }

 private:
  static std::error_code of_system() { return {errno, std::system_category()}; }
  Result<void> said(const std::error_code& failed) const {
    if (failed) return fail(ErrorCode::unavailable, there_.string() + ": " + failed.message());
    return {};
  }
  const fs::path there_;
  const fs::path beside_ = fs::path(there_).concat(".new");
};

int release_add(const Call& call) {
  const std::string& file = call.word(0, "FILE");
  call.at_most(1);
  const auto bundle = read_bundle(file);
  if (!bundle) return call.no(bundle.error());
  Opened opened(call);
  const std::string folder = folder_of(call, opened);
  const Copy copied(fs::path(folder) / bundle->digest);
  if (const auto done = copied.make(file); !done) return call.no(done.error());
  Transaction transaction(*opened.db);
  const auto added =
      Releases(opened.crm).add({bundle->digest, bundle->version, bundle->size, ""}, wall_now());
  if (!added) return call.no(added.error());
  if (const auto there = copied.put(); !there) return call.no(there.error());
  if (call.has("folder")) set_setting(*opened.db, "releases", folder);
  transaction.commit();
  return call.done({{"ok", true},
                    {"version", bundle->version},
                    {"for", bundle->compatible},
                    {"digest", bundle->digest},
                    {"size", bundle->size}},
                   bundle->version + " for " + bundle->compatible +
                       " is there; hand it out with\n\n    welcome-crm fleet update --stage 5%");
}

int release_list(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  json list = json::array();
  Table table{{"VERSION", "SIZE", "ADDED", "SHA-256"}};
  for (const Release& release : Releases(opened.crm).list()) {
    list.push_back({{"version", release.version},
                    {"size", release.size},
                    {"added_at", release.added_at},
                    {"digest", release.digest}});
    table.push_back(
        {release.version, std::to_string(release.size), release.added_at, release.digest});
  }
  return call.done(list, table);
}

int release_remove(const Call& call) {
  const std::string& version = call.word(0, "VERSION");
  call.at_most(1);
  Opened opened(call);
  const std::string folder = folder_of(call, opened);
  Transaction transaction(*opened.db);
  const auto gone = Releases(opened.crm).remove(version);
  if (!gone) return call.no(gone.error());
  std::error_code failed;
  fs::remove(fs::path(folder) / *gone, failed);
  if (failed) return call.no({ErrorCode::unavailable, folder + ": " + failed.message()});
  transaction.commit();
  return call.done({{"ok", true}, {"version", version}}, version + " is removed");
}

// "5%", "2.5%", "100%" in hundredths of a percent.
std::int64_t share_of(const std::string& text) {
  double percent = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, percent);
  const bool good = error == std::errc() && (rest == end || std::string_view(rest, end) == "%") &&
                    percent > 0 && percent <= 100;
  if (!good) throw Usage("--stage is a share of the boxes: 5%");
  return std::max<std::int64_t>(1, std::llround(percent * 100));
}

std::string percent_text(std::int64_t share) {
  std::string text = std::to_string(share / 100);
  if (share % 100 != 0) text += "." + std::to_string(share % 100 + 100).substr(1);
  return text + "%";
}

// How it goes, in a line for each step in which boxes are.
int show(const Call& call, Opened& opened) {
  Releases releases(opened.crm);
  const auto it = releases.rollout();
  if (!it) return call.no({ErrorCode::not_found, "nothing was handed out yet"});
  std::map<std::string, std::int64_t> steps;
  for (const BoxRelease& box : releases.boxes()) {
    if (box.wanted == it->version) ++steps[box.heard ? box.step : "not told yet"];
  }
  Table table{{"release", it->version},
              {"state", it->state + (it->why.empty() ? "" : ": " + it->why)},
              {"stage", percent_text(it->share)},
              {"when", it->at_once ? "at once" : "in each store's quiet hours"},
              {"since", it->changed_at}};
  for (const auto& [step, count] : steps) table.push_back({step, std::to_string(count)});
  return call.done({{"version", it->version},
                    {"state", it->state},
                    {"why", it->why},
                    {"stage", static_cast<double>(it->share) / 100},
                    {"at_once", it->at_once},
                    {"may_be_lower", it->may_be_lower},
                    {"changed_at", it->changed_at},
                    {"boxes", steps}},
                   table);
}

Result<void> change(const Call& call, Opened& opened) {
  Releases releases(opened.crm);
  const WallTime now = wall_now();
  if (call.has("pause")) return releases.pause(now);
  if (call.has("stop")) return releases.stop("by hand", now);
  if (call.has("resume")) return releases.resume(now);
  Releases::Stage stage{call.text("release"), share_of(call.text("stage")), call.has("now"),
                        call.has("downgrade"), door_of(call, opened)};
  if (!stage.door.starts_with("https://"))
    return fail(ErrorCode::refused,
                "boxes fetch it over https alone: --door https://my.example.com");
  const auto boxes = releases.stage(stage, now);
  if (!boxes) return tl::unexpected(boxes.error());
  if (call.has("door")) set_setting(*opened.db, "door", stage.door);
  if (*boxes == 0) call.warn("no box takes part: is there any, and is it from an image?");
  return {};
}

int fleet_update(const Call& call) {
  call.at_most(0);
  const auto given = [&](const char* name) { return call.has(name) ? 1 : 0; };
  const int what = given("stage") + given("pause") + given("resume") + given("stop");
  if (what > 1) throw Usage("one of --stage, --pause, --resume and --stop");
  if (!call.has("stage") && given("release") + given("now") + given("downgrade") > 0)
    throw Usage("--release, --now and --downgrade go with --stage");
  Opened opened(call);
  if (what == 0) return show(call, opened);
  Transaction transaction(*opened.db);
  if (const auto done = change(call, opened); !done) return call.no(done.error());
  transaction.commit();
  opened.db->announce();
  return show(call, opened);
}

constexpr Option kFolderOption[] = {
    {"folder", nullptr,
     "where the proxy before the door hands it out from; as it was said last, else "
     "/var/lib/welcome-releases"},
};

constexpr Option kUpdate[] = {
    {"stage", nullptr,
     "hand it out to that share of the boxes, 5%: whole stores, the same ones each time; a larger "
     "share widens it"},
    {"release", nullptr, "its version; needed while another one than the newest is on its way"},
    {"now", nullptr, "at once, not in each store's quiet hours", true},
    {"downgrade", nullptr, "also to boxes that run a higher version", true},
    {"door", nullptr, "where boxes fetch it, https://my.example.com; as it was said last"},
    {"pause", nullptr, "nobody else begins; what is installed stays", true},
    {"resume", nullptr, "and go on, also after it has stopped by itself", true},
    {"stop", nullptr, "as --pause, and it is no good", true},
};

constexpr Command kReleaseCommands[] = {
    {"fleet release add", "FILE",
     "an update of the image, as `./dev image` made it and its key signed it", release_add,
     kFolderOption},
    {"fleet release list", "", "the updates that can be handed out", release_list},
    {"fleet release remove", "VERSION", "one that no box is to run", release_remove, kFolderOption},
    {"fleet update", "",
     "hand a release out, in stages; it stops by itself when a box goes back. Without an option: "
     "how it goes",
     fleet_update, kUpdate},
};

}  // namespace

std::span<const Command> release_commands() { return kReleaseCommands; }

}  // namespace welcome::crm::cli
