// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/metrics.h"

#include "core/lights.h"

namespace welcome::control {

namespace {

using enum MetricType;
using enum Reading;
using Words = const std::string_view[];

constexpr Words kUp{"up"};
constexpr Words kRunning{"running"};
constexpr Words kFirm{"firm"};
constexpr Words kSynchronised{"synchronised"};
constexpr Words kCamera{"asleep",  "starting", "ok",         "gone",   "stalled",
                        "garbled", "black",    "too_bright", "frozen", "ended"};
constexpr Words kBox{"box.tenant", "box.store", "box.id", "box.version", "models.pack"};

// Keys that are there before anything happens: the first time is a step from 0, which can be seen.
constexpr Words kLinks{"floor", "uplink"};
constexpr Words kCollections{"campaigns", "consents", "identities", "policy", "profiles", "staff"};
constexpr Words kErrors{"corrupt",   "full",    "internal",   "malformed",
                        "not_found", "refused", "unavailable"};
constexpr Words kVerdicts{"clock_untrusted", "expired", "forgotten", "never_given",
                          "not_yet",         "paused",  "stale",     "withdrawn"};

constexpr Metric kMetrics[] = {
    {"", info, "the box, its welcomed and its face models", "", labels, "", kBox},
    {"up", gauge, "1 = welcomed answered; 0 = it did not, and this is the only metric", "box",
     there},
    {"session", gauge, "starts of this box since its first", "box.session", count},
    {"light", states, "the nine lights of welcomectl doctor", "lights.*.lamp", state, "light",
     kLampNames, kLightNames},

    {"clock_trusted", gauge, "1 = consents count by the clock", "clock.trusted", yes},
    {"clock_synchronised", gauge, "1 = NTP keeps the clock", "clock.quality", is, "",
     kSynchronised},
    {"clock_agreed", gauge, "1 = the machine's clock and the CRM agree, so what is old is deleted",
     "clock.deletes", yes},
    {"clock_heard_timestamp_seconds", gauge,
     "when somebody who is believed last said the time; 0 = nobody since the boot", "clock.heard",
     time},

    {"link_up", gauge, "1 = the line is up", "links.*.state", is, "link", kUp, kLinks},
    {"link_in_flight",
     gauge,
     "messages not acknowledged yet",
     "links.*.in_flight",
     count,
     "link",
     {},
     kLinks},
    {"certificate_end_timestamp_seconds", gauge,
     "end of the certificate that the box shows the central broker; NaN = it has none",
     "crm.certificate_ends", end},
    {"crm_heard_timestamp_seconds", gauge, "the CRM's last word that counts; 0 = never",
     "crm.last_heard", time},
    {"feed_items",
     gauge,
     "items of the CRM's feed held; NaN = the store cannot say",
     "crm.feed.*.items",
     measure,
     "collection",
     {},
     kCollections},
    {"feed_taken", counter, "items of the feed taken", "crm.items", count},
    {"feed_gaps", counter, "gaps found in the feed", "crm.gaps", count},
    {"feed_heads_ahead", counter, "words of the CRM from later than it is by our clock",
     "crm.heads_ahead", count},
    {"feed_set_aside", counter, "items of the feed that were refused", "crm.set_aside", count},
    {"messages_in_refused",
     counter,
     "messages refused at the door",
     "crm.refused.*",
     count,
     "why",
     {},
     kErrors},

    {"radio_configured", gauge, "1 = the box has a radio: radio.source is not none", "radio.source",
     there},
    {"radio_running", gauge, "1 = the radio hears", "radio.source", is, "", kRunning},
    {"radio_adverts_per_second", gauge, "adverts heard a second", "radio.per_second", count},
    {"radio_expected_per_second", gauge, "adverts a second to be expected",
     "radio.expected_per_second", count},
    {"radio_advertising", gauge, "1 = the box advertises", "radio.advertising", yes},
    {"radio_reports", counter, "adverts heard", "radio.reports", count},
    {"radio_identified", counter, "adverts of known identities", "radio.identified", count},
    {"radio_discarded", counter, "adverts of everybody else", "radio.discarded", count},
    {"radio_heard", counter, "adverts by type", "radio.heard.*", count, "type"},
    {"radio_customers", gauge, "customers in reach by distance", "radio.distance.*", count,
     "distance"},
    {"radio_copies", counter, "copied identities found", "radio.copies", count},
    {"radio_copied", counter, "adverts of copied identities, which prove nothing", "radio.copied",
     count},
    {"radio_impossible_power", counter,
     "adverts of known identities with a power at 1 m that cannot be", "radio.impossible_power",
     count},
    {"radio_impossible_rssi", counter, "adverts of known identities with an RSSI that cannot be",
     "radio.impossible_rssi", count},
    {"radio_replayed", counter, "identities of a window that is over", "radio.replayed", count},
    {"radio_malformed", counter, "reports that are not whole", "radio.malformed", count},
    {"radio_empty", counter, "reports that said nothing", "radio.empty", count},
    {"radio_lost_parts", counter, "long adverts without their end", "radio.lost_parts", count},
    {"radio_line_losses", counter, "losses on the serial line", "radio.line_losses", count},
    {"radio_skipped", counter, "reports that were skipped", "radio.skipped", count},
    {"radio_restarts", counter, "restarts of the controller", "radio.restarts", count},
    {"radio_stalls", counter, "times that the controller had gone deaf", "radio.stalls", count},
    {"radio_command_timeouts", counter, "commands not answered", "radio.command_timeouts", count},
    {"radio_hardware_errors", counter, "errors of the controller", "radio.hardware_errors", count},
    {"radio_commands_refused", counter, "commands refused", "radio.commands_refused", count},

    {"camera_health", states, "how each camera is", "cameras.*.health", state, "camera", kCamera},
    {"camera_awake", gauge, "1 = the camera is looked at", "cameras.*.awake", yes, "camera"},
    {"camera_wakes", counter, "how often the camera was woken", "cameras.*.wakes", count, "camera"},
    {"camera_failures", counter, "tries to open the camera, or to go on, that failed",
     "cameras.*.failures", count, "camera"},
    {"camera_frames", counter, "frames decoded", "cameras.*.frames", count, "camera"},
    {"camera_frames_dropped", counter, "frames left out", "cameras.*.frames_dropped", count,
     "camera"},
    {"camera_frames_bad", counter, "frames not decoded", "cameras.*.frames_bad", count, "camera"},
    {"faces_seen", counter, "faces found", "faces.seen", count},
    {"face_matches", counter, "faces matched", "faces.matches", count},
    {"faces_discarded", counter, "faces of everybody else", "faces.discarded", count},
    {"faces_not_live", counter, "faces that were no living ones", "faces.not_live", count},
    {"faces_covered", counter, "faces too covered to be compared", "faces.covered", count},
    {"faces_compared", counter, "faces compared with the gallery", "faces.compared", count},

    {"tablets", gauge, "tablets heard since the start", "tablets.known", count},
    {"tablets_heard", gauge, "tablets heard in the last 15 minutes", "tablets.heard", count},
    {"neighbours_late", counter, "words of other boxes that came late", "neighbours.late", count},

    {"consents_firm", gauge, "1 = consents count", "consents.footing", is, "", kFirm},
    {"consents_refused", counter, "consent records refused", "consents.refused.*", count, "why"},
    {"claims_turned_away",
     counter,
     "claims without consent",
     "gate.turned_away.*",
     count,
     "why",
     {},
     kVerdicts},
    {"presence_refused", counter, "app reports without proof", "gate.presence_refused", count},
    {"visits_in_store", gauge, "customers in the store", "visits.in_store", count},
    {"visits_near", gauge, "customers near, in the store or not", "visits.near", count},

    {"policy_in_force", gauge, "1 = there is a policy; without one no offer is made",
     "decisions.policy", yes},
    {"campaigns", gauge, "campaigns in force", "decisions.campaigns", count},
    {"decision_timestamp_seconds", gauge, "the last decision; 0 = none is kept", "decisions.last",
     time},
    {"offers", counter, "offers made", "decisions.offers", count},
    {"prompts", counter, "prompts shown to staff", "decisions.prompts", count},
    {"surveys", counter, "surveys asked for", "decisions.surveys", count},
    {"decisions_suppressed", counter, "decisions suppressed", "decisions.suppressed.*", count,
     "why"},
    {"rehearsal", gauge, "1 = a rehearsal is on", "rehearsal", yes},
    {"recording", gauge, "1 = the day is recorded", "recording", yes},

    {"delivery_seconds", histogram, "from an advert to the broker's word for what came of it",
     "latency_ms", buckets},
    {"outbox_uplink", gauge, "messages that wait for the CRM; NaN = the store cannot say",
     "outbox.uplink", measure},
    {"outbox_floor", gauge, "messages that wait for the floor; NaN = the store cannot say",
     "outbox.floor", measure},
    {"messages_acked", counter, "messages acknowledged", "outbox.acked", count},
    {"events_at_broker", gauge, "events that the broker has and the CRM has not said that it took",
     "outbox.at_broker", count},
    {"events_sent_again", counter, "events that went once more, as the CRM had not taken them",
     "outbox.sent_again", count},
    {"messages_expired", counter, "messages too late to be sent", "outbox.expired", count},
    {"messages_refused", counter, "messages that a broker refused", "outbox.refused", count},
    {"messages_set_aside", counter, "messages that a broker never takes", "outbox.set_aside.*",
     count, "why"},
    {"messages_damaged", counter, "messages that could not be read any more, since the first start",
     "outbox.damaged", count},

    {"store_writable", gauge, "1 = what happens can be stored", "store.trouble", empty},
    {"store_bytes", gauge, "size of the database; NaN = it cannot say", "store.bytes", measure},
    {"store_customers", gauge, "customers in the database; NaN = it cannot say", "store.customers",
     measure},
    {"store_errors", counter, "errors of the database", "store.errors", count},
    {"store_troubles", counter, "how often nothing could be stored, since the first start",
     "store.troubles", count},
    {"claims_held_back", counter, "claims while nothing could be stored", "store.held_back", count},
    {"disk_free_bytes", gauge, "room where the database lies; NaN = not known", "store.disk_free",
     measure},

    {"temperature_celsius", gauge, "of the machine's hottest part; NaN = it does not say",
     "box.temperature_c", measure},
    {"inbox_sensor_dropped", counter, "reports dropped under load", "inbox.sensor_dropped", count},
    {"inbox_control_refused", counter, "messages refused because the inbox was full",
     "inbox.control_refused", count},
    {"control_refused", counter, "control connections refused", "control_refused", count},
};

std::string labels_of(const Metric& metric) {
  std::string out(metric.label);
  const auto more = [&](std::string_view label) {
    out.append(out.empty() ? "" : ",").append(label);
  };
  if (metric.type == states) more(metric.family());
  if (metric.type == info) {
    for (const auto path : metric.words) more(path.substr(path.rfind('.') + 1));
  }
  return out;
}

}  // namespace

std::string Metric::family() const {
  return name.empty() ? "welcomed" : "welcomed_" + std::string(name);
}

std::string Metric::sample() const { return sample_name(type, family()); }

std::span<const Metric> metrics() { return kMetrics; }

std::string markdown_metrics() {
  std::string out = "| metric | type | what | of the status |\n|---|---|---|---|\n";
  for (const Metric& metric : kMetrics) {
    const std::string labels = labels_of(metric);
    out.append("| `").append(metric.sample());
    if (!labels.empty()) out.append("{").append(labels).append("}");
    out.append("` | ").append(to_string(metric.type));
    if (const auto unit = unit_of(metric.family()); !unit.empty()) out.append(", ").append(unit);
    out.append(" | ").append(metric.help);
    if (metric.type == states) {
      out += ": ";
      for (const auto one : metric.words)
        out.append(one == metric.words.front() ? "" : ", ").append(one);
    }
    out += " | ";
    if (metric.reading != there && !metric.path.empty())
      out.append("`").append(metric.path).append("` ");
    out += "|\n";
  }
  return out;
}

}  // namespace welcome::control
