// SPDX-License-Identifier: Apache-2.0
#include "eval/frames_json.h"

#include <string_view>
#include <variant>

#include "core/hex.h"

namespace welcome::eval {
namespace {

using Json = nlohmann::ordered_json;
using Bytes = std::span<const std::uint8_t>;

std::string to_uuid(Bytes b) {
  std::string hex = to_hex(b);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) hex.insert(at, 1, '-');
  return hex;
}

unsigned be16(Bytes b, std::size_t i) { return (unsigned{b[i]} << 8U) | b[i + 1]; }

struct AddFields {
  Json& out;

  void operator()(const beacon::IBeacon& f) const {
    out["uuid"] = to_uuid(Bytes(f.id).first(16));
    out["major"] = be16(f.id, 16);
    out["minor"] = be16(f.id, 18);
    out["measured_power"] = f.measured_power;
  }
  void operator()(const beacon::AltBeacon& f) const {
    out["mfg_id"] = f.manufacturer;
    out["id1"] = to_uuid(Bytes(f.id).first(16));
    out["id2"] = be16(f.id, 16);
    out["id3"] = be16(f.id, 18);
    out["ref_rssi"] = f.reference_rssi;
    if (f.reserved) out["mfg_reserved"] = *f.reserved;
  }
  void operator()(const beacon::EddystoneUid& f) const {
    out["namespace"] = to_hex(Bytes(f.id).first(10));
    out["instance"] = to_hex(Bytes(f.id).subspan(10));
    out["tx_power_0m"] = f.tx_power_0m;
  }
  void operator()(const beacon::EddystoneUrl& f) const {
    out["url"] = f.url;
    out["tx_power_0m"] = f.tx_power_0m;
  }
  void operator()(const beacon::EddystoneTlm& f) const {
    out["battery_mv"] = f.battery_mv;
    constexpr std::int16_t kNoTemperature = -32768;
    if (f.temperature_256 != kNoTemperature) out["temperature_c"] = f.temperature_256 / 256.0;
    out["adv_count"] = f.adv_count;
    out["uptime_ds"] = f.uptime_ds;
  }
  void operator()(const beacon::EddystoneEtlm& f) const {
    const std::string tail = to_hex(std::array{
        static_cast<std::uint8_t>(f.salt >> 8U), static_cast<std::uint8_t>(f.salt & 0xFFU),
        static_cast<std::uint8_t>(f.mic >> 8U), static_cast<std::uint8_t>(f.mic & 0xFFU)});
    out["encrypted"] = to_hex(f.encrypted);
    out["salt"] = f.salt;
    out["mic"] = f.mic;
    out["salt_hex"] = tail.substr(0, 4);
    out["mic_hex"] = tail.substr(4);
  }
  void operator()(const beacon::EddystoneEid& f) const {
    out["eid"] = to_hex(f.eid);
    out["tx_power_0m"] = f.tx_power_0m;
  }
  void operator()(const beacon::ExposureNotification& f) const {
    out["rpi"] = to_hex(f.rpi);
    out["aem"] = to_hex(f.aem);
    // Phones send the metadata encrypted; only what looks like metadata 1.0 in clear is spelt out.
    if (f.aem[0] == 0x40 && f.aem[2] == 0 && f.aem[3] == 0) {
      out["version"] = "1.0";
      out["tx_power"] = static_cast<std::int8_t>(f.aem[1]);
    }
  }
  void operator()(const beacon::UriBeacon& f) const { out["url"] = f.url; }
  void operator()(const beacon::FindHub& f) const { out["frame_type"] = f.frame_type; }
};

}  // namespace

Json frames_json(const beacon::AdContent& content) {
  Json frames = Json::array();
  for (const beacon::Frame& frame : content.frames) {
    Json out;
    out["kind"] = beacon::kind_name(frame);
    std::visit(AddFields{out}, frame);
    if (!content.local_name.empty()) out["local_name"] = content.local_name;
    if (content.tx_power) out["tx_power_level"] = *content.tx_power;
    frames.push_back(std::move(out));
  }
  return frames;
}

}  // namespace welcome::eval
