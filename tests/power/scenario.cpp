// SPDX-License-Identifier: Apache-2.0
#include "tests/power/scenario.h"

#include <algorithm>
#include <sstream>

#include "core/hex.h"
#include "harness/agreed_time.h"

namespace welcome::test {

using namespace welcome::store;

namespace {

Now at(std::int64_t ms) {
  return {MonoTime{std::chrono::milliseconds{ms}},
          WallTime{std::chrono::milliseconds{1'780'000'000'000 + ms}}, true};
}

FeedChange put(const std::string& key, std::int64_t seq, const std::string& customer) {
  FeedChange change;
  change.item = {key, CustomerId(customer), seq, "{\"value\":" + std::string(300, 'v') + "}", ""};
  if (seq % 2 == 0) change.item.brief = "brief of " + key;
  return change;
}

FeedChange removal(const std::string& key, std::int64_t seq) {
  FeedChange change;
  change.item.key = key;
  change.item.seq = seq;
  change.erase = true;
  return change;
}

std::string customer(int n) { return "c-" + std::to_string(n); }

std::vector<FeedChange> customers(int from, int to, std::int64_t seq) {
  std::vector<FeedChange> changes;
  for (int n = from; n < to; ++n) changes.push_back(put(customer(n), seq + n, customer(n)));
  return changes;
}

OutboxRow message(const std::string& id, const std::string& about, std::uint8_t priority) {
  OutboxRow row;
  row.id = MessageId(id);
  row.topic = "welcome/v1/demo/aroma-1/box-1/event";
  row.payload = std::string(400, 'p');
  row.customer = CustomerId(about);
  row.priority = priority;
  row.kind = OutboxKind::offer;
  row.ref = "d-" + id;
  row.created = at(0).wall;
  return row;
}

// Visit, decision, state and messages: what the engine writes for one event.
bool decide(Store& store, int n) {
  const std::string who = customer(n % 20);
  const std::string id = std::to_string(n);
  return store
      .transaction([&](Tx& tx) {
        tx.journal().put_visit(
            {VisitId("v-" + id), CustomerId(who), at(n).wall, std::nullopt, "{}"});
        tx.journal().add_decision({DecisionId("d-" + id), VisitId("v-" + id), CustomerId(who),
                                   at(n).wall, "offer", "made", "[]"});
        tx.journal().put_state({StateRow::Kind::facts, who, CustomerId(who), "offers: " + id},
                               at(n).wall);
        tx.outbox().enqueue(message("m-" + id, who, 1));
        tx.outbox().enqueue(message("n-" + id, who, 2));
        tx.registers().add_counter("decisions", 1);
      })
      .has_value();
}

bool acknowledge(Store& store, std::size_t count) {
  auto rows = store.outbox().take(Link::uplink, count, at(0));
  if (!rows) return false;
  std::vector<std::int64_t> numbers;
  for (const auto& row : *rows) numbers.push_back(row.row);
  return store.transaction([&](Tx& tx) { return tx.outbox().remove_rows(numbers); }).has_value();
}

void add_decisions(std::vector<Step>& steps, int from, int to) {
  for (int n = from; n < to; ++n)
    steps.push_back({"decide", [n](Store& store) { return decide(store, n); }});
}

Step step(const char* name, std::function<bool(Store&)> run) { return {name, std::move(run)}; }

}  // namespace

std::vector<Step> busy_day() {
  std::vector<Step> steps;
  steps.push_back(step("session", [](Store& s) {
    return s.transaction([&](Tx& tx) { return tx.registers().next_session(); }).has_value();
  }));
  steps.push_back(step("profiles", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          return tx.replica().apply(Collection::profiles, FeedState{"e1", 40, {}},
                                    customers(0, 40, 1));
        })
        .has_value();
  }));
  steps.push_back(step("consents", [](Store& s) {
    auto changes = customers(0, 20, 1);
    for (auto& change : changes) change.item.key = "r-" + change.item.key;
    return s
        .transaction([&](Tx& tx) {
          return tx.replica().apply(Collection::consents, FeedState{"e1", 20, {}}, changes);
        })
        .has_value();
  }));
  add_decisions(steps, 0, 6);
  steps.push_back(step("template", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          return tx.people().add_template({TemplateId("t-1"), CustomerId(customer(3)), "m",
                                           at(0).wall, std::vector<std::uint8_t>(600, 7)});
        })
        .has_value();
  }));
  steps.push_back(step("acked", [](Store& s) { return acknowledge(s, 5); }));
  steps.push_back(step("delta", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          return tx.replica().apply(
              Collection::profiles, FeedState{"e1", 103, {}},
              std::vector{put(customer(1), 101, customer(1)), removal(customer(39), 102),
                          put(customer(41), 103, customer(41))});
        })
        .has_value();
  }));
  steps.push_back(step("pause", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          return tx.registers().put_control({"_all", "face", 5, true, "signed"});
        })
        .has_value();
  }));
  steps.push_back(step("housekeeping", [](Store& s) {
    return s.maintain(at(1000), std::chrono::milliseconds{1000}).has_value();
  }));
  add_decisions(steps, 6, 10);
  steps.push_back(step("audit", [](Store& s) {
    return s
        .transaction(
            [&](Tx& tx) { return tx.audit().append(at(0), "pause", "crm", CustomerId(), "face"); })
        .has_value();
  }));
  steps.push_back(step("withdrawal", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          const CustomerId who(customer(3));
          const OutboxKind kinds[] = {OutboxKind::offer};
          tx.people().remove_templates(who);
          tx.outbox().remove(who, kinds);
          tx.journal().erase_sightings(who);
          tx.audit().append(at(0), "consent", "app", who, "face_recognition withdrawn");
          tx.outbox().enqueue(message("withdrawn", customer(3), 0));
        })
        .has_value();
  }));
  steps.push_back(step("forget", [](Store& s) {
    return s.erasure().erase(CustomerId(customer(5)), MessageId("req-5"), at(50)).has_value();
  }));
  add_decisions(steps, 21, 24);
  // The position moves only with the last part of a snapshot, which sweeps what it did not name.
  steps.push_back(step("snapshot part", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          return tx.replica().apply(Collection::profiles, std::nullopt, customers(0, 15, 200));
        })
        .has_value();
  }));
  steps.push_back(step("decide meanwhile", [](Store& s) { return decide(s, 26); }));
  steps.push_back(step("snapshot end", [](Store& s) {
    std::vector<std::string> gone;
    for (int n = 30; n < 45; ++n) {
      gone.push_back(s.replica().name_of(Collection::profiles, customer(n)));
    }
    return s
        .transaction([&](Tx& tx) {
          return tx.replica().apply(Collection::profiles, FeedState{"e2", 250, {}},
                                    customers(15, 30, 200), gone);
        })
        .has_value();
  }));
  steps.push_back(step("housekeeping", [](Store& s) {
    return s.maintain(at(5'000'000), std::chrono::milliseconds{1000}).has_value();
  }));
  steps.push_back(step("reported", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          tx.outbox().enqueue(message("receipt", "", 0));
          tx.erasure().mark_reported(MessageId("req-5"));
        })
        .has_value();
  }));
  steps.push_back(step("retention", [](Store& s) {
    return s
        .transaction([&](Tx& tx) {
          return tx.registers().apply_retention({.decisions = std::chrono::days{0}},
                                                test::agreed(at(86'400'000)));
        })
        .has_value();
  }));
  steps.push_back(step("acked", [](Store& s) { return acknowledge(s, 7); }));
  steps.push_back(step("session", [](Store& s) {
    return s.transaction([&](Tx& tx) { return tx.registers().next_session(); }).has_value();
  }));
  return steps;
}

