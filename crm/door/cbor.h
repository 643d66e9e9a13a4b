// SPDX-License-Identifier: Apache-2.0
#pragma once
// CBOR (RFC 8949) as an authenticator writes it: what comes next is asked for by its kind, and
// whatever else stands there is nothing. Lengths are said before what they are of, and each number
// in its shortest form, as CTAP2 wants it. nlohmann/json reads CBOR too, but no map whose keys are
// numbers, which a key is.
//
// A view of bytes that somebody else keeps. Never throws; reads no byte twice but in skip().

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace welcome::crm {

class Cbor {
 public:
  explicit Cbor(std::string_view bytes) : left_(bytes) {}

  // Nothing: that is not what comes next, or it is cut short. Then nothing more is to be asked.
  std::optional<std::int64_t> integer();
  std::optional<std::string_view> bytes();
  std::optional<std::string_view> text();
  std::optional<std::size_t> map();  // how many pairs follow
  // Whatever comes next, with what is in it.
  bool skip();

  bool done() const { return left_.empty(); }
  std::string_view left() const { return left_; }

 private:
  static constexpr int kDeepest = 8;
  struct Head {
    unsigned kind = 0;  // its major type
    std::uint64_t value = 0;
  };
  std::optional<Head> head();
  std::optional<std::string_view> string_of(unsigned kind);
  bool skip(int depth);

  std::string_view left_;
};

}  // namespace welcome::crm
