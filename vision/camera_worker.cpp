// SPDX-License-Identifier: Apache-2.0
#include "vision/camera_worker.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace welcome::vision {

namespace {

// Without a picture for this long a camera has stalled; status shows it within 3 s.
constexpr std::chrono::milliseconds kPatience{2500};
// Neighbouring frames show the same view.
constexpr std::chrono::milliseconds kBetweenEnrolmentViews{150};

}  // namespace

struct CameraWorker::Impl {
  Impl(AnalyserOptions options, std::unique_ptr<FrameSource> frames, std::unique_ptr<Recogniser> r,
       Clock c, Sink s)
      : source(std::move(frames)),
        recogniser(std::move(r)),
        clock(std::move(c)),
        sink(std::move(s)),
        analyser(options, *recogniser) {}

  std::unique_ptr<FrameSource> source;     // capture thread
  std::unique_ptr<Recogniser> recogniser;  // analysing thread
  const Clock clock;
  Sink sink;
  Analyser analyser;  // analysing thread

  std::optional<MonoTime> enrolled_at;  // frame last given to an enrolment; analysing thread
  std::atomic<std::shared_ptr<const Gallery>> gallery;

  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  bool stopping = false;
  bool awake = false;
  std::uint64_t nap = 0;  // counts sleeps: tracks of an earlier one are ended
  std::optional<Frame> mailbox;
  CameraStatus status;
  MonoTime last_good;           // picture, or since when it is awake
  bool garbled = false;         // the last picture could not be decoded
  bool measuring = false;       // look_over()
  MonoTime measured_from;       // first picture of it
  std::uint64_t enrolment = 0;  // under way; 0 = none
  std::uint64_t enrolments = 0;
  std::unique_ptr<LiveEnrolment> to_enrol;  // not yet seen by the analysing thread

  std::thread capturing;
  std::thread analysing;

  bool looking() const { return awake || enrolment != 0; }
  CameraHealth health() const;
  void count_picture(MonoTime at);  // needs the lock
  void look();                      // it begins to look; needs the lock
  void look_away();                 // it looks for nobody any more; needs the lock

  void capture();
  void analyse();
  void enrol(const Frame& frame, Enrolment& person, const LiveEnrolment& wanted,
             std::uint64_t which);
  void measure(const Frame& frame);
  void deliver(const std::vector<FaceMatch>& matches, const std::shared_ptr<const Gallery>& with,
               std::uint64_t nap_then);
};

void CameraWorker::Impl::capture() {
  using std::chrono::milliseconds;
  constexpr milliseconds kWait{100};
  constexpr milliseconds kFirstRetry{250};
  constexpr milliseconds kLongestRetry{2000};
  milliseconds retry = kFirstRetry;
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (!looking()) {
      lock.unlock();
      source->close();
      lock.lock();
      status.source = source->state();
      status.why.clear();
      changed.wait(lock, [&] { return stopping || looking(); });
      retry = kFirstRetry;
      continue;
    }
    lock.unlock();
    auto frame = source->next(kWait);
    const SourceState state = source->state();
    lock.lock();
    status.source = state;
    if (frame) {
      retry = kFirstRetry;
      ++status.frames;
      last_good = frame->at;
      if (measuring) count_picture(frame->at);
      garbled = false;
      status.why.clear();
      if (mailbox) ++status.frames_dropped;
      if (looking()) mailbox = std::move(*frame);
      changed.notify_all();
    } else if (frame.error().code == ErrorCode::malformed) {
      ++status.frames_bad;
      garbled = true;
      status.why = std::move(frame.error().message);
    } else if (state == SourceState::stalled) {
      status.why = std::move(frame.error().message);
    } else if (state == SourceState::ended || state == SourceState::failed) {
      if (state == SourceState::failed) ++status.failures;
      status.why = std::move(frame.error().message);
      // Nothing to wait for but a new try, or being put to sleep.
      changed.wait_for(lock, retry, [&] { return stopping || !looking(); });
      retry = std::min(retry * 2, kLongestRetry);
    }
  }
  lock.unlock();
  source->close();
}

void CameraWorker::Impl::analyse() {
  std::uint64_t last_nap = 0;
  // The enrolment under way, as this thread knows it.
  std::unique_ptr<LiveEnrolment> wanted;
  std::unique_ptr<Enrolment> person;
  std::uint64_t which = 0;
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock,
                 [&] { return stopping || mailbox || nap != last_nap || which != enrolment; });
    if (stopping) return;
    if (which != enrolment) {
      which = enrolment;
      wanted = std::move(to_enrol);
      person.reset();
      if (wanted) {
        person = std::make_unique<Enrolment>(wanted->consent, *recogniser, wanted->everybody,
                                             wanted->options);
      }
      enrolled_at.reset();
      ++nap;  // tracks from before it are ended
    }
    if (nap != last_nap) {
      last_nap = nap;
      lock.unlock();
      analyser.forget();
      lock.lock();
      status.analysis = analyser.counters();
      status.picture = PictureFault::none;
      continue;
    }
    const Frame frame = std::move(*mailbox);
    mailbox.reset();
    const bool measured = measuring;
    lock.unlock();
    if (measured) measure(frame);
    if (person) {
      enrol(frame, *person, *wanted, which);
      lock.lock();
      continue;
    }
    const std::shared_ptr<const Gallery> snapshot = gallery.load();
    const std::vector<FaceMatch> matches = analyser.analyse(frame, snapshot.get());
    deliver(matches, snapshot, last_nap);
    lock.lock();
    status.analysis = analyser.counters();
    status.picture = analyser.picture();
  }
}