std::string describe(Store& store) {
  std::ostringstream out;
  bool readable = true;
  auto need = [&](const auto& result) {
    if (!result) {
      readable = false;
      out << result.error().message << '\n';
    }
    return result.has_value();
  };

  if (auto receipts = store.erasure().unreported(); need(receipts)) {
    for (const auto& receipt : *receipts) {
      out << "receipt " << receipt.request.str();
      for (const auto& [table, count] : receipt.rows) out << ' ' << table << '=' << count;
      out << (receipt.bytes_gone ? " gone" : " NOT GONE") << '\n';
    }
  }
  for (int c = 0; c < 5; ++c) {
    const auto collection = static_cast<Collection>(c);
    std::vector<std::string> items;
    auto loaded = store.replica().load(collection, [&](ReplicaItem&& item) {
      items.push_back(item.key + "@" + std::to_string(item.seq) + " of " + item.customer.str());
    });
    auto briefs = store.replica().load_briefs(collection, [&](ReplicaItem&& item) {
      if (!item.brief.empty()) items.push_back(item.brief);
    });
    if (need(loaded) && need(briefs) && (loaded->damaged || briefs->damaged)) {
      readable = false;
      out << "damaged items\n";
    }
    std::sort(items.begin(), items.end());
    if (auto state = store.replica().state(collection); need(state))
      out << to_string(collection) << ' ' << state->epoch << ' ' << state->seq << ' '
          << to_hex(state->digest) << '\n';
    for (const auto& item : items) out << "  " << item << '\n';
  }
  if (auto rows = store.journal().visits(1000); need(rows))
    for (const auto& row : *rows)
      out << "visit " << row.id.str() << ' ' << row.customer.str() << '\n';
  if (auto rows = store.journal().decisions(1000); need(rows))
    for (const auto& row : *rows)
      out << "decision " << row.id.str() << ' ' << row.customer.str() << '\n';
  for (int n = 0; n < 45; ++n) {
    const CustomerId who(customer(n));
    if (auto facts = store.journal().facts(who); need(facts) && *facts)
      out << "facts " << n << ' ' << **facts << '\n';
    if (auto erased = store.erasure().erased_at(who); need(erased) && *erased)
      out << "erased " << n << '\n';
  }
  if (auto rows = store.people().templates(); need(rows))
    for (const auto& row : *rows)
      out << "template " << row.id.str() << ' ' << row.bytes.size() << '\n';
  if (auto rows = store.outbox().peek(1000); need(rows))
    for (const auto& row : *rows)
      out << "outbox " << row.id.str() << ' ' << int{row.priority} << ' ' << row.payload.size()
          << '\n';
  if (auto rows = store.registers().controls(); need(rows))
    for (const auto& row : *rows) out << "control " << row.function << ' ' << row.paused << '\n';
  if (auto counters = store.registers().counters(); need(counters))
    for (const auto& [name, value] : *counters) out << "counter " << name << ' ' << value << '\n';
  if (auto entries = store.audit().show(100); need(entries))
    for (const auto& entry : *entries) out << "audit " << entry.kind << ' ' << entry.detail << '\n';
  if (auto verdict = store.audit().verify(); need(verdict) && !verdict->intact) {
    readable = false;
    out << "audit broken\n";
  }
  return readable ? out.str() : std::string();
}

}  // namespace welcome::test
