// SPDX-License-Identifier: Apache-2.0
#pragma once
// A gallery from a folder with one folder per person, holding pictures or clips. The people of
// evaluation data count as having consented to being measured: their consents go through a consent
// gate of the evaluation's own, so that even here no template comes about without one.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "vision/gallery.h"
#include "vision/recogniser.h"

namespace welcome::eval {

// Sorted. Throws std::runtime_error if the folder cannot be read.
std::vector<std::filesystem::path> list_folder(const std::filesystem::path& folder);
bool is_clip(const std::filesystem::path& file);

// Reports what could not be enrolled on stderr.
std::shared_ptr<const vision::Gallery> read_gallery(const std::filesystem::path& folder,
                                                    vision::Recogniser& recogniser,
                                                    const vision::OperatingPoint& point);

}  // namespace welcome::eval
