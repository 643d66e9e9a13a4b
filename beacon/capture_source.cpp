// SPDX-License-Identifier: Apache-2.0
#include "beacon/capture_source.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "beacon/capture.h"
#include "beacon/intake.h"

namespace welcome::beacon {
namespace {

// Reports due within this time of each other go over in one batch, when the last of them is due.
constexpr std::chrono::milliseconds kBatch{20};
constexpr std::size_t kBatchReports = 512;

class CaptureSource final : public AdvertSource {
 public:
  CaptureSource(std::filesystem::path file, ReplaySchedule schedule)
      : file_(std::move(file)), schedule_(std::move(schedule)) {}
  ~CaptureSource() override { CaptureSource::stop(); }
  CaptureSource(const CaptureSource&) = delete;
  CaptureSource& operator=(const CaptureSource&) = delete;

  void start(SourceCallbacks callbacks) override {
    stop();
    callbacks_ = std::move(callbacks);
    stopping_ = false;
    thread_ = std::thread([this] { run(); });
  }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  SourceStatus status() const override {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  void run() {
    set_state(SourceState::starting, "");
    auto reader = open_capture(file_);
    if (!reader) {
      set_state(SourceState::failed, reader.error().message);
      return;
    }
    set_state(SourceState::running, "");

    AdvertIntake intake;
    CaptureRecord record;
    std::vector<AdvertReport> batch;
    std::chrono::steady_clock::time_point first_due;
    std::chrono::steady_clock::time_point last_due;
    while ((*reader)->next(record)) {
      if (record.type != HciPacketType::event) continue;
      ReplaySlot slot{MonoTime{record.at.time_since_epoch()}, {}};
      if (schedule_) {
        const auto scheduled = schedule_(record.at);
        if (!scheduled) {
          const std::lock_guard lock(mutex_);
          ++status_.skipped;
          continue;
        }
        slot = *scheduled;
      }
      const bool due_later = schedule_ && !batch.empty() && slot.due - first_due > kBatch;
      if (due_later || batch.size() >= kBatchReports) {
        if (!hand_over(batch, last_due, intake)) return;
      }
      if (batch.empty()) first_due = slot.due;
      last_due = slot.due;
      intake.take(record.packet, slot.at, batch);
    }
    if (!batch.empty() && !hand_over(batch, last_due, intake)) return;
    set_state(SourceState::ended, (*reader)->damage() ? (*reader)->damage()->message : "");
  }

  // False when stop() was called meanwhile.
  bool hand_over(std::vector<AdvertReport>& batch, std::chrono::steady_clock::time_point due,
                 const AdvertIntake& intake) {
    {
      std::unique_lock lock(mutex_);
      const auto stopping = [this] { return stopping_; };
      if (schedule_ ? wake_.wait_until(lock, due, stopping) : stopping_) {
        lock.unlock();
        set_state(SourceState::stopped, "");
        return false;
      }
      status_.reports += batch.size();
      status_.malformed = intake.events().malformed();
      status_.empty = intake.counters().empty;
      status_.lost_parts = intake.assembler().abandoned;
    }
    if (!batch.empty() && callbacks_.reports) callbacks_.reports(std::exchange(batch, {}));
    return true;
  }

  void set_state(SourceState state, std::string detail) {
    SourceStatus copy;
    {
      const std::lock_guard lock(mutex_);
      status_.state = state;
      status_.detail = std::move(detail);
      copy = status_;
    }
    if (callbacks_.state_changed) callbacks_.state_changed(copy);
  }

  const std::filesystem::path file_;
  const ReplaySchedule schedule_;
  SourceCallbacks callbacks_;
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  SourceStatus status_;    // guarded by mutex_
};

}  // namespace

std::unique_ptr<AdvertSource> make_capture_source(std::filesystem::path file,
                                                  ReplaySchedule schedule) {
  return std::make_unique<CaptureSource>(std::move(file), std::move(schedule));
}

}  // namespace welcome::beacon
