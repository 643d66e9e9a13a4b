// SPDX-License-Identifier: Apache-2.0
#pragma once
// QuickJson: reads JSON that is written the usual way, in one pass and without a tree. It only ever
// knows that something is right: a member that nobody expects or that comes twice, an escape, a
// value out of its bounds make it give up, and whoever asked it reads the text again with the
// schema, which says what is wrong, if anything is. Inside contract/ only. A value, any thread.
//
// The text is UTF-8, as its owner has checked, and outlives the reader and what it hands out.

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace welcome::contract {

enum class Need : std::uint8_t { required, optional };

// A member of an object, and what reads its value. The members of an object are listed in the order
// of their names, which is that of the canonical form.
template <class Read>
struct Member {
  std::string_view name;
  Need need;
  Read read;
};
template <class Read>
Member(std::string_view, Need, Read) -> Member<Read>;

class QuickJson {
 public:
  explicit QuickJson(std::string_view text) : text_(text) {}

  bool good() const { return good_; }
  bool at_end() { return (skip_blanks(), at_ == text_.size()); }
  std::size_t position() const { return at_; }
  // Written as the canonical form has it, so far: members in order, and no blanks.
  bool canonical() const { return canonical_; }

  void give_up() {
    good_ = false;
    at_ = text_.size();
  }
  // Goes on if this is so.
  bool want(bool so) {
    if (!so) give_up();
    return so;
  }

  template <class... Read>
  void object(const Member<Read>&... members) {
    constexpr std::size_t kCount = sizeof...(Read);
    static_assert(kCount < 32);
    std::uint32_t seen = 0;
    std::size_t last = 0;
    each('{', '}', [&] {
      const std::string_view name = string();
      if (!want(take(':'))) return;
      std::size_t index = 0;
      const auto is_it = [&](const auto& member) {
        if (member.name != name) return ++index, false;
        if (!want((seen >> index & 1U) == 0)) return true;
        canonical_ = canonical_ && index >= last;
        seen |= 1U << index;
        last = index;
        member.read();
        return true;
      };
      want((is_it(members) || ...));
    });
    std::uint32_t needed = 0;
    std::size_t index = 0;
    ((needed |= (members.need == Need::required ? 1U : 0U) << index++), ...);
    want((seen & needed) == needed);
  }

  // Of any names: `read` gets each.
  template <class Read>
  void members(const Read& read) {
    each('{', '}', [&] {
      const std::string_view name = string();
      if (want(take(':'))) read(name);
    });
  }

  template <class Read>
  void array(std::size_t most, const Read& read) {
    std::size_t count = 0;
    each('[', ']', [&] {
      if (want(++count <= most)) read();
    });
  }

  // No escapes, so it stands in the text as it is.
  std::string_view string() {
    if (!want(take('"'))) return {};
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') return text_.substr(begin, at_++ - begin);
      if (c == '\\' || c < 0x20) break;
      ++at_;
    }
    give_up();
    return {};
  }
  // Lengths in bytes: no string has more characters than bytes.
  std::string_view string(std::size_t least, std::size_t most) {
    const std::string_view text = string();
    want(text.size() >= least && text.size() <= most);
    return good_ ? text : std::string_view();
  }

  std::int64_t integer(std::int64_t least, std::int64_t most) {
    std::int64_t value = 0;
    const std::string_view digits = number_text(false);
    if (good_) std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return want(good_ && value >= least && value <= most) ? value : 0;
  }
  double number(double least, double most) {
    double value = 0;
    const std::string_view digits = number_text(true);
    if (good_) std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return want(good_ && value >= least && value <= most) ? value : 0;
  }

  // True, and read, if it is.
  bool null() {
    skip_blanks();
    if (text_.substr(at_, 4) != "null") return false;
    at_ += 4;
    return true;
  }

  // A value of any kind, unread. Where it ends is right if it is JSON at all.
  std::string_view skip() {
    skip_blanks();
    const std::size_t begin = at_;
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']' || c == ',') {
        if (depth == 0) break;
        if (c != ',') --depth;
        ++at_;
      } else {
        ++at_;
        continue;
      }
      if (depth == 0 && c != ',') break;
    }
    want(at_ > begin);
    return text_.substr(begin, at_ - begin);
  }

  bool is(char c) {
    skip_blanks();
    return at_ < text_.size() && text_[at_] == c;
  }

 private:
  bool take(char c) {
    if (!is(c)) return false;
    ++at_;
    return true;
  }

  template <class One>
  void each(char open, char close, const One& one) {
    if (!want(take(open)) || take(close)) return;
    do {
      one();
    } while (good_ && take(','));
    want(take(close));
  }

  void skip_blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
      canonical_ = false;
    }
  }

  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    if (want(at_ < text_.size())) ++at_;
  }

  // -?(0|[1-9][0-9]{0,15}), and if it may, .[0-9]{1,15}: what fits, without "-0".
  std::string_view number_text(bool fraction) {
    skip_blanks();
    const std::size_t begin = at_;
    const bool minus = take('-');
    const std::size_t whole = digits();
    const bool zero = whole > 0 && text_[at_ - whole] == '0';
    if (!want(whole > 0 && whole <= 16 && !(zero && (whole > 1 || minus)))) return {};
    if (fraction && at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      const std::size_t after = digits();
      if (!want(after > 0 && after <= 15)) return {};
    }
    const char next = at_ < text_.size() ? text_[at_] : ' ';
    if (!want(next != '.' && next != 'e' && next != 'E')) return {};
    return text_.substr(begin, at_ - begin);
  }

  std::size_t digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - begin;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool good_ = true;
  bool canonical_ = true;
};

}  // namespace welcome::contract