void CameraWorker::Impl::enrol(const Frame& frame, Enrolment& person, const LiveEnrolment& wanted,
                               std::uint64_t which) {
  if (enrolled_at && frame.at - *enrolled_at < kBetweenEnrolmentViews) return;
  enrolled_at = frame.at;
  const Guidance guidance = person.add(frame.image);
  const int views = person.views();
  std::optional<EnrolmentResult> result;
  if (person.complete()) result = person.finish();
  {
    const std::lock_guard lock(mutex);
    if (stopping || enrolment != which) return;  // stopped meanwhile: the result is void
    if (result) {
      enrolment = 0;
      look_away();
    }
  }
  wanted.guide(guidance, views);
  if (result) {
    changed.notify_all();
    wanted.done(std::move(*result));
  }
}

// How often they come, though not every one can be measured.
void CameraWorker::Impl::count_picture(MonoTime at) {
  if (!status.view) {
    status.view.emplace();
    measured_from = at;
  }
  ++status.view->pictures;
  status.view->over = std::chrono::duration_cast<std::chrono::milliseconds>(at - measured_from);
}

void CameraWorker::Impl::measure(const Frame& frame) {
  CameraView seen = view_of(frame.image, *recogniser);
  const std::lock_guard lock(mutex);
  if (!measuring || !status.view) return;
  const bool first = status.view->width == 0;
  if (!first && seen.faces.size() < status.view->faces.size()) return;
  seen.pictures = status.view->pictures;
  seen.over = status.view->over;
  status.view = std::move(seen);
}

void CameraWorker::Impl::look() {
  last_good = clock();
  garbled = false;
  ++status.wakes;
}

void CameraWorker::Impl::look_away() {
  if (looking()) return;
  ++nap;
  mailbox.reset();
}

CameraHealth CameraWorker::Impl::health() const {
  if (!looking()) return CameraHealth::asleep;
  if (status.source == SourceState::ended) return CameraHealth::ended;
  if (status.source == SourceState::failed) return CameraHealth::gone;
  if (garbled) return CameraHealth::garbled;
  const bool late = clock() - last_good > kPatience;
  if (status.source == SourceState::stalled || late) return CameraHealth::stalled;
  if (status.source != SourceState::running) return CameraHealth::starting;
  switch (status.picture) {
    case PictureFault::black:
      return CameraHealth::black;
    case PictureFault::too_bright:
      return CameraHealth::too_bright;
    case PictureFault::frozen:
      return CameraHealth::frozen;
    case PictureFault::none:
      break;
  }
  return CameraHealth::ok;
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
                           std::unique_ptr<Recogniser> recogniser, Clock clock, Sink sink)
    : impl_(std::make_unique<Impl>(options, std::move(source), std::move(recogniser),
                                   std::move(clock), std::move(sink))) {
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
    if (!impl_->looking()) impl_->look();
    impl_->awake = true;
  }
  impl_->changed.notify_all();
}

void CameraWorker::sleep() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->awake) return;
    impl_->awake = false;
    impl_->look_away();
  }
  impl_->changed.notify_all();
}

void CameraWorker::enrol(LiveEnrolment enrolment) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->looking()) impl_->look();
    impl_->enrolment = ++impl_->enrolments;
    impl_->to_enrol = std::make_unique<LiveEnrolment>(std::move(enrolment));
    impl_->mailbox.reset();
  }
  impl_->changed.notify_all();
}

void CameraWorker::stop_enrolment() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->enrolment == 0) return;
    impl_->enrolment = 0;
    impl_->to_enrol.reset();
    impl_->look_away();
  }
  impl_->changed.notify_all();
}

void CameraWorker::set_gallery(std::shared_ptr<const Gallery> gallery) {
  impl_->gallery.store(std::move(gallery));
}

void CameraWorker::look_over() {
  const std::lock_guard lock(impl_->mutex);
  impl_->measuring = true;
  impl_->status.view.reset();
}

void CameraWorker::look_away() {
  const std::lock_guard lock(impl_->mutex);
  impl_->measuring = false;
  impl_->status.view.reset();
}

CameraStatus CameraWorker::status() const {
  const std::lock_guard lock(impl_->mutex);
  CameraStatus status = impl_->status;
  status.awake = impl_->looking();
  status.health = impl_->health();
  return status;
}

}  // namespace welcome::vision
