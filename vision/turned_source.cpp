// SPDX-License-Identifier: Apache-2.0
#include "vision/turned_source.h"

#include <utility>

namespace welcome::vision {
namespace {

class TurnedSource final : public FrameSource {
 public:
  TurnedSource(std::unique_ptr<FrameSource> source, int degrees)
      : source_(std::move(source)), degrees_(degrees) {}

  Result<Frame> next(std::chrono::milliseconds patience) override {
    auto frame = source_->next(patience);
    if (frame) frame->image = frame->image.turned(degrees_);
    return frame;
  }
  void close() override { source_->close(); }
  SourceState state() const override { return source_->state(); }

 private:
  std::unique_ptr<FrameSource> source_;
  const int degrees_;
};

}  // namespace

std::unique_ptr<FrameSource> make_turned_source(std::unique_ptr<FrameSource> source, int degrees) {
  if (degrees == 0) return source;
  return std::make_unique<TurnedSource>(std::move(source), degrees);
}

}  // namespace welcome::vision
