// SPDX-License-Identifier: Apache-2.0
#pragma once
// Secrets that a person holds and the database does not: 256 random bits, kept as their hash. With
// so many bits a plain BLAKE2b is enough: nobody tries them all.

#include <string>
#include <string_view>

namespace welcome::crm {

inline constexpr std::size_t kTokenSize = 43;  // base64url, no padding

std::string new_token();
std::string token_hash(std::string_view token);  // hexadecimal

// What a person opens. Behind the #: no server sees it, nor who looks where a link leads before
// anybody opens it. `page`: https://my.example.com/phone/
inline std::string link_url(const std::string& page, const std::string& token) {
  return page + "#link=" + token;
}
inline std::string status_url(const std::string& page, const std::string& token) {
  return page + "#status=" + token;
}

}  // namespace welcome::crm
