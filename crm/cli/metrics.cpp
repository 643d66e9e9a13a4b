// SPDX-License-Identifier: Apache-2.0
// metrics: the same as `fleet` and `status` say, for Prometheus

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/message.h"
#include "core/exposition.h"
#include "core/lights.h"
#include "core/version.h"
#include "crm/cli/command.h"
#include "crm/lights.h"
#include "provision/files.h"

namespace welcome::crm::cli {

namespace {

struct CrmMetric {
  std::string_view name;  // after "welcome_crm_"; without "_total" and "_info"
  MetricType type;
  std::string_view labels, help;
  std::string_view counter{};  // of `serve`, as `status` has it
};

using enum MetricType;
constexpr CrmMetric kMetrics[] = {
    {"", info, "version", "the CRM"},
    {"boxes", gauge, "", "boxes that are admitted"},
    {"box_online", gauge, "store,box", "1 = it is on the line to the broker"},
    {"box_seen_timestamp_seconds", gauge, "store,box", "its last word; 0 = never"},
    {"box_light", states, "store,box,light", "its nine lights, as it said them last"},
    {"serve_connected", gauge, "serve", "1 = it is on the line to the broker"},
    {"serve_heard_timestamp_seconds", gauge, "serve", "when it last wrote how it is"},
    {"events", counter, "serve", "events taken into the ledger", "events"},
    {"events_repeated", counter, "serve", "events that were there already", "events_repeated"},
    {"events_without_consent", counter, "serve", "events of somebody who does not consent",
     "events_without_consent"},
    {"events_too_late", counter, "serve", "offers and surveys whose time was over",
     "events_too_late"},
    {"events_not_believed", counter, "serve", "events that a box may not say",
     "events_not_believed"},
    {"messages_refused", counter, "serve", "messages that break the contract", "messages_refused"},
    {"strangers", counter, "serve", "messages of boxes that nobody admitted", "strangers"},
    {"keys_refused", counter, "serve", "boxes that said another key than the trusted one",
     "keys_refused"},
    {"boxes_set_back", counter, "serve", "boxes whose store is older than it was",
     "boxes_set_back"},
    {"set_back", counter, "serve", "boxes that were ahead of this database", "set_back"},
    {"receipts_refused", counter, "serve", "receipts of an erasure that do not count",
     "receipts_refused"},
    {"desk_consents_not_confirmed", counter, "serve", "consents at a desk that nobody confirmed",
     "desk_consents_not_confirmed"},
    {"lookups", counter, "serve", "members that a desk asked for", "lookups"},
    {"lookups_refused", counter, "serve", "of these too many of one box", "lookups_refused"},
    {"hellos", counter, "serve", "boxes that said where they stand", "hellos"},
    {"deltas", counter, "serve", "changes sent", "deltas"},
    {"snapshots", counter, "serve", "whole collections sent", "snapshots"},
    {"sent", counter, "serve", "messages that the broker took", "sent"},
    {"undeliverable", counter, "serve", "messages that the broker refused", "undeliverable"},
    {"too_large", counter, "serve", "items of the feed that no message can carry", "too_large"},
    {"set_aside", counter, "serve", "events that could not be carried out", "set_aside"},
};

std::string family(const CrmMetric& metric) {
  return metric.name.empty() ? "welcome_crm" : "welcome_crm_" + std::string(metric.name);
}

std::string unix_seconds(const std::string& rfc3339) {
  const auto time = contract::from_rfc3339(rfc3339);
  if (!time) return "0";
  return std::to_string(std::chrono::floor<std::chrono::seconds>(time->time_since_epoch()).count());
}

// What the database says of boxes and serves.
class Fleet {
 public:
  explicit Fleet(Opened& opened) : boxes_(Lights(opened.crm).fleet()) {
    for (const Row& row :
         opened.db->query("SELECT client_id, at, link, counters FROM serving ORDER BY client_id")) {
      serves_.push_back(
          {row.text(0), row.text(1), row.text(2) == "connected", json::parse(row.text(3))});
    }
  }

  void write(Exposition& out, const CrmMetric& metric) const {
    out.begin(metric.type, family(metric), metric.help);
    const std::string name = sample_name(metric.type, family(metric));
    if (metric.type == info) return out.sample(name, {{"version", kVersion}}, "1");
    if (metric.name == "boxes") return out.sample(name, {}, std::to_string(boxes_.size()));
    if (metric.labels.starts_with("store")) {
      for (const BoxLights& box : boxes_) write(out, metric, name, box);
      return;
    }
    for (const Serve& serve : serves_) {
      out.sample(name, {{"serve", serve.name}},
                 metric.name == "serve_connected" ? (serve.connected ? "1" : "0")
                 : metric.counter.empty()         ? unix_seconds(serve.at)
                                                  : counted(serve, metric));
    }
  }

 private:
  struct Serve {
    std::string name, at;
    bool connected;
    json counters;
  };

  static void write(Exposition& out, const CrmMetric& metric, const std::string& name,
                    const BoxLights& box) {
    const MetricLabels labels{{"store", box.store}, {"box", box.box}};
    if (metric.type == states) {
      for (const BoxLight& light : box.lights) {
        MetricLabels more = labels;
        more.emplace_back("light", light.light);
        out.states(name, more, {kLampNames.begin(), kLampNames.end()}, light.lamp);
      }
    } else {
      out.sample(name, labels,
                 metric.name == "box_online" ? (box.state == "online" ? "1" : "0")
                                             : unix_seconds(box.seen_at));
    }
  }
  static std::string counted(const Serve& serve, const CrmMetric& metric) {
    const auto found = serve.counters.find(std::string(metric.counter));
    return found == serve.counters.end() ? "0" : found->dump();
  }

  const std::vector<BoxLights> boxes_;
  std::vector<Serve> serves_;
};

int metrics(const Call& call) {
  call.at_most(0);
  Opened opened(call);
  const Fleet fleet(opened);
  Exposition out(call.has("openmetrics") ? MetricsForm::openmetrics : MetricsForm::prometheus);
  for (const CrmMetric& metric : kMetrics) fleet.write(out, metric);
  const std::string text = out.end();
  const std::string file = call.text("output");
  if (file.empty()) {
    *call.out << text;
  } else if (!provision::replace_public(file, text)) {
    return call.no({ErrorCode::unavailable, file + ": " + std::strerror(errno)});
  }
  return kDone;
}

constexpr Option kOptions[] = {
    {"openmetrics", nullptr, "as OpenMetrics 1.0, and not in the older text format", true},
    {"output", nullptr, "write it into this file, whole or not at all"},
};
constexpr Command kMetricsCommands[] = {
    {"metrics", "", "what fleet and status say, for Prometheus", metrics, kOptions},
};

}  // namespace

std::span<const Command> metrics_commands() { return kMetricsCommands; }

std::string markdown_crm_metrics() {
  std::string out = "| metric | type | what |\n|---|---|---|\n";
  for (const CrmMetric& metric : kMetrics) {
    std::string labels(metric.labels);
    if (metric.type == states) labels += "," + family(metric);
    out += "| `" + sample_name(metric.type, family(metric));
    if (!labels.empty()) out += "{" + labels + "}";
    out.append("` | ").append(to_string(metric.type)).append(" | ").append(metric.help);
    out += " |\n";
  }
  return out;
}

}  // namespace welcome::crm::cli
