// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a configuration chooses, made of it: one function for each part of the box. Start-up only,
// except where it says so. Throws ConfigError for what no trying again would mend,
// std::runtime_error for what may come yet (a file, a credential).

#include <memory>
#include <optional>
#include <string>

#include "beacon/hci_host.h"
#include "beacon/tracker.h"
#include "firmware/daemon/config.h"
#include "firmware/daemon/credentials.h"
#include "firmware/engine/clock.h"
#include "firmware/engine/engine.h"
#include "firmware/store/store.h"
#include "sync/link.h"
#include "vision/analyser.h"
#include "vision/enrolment.h"
#include "vision/frame_source.h"
#include "vision/model_pack.h"

namespace welcome::daemon {

std::unique_ptr<Clock> make_clock(const Config& config, store::Store& store);
// With both keys the file has the next one from here on.
store::Store open_store(const Config& config, const control::BoxKeys& keys);

beacon::TrackerConfig tracker_config(const Config& config);
sync::LinkConfig link_config(const BrokerConfig& broker, const std::string& name,
                             const std::string& password);

vision::ModelPack load_models(const Config& config);
vision::AnalyserOptions analyser_options(const Config& config);
vision::EnrolmentOptions enrolment_options(const Config& config, const vision::ModelPack& pack);
// The clock outlives the source.
std::unique_ptr<vision::FrameSource> make_frame_source(const CameraConfig& camera,
                                                       const Clock& clock);

// The text of consent.crm_keys, empty without one; nothing where signatures are not asked for
// (consent.unsigned). Any time.
std::optional<std::string> read_crm_keys(const Config& config);
EngineSettings engine_settings(const Config& config, const vision::ModelPack& pack,
                               const std::optional<beacon::BoxAdverts::RotatingEid>& eid);

}  // namespace welcome::daemon
