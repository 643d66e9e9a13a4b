// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/protocol.h"

#include <unistd.h>

#include "core/nesting.h"

namespace welcome::control {

namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;

std::string line(const json& object) {
  // Text from outside may hold broken UTF-8; it must not turn an answer into an exception.
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<json> parse_object(std::string_view text) {
  if (first_too_deep(text, kMaxDepth) != std::string_view::npos) {
    return fail(ErrorCode::malformed, "nested too deep");
  }
  json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return fail(ErrorCode::malformed, "not a JSON object");
  return parsed;
}

}  // namespace

OpenFile own(int fd) {
  if (fd < 0) return nullptr;
  return {new int(fd), [](const int* owned) {
            ::close(*owned);
            delete owned;
          }};
}

std::string Request::text(std::string_view name) const {
  const auto found = args.find(name);
  return found != args.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string encode(const Request& request) {
  return line({{"v", 1}, {"command", request.command}, {"args", request.args}});
}

std::string encode_progress(std::string_view text) { return line({{"progress", text}}); }

std::string encode_part(const json& part) { return line({{"part", part}}); }

std::string encode_data(const json& data) { return line({{"ok", true}, {"data", data}}); }

std::string encode_error(std::string_view message) {
  return line({{"ok", false}, {"error", message}});
}

Result<Request> parse_request(std::string_view text) {
  if (text.size() > kMaxRequestBytes) return fail(ErrorCode::malformed, "request too long");
  auto object = parse_object(text);
  if (!object) return tl::unexpected(object.error());
  if (object->value("v", json()) != 1) {
    return fail(ErrorCode::malformed,
                "unknown protocol version: update welcomectl and welcomed together");
  }
  const auto command = object->find("command");
  if (command == object->end() || !command->is_string()) {
    return fail(ErrorCode::malformed, "no command");
  }
  Request request{command->get<std::string>(), json::object(), nullptr};
  if (const auto args = object->find("args"); args != object->end()) {
    if (!args->is_object()) return fail(ErrorCode::malformed, "args is not an object");
    request.args = *args;
  }
  return request;
}

Result<Reply> parse_reply(std::string_view text) {
  auto object = parse_object(text);
  if (!object) return tl::unexpected(object.error());
  if (const auto progress = object->find("progress");
      progress != object->end() && progress->is_string()) {
    return Reply{Reply::Kind::progress, progress->get<std::string>(), {}};
  }
  if (const auto part = object->find("part"); part != object->end()) {
    return Reply{Reply::Kind::part, {}, *part};
  }
  const auto ok = object->find("ok");
  if (ok == object->end() || !ok->is_boolean()) return fail(ErrorCode::malformed, "no ok");
  if (ok->get<bool>()) {
    return Reply{Reply::Kind::data, {}, object->value("data", json::object())};
  }
  const auto error = object->find("error");
  return Reply{Reply::Kind::error,
               error != object->end() && error->is_string() ? error->get<std::string>() : "failed",
               {}};
}

std::optional<std::string> from_hex(std::string_view digits) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = value(digits[i]);
    const int low = value(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace welcome::control
