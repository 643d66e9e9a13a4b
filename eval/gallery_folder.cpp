// SPDX-License-Identifier: Apache-2.0
#include "eval/gallery_folder.h"

#include <algorithm>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include "core/consent_gate.h"
#include "vision/enrolment.h"
#include "vision/video.h"

namespace welcome::eval {
namespace {

namespace fs = std::filesystem;

FaceConsent consent_of(const std::string& person) {
  using namespace std::chrono;
  const WallTime given{sys_days{2026y / 1 / 1}};
  const Now now{MonoTime{}, given + hours(1), true};
  ConsentRecord record;
  record.record_id = person;
  record.customer = CustomerId(person);
  record.purpose = Purpose::face_recognition;
  record.history = {{ConsentState::given, given, "evaluation"}};
  ConsentGate gate;
  gate.heard_from_crm(now.wall);
  gate.put(record);
  auto consent = gate.face_consent(record.customer, now);
  if (!consent) throw std::runtime_error("the consent gate refused a person of the evaluation");
  return *consent;
}

}  // namespace

std::vector<fs::path> list_folder(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error)) found.push_back(entry.path());
  if (error) throw std::runtime_error("cannot read the folder " + folder.string());
  std::sort(found.begin(), found.end());
  return found;
}

bool is_clip(const fs::path& file) { return vision::Video::open(file).has_value(); }

std::shared_ptr<const vision::Gallery> read_gallery(const fs::path& folder,
                                                    vision::Recogniser& recogniser,
                                                    const vision::OperatingPoint& point) {
  vision::Gallery::Builder builder(recogniser.model(), point);
  for (const fs::path& person : list_folder(folder)) {
    if (!fs::is_directory(person)) continue;
    const FaceConsent consent = consent_of(person.filename().string());
    for (const fs::path& file : list_folder(person)) {
      std::vector<vision::FaceTemplate> templates;
      if (is_clip(file)) {
        const auto source = vision::make_clip_source({file, {}, {}, 0});
        auto enrolled = vision::enrol(*source, consent, recogniser, nullptr);
        if (enrolled) templates = std::move(enrolled->templates);
      } else if (const auto image = vision::Image::load(file)) {
        if (const auto face = recogniser.portrait(*image)) {
          templates.emplace_back(consent, recogniser.model(), face->embedding);
        }
      }
      if (templates.empty()) std::cerr << "gallery: no face in " << file.string() << '\n';
      for (const vision::FaceTemplate& face : templates) {
        if (const auto added = builder.add(consent, face); !added) {
          std::cerr << "gallery: " << added.error().message << '\n';
        }
      }
    }
  }
  return std::move(builder).build(1);
}

}  // namespace welcome::eval
