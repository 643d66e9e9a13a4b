// SPDX-License-Identifier: Apache-2.0
#include "provision/broker_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <openssl/evp.h>
#include <sodium.h>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base64.h"
#include "provision/files.h"
#include "provision/floor_rules.h"

namespace welcome::provision {
namespace {

// Mosquitto's own numbers. More rounds would protect a word that somebody thought of; ours are
// random.
constexpr int kRounds = 101;
constexpr std::size_t kSaltBytes = 12;
constexpr std::size_t kHashBytes = 64;
constexpr std::size_t kPasswordBytes = 24;
// A comment to the broker, below the `user` of a tablet.
constexpr const char* kTabletSince = "# tablet since ";

template <std::size_t kSize>
std::array<std::uint8_t, kSize> random_bytes() {
  std::array<std::uint8_t, kSize> out{};
  randombytes_buf(out.data(), out.size());
  return out;
}

tl::unexpected<Error> failed(const std::string& what, const std::string& file) {
  const auto code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::unavailable;
  return fail(code, what + " " + file + ": " + std::strerror(errno));
}

Result<std::string> read_all(const File& file, const std::string& name) {
  std::string out;
  std::array<char, 65536> part{};
  for (ssize_t n = 0; (n = ::read(file.fd(), part.data(), part.size())) != 0;) {
    if (n < 0) return failed("cannot read", name);
    out.append(part.data(), static_cast<std::size_t>(n));
  }
  return out;
}

Error not_a_folder(const std::string& name) {
  Error error = failed("cannot open", name).value();
  error.message += "; the folder of a broker has `passwords` and `acl`";
  return error;
}

Result<std::string> read_named(const std::string& name) {
  const File file(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return tl::unexpected(not_a_folder(name));
  return read_all(file, name);
}

// The broker never sees half a file, and keeps the right to read it.
Result<void> change(const std::string& name,
                    const std::function<std::string(const std::string&)>& to) {
  const File old(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (old.fd() < 0) return tl::unexpected(not_a_folder(name));
  const auto text = read_all(old, name);
  if (!text) return tl::unexpected(text.error());
  struct stat as {};
  if (::fstat(old.fd(), &as) != 0) return failed("cannot read", name);
  std::string temporary = name + ".XXXXXX";
  const File fresh(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fresh.fd() < 0) return failed("cannot write beside", name);
  const bool same_owner = as.st_uid == ::geteuid() && as.st_gid == ::getegid();
  const bool done = ::fchmod(fresh.fd(), as.st_mode & 0777) == 0 &&
                    (same_owner || ::fchown(fresh.fd(), as.st_uid, as.st_gid) == 0) &&
                    write_through(fresh.fd(), to(*text)) &&
                    ::rename(temporary.c_str(), name.c_str()) == 0 &&
                    settle(std::filesystem::path(name).parent_path());
  if (done) return {};
  auto error = failed("cannot write", name);
  ::unlink(temporary.c_str());
  return error;
}

std::string without_password(const std::string& text, const std::string& account) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(account + ":")) out += line + "\n";
  }
  return out;
}

// A user's rules, and since when a tablet is one, go on until the next user or pattern.
std::string without_rules(const std::string& text, const std::string& account) {
  std::string out;
  bool its = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("user ")) its = line == "user " + account;
    const bool rule =
        line.starts_with("user ") || line.starts_with("topic ") || line.starts_with(kTabletSince);
    if (!(its && rule)) out += line + "\n";
  }
  return out;
}

}  // namespace

std::string new_password() {
  // Without the two characters that mean something in addresses and shells (RFC 4648, 5); so many
  // bytes need no padding.
  static_assert(kPasswordBytes % 3 == 0);
  std::string out = to_base64(random_bytes<kPasswordBytes>());
  std::replace(out.begin(), out.end(), '+', '-');
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

std::string password_line(const std::string& account, const std::string& password) {
  const auto salt = random_bytes<kSaltBytes>();
  std::array<std::uint8_t, kHashBytes> hash{};
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(),
                        static_cast<int>(salt.size()), kRounds, EVP_sha512(),
                        static_cast<int>(hash.size()), hash.data()) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-512");
  }
  return account + ":$7$" + std::to_string(kRounds) + "$" + to_base64(salt) + "$" +
         to_base64(hash) + "\n";
}

namespace {

// `line`: of the password_file, with its end.
Result<void> put_line(const std::string& dir, const std::string& account, const std::string& rules,
                      const std::string& line) {
  // Rules first: an account without them hears nothing, and nobody has the password yet.
  if (auto done =
          change(dir + "/acl",
                 [&](const std::string& text) { return without_rules(text, account) + rules; });
      !done) {
    return done;
  }
  return change(dir + "/passwords",
                [&](const std::string& text) { return without_password(text, account) + line; });
}

}  // namespace

Result<void> put_account(const std::string& dir, const std::string& account,
                         const std::string& rules, const std::string& password) {
  return put_line(dir, account, rules, password_line(account, password));
}

Result<void> put_account_hash(const std::string& dir, const std::string& account,
                              const std::string& rules, const std::string& hash) {
  return put_line(dir, account, rules, account + ":" + hash + "\n");
}

Result<void> remove_account(const std::string& dir, const std::string& account) {
  if (auto done = change(dir + "/passwords",
                         [&](const std::string& text) { return without_password(text, account); });
      !done) {
    return done;
  }
  return change(dir + "/acl",
                [&](const std::string& text) { return without_rules(text, account); });
}

Result<std::vector<std::string>> accounts(const std::string& dir) {
  const auto text = read_named(dir + "/passwords");
  if (!text) return tl::unexpected(text.error());
  std::vector<std::string> names;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (const auto colon = line.find(':'); colon != std::string::npos) {
      names.push_back(line.substr(0, colon));
    }
  }
  return names;
}

bool valid_account(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

std::string box_rules(const std::string& box) {
  constexpr std::string_view kName = "@BOX@";
  // Without the comment above, which would stay when the account goes.
  std::string rules(kFloorBoxRules.substr(kFloorBoxRules.find("user ")));
  for (auto at = rules.find(kName); at != std::string::npos; at = rules.find(kName, at)) {
    rules.replace(at, kName.size(), box);
  }
  return rules;
}

std::string tablet_rules(const TabletAccount& tablet) {
  return "user " + tablet.name + "\n" + kTabletSince + tablet.since + "\n";
}

Result<std::vector<TabletAccount>> tablets(const std::string& dir) {
  const auto text = read_named(dir + "/acl");
  if (!text) return tl::unexpected(text.error());
  std::vector<TabletAccount> found;
  std::string user;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("user ")) user = line.substr(5);
    if (line.starts_with(kTabletSince) && !user.empty()) {
      found.push_back({user, line.substr(std::string_view(kTabletSince).size())});
    }
  }
  return found;
}

}  // namespace welcome::provision
