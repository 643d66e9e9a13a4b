// SPDX-License-Identifier: Apache-2.0
#include "core/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <kainjow/mustache.hpp>

namespace welcome {

namespace {

using Mustache = kainjow::mustache::mustache;
using Data = kainjow::mustache::data;

// Variables are renamed so that the look-up can tell them from sections.
constexpr std::string_view kVariable = "v:";
constexpr int kMaxDepth = 8;

class Values : public kainjow::mustache::basic_context<std::string> {
 public:
  explicit Values(const TextValues& values) : values_(values) {}

  void push(const Data*) override {}
  void pop() override {}
  const Data* get_partial(const std::string&) const override { return nullptr; }

  const Data* get(const std::string& name) const override {
    const bool variable = name.starts_with(kVariable);
    const std::string_view key =
        variable ? std::string_view(name).substr(kVariable.size()) : std::string_view(name);
    const auto it = values_.find(key);
    if (it == values_.end() || it->second.empty()) {
      if (variable && missing_.empty()) missing_ = key;
      return nullptr;
    }
    auto& slot = slots_[it->first];
    if (!slot) slot = std::make_unique<Data>(it->second);
    return slot.get();
  }

  const std::string& missing() const { return missing_; }

 private:
  const TextValues& values_;
  mutable std::map<std::string, std::unique_ptr<Data>> slots_;
  mutable std::string missing_;
};

bool name_ok(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

}  // namespace

struct TextTemplate::Parsed {
  explicit Parsed(const std::string& source) : mustache(source) {
    mustache.set_custom_escape([](const std::string& s) { return plain_text(s); });
  }
  Mustache mustache;
};

Result<TextTemplate> TextTemplate::parse(std::string_view source) {
  const auto refuse = [](std::string_view what, std::size_t at) {
    return fail(ErrorCode::refused,
                "text: " + std::string(what) + " at byte " + std::to_string(at));
  };
  if (source.size() > kMaxBytes) return refuse("longer than 4000 bytes", kMaxBytes);
  TextTemplate result;
  std::string renamed;
  std::vector<std::string_view> open;
  std::size_t pos = 0;
  while (pos < source.size()) {
    const std::size_t begin = source.find("{{", pos);
    if (begin == std::string_view::npos) break;
    const std::size_t end = source.find("}}", begin);
    if (end == std::string_view::npos) return refuse("tag is not closed", begin);
    std::string_view tag = trim(source.substr(begin + 2, end - begin - 2));
    char kind = tag.empty() ? ' ' : tag.front();
    if (kind == '#' || kind == '^' || kind == '/') {
      tag = trim(tag.substr(1));
    } else {
      kind = ' ';
    }
    // Refuses {{{x}}}, {{&x}}, {{>x}}, {{=x x=}} and comments, too.
    if (!name_ok(tag))
      return refuse("only {{name}}, {{#name}}, {{^name}}, {{/name}} are known", begin);
    if (kind == '#' || kind == '^') {
      open.push_back(tag);
      if (open.size() > kMaxDepth) return refuse("sections are nested too deep", begin);
    } else if (kind == '/') {
      if (open.empty() || open.back() != tag) return refuse("section does not match", begin);
      open.pop_back();
    }
    renamed += source.substr(pos, begin - pos);
    renamed += "{{";
    renamed += kind == ' ' ? kVariable : std::string_view(&kind, 1);
    renamed += tag;
    renamed += "}}";
    result.names_.emplace_back(tag);
    pos = end + 2;
  }
  if (!open.empty()) return refuse("section is not closed", source.size());
  renamed += source.substr(std::min(pos, source.size()));
  std::sort(result.names_.begin(), result.names_.end());
  result.names_.erase(std::unique(result.names_.begin(), result.names_.end()), result.names_.end());
  result.parsed_ = std::make_shared<Parsed>(renamed);
  if (!result.parsed_->mustache.is_valid()) return refuse("not a template", 0);
  return result;
}

Result<std::string> TextTemplate::render(const TextValues& values) const {
  if (!parsed_) return std::string();
  Values context(values);
  std::string out = parsed_->mustache.render(context);
  if (!context.missing().empty()) {
    return fail(ErrorCode::not_found, "no value for " + context.missing());
  }
  return out;
}

std::string plain_text(std::string_view text, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    const std::string_view unit = text.substr(i, length);
    i += length;
    if (c < 0x20 || c == 0x7F) {
      if (out.size() + 1 > max_bytes) break;
      out += ' ';
      continue;
    }
    // C1: some terminals obey them.
    if (unit.size() == 2 && c == 0xC2 && static_cast<unsigned char>(unit[1]) < 0xA0) {
      if (out.size() + 1 > max_bytes) break;
      out += ' ';
      continue;
    }
    // U+200E/F, U+202A…E, U+2066…9: they turn the rest of a line around.
    if (unit.size() == 3 && c == 0xE2) {
      const auto b1 = static_cast<unsigned char>(unit[1]);
      const auto b2 = static_cast<unsigned char>(unit[2]);
      if (b1 == 0x80 && (b2 == 0x8E || b2 == 0x8F || (b2 >= 0xAA && b2 <= 0xAE))) continue;
      if (b1 == 0x81 && b2 >= 0xA6 && b2 <= 0xA9) continue;
    }
    if (out.size() + unit.size() > max_bytes) break;
    out += unit;
  }
  return out;
}

std::string number_text(double value) {
  std::array<char, 64> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), "%.2f", value);
  std::string out(buffer.data(), static_cast<std::size_t>(std::clamp(n, 0, 63)));
  out.erase(out.find_last_not_of('0') + 1);
  if (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

}  // namespace welcome
