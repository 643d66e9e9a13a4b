// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/commands.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/nearest.h"
#include "firmware/control/status_fields.h"

namespace welcome::control {

namespace {

using enum Type;
using enum Occurs;

// ---- arguments

constexpr Argument kId[] = {{"id", text, true, "of a decision or a visit"}};
constexpr Argument kCustomer[] = {{"id", text, true, "the CRM's id of the customer"}};
constexpr Argument kIdentity[] = {{"id", text, true, "the CRM's id of an identity"}};
constexpr Argument kReplay[] = {
    {"id", text, true, "a day, a month, or the beginning of a recording's name"},
    {"rules", object, false, "campaigns and policy that take the place of those of the day"},
};
constexpr Argument kEnrol[] = {
    {"id", text, true, "the CRM's id of the customer"},
};
constexpr Argument kWhichCamera[] = {{"name", text, false, "of one camera; else all"}};
constexpr Argument kRetire[] = {
    {"seconds", number, false, "how long to wait for head office; 0 = not (120)"}};
constexpr Argument kTablet[] = {{"id", text, true, "the tablet's account"}};
constexpr Argument kShown[] = {
    {"shown", text, true, "the time of the machine's clock that was compared"}};
constexpr Argument kSeconds[] = {{"seconds", number, false, "how long; a week at most"}};
constexpr Argument kRecord[] = {
    {"seconds", number, false, "how long; a week at most"},
    {"max_bytes", number, false, "ends at that size"},
    {"with_strangers", yes_no, false, "also the addresses and payloads of everybody in reach"},
};
constexpr Argument kThresholds[] = {{"places", list, true, "of the walk test: zone, levels_db"}};

// ---- answers

constexpr Field kVisits[] = {
    {"[].visit", text, "its id"},
    {"[].customer", text, "the CRM's id"},
    {"[].zone", text, "where; nothing once it is over", or_null},
    {"[].level", text, "how sure it is who it is"},
    {"[].by", text, "what recognised them; nothing once it is over", or_null},
    {"[].since", text, "when it began"},
    {"[].ended", text, "nothing while it lasts", or_null},
};
constexpr Field kDecisions[] = {
    {"[].id", text, "for why"},
    {"[].at", text, "when"},
    {"[].kind", text, "offer, prompt or survey"},
    {"[].reason", text, "made, or why not"},
    {"[].customer", text, "the CRM's id"},
    {"[].visit", text, "for why: the whole visit"},
};
constexpr Field kOutbox[] = {
    {"[].id", text, "of the message"},
    {"[].link", text, "uplink or floor"},
    {"[].kind", text, "what it is"},
    {"[].priority", number, "lower goes first"},
    {"[].bytes", number, "of the message"},
    {"[].created", text, "when"},
    {"[].expires", text, "too late then; nothing = never", or_null},
};
constexpr Field kLines[] = {{"lines", texts, "for people"}};
constexpr Field kRehearsal[] = {{"rehearsal", yes_no, "whether one is on now"}};
constexpr Field kRecordings[] = {
    {"[].recording", text, "its name"},
    {"[].kib", number, "its size"},
};
constexpr Field kReplayed[] = {
    {"recordings", texts, "what was replayed"},
    {"events", number, "that happened"},
    {"from", text, "when the first happened", or_null},
    {"until", text, "when the last happened"},
    {"left_out", number, "customers who have withdrawn since"},
    {"differences", number, "decisions that came out otherwise"},
    {"first_difference", open, "the first of them, with its steps", or_null},
    {"campaigns.*", open, "what each offered, then and now"},
    {"lines", texts, "the same for people"},
};
constexpr Field kEnrolled[] = {
    {"templates", number, "that were made"},
    {"model", text, "by which model"},
};
constexpr Field kExported[] = {{"", open, "docs/schemas/box/customer-export.json"}};
constexpr Field kAudit[] = {
    {"[].seq", number, "counts up"},
    {"[].at", text, "when"},
    {"[].kind", text, "what was done"},
    {"[].actor", text, "by whom"},
    {"[].subject", text, "the beginning of the customer's keyed hash"},
    {"[].detail", text, "more of it"},
};
constexpr Field kVerdict[] = {
    {"intact", yes_no, "whether every hash and signature fits"},
    {"entries", number, "that were checked"},
    {"first_bad", number, "the first that does not fit", sometimes},
    {"problem", text, "what is wrong with it", sometimes},
    {"head", object, "the last one", sometimes},
    {"head.seq", number, "its number"},
    {"head.hash", text, "its hash"},
    {"head.signature", text, "the box's signature of it"},
    {"public_key", text, "the box's"},
};
constexpr Field kIdentityClock[] = {
    {"identity", text, "as asked"},
    {"clock_zero", text, "when its clock began"},
    {"instead_of", text, "what the feed says"},
};
constexpr Field kSignedOut[] = {{"signed_out", yes_no, "whether somebody was signed in"}};
constexpr Field kTablets[] = {
    {"[].tablet", text, "its account"},
    {"[].heard_s_ago", number, "since it last said something; nothing: not since the start",
     or_null},
    {"[].staff", text, "who is signed in, by the CRM's id", or_null},
    {"[].name", text, "their name", or_null},
    {"[].locked", yes_no, "whether it wants the PIN again"},
    {"[].since", text, "when they signed in", or_null},
};
constexpr Field kFindings[] = {
    {"[].light", text,
     "clock, line (to head office), floor (the tablets), radio, camera, models, store, consents or "
     "decisions"},
    {"[].lamp", text, "green, yellow (it works, and somebody should look), red or off"},
    {"[].what", text, "how it is"},
    {"[].to_do", text, "for the technician; empty: nothing"},
};
constexpr Field kCameraViews[] = {
    {"[].camera", text, "its name"},
    {"[].health", text, "as in status"},
    {"[].sees", text, "the same for people"},
    {"[].advice", texts, "what would make it better; empty: nothing"},
    {"[].view", object, "nothing: it gave no picture", or_null},
    {"[].view.width", number, "pixels"},
    {"[].view.height", number, "pixels"},
    {"[].view.per_second", number, "pictures that came"},
    {"[].view.light", text, "good, too dark, too bright or against the light"},
    {"[].view.brightness", number, "mean of the picture, 0 to 255"},
    {"[].view.sharp", yes_no, "by the largest face, where there is one"},
    {"[].view.eyes_needed_px", number, "between the eyes, for a face to be compared"},
    {"[].view.faces", list, "of the picture with the most; nobody's"},
    {"[].view.faces.[].eyes_px", number, "between the eyes; 0: they were not found"},
    {"[].view.faces.[].size_px", number, "its width, as vision.min_face_px has it"},
    {"[].view.faces.[].large_enough", yes_no, "to be compared"},
};
constexpr Field kClock[] = {
    {"wall", text, "the time of day that counts"},
    {"trusted", yes_no, "whether consents count by it"},
    {"quality", text, "synchronised, bounded or unknown"},
    {"source", text, "ntp, crm, technician, recording or nobody"},
    {"heard_s_ago", number, "how long ago that was said", or_null},
    {"heard", text, "when that was, by the time of day that counts", or_null},
    {"machine", text, "what the machine's own clock says"},
    {"deletes", yes_no, "whether what is old is deleted: the machine and the CRM agree"},
    {"words", text, "the same for people"},
};
constexpr Field kWatched[] = {
    {"radio", open, "as in status"},
    {"adverts_per_second", number, "heard"},
    {"strangers_per_second", number, "of them of nobody known"},
    {"by_type.*", number, "a second, by type"},
    {"customers_near", number, "in reach"},
    {"identities", list, "own devices"},
    {"identities.[].identity", text, "the CRM's id of it"},
    {"identities.[].kind", text, "irk, ibeacon …"},
    {"identities.[].customer", text, "the CRM's id"},
    {"identities.[].per_second", number, "adverts"},
    {"identities.[].rssi_dbm", number, "mean; nothing: it was not measured", or_null},
    {"identities.[].heard_s", number, "seconds ago"},
    {"identities.[].fast", text, "zone of this second", or_null},
    {"identities.[].settled", text, "zone where they stay", or_null},
    {"identities.[].distance", text, "from this box", or_null},
    {"identities.[].hint", text, "what is wrong with it", sometimes},
};
constexpr Field kRecordPart[] = {
    {"bytes", text, "of the btsnoop file, as hexadecimal digits", sometimes},
    {"recorded", object, "how far it is", sometimes},
    {"recorded.seconds", number, ""},
    {"recorded.known", number, ""},
    {"recorded.strangers", number, ""},
    {"recorded.bytes", number, ""},
};
constexpr Field kRecorded[] = {
    {"seconds", number, "it took"},
    {"known", number, "adverts of known devices"},
    {"strangers", number, "adverts of everybody else"},
    {"bytes", number, "written"},
    {"ended", text, "by what: stopped, time, size or too slow"},
};
constexpr Field kSampled[] = {
    {"heard", list, "own devices"},
    {"heard.[].identity", text, "the CRM's id of it"},
    {"heard.[].kind", text, "irk, ibeacon …"},
    {"heard.[].customer", text, "the CRM's id"},
    {"heard.[].levels_db", open, "one number for each second"},
};
constexpr Field kBorders[] = {
    {"borders", list, "of the zones, from near to far"},
    {"borders.[].zone", text, "the zone within it"},
    {"borders.[].metres", number, "by signal"},
    {"borders.[].level_db", number, "the same as a level"},
    {"borders.[].wrong", number, "share of the seconds on the wrong side"},
};
constexpr Field kRetired[] = {
    {"confirmed", yes_no, "whether head office has it: the key may go"},
    {"proof", text, "what the box signed, for head office"},
    {"waits_for", text, "what stands in the way; empty: nothing"},
};
constexpr Field kConfigDiff[] = {
    {"[].key", text, "such as radio.source"},
    {"[].in_force", text, "its value, as welcomed read it last"},
    {"[].on_disk", text, "what it would read now"},
    {"[].needs", text, "reload or restart, to put that in force"},
};
constexpr std::span<const Field> kNothing{};
constexpr std::span<const Argument> kNoArguments{};

constexpr std::array kCommands{
    Command{CommandId::status, "status", "how the box is: links, radio, cameras, counters",
            kNoArguments, kStatusFields},
    Command{CommandId::doctor, "doctor",
            "nine lights: is the box well, and what is to be done where it is not; opens the "
            "cameras for a moment, and keeps no picture",
            kNoArguments, kFindings},
    Command{CommandId::visits, "visits", "who is here, and the visits of today", kNoArguments,
            kVisits},
    Command{CommandId::outbox, "outbox", "messages that wait to be sent", kNoArguments, kOutbox},
    Command{CommandId::decisions, "decisions", "the latest decisions, suppressed ones too",
            kNoArguments, kDecisions},
    Command{CommandId::why, "why", "why a decision was made or suppressed, in plain words", kId,
            kLines},
    Command{CommandId::rehearse_start, "rehearse start",
            "invented customers on the tablets, for practice; nothing leaves the shop",
            kNoArguments, kRehearsal},
    Command{CommandId::rehearse_stop, "rehearse stop", "ends it", kNoArguments, kRehearsal},
    Command{CommandId::recordings, "recordings", "recorded days, oldest first", kNoArguments,
            kRecordings},
    Command{CommandId::replay, "replay",
            "a recorded day (2026-11-21) or month again: are the decisions the same?", kReplay,
            kReplayed, kNothing, std::chrono::minutes(10)},
    Command{CommandId::enrol, "enrol",
            "make a face template from the video file that is handed over with the request; needs "
            "the customer's consent",
            kEnrol, kEnrolled, kNothing, std::chrono::minutes(2)},
    Command{CommandId::customer_export, "customer export",
            "everything the box holds on a person, as JSON", kCustomer, kExported},
    Command{CommandId::audit_show, "audit show",
            "the trail of exports, erasures, enrolments, consents and pauses", kNoArguments,
            kAudit},
    Command{CommandId::audit_verify, "audit verify", "checks the trail's hashes and signatures",
            kNoArguments, kVerdict, kNothing, std::chrono::minutes(2)},
    Command{CommandId::radio_watch, "radio watch",
            "live table of what is heard: own identities, the rest as counts", kSeconds, kNothing,
            kWatched},
    Command{CommandId::radio_record, "radio record",
            "what is heard as a btsnoop file, '-' for standard output; strangers' addresses and "
            "payloads are left out",
            kRecord, kRecorded, kRecordPart},
    Command{CommandId::radio_sample, "radio sample", "levels of own devices, for the walk test",
            kSeconds, kSampled},
    Command{CommandId::radio_thresholds, "radio thresholds", "borders of the zones from its levels",
            kThresholds, kBorders},
    Command{CommandId::identity_clock, "identity clock",
            "sets the clock of an EID device by what is heard of it now: a fob with a new battery",
            kIdentity, kIdentityClock},
    Command{CommandId::camera_check, "camera check",
            "what a camera sees, for who hangs it up: size, light, sharpness, how large faces are; "
            "keeps no picture",
            kWhichCamera, kCameraViews},
    Command{CommandId::clock, "clock", "what time it is, who says so, and how far that is believed",
            kNoArguments, kClock},
    Command{CommandId::clock_trust, "clock trust",
            "believes the machine's clock until the next boot: you have compared it with your own",
            kShown, kClock},
    Command{CommandId::tablets, "tablet list",
            "who is signed in on which tablet, and when it was heard", kNoArguments, kTablets},
    Command{CommandId::tablet_sign_out, "tablet revoke", "ends the session on a tablet; root only",
            kTablet, kSignedOut},
    Command{CommandId::retire, "retire",
            "tells head office, signed with the box key, that this box destroys all that it holds; "
            "when it is taken the service ends. Root only",
            kRetire, kRetired},
    Command{CommandId::config_diff, "config diff",
            "what of the configuration was changed since welcomed read it", kNoArguments,
            kConfigDiff},
    Command{CommandId::reload, "reload", "reads again what SIGHUP does", kNoArguments, kNothing},
};

bool fits(Type type, const nlohmann::json& value) {
  switch (type) {
    case text:
      return value.is_string();
    case number:
      return value.is_number();
    case yes_no:
      return value.is_boolean();
    case texts:
      return value.is_array() && std::all_of(value.begin(), value.end(),
                                             [](const auto& one) { return one.is_string(); });
    case object:
      return value.is_object();
    case list:
      return value.is_array();
    case open:
      return true;
  }
  return false;
}

std::string_view word(Type type) {
  constexpr std::string_view kWords[] = {"text",   "number", "yes or no",     "list of text",
                                         "object", "list",   "object or list"};
  return kWords[static_cast<std::size_t>(type)];
}

// ---- an answer against its fields

// The step behind `prefix` of a path; "" at its end.
std::string_view step_after(std::string_view path, std::string_view prefix) {
  if (!prefix.empty()) path.remove_prefix(std::min(path.size(), prefix.size() + 1));
  return path.substr(0, path.find('.'));
}

bool below(std::string_view path, std::string_view prefix) {
  return prefix.empty() ? !path.empty()
                        : path.size() > prefix.size() && path.starts_with(prefix) &&
                              path[prefix.size()] == '.';
}

class Fit {
 public:
  explicit Fit(std::span<const Field> fields) : fields_(fields) {}

