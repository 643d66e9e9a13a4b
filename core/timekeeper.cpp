// SPDX-License-Identifier: Apache-2.0
#include "core/timekeeper.h"

#include <array>

namespace welcome {

namespace {

// So long a queue of old messages may take to come in.
constexpr std::chrono::minutes kQueue{10};

constexpr std::array<std::string_view, 5> kSources{"nobody", "ntp", "crm", "technician",
                                                   "recording"};

bool agree(WallTime a, WallTime b) { return std::chrono::abs(a - b) <= kClocksAgree; }

}  // namespace

std::string_view to_string(ClockQuality quality) {
  constexpr std::array<std::string_view, 3> kWords{"unknown", "bounded", "synchronised"};
  return kWords[static_cast<std::size_t>(quality)];
}

std::string_view to_string(ClockSource source) {
  return kSources[static_cast<std::size_t>(source)];
}

std::optional<ClockSource> clock_source_from_string(std::string_view text) {
  for (std::size_t i = 0; i < kSources.size(); ++i) {
    if (kSources[i] == text) return static_cast<ClockSource>(i);
  }
  return std::nullopt;
}

void Timekeeper::crm_says(const ClockWord& word) {
  const bool later = !crm_ || word.said >= crm_->at(word.heard);
  if (!later && !agree(word.said, crm_->at(word.heard))) {
    if (!crm_behind_since_) crm_behind_since_ = word.heard;
    if (word.heard - *crm_behind_since_ <= kQueue) return;
    crm_.reset();
  }
  crm_behind_since_.reset();
  if (later || !crm_) crm_ = word;
}

void Timekeeper::restore(ClockSource source, const ClockWord& word) {
  if (source == ClockSource::ntp) ntp_ = word;
  if (source == ClockSource::crm) crm_ = word;
  if (source == ClockSource::technician) technician_ = word;
}

void Timekeeper::note_synchronised(const ClockReading& reading) {
  if (!reading.synchronised || reading.synchronised == mark_) return;
  mark_ = reading.synchronised;
  ntp_ = ClockWord{reading.wall, reading.mono};
}

ClockState Timekeeper::judge(const ClockReading& reading) {
  note_synchronised(reading);
  const auto& [mono, wall, synchronised] = reading;
  ClockState state;
  state.machine = wall;
  state.crm = crm_;
  state.now = {mono, wall, false};

  // Since it was synchronised somebody may have set it by hand. And it is never earlier than what
  // the CRM has signed.
  const bool runs_on = synchronised && ntp_ && agree(wall, ntp_->at(mono));
  if (runs_on && !(crm_ && wall < crm_->at(mono) - kClocksAgree)) {
    state.quality = ClockQuality::synchronised;
    state.source = ClockSource::ntp;
    state.word = ntp_;
  } else if (crm_ || technician_ || ntp_) {
    state.quality = ClockQuality::bounded;
    state.source = crm_ ? ClockSource::crm : ntp_ ? ClockSource::ntp : ClockSource::technician;
    state.word = crm_ ? crm_ : ntp_ ? ntp_ : technician_;
    if (!agree(wall, state.word->at(mono))) state.now.wall = state.word->at(mono);
  }
  state.now.wall_trusted = state.quality != ClockQuality::unknown;
  if (crm_ && !crm_behind_since_ && agree(wall, crm_->at(mono))) state.agreed = AgreedTime(wall);
  return state;
}

}  // namespace welcome
