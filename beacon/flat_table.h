// SPDX-License-Identifier: Apache-2.0
#pragma once
// FlatTable: 64-bit keys to two 32-bit values, open addressing, 16 bytes a slot. A key may occur
// more than once. No pointers, no allocation per entry; erasing leaves no tombstones.

#include <cstdint>
#include <utility>
#include <vector>

namespace welcome::beacon {

class FlatTable {
 public:
  static constexpr std::uint32_t kEmpty = 0xFFFFFFFFU;  // not allowed as `value`

  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t value = kEmpty;
    std::uint32_t extra = 0;
  };

  FlatTable() : slots_(16) {}

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return slots_.size() * sizeof(Slot); }

  // Calls visit(slot) for each entry of the key until it returns true; whether one did.
  template <class Visit>
  bool find(std::uint64_t key, Visit&& visit) const {
    for (std::size_t i = home(key); slots_[i].value != kEmpty; i = after(i)) {
      if (slots_[i].key == key && visit(slots_[i])) return true;
    }
    return false;
  }

  void insert(std::uint64_t key, std::uint32_t value, std::uint32_t extra = 0) {
    if ((size_ + 1) * 4 > slots_.size() * 3) resize(slots_.size() * 2);
    place({key, value, extra});
    ++size_;
  }

  // Removes the entry that has all three; whether there was one.
  bool erase(std::uint64_t key, std::uint32_t value, std::uint32_t extra = 0) {
    for (std::size_t i = home(key); slots_[i].value != kEmpty; i = after(i)) {
      const Slot& s = slots_[i];
      if (s.key == key && s.value == value && s.extra == extra) {
        close_gap(i);
        --size_;
        return true;
      }
    }
    return false;
  }

  // Room for that many without growing on the way.
  void reserve(std::size_t entries) {
    std::size_t wanted = slots_.size();
    while (entries * 4 > wanted * 3) wanted *= 2;
    if (wanted != slots_.size()) resize(wanted);
  }

 private:
  std::size_t home(std::uint64_t key) const {
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> 20U) & (slots_.size() - 1);
  }
  std::size_t after(std::size_t i) const { return (i + 1) & (slots_.size() - 1); }

  void place(const Slot& slot) {
    std::size_t i = home(slot.key);
    while (slots_[i].value != kEmpty) i = after(i);
    slots_[i] = slot;
  }

  // Moves later entries of the run back, so that no probe stops too early (Knuth 6.4, algorithm R).
  void close_gap(std::size_t gap) {
    for (std::size_t i = after(gap); slots_[i].value != kEmpty; i = after(i)) {
      const std::size_t wants = home(slots_[i].key);
      const bool stays = gap <= i ? (gap < wants && wants <= i) : (gap < wants || wants <= i);
      if (stays) continue;
      slots_[gap] = slots_[i];
      gap = i;
    }
    slots_[gap] = Slot{};
  }

  void resize(std::size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.value != kEmpty) place(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t size_ = 0;
};

}  // namespace welcome::beacon