  // `at` is where a value stands among the fields, `shown` where it stands in the answer.
  void check(const nlohmann::json& value, const std::string& at, const std::string& shown) {
    const Field* field = find(at);
    if (field != nullptr && field->occurs == or_null && value.is_null()) return;
    if (field != nullptr && !fits(field->type, value)) {
      wrong.push_back(shown + ": is no " + std::string(word(field->type)));
      return;
    }
    const bool inside = field == nullptr || field->type == object || field->type == list;
    if (!inside) return;
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        check(value[i], join(at, "[]"), shown + "[" + std::to_string(i) + "]");
      }
    } else if (value.is_object()) {
      members(value, at, shown);
    } else {
      wrong.push_back(shown + ": is neither object nor list");
    }
  }

  std::vector<std::string> wrong;

 private:
  static std::string join(const std::string& at, std::string_view step) {
    return at.empty() ? std::string(step) : at + "." + std::string(step);
  }
  const Field* find(std::string_view path) const {
    const auto found = std::find_if(fields_.begin(), fields_.end(),
                                    [&](const Field& f) { return f.path == path; });
    return found == fields_.end() ? nullptr : &*found;
  }
  std::vector<std::string_view> steps_below(const std::string& at) const {
    std::vector<std::string_view> steps;
    for (const Field& f : fields_) {
      if (!below(f.path, at)) continue;
      const auto step = step_after(f.path, at);
      if (std::find(steps.begin(), steps.end(), step) == steps.end()) steps.push_back(step);
    }
    return steps;
  }
  void members(const nlohmann::json& value, const std::string& at, const std::string& shown) {
    const auto steps = steps_below(at);
    const bool any = std::find(steps.begin(), steps.end(), "*") != steps.end();
    for (const auto& [key, member] : value.items()) {
      const std::string here = shown.empty() ? key : shown + "." + key;
      if (std::find(steps.begin(), steps.end(), key) != steps.end()) {
        check(member, join(at, key), here);
      } else if (any) {
        check(member, join(at, "*"), here);
      } else {
        wrong.push_back(here + ": is not in the table");
      }
    }
    for (const auto step : steps) {
      if (step == "*" || step == "[]" || value.contains(std::string(step))) continue;
      const Field* field = find(join(at, step));
      if (field != nullptr && field->occurs == sometimes) continue;
      wrong.push_back((shown.empty() ? "" : shown + ".") + std::string(step) + ": is missing");
    }
  }

