#include "vision/camera_worker.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace welcome::vision {

struct CameraWorker::Impl {
  Impl(AnalyserOptions options, std::unique_ptr<FrameSource> frames, std::unique_ptr<Recogniser> r,
       Sink s)
      : source(std::move(frames)),
        recogniser(std::move(r)),
        sink(std::move(s)),
        analyser(options, *recogniser) {}

  std::unique_ptr<FrameSource> source;     // capture thread
  std::unique_ptr<Recogniser> recogniser;  // analysing thread
  Sink sink;
  Analyser analyser;  // analysing thread

  std::atomic<std::shared_ptr<const Gallery>> gallery;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  bool stopping = false;
  bool awake = false;
  std::uint64_t nap = 0;  // counts sleeps: tracks of an earlier one are ended
  std::optional<Frame> mailbox;
  CameraStatus status;

  std::thread capturing;
  std::thread analysing;

  void capture();
  void analyse();
  void deliver(const std::vector<FaceMatch>& matches, const std::shared_ptr<const Gallery>& with,
               std::uint64_t nap_then);
};

void CameraWorker::Impl::capture() {
  using std::chrono::milliseconds;
  constexpr milliseconds kPatience{100};
  constexpr milliseconds kFirstRetry{250};
  constexpr milliseconds kLongestRetry{2000};
  milliseconds retry = kFirstRetry;
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (!awake) {
      lock.unlock();
      source->close();
      lock.lock();
      status.source = source->state();
      changed.wait(lock, [&] { return stopping || awake; });
      retry = kFirstRetry;
      continue;
    }
    lock.unlock();
    auto frame = source->next(kPatience);
    const SourceState state = source->state();
    lock.lock();
    status.source = state;
    if (frame) {
      retry = kFirstRetry;
      ++status.frames;
      if (mailbox) ++status.frames_dropped;
      if (awake) mailbox = std::move(*frame);
      changed.notify_all();
    } else if (frame.error().code == ErrorCode::malformed) {
      ++status.frames_bad;
    } else if (state == SourceState::ended || state == SourceState::failed) {
      // Nothing to wait for but a new try, or being put to sleep.
      changed.wait_for(lock, retry, [&] { return stopping || !awake; });
      retry = std::min(retry * 2, kLongestRetry);
    }
  }
  lock.unlock();
  source->close();
}

void CameraWorker::Impl::analyse() {
  std::uint64_t last_nap = 0;
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return stopping || mailbox || nap != last_nap; });
    if (stopping) return;
    if (nap != last_nap) {
      last_nap = nap;
      lock.unlock();
      analyser.forget();
      lock.lock();
      status.analysis = analyser.counters();
      continue;
    }
    const Frame frame = std::move(*mailbox);
    mailbox.reset();
    lock.unlock();
    const std::shared_ptr<const Gallery> snapshot = gallery.load();
    const std::vector<FaceMatch> matches = analyser.analyse(frame, snapshot.get());
    deliver(matches, snapshot, last_nap);
    lock.lock();
    status.analysis = analyser.counters();
    status.picture = analyser.picture();
  }
}

void CameraWorker::Impl::deliver(const std::vector<FaceMatch>& matches,
                                 const std::shared_ptr<const Gallery>& with,
                                 std::uint64_t nap_then) {
  if (matches.empty() || gallery.load() != with) return;
  {
    const std::lock_guard lock(mutex);
    if (stopping || !awake || nap != nap_then) return;
  }
  for (const FaceMatch& match : matches) sink(match);
}

CameraWorker::CameraWorker(AnalyserOptions options, std::unique_ptr<FrameSource> source,
                           std::unique_ptr<Recogniser> recogniser, Sink sink)
    : impl_(std::make_unique<Impl>(options, std::move(source), std::move(recogniser),
                                   std::move(sink))) {
  impl_->capturing = std::thread([this] { impl_->capture(); });
  impl_->analysing = std::thread([this] { impl_->analyse(); });
}

CameraWorker::~CameraWorker() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->capturing.join();
  impl_->analysing.join();
}

void CameraWorker::wake() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->awake) return;
    impl_->awake = true;
    ++impl_->status.wakes;
  }
  impl_->changed.notify_all();
}

void CameraWorker::sleep() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->awake) return;
    impl_->awake = false;
    ++impl_->nap;
    impl_->mailbox.reset();
  }
  impl_->changed.notify_all();
}

void CameraWorker::set_gallery(std::shared_ptr<const Gallery> gallery) {
  impl_->gallery.store(std::move(gallery));
}

CameraStatus CameraWorker::status() const {
  const std::lock_guard lock(impl_->mutex);
  CameraStatus status = impl_->status;
  status.awake = impl_->awake;
  return status;
}

}  // namespace welcome::vision
