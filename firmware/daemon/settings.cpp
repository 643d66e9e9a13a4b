// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/settings.h"

#include <charconv>
#include <cstdio>
#include <limits>
#include <sstream>
#include <type_traits>
#include <utility>

#include "core/nearest.h"
#include "firmware/daemon/radio.h"

namespace welcome::daemon {

namespace {

using Complaint = std::optional<std::string>;

// ---- what a value can be. `where` names the place in the configuration: a pointer to a member, or
// a function Config& → T&.

template <class Where>
using Target = std::remove_reference_t<std::invoke_result_t<Where, Config&>>;

template <class T>
Complaint out_of_range(const T& low, const T& high) {
  std::ostringstream text;
  text << "is out of range (" << low << " … " << high << ")";
  return text.str();
}

template <class Where>
Setting whole(const char* key, Where where, std::int64_t fallback, std::int64_t low,
              std::int64_t high, std::string what) {
  return {key,
          std::to_string(fallback),
          std::move(what),
          {},
          [where, low, high](Config& config, const std::string& text) -> Complaint {
            std::int64_t value = 0;
            const char* const last = text.data() + text.size();
            const auto [end, bad] = std::from_chars(text.data(), last, value);
            if (bad == std::errc::result_out_of_range) return out_of_range(low, high);
            if (bad != std::errc() || end != last) return "is not a whole number";
            if (value < low || value > high) return out_of_range(low, high);
            std::invoke(where, config) = static_cast<Target<Where>>(value);
            return std::nullopt;
          }};
}

template <class Where>
Setting number(const char* key, Where where, const char* fallback, double low, double high,
               std::string what) {
  return {key,
          fallback,
          std::move(what),
          {},
          [where, low, high](Config& config, const std::string& text) -> Complaint {
            double value = 0;
            const char* const last = text.data() + text.size();
            const auto [end, bad] = std::from_chars(text.data(), last, value);
            if (bad != std::errc() || end != last) return "is not a number";
            if (!(value >= low && value <= high)) return out_of_range(low, high);
            std::invoke(where, config) = value;
            return std::nullopt;
          }};
}

template <class Where>
Setting yes_no(const char* key, Where where, bool fallback, std::string what) {
  return {key,
          fallback ? "yes" : "no",
          std::move(what),
          {},
          [where](Config& config, const std::string& text) -> Complaint {
            for (const auto& [word, value] : {std::pair{"yes", true},
                                              {"no", false},
                                              {"true", true},
                                              {"false", false},
                                              {"on", true},
                                              {"off", false},
                                              {"1", true},
                                              {"0", false}}) {
              if (text != word) continue;
              std::invoke(where, config) = value;
              return std::nullopt;
            }
            return "is neither yes nor no";
          }};
}

Complaint anything(const std::string& /*text*/) { return std::nullopt; }

template <class Where>
Setting text(const char* key, Where where, const char* fallback,
             Complaint (*check)(const std::string&), std::string what) {
  return {key,
          fallback,
          std::move(what),
          {},
          [where, check](Config& config, const std::string& value) -> Complaint {
            if (auto wrong = check(value)) return wrong;
            std::invoke(where, config) = value;
            return std::nullopt;
          }};
}

// One word of a table (words.h).
template <class Where, class E, std::size_t N>
Setting word(const char* key, Where where, const Words<E, N>& words, std::string_view fallback,
             std::string what) {
  Setting setting{key, std::string(fallback), std::move(what), {}, {}};
  for (const auto& w : words) setting.words.push_back({w.word, w.meaning});
  setting.set = [where, &words](Config& config, const std::string& value) -> Complaint {
    std::vector<std::string_view> known;
    std::string all;
    for (const auto& w : words) {
      if (w.word == value) {
        std::invoke(where, config) = w.value;
        return std::nullopt;
      }
      known.push_back(w.word);
      all += (all.empty() ? "" : ", ") + std::string(w.word);
    }
    return "is not one of " + all + did_you_mean(value, known);
  };
  return setting;
}

// The same, or nothing.
template <class Where, class E, std::size_t N>
Setting word_or_none(const char* key, Where where, const Words<E, N>& words, std::string what) {
  Setting setting = word(key, where, words, "", std::move(what));
  setting.set = [where, set = setting.set](Config& config, const std::string& value) -> Complaint {
    if (!value.empty()) return set(config, value);
    std::invoke(where, config).reset();
    return std::nullopt;
  };
  return setting;
}

// ---- checks of texts

Complaint host(const std::string& value) {
  if (!value.empty() &&
      value.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789.-_:%") == std::string::npos) {
    return std::nullopt;
  }
  return "is neither a host's name nor an address";
}

Complaint radio_device(const std::string& value) {
  if (parse_radio_device(value)) return std::nullopt;
  return "is neither hciN, nor an adapter's address such as 00:1A:7D:DA:71:13, nor a serial line "
         "such as /dev/ttyAMA1, nor unix:SOCKET";
}

Complaint ibeacon(const std::string& value) {
  if (value.empty() || parse_ibeacon(value)) return std::nullopt;
  return "is not UUID:MAJOR:MINOR";
}

// "07:00-22:30"; nothing if it is no such span.
std::optional<DayHours> hours_of(const std::string& span) {
  DayHours hours;
  int h1 = 0;
  int m1 = 0;
  int h2 = 0;
  int m2 = 0;
  char beyond = 0;
  if (std::sscanf(span.c_str(), "%2d:%2d-%2d:%2d%c", &h1, &m1, &h2, &m2, &beyond) != 4 || h1 < 0 ||
      h1 > 23 || h2 < 0 || h2 > 24 || m1 < 0 || m1 > 59 || m2 < 0 || m2 > 59) {
    return std::nullopt;
  }
  hours.from = std::chrono::hours(h1) + std::chrono::minutes(m1);
  hours.to = std::chrono::hours(h2) + std::chrono::minutes(m2);
  return hours;
}

// A reload is enough for it (take_over).
Setting reloads(Setting setting) {
  setting.reloads = true;
  return setting;
}

// ---- the sections

Section box() {
  return {
      "box",
      {
          text("tenant", &Config::tenant, "", anything, "the company, as in the MQTT topics"),
          text("store", &Config::store, "", anything, "the store this box hangs in"),
          text("id", &Config::box, "", anything, "this box"),
          text("state_dir", &Config::state_dir, "/var/lib/welcomed", anything,
               "where the database lives"),
          text("control_socket", &Config::control_socket, "/run/welcomed/control.sock", anything,
               "socket that welcomectl speaks to"),
          reloads(word("log_level", &Config::log_level, kLogLevels, "info", "how much it tells")),
      }};
}

Section broker(const char* name, BrokerConfig Config::*which, int port, const char* what) {
  const auto in = [which](auto field) {
    return [ which, field ](Config & c) -> auto& { return (c.*which).*field; };
  };
  using B = BrokerConfig;
  return {
      name,
      {
          text("host", in(&B::host), "127.0.0.1", host, what),
          whole("port", in(&B::port), port, 1, 65535, "its port"),
          text("user", in(&B::user), "", anything,
               std::string("account, and the client id; the password is the credential ") + name +
                   "-password"),
          text("tls_ca", in(&B::tls_ca), "", anything,
               "file with the CA certificate; empty = no TLS, for a broker on this machine only"),
          yes_no("plain", in(&B::plain), false,
                 "connect without TLS to a broker on another machine: whoever is on the way reads "
                 "everything, and the password"),
          text("tls_cert", in(&B::tls_cert), "", anything, "file with the client certificate"),
          text("tls_key", in(&B::tls_key), "", anything, "file with the client certificate's key"),
      }};
}

Section floor() {
  // Where the package welcome-floor listens; Debian's own mosquitto has 1883.
  Section section =
      broker("floor", &Config::floor, 1884, "broker in the store, towards the tablets");
  section.settings.push_back(yes_no(
      "shared", &Config::floor_shared, false,
      "other boxes of this store use the same floor broker: offers are agreed upon with them"));
  return section;
}

Setting tx_power() {
  Setting setting =
      whole("tx_power_dbm", &Config::radio_tx_power_dbm, 127, -127, 20,
            "transmit power, where the controller has extended advertising; 127 = the "
            "controller's own choice");
  setting.set = [set = setting.set](Config& config, const std::string& value) -> Complaint {
    if (value != "127") return set(config, value);
    config.radio_tx_power_dbm = 127;
    return std::nullopt;
  };
  return setting;
}

Section radio() {
  return {
      "radio",
      {
          word("source", &Config::radio_source, kRadioSources, "none", "where adverts come from"),
          text("device", &Config::radio_device, "hci0", radio_device,
               "hciN, or the adapter's address, which stays when hciN changes; for source = hci "
               "also a serial line such as /dev/ttyAMA1, or unix:SOCKET"),
          whole("baud", &Config::radio_baud, 0, 0, 4'000'000,
                "speed of a serial line; 0 = leave it as it is"),
          text("ibeacon", &Config::radio_ibeacon, "", ibeacon,
               "UUID:MAJOR:MINOR that the box advertises to wake apps in pockets; empty = nothing"),
          yes_no("advertise_eid", &Config::radio_advertise_eid, false,
                 "advertise the box's rotating EID, by which a phone proves that it was here"),
          whole("advertise_interval_ms", &Config::radio_advertise_interval_ms, 100, 100, 10240,
                "how often the box advertises"),
          whole("advertise_power_1m_dbm", &Config::radio_advertise_power_1m_dbm, -59, -100, 20,
                "what a phone hears of the box at one metre; the adverts say it"),
          tx_power(),
          whole("scan_interval_ms", &Config::radio_scan_interval_ms, 60, 3, 10240,
                "how often the scan changes its channel"),
          whole("scan_window_ms", &Config::radio_scan_window_ms, 60, 3, 10240,
                "how much of each interval it listens; all of it hears most"),
          yes_no("coded_phy", &Config::radio_coded_phy, false,
                 "listen on the coded PHY too, where the controller can; halves the time for the "
                 "other"),
          text("file", &Config::radio_file, "", anything, "the capture, for source = btsnoop"),
          whole("leave_after_s", &Config::radio_leave_after_s, 20, 2, 600,
                "a customer not heard for this long has left"),
      }};
}

Section zones() {
  const auto metres = [](const char* key, auto where, const char* fallback, const char* what) {
    return reloads(number(key, where, fallback, 0.5, 100, what));
  };
  return {"zones",
          {
              metres("desk_m", &Config::zone_desk_m, "2.5",
                     "outer edge of the zone desk, by signal (walk test)"),
              metres("inside_m", &Config::zone_inside_m, "6", "outer edge of the zone inside"),
              metres("door_m", &Config::zone_door_m, "10", "outer edge of the zone door"),
              metres("street_m", &Config::zone_street_m, "30",
                     "outer edge of the zone street; beyond is away"),
              reloads(number("path_loss_exponent", &Config::path_loss_exponent, "2.2", 1, 6,
                             "how fast the signal fades: 2 in free space, 3 to 4 between walls")),
              word_or_none("box", &Config::zone_of_box, kBoxZones,
                           "where several boxes share a store: the zone this one stands in; needs "
                           "the credential store-key. Empty = this box is alone"),
          }};
}

Section visits() {
  return {"visits",
          {whole("end_after_s", &Config::visit_end_after_s, 120, 5, 3600,
                 "a customer who has been away for this long has ended the visit")}};
}

// Those of [camera] and of every [camera.NAME].
std::vector<Setting> camera_settings(std::size_t index) {
  const auto in = [index](auto field) {
    return [ index, field ](Config & c) -> auto& { return c.cameras.at(index).*field; };
  };
  using C = CameraConfig;
  return {
      word("source", in(&C::source), kCameraSources, "none", "where pictures come from"),
      text("path", in(&C::path), "", anything,
           "video file, device such as /dev/video0, or rtsp://HOST/…; a stream's user:password is "
           "the credential camera-NAME (camera-main)"),
      whole("width", in(&C::width), 1280, 64, 8192, "pixels to ask a v4l2 camera for"),
      whole("height", in(&C::height), 720, 64, 8192, "pixels to ask a v4l2 camera for"),
      number("fps", in(&C::fps), "15", 1, 60, "pictures looked at per second, at most"),
      word("zone", in(&C::zone), kCameraZones, "desk",
           "where somebody is whom this camera recognises"),
      word("rotate", in(&C::rotate), kRotations, "0",
           "degrees, clockwise, that turn its pictures upright"),
  };
}

Setting camera_hours() {
  return {"hours",
          "",
          "for wake = hours: from when to when, such as 07:00-22:30, in the store's local time",
          {},
          [](Config& config, const std::string& value) -> Complaint {
            config.camera_hours = hours_of(value);
            if (value.empty() || config.camera_hours) return std::nullopt;
            return "is not a span such as 07:00-22:30";
          }};
}

Section camera() {
  Section section{"camera", camera_settings(0)};
  section.settings.push_back(
      word("wake", &Config::camera_wake, kCameraWakes, "nearby", "for whom cameras look"));
  section.settings.push_back(camera_hours());
  return section;
}

Section vision() {
  return {
      "vision",
      {
          text("models_dir", &Config::models_dir, "/usr/share/welcomed/models", anything,
               "the face models"),
          word("pack", &Config::model_pack, kModelPacks, "auto",
               "which set of models; see docs/evaluation.md for what is known of each"),
          number("false_match_rate", &Config::false_match_rate, "0.0001", 1e-7, 1e-2,
                 "how often a stranger's view may be taken for somebody of the gallery"),
          yes_no("liveness", &Config::liveness, true,
                 "a face that looks like a picture of one, or that cannot be judged, is neither "
                 "enrolled nor recognised; needs a pack with a liveness model"),
          whole("agreeing_views", &Config::agreeing_views, 2, 1, 10,
                "views of a face that must name the same customer before anything happens"),
          whole("min_face_px", &Config::min_face_px, 45, 24, 400,
                "smaller faces are not compared; below 45 mistakes grow quickly"),
          yes_no("far_faces", &Config::far_faces, false,
                 "also find faces down to 24 pixels of a 720p picture, where something moves; "
                 "costs up to five times the search"),
      }};
}

Section consent() {
  return {
      "consent",
      {
          whole("max_age_h", &Config::consent_max_age_h, 72, 1, 24 * 90,
                "no word from the CRM for this long means: nobody consents"),
          reloads(text("crm_keys", &Config::crm_keys, "", anything,
                       "file with the CRM's public keys (welcome-crm sign-keys); what none of them "
                       "signed is refused")),
          yes_no("unsigned", &Config::consent_unsigned, false,
                 "believe what nobody signed, and look at no signature: whoever may write to the "
                 "central broker invents consents, names and texts"),
      }};
}

Section staff() {
  return {"staff",
          {
              whole("lock_after_min", &Config::staff_lock_after_min, 10, 1, 240,
                    "a tablet that nobody touches for so long wants the PIN again"),
              whole("session_h", &Config::staff_session_h, 12, 1, 24,
                    "who signed in on a tablet is signed out after this"),
          }};
}

Section recording() {
  return {
      "recording",
      {whole("days", &Config::recording_days, 0, 0, 90,
             "keep for this many days what decisions were made from, for welcomectl replay; 0 = "
             "record nothing")}};
}

Section replay() {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return {
      "replay",
      {
          whole("epoch_ms", &Config::replay_epoch_ms, 0, 0, kMost,
                "Unix time at which recorded input starts to play; 0 = live input, the machine's "
                "clock"),
          whole("start_ms", &Config::replay_start_ms, 0, 0, kMost,
                "Unix time of the recording's first moment"),
          number("speed", &Config::replay_speed, "1", 0.1, 100,
                 "pace of recorded input; 1 = as recorded"),
      }};
}

}  // namespace

// None yet. Who renames a key adds it here, and takes it out one version later.
std::span<const FormerKey> former_keys() { return {}; }

std::vector<Section> config_sections(const std::vector<std::string>& cameras) {
  std::vector<Section> all{
      box(),       broker("uplink", &Config::uplink, 8883, "central broker, towards the CRM"),
      floor(),     radio(),
      zones(),     visits(),
      camera(),    vision(),
      consent(),   staff(),
      recording(), replay(),
  };
  for (std::size_t i = 0; i < cameras.size(); ++i) {
    all.push_back({"camera." + cameras[i], camera_settings(i + 1)});
  }
  return all;
}

}  // namespace welcome::daemon
