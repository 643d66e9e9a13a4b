// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/uplink_passwords.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <utility>

#include "contract/json_text.h"
#include "firmware/control/value_at.h"
#include "provision/broker_files.h"
#include "provision/files.h"

namespace welcome::daemon {

using nlohmann::json;

UplinkPasswords::UplinkPasswords(const std::filesystem::path& state_dir, std::string credential)
    : file_(state_dir / "uplink-password"), credential_(std::move(credential)) {
  std::ifstream in(file_);
  const json kept =
      json::parse(std::string{std::istreambuf_iterator<char>(in), {}}, nullptr, false);
  now_ = control::word_at(kept, "now");
  next_ = control::word_at(kept, "next");
}

std::vector<std::string> UplinkPasswords::to_try() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const std::string& one : {next_, now_, credential_}) {
    if (!one.empty() && std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
  }
  return out;
}

void UplinkPasswords::worked(const std::string& password) {
  const std::lock_guard lock(mutex_);
  if (!next_.empty() && password == next_) {
    now_ = std::exchange(next_, {});
    spdlog::info("the new password has come in at the central broker");
  } else if (!now_.empty() && password == credential_ && password != now_) {
    now_.clear();  // a technician has set this box up again
  } else {
    return;
  }
  if (!save()) {
    spdlog::warn("{}: {}; what came before is tried again after the next start", file_.string(),
                 std::strerror(errno));
  }
}

Result<std::string> UplinkPasswords::renew() {
  const std::lock_guard lock(mutex_);
  if (credential_.empty() && now_.empty())
    return fail(ErrorCode::refused, "this box comes in without a password");
  if (next_.empty()) {
    next_ = provision::new_password();
    if (!save()) {
      next_.clear();
      return fail(ErrorCode::unavailable, file_.string() + ": " + std::strerror(errno));
    }
  }
  std::string line = provision::password_line("", next_);
  line.erase(0, 1);
  line.pop_back();
  return line;
}

bool UplinkPasswords::save() const {
  json kept = json::object();
  if (!now_.empty()) kept["now"] = now_;
  if (!next_.empty()) kept["next"] = next_;
  return provision::replace_private(file_, contract::dump(kept) + "\n");
}

}  // namespace welcome::daemon
