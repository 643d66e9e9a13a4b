// SPDX-License-Identifier: Apache-2.0
#include "crm/bundle.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sodium.h>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "core/hex.h"

namespace welcome::crm {

namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kManifestMost = 64UL * 1024;
constexpr std::size_t kPiece = 1UL << 20U;
constexpr std::string_view kSquashfs = "hsqs";

// The CMS signature is the file's end, with its length behind it; the manifest is its text.
std::string signed_part(std::ifstream& in, std::int64_t size) {
  std::array<unsigned char, kLengthBytes> length{};
  in.seekg(size - static_cast<std::int64_t>(kLengthBytes));
  in.read(reinterpret_cast<char*>(length.data()), kLengthBytes);
  std::uint64_t bytes = 0;
  for (const unsigned char c : length) bytes = bytes << 8U | c;
  if (!in || bytes > kManifestMost || static_cast<std::int64_t>(bytes + kLengthBytes) > size) {
    return {};
  }
  std::string text(bytes, '\0');
  in.seekg(size - static_cast<std::int64_t>(bytes + kLengthBytes));
  in.read(text.data(), static_cast<std::streamsize>(bytes));
  return in ? text : std::string();
}

std::string value_of(std::string_view manifest, std::string_view key) {
  const std::string line = "\n" + std::string(key) + "=";
  const auto at = manifest.find(line);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = manifest.substr(at + line.size());
  return std::string(rest.substr(0, rest.find('\n')));
}

std::string sha256_of(std::ifstream& in) {
  in.clear();
  in.seekg(0);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::vector<char> piece(kPiece);
  while (in.read(piece.data(), kPiece) || in.gcount() > 0) {
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(piece.data()),
                              static_cast<unsigned long long>(in.gcount()));
  }
  std::array<std::uint8_t, crypto_hash_sha256_BYTES> out{};
  crypto_hash_sha256_final(&state, out.data());
  return in.bad() ? std::string() : to_hex(out);
}

}  // namespace

Result<Bundle> read_bundle(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorCode::unavailable, file + ": " + std::strerror(errno));
  std::array<char, kSquashfs.size()> begin{};
  in.read(begin.data(), begin.size());
  in.seekg(0, std::ios::end);
  Bundle bundle;
  bundle.size = in ? static_cast<std::int64_t>(in.tellg()) : 0;
  const auto no = [&](const char* why) { return fail(ErrorCode::malformed, file + ": " + why); };
  if (std::string_view(begin.data(), begin.size()) != kSquashfs)
    return no("it is no update of an image (welcome-ARCH.raucb)");
  if (bundle.size > kBundleMost) return no("it is larger than 2 GiB");
  const std::string manifest = signed_part(in, bundle.size);
  bundle.version = value_of(manifest, "version");
  bundle.compatible = value_of(manifest, "compatible");
  if (value_of(manifest, "format") != "verity" || bundle.compatible.empty())
    return no("it has no manifest of a signed verity bundle");
  if (!contract::release_numbers(bundle.version)) return no("its version is not 1.2.3");
  bundle.digest = sha256_of(in);
  if (bundle.digest.empty()) return fail(ErrorCode::unavailable, file + " cannot be read");
  return bundle;
}

}  // namespace welcome::crm
