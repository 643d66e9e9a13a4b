// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/reset.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "firmware/ctl/process.h"
#include "provision/broker_files.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

// Where systemd looks for what it hands a service (systemd.exec(5)).
constexpr std::array kCredentials{"etc/credstore",          "etc/credstore.encrypted",
                                  "run/credstore",          "run/credstore.encrypted",
                                  "usr/lib/credstore",      "usr/lib/credstore.encrypted",
                                  "usr/local/lib/credstore"};
constexpr std::string_view kOurs = "welcomed.";
constexpr std::string_view kBoxKey = "welcomed.box-key";
constexpr const char* kOwnState = "/var/lib/welcomed";
constexpr const char* kRetired = "retired";  // the daemon's note that head office knows
// Of the files in a folder of somebody's choice; and the database's, which are several.
constexpr std::string_view kKept[] = {"recordings", "uplink-password", "update-order.json",
                                      kRetired};

Error why(const fs::path& file, const std::error_code& error) {
  return {ErrorCode::unavailable, file.string() + ": " + error.message()};
}

// Whose names begin so; none of a folder that is not there.
Result<std::vector<fs::path>> named(const fs::path& folder, std::string_view beginning) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& one : fs::directory_iterator(folder, error)) {
    if (one.path().filename().string().starts_with(beginning)) out.push_back(one.path());
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return tl::unexpected(why(folder, error));
  std::sort(out.begin(), out.end());
  return out;
}

// Also what was being written when the power was cut (provision/files.h).
bool is_the_boxes(std::string_view name) {
  constexpr std::string_view kFresh = ".new";
  if (name.starts_with("welcomed.db")) return true;
  if (name.ends_with(kFresh)) name.remove_suffix(kFresh.size());
  return std::find(std::begin(kKept), std::end(kKept), name) != std::end(kKept);
}

// A folder of welcomed's own, or what it keeps in one of somebody's choice.
Result<std::vector<fs::path>> state_in(const fs::path& folder, bool own) {
  auto all = named(folder, "");
  if (!all || own) return all;
  std::erase_if(*all, [](const fs::path& one) { return !is_the_boxes(one.filename().string()); });
  return all;
}

}  // namespace

Reset::Reset(fs::path root, Step step) : root_(std::move(root)), step_(std::move(step)) {}

fs::path Reset::at(const char* path) const { return root_ / path; }

// Beside the configuration: root alone writes there, and a purge takes it along.
fs::path Reset::mark() const { return at("etc/welcomed/reset"); }

void Reset::note(std::string_view what) const {
  if (step_) step_(what);
}

Result<void> Reset::begin(const ResetOrder& order) const {
  if (!order.state_dir.starts_with('/'))
    return fail(ErrorCode::refused, "box.state_dir = " + order.state_dir + " is no whole path");
  ResetOrder wider = order;
  if (const auto before = begun()) wider.all = wider.all || before->all;
  json text{{"all", wider.all}, {"state_dir", wider.state_dir}};
  if (wider.when_retired) text["when_retired"] = true;
  note("begin");
  std::error_code error;
  fs::create_directories(mark().parent_path(), error);
  if (!provision::replace_private(mark(), text.dump() + "\n"))
    return fail(ErrorCode::unavailable, mark().string() + ": " + std::strerror(errno));
  return {};
}

std::optional<ResetOrder> Reset::begun() const {
  auto order = ordered();
  if (!order || !order->when_retired) return order;
  if (!fs::exists(root_ / fs::path(order->state_dir).relative_path() / kRetired))
    return std::nullopt;
  order->when_retired = false;
  return order;
}

Result<void> Reset::call_off() const {
  const auto order = ordered();
  return order && order->when_retired ? remove(mark()) : Result<void>();
}

std::optional<ResetOrder> Reset::ordered() const {
  std::ifstream in(mark());
  if (!in) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const json said = json::parse(text, nullptr, false);
  if (!said.is_object()) return ResetOrder{true, kOwnState};
  return ResetOrder{said.value("all", true), said.value("state_dir", kOwnState),
                    said.value("when_retired", false)};
}

Result<void> Reset::remove(const fs::path& what) const {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(what, error))) return {};
  note("remove " + what.string());
  fs::remove_all(what, error);
  if (error) return tl::unexpected(why(what, error));
  if (!provision::settle(what.parent_path()))
    return fail(ErrorCode::unavailable, what.parent_path().string() + ": " + std::strerror(errno));
  return {};
}

Result<void> Reset::remove_in(const fs::path& folder) const {
  const auto all = named(folder, "");
  if (!all) return tl::unexpected(all.error());
  for (const auto& one : *all) {
    if (auto done = remove(one); !done) return done;
  }
  return {};
}

// The service is this machine's, and there is one.
bool Reset::systemd_runs() const { return root_ == "/" && fs::exists("/run/systemd/system"); }

Result<void> Reset::stop_service() const {
  if (!systemd_runs()) return {};
  note("stop");
  if (output_of({"systemctl", "stop", "welcomed.service"}, {}, Complaints::hidden)) return {};
  return fail(ErrorCode::refused, "welcomed does not stop: systemctl stop welcomed says why");
}

