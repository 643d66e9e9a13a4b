// SPDX-License-Identifier: Apache-2.0
#include "crm/broker_files.h"

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
#include <sys/stat.h>
#include <unistd.h>

#include "contract/topics.h"
#include "core/base64.h"
#include "crm/files.h"

namespace welcome::crm {
namespace {

// Mosquitto's own numbers. More rounds would protect a word that somebody thought of; ours are
// random.
constexpr int kRounds = 101;
constexpr std::size_t kSaltBytes = 12;
constexpr std::size_t kHashBytes = 64;
constexpr std::size_t kPasswordBytes = 24;

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

// The broker never sees half a file, and keeps the right to read it.
Result<void> change(const std::string& name,
                    const std::function<std::string(const std::string&)>& to) {
  const File old(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (old.fd() < 0) {
    auto error = failed("cannot open", name);
    error.value().message += "; the folder of a broker has `passwords` and `acl`";
    return error;
  }
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

// A user's rules go on until the next user or pattern.
std::string without_rules(const std::string& text, const std::string& account) {
  std::string out;
  bool its = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("user ")) its = line == "user " + account;
    if (!(its && (line.starts_with("user ") || line.starts_with("topic ")))) out += line + "\n";
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

std::string acl_lines(const contract::BoxAddress& box) {
  return "user " + contract::address_text(box) + "\ntopic read " +
         contract::control_topic(box.tenant, box.store) + "\ntopic read " +
         contract::control_topic(box.tenant, contract::kAllStores) + "\n";
}

Result<void> put_account(const std::string& dir, const contract::BoxAddress& box,
                         const std::string& password) {
  const std::string account = contract::address_text(box);
  // Rules first: an account without them hears nothing, and nobody has the password yet.
  if (auto done = change(
          dir + "/acl",
          [&](const std::string& text) { return without_rules(text, account) + acl_lines(box); });
      !done) {
    return done;
  }
  return change(dir + "/passwords", [&](const std::string& text) {
    return without_password(text, account) + password_line(account, password);
  });
}

Result<void> remove_account(const std::string& dir, const contract::BoxAddress& box) {
  const std::string account = contract::address_text(box);
  if (auto done = change(dir + "/passwords",
                         [&](const std::string& text) { return without_password(text, account); });
      !done) {
    return done;
  }
  return change(dir + "/acl",
                [&](const std::string& text) { return without_rules(text, account); });
}

}  // namespace welcome::crm
