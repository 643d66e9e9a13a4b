// SPDX-License-Identifier: Apache-2.0
#include "crm/door/cbor.h"

#include <limits>

namespace welcome::crm {
namespace {

// Major types (RFC 8949, 3.1).
constexpr unsigned kUnsigned = 0, kNegative = 1, kBytes = 2, kText = 3, kArray = 4, kMap = 5,
                   kTag = 6, kSimple = 7;

}  // namespace

std::optional<Cbor::Head> Cbor::head() {
  if (left_.empty()) return std::nullopt;
  const unsigned first = static_cast<unsigned char>(left_.front());
  left_.remove_prefix(1);
  Head out{first >> 5U, first & 31U};
  if (out.value < 24) return out;
  if (out.value > 27) return std::nullopt;  // without a length, or reserved
  const std::size_t size = std::size_t{1} << (out.value - 24);
  if (left_.size() < size) return std::nullopt;
  out.value = 0;
  for (const char byte : left_.substr(0, size)) {
    out.value = out.value << 8U | static_cast<unsigned char>(byte);
  }
  left_.remove_prefix(size);
  // A fraction has no shorter form.
  if (out.kind == kSimple) return out;
  const std::uint64_t least = size == 1 ? 24 : std::uint64_t{1} << (size * 4);
  return out.value < least ? std::nullopt : std::optional(out);
}

std::optional<std::int64_t> Cbor::integer() {
  const auto found = head();
  if (!found || found->kind > kNegative) return std::nullopt;
  if (found->value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) return std::nullopt;
  const auto value = static_cast<std::int64_t>(found->value);
  return found->kind == kUnsigned ? value : -1 - value;
}

std::optional<std::string_view> Cbor::string_of(unsigned kind) {
  const auto found = head();
  if (!found || found->kind != kind || found->value > left_.size()) return std::nullopt;
  const auto out = left_.substr(0, static_cast<std::size_t>(found->value));
  left_.remove_prefix(out.size());
  return out;
}

std::optional<std::string_view> Cbor::bytes() { return string_of(kBytes); }
std::optional<std::string_view> Cbor::text() { return string_of(kText); }

std::optional<std::size_t> Cbor::map() {
  const auto found = head();
  if (!found || found->kind != kMap || found->value > left_.size() / 2) return std::nullopt;
  return static_cast<std::size_t>(found->value);
}

bool Cbor::skip() { return skip(0); }

// NOLINTNEXTLINE(misc-no-recursion): kDeepest calls at most
bool Cbor::skip(int depth) {
  const auto found = head();
  if (!found || depth > kDeepest) return false;
  std::uint64_t parts = 0;
  switch (found->kind) {
    case kBytes:
    case kText:
      if (found->value > left_.size()) return false;
      left_.remove_prefix(static_cast<std::size_t>(found->value));
      return true;
    case kArray:
      parts = found->value;
      break;
    case kMap:
      if (found->value > left_.size()) return false;
      parts = 2 * found->value;
      break;
    case kTag:
      return false;
    default:
      return true;
  }
  // Each part is a byte at least.
  if (parts > left_.size()) return false;
  for (; parts > 0; --parts) {
    if (!skip(depth + 1)) return false;
  }
  return true;
}

}  // namespace welcome::crm