  std::span<const Field> fields_;
};

void append_fields(std::string& out, std::span<const Field> fields) {
  for (const Field& f : fields) {
    if (f.path.empty()) {
      out.append("\nAs ").append(f.what).append(" says.\n");
      continue;
    }
    out.append("| `").append(f.path).append("` | ").append(word(f.type));
    out += f.occurs == or_null ? ", or null" : f.occurs == sometimes ? ", sometimes" : "";
    out.append(" | ").append(f.what).append(" |\n");
  }
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command& command(CommandId id) {
  return *std::find_if(kCommands.begin(), kCommands.end(),
                       [&](const Command& c) { return c.id == id; });
}

const Command* find_command(std::string_view name) {
  const auto found = std::find_if(kCommands.begin(), kCommands.end(),
                                  [&](const Command& c) { return c.name == name; });
  return found == kCommands.end() ? nullptr : &*found;
}

Result<void> check_arguments(const Command& command, const nlohmann::json& arguments) {
  std::vector<std::string_view> known;
  for (const Argument& argument : command.arguments) {
    known.push_back(argument.name);
    const auto given = arguments.find(argument.name);
    if (given == arguments.end()) {
      if (!argument.needed) continue;
      return fail(ErrorCode::malformed, std::string(command.name) + " needs " +
                                            std::string(argument.name) + ": " +
                                            std::string(argument.what));
    }
    if (!fits(argument.type, *given)) {
      return fail(ErrorCode::malformed,
                  std::string(argument.name) + " is no " + std::string(word(argument.type)));
    }
  }
  for (const auto& [name, value] : arguments.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return fail(ErrorCode::malformed,
                  std::string(command.name) + " knows no " + name + did_you_mean(name, known));
    }
  }
  return {};
}

std::vector<std::string> misfits(std::span<const Field> fields, const nlohmann::json& answer) {
  Fit fit(fields);
  fit.check(answer, {}, {});
  return std::move(fit.wrong);
}

std::string markdown_reference() {
  std::string out;
  for (const Command& c : kCommands) {
    out.append("### ").append(c.name).append("\n\n").append(c.what);
    out += c.what.ends_with('?') ? "\n" : ".\n";
    if (!c.arguments.empty()) out += "\n| argument | | what |\n|---|---|---|\n";
    for (const Argument& a : c.arguments) {
      out.append("| `").append(a.name).append("` | ").append(word(a.type));
      out.append(a.needed ? "" : ", may be left out").append(" | ").append(a.what).append(" |\n");
    }
    const auto heading = [&](const char* first) {
      out.append("\n| ").append(first).append(" | | what |\n|---|---|---|\n");
    };
    if (!c.part.empty()) heading("of a part");
    append_fields(out, c.part);
    if (!c.answer.empty() && !c.answer.front().path.empty()) heading("of the answer");
    append_fields(out, c.answer);
    out += "\n";
  }
  return out;
}

}  // namespace welcome::control