namespace {

// Overwritten before it goes, where the disk does that.
Result<void> shred(const fs::path& file) {
  const auto gone = output_of({"shred", "--force", "--remove", file.string()});
  if (!gone) return tl::unexpected(gone.error());
  if (!provision::settle(file.parent_path()))
    return fail(ErrorCode::unavailable, file.parent_path().string() + ": " + std::strerror(errno));
  return {};
}

}  // namespace

Result<void> Reset::destroy(std::string_view beginning) const {
  for (const char* folder : kCredentials) {
    const auto all = named(at(folder), beginning);
    if (!all) return tl::unexpected(all.error());
    for (const auto& one : *all) {
      note("destroy " + one.string());
      if (auto done = shred(one); !done) return done;
    }
  }
  return {};
}

// What `welcomectl provision` has written. Its own file last: it says that the others are its.
Result<void> Reset::remove_provisioned() const {
  const fs::path file = at("etc/welcomed/conf.d/50-provisioned.conf");
  if (fs::exists(file)) {
    for (const char* of_it : {"etc/welcomed/crm-keys", "etc/welcomed/broker-ca.pem"}) {
      if (auto done = remove(at(of_it)); !done) return done;
    }
  }
  if (auto done = remove(file); !done) return done;
  return remove(at("etc/systemd/system/welcomed.service.d/box-key.conf"));
}

// Of boxes and tablets: they are this shop's.
Result<void> Reset::remove_accounts() const {
  const std::string folder = at("etc/welcome-floor").string();
  const auto all = provision::accounts(folder);
  if (!all && all.error().code == ErrorCode::not_found) return {};
  if (!all) return tl::unexpected(all.error());
  for (const auto& account : *all) {
    note("account " + account);
    if (auto done = provision::remove_account(folder, account); !done) return done;
  }
  // What it holds for the tablets is in its memory alone.
  if (!all->empty() && systemd_runs()) {
    constexpr const char* kFloor = "welcome-floor.service";
    const auto told = [&](const char* verb) {
      return output_of({"systemctl", "--quiet", verb, kFloor}, {}, Complaints::hidden).has_value();
    };
    // One that does not run, or is not here, holds nothing.
    if (!told("try-restart") && told("is-active")) {
      return fail(ErrorCode::refused,
                  std::string("the floor's broker does not start again: systemctl restart ") +
                      kFloor + " says why");
    }
  }
  return {};
}

// The pattern takes the place of the configuration, and everything else goes.
Result<void> Reset::as_installed() const {
  if (auto done = remove_in(at("etc/welcomed/conf.d")); !done) return done;
  const auto all = named(at("etc/welcomed"), "");
  if (!all) return tl::unexpected(all.error());
  for (const auto& one : *all) {
    const auto name = one.filename();
    if (name == "conf.d" || name == "welcomed.conf" || name == mark().filename()) continue;
    if (auto done = remove(one); !done) return done;
  }
  std::ifstream in(at("usr/share/welcomed/welcomed.conf"), std::ios::binary);
  const std::string pattern{std::istreambuf_iterator<char>(in), {}};
  const fs::path conf = at("etc/welcomed/welcomed.conf");
  if (in && !pattern.empty()) {
    note("replace " + conf.string());
    if (!provision::replace_public(conf, pattern))
      return fail(ErrorCode::unavailable, conf.string() + ": " + std::strerror(errno));
  } else if (auto done = remove(conf); !done) {
    return done;
  }
  return remove(at("etc/systemd/system/welcomed.service.d"));
}

Result<void> Reset::leave_systemd() const {
  // What `systemctl disable` does, also on a card that is in another machine.
  if (auto done = remove(at("etc/systemd/system/multi-user.target.wants/welcomed.service")); !done)
    return done;
  if (!systemd_runs()) return {};
  note("daemon-reload");
  const auto done = output_of({"systemctl", "daemon-reload"}, {}, Complaints::hidden);
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<void> Reset::finish(const ResetOrder& order, bool in_service) const {
  if (!in_service) {
    if (auto done = stop_service(); !done) return done;
  }
  // In each of its forms: plain, with the next one in a second line, sealed, and what a change that
  // was cut off left beside it.
  if (auto done = destroy(kBoxKey); !done) return done;
  const bool own = fs::path(order.state_dir).lexically_normal() == kOwnState;
  const auto state = state_in(root_ / fs::path(order.state_dir).relative_path(), own);
  if (!state) return tl::unexpected(state.error());
  for (const auto& one : *state) {
    if (auto done = remove(one); !done) return done;
  }
  if (auto done = destroy(kOurs); !done) return done;
  if (auto done = remove_provisioned(); !done) return done;
  if (auto done = remove_accounts(); !done) return done;
  if (order.all) {
    if (auto done = as_installed(); !done) return done;
  }
  if (auto done = leave_systemd(); !done) return done;
  note("end");
  if (auto done = remove(mark()); !done) return done;
  // Not started again and again for want of a key. The last thing: it ends us, too.
  if (in_service && systemd_runs()) {
    const auto told =
        output_of({"systemctl", "--no-block", "stop", "welcomed.service"}, {}, Complaints::hidden);
    if (!told) return tl::unexpected(told.error());
  }
  return {};
}

}  // namespace welcome::ctl
