// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sodium.h>
#include <stdexcept>

namespace welcome::daemon {

namespace {

std::string file_text(const std::string& name) {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) return {};
  std::ifstream in(std::filesystem::path(directory) / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::optional<std::array<std::uint8_t, 32>> key_of(const std::string& name) {
  std::string text = file_text(name);
  const auto key = key_in(text);
  sodium_memzero(text.data(), text.size());
  return key;
}

}  // namespace

std::optional<std::array<std::uint8_t, 32>> key_in(std::string_view text) {
  std::array<std::uint8_t, 32> key{};
  if (text.size() == key.size()) {
    std::copy(text.begin(), text.end(), key.begin());
    return key;
  }
  std::size_t written = 0;
  if (sodium_hex2bin(key.data(), key.size(), text.data(), text.size(), "\n", &written, nullptr) !=
          0 ||
      written != key.size()) {
    return std::nullopt;
  }
  return key;
}

std::string read_credential(const std::string& name) {
  std::string text = file_text(name);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::optional<BoxKeys> box_keys_in(std::string_view text) {
  constexpr std::size_t kLine = 64;
  if (text.size() > kLine + 1 && text[kLine] == '\n') {
    const auto key = key_in(text.substr(0, kLine));
    const auto next = key_in(text.substr(kLine + 1));
    if (!key || !next) return std::nullopt;
    return BoxKeys{*key, next};
  }
  const auto key = key_in(text);
  if (!key) return std::nullopt;
  return BoxKeys{*key, std::nullopt};
}

BoxKeys read_box_keys() {
  std::string text = file_text("box-key");
  const auto keys = box_keys_in(text);
  sodium_memzero(text.data(), text.size());
  if (!keys) {
    throw std::runtime_error(
        "credential box-key is missing or not 32 bytes (raw, or 64 hexadecimal digits): run under "
        "systemd with LoadCredential=box-key:…, or set CREDENTIALS_DIRECTORY");
  }
  return *keys;
}

std::optional<std::array<std::uint8_t, 32>> read_store_key() { return key_of("store-key"); }

}  // namespace welcome::daemon
