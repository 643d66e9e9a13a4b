// SPDX-License-Identifier: Apache-2.0
#include "contract/signed_text.h"

#include <nlohmann/json.hpp>

#include "contract/json_text.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

constexpr std::string_view kMember = ",\"sig\":";
constexpr std::string_view kOpen = ",\"sig\":{";
constexpr std::size_t kLargestSig = 256;  // a key's id has 64 characters, a signature 88

}  // namespace

std::string sign_text(const Signer& signer, std::string_view object) {
  const json sig{{"key", signer.key_id()}, {"value", signer.sign_bytes(object)}};
  std::string out;
  out.reserve(object.size() + kLargestSig);  // a batch is copied once
  return out.append(object.substr(0, object.size() - 1))
      .append(kMember)
      .append(sig.dump())
      .append("}");
}

Result<std::string> verified_text(const KeyRing& keys, std::string_view text) {
  const auto begin = text.rfind(kOpen);
  if (begin == std::string_view::npos || text.back() != '}' || text.size() - begin > kLargestSig) {
    return fail(ErrorCode::refused, "not signed");
  }
  const auto from = begin + kMember.size();
  const auto sig = parse_json(text.substr(from, text.size() - 1 - from));
  if (!sig) return tl::unexpected(sig.error());
  const auto key = sig->find("key");
  const auto value = sig->find("value");
  if (key == sig->end() || value == sig->end() || !key->is_string() || !value->is_string()) {
    return fail(ErrorCode::malformed, "sig: needs key and value");
  }
  std::string signed_part;
  signed_part.reserve(begin + 1);
  signed_part.append(text.substr(0, begin)) += '}';
  const auto verified = keys.verify_bytes(signed_part, key->get_ref<const std::string&>(),
                                          value->get_ref<const std::string&>());
  if (!verified) return tl::unexpected(verified.error());
  return signed_part;
}

}  // namespace welcome::contract
