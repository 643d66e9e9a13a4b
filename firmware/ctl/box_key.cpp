// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/box_key.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <sys/random.h>
#include <sys/stat.h>
#include <system_error>

#include "core/hex.h"
#include "firmware/control/box_keys.h"
#include "firmware/ctl/process.h"
#include "provision/files.h"

namespace welcome::ctl {

namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> broken(const std::string& file) {
  return fail(errno == ENOENT ? ErrorCode::not_found : ErrorCode::unavailable,
              file + ": " + std::strerror(errno));
}

Result<std::string> text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return broken(file);
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

Result<void> replace_file(const std::string& file, const std::string& text) {
  if (!provision::replace_private(file, text)) return broken(file);
  return {};
}

// The name is encrypted with it: nothing else opens as the box key. Left to itself, systemd-creds
// goes without a TPM that the firmware does not know of, and says nothing.
Result<std::string> encrypted(const std::string& text) {
  const char* const key = has_tpm() ? "--with-key=host+tpm2" : "--with-key=host";
  return output_of({"systemd-creds", "encrypt", "--name=box-key", key, "-", "-"}, text);
}
Result<std::string> decrypted(const std::string& sealed) {
  return output_of({"systemd-creds", "decrypt", "--name=box-key", "-", "-"}, sealed);
}

Result<void> seal_into(const std::string& file, const std::string& text) {
  const auto sealed = encrypted(text);
  if (!sealed) return tl::unexpected(sealed.error());
  const auto opened = decrypted(*sealed);
  if (!opened) return tl::unexpected(opened.error());
  if (*opened != text)
    return fail(ErrorCode::unavailable, "what was encrypted does not open again");
  return replace_file(file, *sealed);
}

bool is_sealed(const BoxKeyPlace& place) {
  return !place.sealed.empty() && fs::exists(place.sealed);
}

Result<std::string> text_of(const BoxKeyPlace& place) {
  if (!is_sealed(place)) return text_of(place.plain);
  if (fs::exists(place.plain)) {
    return fail(ErrorCode::refused, "there are " + place.plain + " and " + place.sealed +
                                        ": first say welcomectl key seal");
  }
  auto sealed = text_of(place.sealed);
  if (!sealed) return sealed;
  return decrypted(*sealed);
}

Result<control::BoxKeys> keys_of(const BoxKeyPlace& place) {
  const auto text = text_of(place);
  if (!text) return tl::unexpected(text.error());
  const auto keys = control::box_keys_in(*text);
  if (!keys) {
    return fail(ErrorCode::malformed,
                (is_sealed(place) ? place.sealed : place.plain) + " has no box key");
  }
  return *keys;
}

Result<void> replace_key(const BoxKeyPlace& place, const std::string& text) {
  return is_sealed(place) ? seal_into(place.sealed, text) : replace_file(place.plain, text);
}

// There after a power cut, too.
Result<void> make_folder(const fs::path& folder, fs::perms perms) {
  std::error_code error;
  if (!fs::create_directories(folder, error)) {
    if (error) return fail(ErrorCode::unavailable, folder.string() + ": " + error.message());
    return {};  // it is there
  }
  fs::permissions(folder, perms, error);
  if (error || !provision::settle(folder.parent_path()))
    return fail(ErrorCode::unavailable, folder.string() + " cannot be made");
  return {};
}

// On the disk before the plain key goes: without it the service would look for that one.
Result<void> tell_systemd(const std::string& drop_in) {
  using enum fs::perms;
  const auto readable = owner_all | group_read | group_exec | others_read | others_exec;
  if (auto made = make_folder(fs::path(drop_in).parent_path(), readable); !made) return made;
  auto written = replace_file(
      drop_in,
      "# By welcomectl key seal.\n[Service]\nLoadCredentialEncrypted=box-key:welcomed.box-key\n");
  if (!written) return written;
  const auto told = output_of({"systemctl", "daemon-reload"});
  if (!told) return tl::unexpected(told.error());
  return {};
}

}  // namespace

Result<control::KeyBytes> box_key_or_new(const BoxKeyPlace& place) {
  if (!fs::exists(place.plain) && !is_sealed(place)) {
    control::KeyBytes fresh{};
    if (::getrandom(fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size())) {
      return fail(ErrorCode::unavailable, "no random bytes");
    }
    using enum fs::perms;
    const fs::path folder = fs::path(place.plain).parent_path();
    if (auto made = make_folder(folder, owner_all); !made) return tl::unexpected(made.error());
    if (auto made = replace_file(place.plain, to_hex(fresh) + "\n"); !made) {
      return tl::unexpected(made.error());
    }
  }
  // Stopped while it was being sealed: the plain one is as good.
  const bool both = fs::exists(place.plain) && is_sealed(place);
  const auto keys = keys_of(both ? BoxKeyPlace{place.plain, "", ""} : place);
  if (!keys) return tl::unexpected(keys.error());
  return keys->key;
}

bool has_tpm() { return fs::exists("/dev/tpmrm0"); }

Result<void> begin_key_change(const BoxKeyPlace& place) {
  const auto now = keys_of(place);
  if (!now) return tl::unexpected(now.error());
  if (now->next) {
    return fail(ErrorCode::refused,
                "it is being changed already: restart welcomed, then welcomectl key settle");
  }
  control::KeyBytes fresh{};
  if (::getrandom(fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size())) {
    return fail(ErrorCode::unavailable, "no random bytes");
  }
  return replace_key(place, to_hex(now->key) + "\n" + to_hex(fresh) + "\n");
}

Result<void> end_key_change(const BoxKeyPlace& place) {
  const auto now = keys_of(place);
  if (!now) return tl::unexpected(now.error());
  if (!now->next) return fail(ErrorCode::refused, "the box key is not being changed");
  return replace_key(place, to_hex(*now->next) + "\n");
}

Result<void> seal_key(const BoxKeyPlace& place) {
  if (!fs::exists(place.plain) && is_sealed(place)) {
    if (!fs::exists(place.drop_in)) return tell_systemd(place.drop_in);
    return fail(ErrorCode::refused, "it is sealed already, in " + place.sealed);
  }
  const auto text = text_of(place.plain);
  if (!text) return tl::unexpected(text.error());
  if (!control::box_keys_in(*text)) {
    return fail(ErrorCode::malformed, place.plain + " has no box key");
  }
  if (is_sealed(place)) {
    const auto before = text_of(place.sealed);
    const auto opened = before ? decrypted(*before) : before;
    if (!opened || *opened != *text) {
      return fail(ErrorCode::refused, place.sealed + " holds another key than " + place.plain +
                                          ": remove the one that is not this box's");
    }
  } else {
    const fs::path folder = fs::path(place.sealed).parent_path();
    if (auto made = make_folder(folder, fs::perms::owner_all); !made) return made;
    if (auto done = seal_into(place.sealed, *text); !done) return done;
  }
  if (auto done = tell_systemd(place.drop_in); !done) return done;
  const auto gone = output_of({"shred", "--remove", place.plain});
  if (!gone) return tl::unexpected(gone.error());
  return {};
}

}  // namespace welcome::ctl
