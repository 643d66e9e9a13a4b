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

std::array<std::uint8_t, 32> read_box_key() {
  const auto key = key_of("box-key");
  if (!key) {
    throw std::runtime_error(
        "credential box-key is missing or not 32 bytes (raw, or 64 hexadecimal digits): run under "
        "systemd with LoadCredential=box-key:…, or set CREDENTIALS_DIRECTORY");
  }
  return *key;
}

std::optional<std::array<std::uint8_t, 32>> read_store_key() { return key_of("store-key"); }

}  // namespace welcome::daemon
