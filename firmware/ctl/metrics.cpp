#include "firmware/ctl/metrics.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace welcome::ctl {

namespace {

using nlohmann::json;

struct Metric {
  const char* path;   // keys of the status; '*' is every key of an object, and becomes the label
  const char* name;   // after "welcomed_"
  const char* label;  // of '*'; "" = none
  const char* is;     // 1 where the text there is this, else 0; "" = the number, or yes and no
  const char* help;
};

// A name that ends in _total is a counter since the start of welcomed, every other one a gauge.
constexpr Metric kMetrics[] = {
    {"box.session", "session", "", "", "Starts of this box"},
    {"clock.trusted", "clock_trusted", "", "", "Whether the wall clock is set"},
    {"links.*.state", "link_up", "link", "up", "Whether the line is up"},
    {"links.*.in_flight", "link_in_flight", "link", "", "Messages not acknowledged yet"},
    {"crm.feed.*.items", "feed_items", "collection", "", "Items of the CRM's feed held"},
    {"crm.gaps", "feed_gaps_total", "", "", "Gaps found in the feed"},
    {"crm.set_aside", "feed_set_aside_total", "", "", "Items of the feed that were refused"},
    {"crm.refused.*", "messages_in_refused_total", "why", "", "Messages refused at the door"},
    {"radio.source", "radio_running", "", "running", "Whether the radio hears"},
    {"radio.per_second", "radio_adverts_per_second", "", "", "Adverts heard a second"},
    {"radio.expected_per_second", "radio_expected_per_second", "", "",
     "Adverts a second to be expected"},
    {"radio.advertising", "radio_advertising", "", "", "Whether the box advertises"},
    {"radio.reports", "radio_reports_total", "", "", "Adverts heard"},
    {"radio.identified", "radio_identified_total", "", "", "Adverts of known identities"},
    {"radio.discarded", "radio_discarded_total", "", "", "Adverts of everybody else"},
    {"radio.heard.*", "radio_heard_total", "type", "", "Adverts by type"},
    {"radio.distance.*", "radio_customers", "distance", "", "Customers in reach by distance"},
    {"radio.copies", "radio_copies_total", "", "", "Copied identities found"},
    {"radio.copied", "radio_copied_total", "", "", "Adverts of copied identities, refused"},
    {"radio.replayed", "radio_replayed_total", "", "", "Identities of a window that is over"},
    {"radio.malformed", "radio_malformed_total", "", "", "Reports that are not whole"},
    {"radio.skipped", "radio_skipped_total", "", "", "Reports that were skipped"},
    {"radio.restarts", "radio_restarts_total", "", "", "Restarts of the controller"},
    {"radio.stalls", "radio_stalls_total", "", "", "Times that the controller had gone deaf"},
    {"radio.command_timeouts", "radio_command_timeouts_total", "", "", "Commands not answered"},
    {"radio.hardware_errors", "radio_hardware_errors_total", "", "", "Errors of the controller"},
    {"radio.commands_refused", "radio_commands_refused_total", "", "", "Commands refused"},
    {"neighbours.late", "neighbours_late_total", "", "", "Words of other boxes that came late"},
    {"gate.turned_away.*", "claims_turned_away_total", "why", "", "Claims without consent"},
    {"gate.presence_refused", "presence_refused_total", "", "", "App reports without proof"},
    {"consents.footing", "consents_firm", "", "firm", "Whether consents count"},
    {"consents.refused.*", "consents_refused_total", "why", "", "Consent records refused"},
    {"visits.in_store", "visits_in_store", "", "", "Customers in the store"},
    {"visits.near", "visits_near", "", "", "Customers near, in the store or not"},
    {"rehearsal", "rehearsal", "", "", "Whether a rehearsal is on"},
    {"decisions.offers", "offers_total", "", "", "Offers made"},
    {"decisions.prompts", "prompts_total", "", "", "Prompts shown to staff"},
    {"decisions.surveys", "surveys_total", "", "", "Surveys asked for"},
    {"decisions.suppressed.*", "decisions_suppressed_total", "why", "", "Decisions suppressed"},
    {"decisions.campaigns", "campaigns", "", "", "Campaigns in force"},
    {"faces.matches", "face_matches_total", "", "", "Faces matched"},
    {"faces.seen", "faces_seen_total", "", "", "Faces found"},
    {"faces.discarded", "faces_discarded_total", "", "", "Faces of everybody else"},
    {"faces.not_live", "faces_not_live_total", "", "", "Faces that were no living ones"},
    {"cameras.*.awake", "camera_awake", "camera", "", "Whether the camera is looked at"},
    {"cameras.*.health", "camera_ok", "camera", "ok", "Whether it gives good pictures; 0 asleep"},
    {"cameras.*.frames", "camera_frames_total", "camera", "", "Frames decoded"},
    {"cameras.*.frames_dropped", "camera_frames_dropped_total", "camera", "", "Frames left out"},
    {"cameras.*.frames_bad", "camera_frames_bad_total", "camera", "", "Frames not decoded"},
    {"outbox.uplink", "outbox_uplink", "", "", "Messages that wait for the CRM"},
    {"outbox.floor", "outbox_floor", "", "", "Messages that wait for the floor"},
    {"outbox.acked", "messages_acked_total", "", "", "Messages acknowledged"},
    {"outbox.expired", "messages_expired_total", "", "", "Messages too late to be sent"},
    {"outbox.refused", "messages_refused_total", "", "", "Messages that a broker refused"},
    {"store.bytes", "store_bytes", "", "", "Size of the database"},
    {"store.customers", "store_customers", "", "", "Customers in the database"},
    {"store.errors", "store_errors_total", "", "", "Errors of the database"},
    {"store.held_back", "claims_held_back_total", "", "", "Claims while nothing could be stored"},
    {"latency_ms.p50", "latency_p50_milliseconds", "", "", "From the advert to the broker's word"},
    {"latency_ms.p95", "latency_p95_milliseconds", "", "", "From the advert to the broker's word"},
    {"inbox.sensor_dropped", "inbox_sensor_dropped_total", "", "", "Reports dropped under load"},
    {"control_refused", "control_refused_total", "", "", "Control connections refused"},
};

struct Sample {
  std::string label;
  std::string value;
};

std::optional<std::string> value_of(const json& found, std::string_view is) {
  if (!is.empty()) {
    if (!found.is_string()) return std::nullopt;
    return found.get_ref<const std::string&>() == is ? "1" : "0";
  }
  if (found.is_boolean()) return found.get<bool>() ? "1" : "0";
  if (found.is_number()) return found.dump();
  return std::nullopt;
}

void collect(const json& at, std::string_view path, const Metric& metric, const std::string& label,
             std::vector<Sample>& out) {
  if (path.empty()) {
    if (auto value = value_of(at, metric.is)) out.push_back({label, std::move(*value)});
    return;
  }
  if (!at.is_object()) return;
  const auto dot = path.find('.');
  const std::string key(path.substr(0, dot));
  const auto rest = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  if (key == "*") {
    for (const auto& item : at.items()) collect(item.value(), rest, metric, item.key(), out);
  } else if (const auto found = at.find(key); found != at.end()) {
    collect(*found, rest, metric, label, out);
  }
}

std::string escaped(std::string_view label) {
  std::string out;
  for (const char c : label) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string metrics(const json& status) {
  std::string out;
  const auto begin = [&](const std::string& name, std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name);
    out.append(name.ends_with("_total") ? " counter\n" : " gauge\n");
  };
  json box = status.is_object() ? status.value("box", json()) : json();
  if (!box.is_object()) box = json::object();
  begin("welcomed_info", "The box and what runs on it");
  out += "welcomed_info{";
  for (const char* key : {"tenant", "store", "id", "version"}) {
    out += std::string(out.back() == '{' ? "" : ",") + key + "=\"" +
           escaped(box.value(key, std::string())) + "\"";
  }
  out += "} 1\n";
  for (const Metric& metric : kMetrics) {
    std::vector<Sample> samples;
    collect(status, metric.path, metric, {}, samples);
    if (samples.empty()) continue;
    const std::string name = std::string("welcomed_") + metric.name;
    begin(name, metric.help);
    for (const auto& sample : samples) {
      out += name;
      if (*metric.label != '\0') {
        out.append("{").append(metric.label).append("=\"").append(escaped(sample.label));
        out += "\"}";
      }
      out.append(" ").append(sample.value).append("\n");
    }
  }
  return out;
}

}  // namespace welcome::ctl
