#include "tests/simulation/workload.h"

#include <utility>

namespace cartwheel::sim {
namespace {

constexpr int kClients = 6;
constexpr size_t kRestingKeys = 12;
constexpr int64_t kMs = 1000;
// 2 x replica-timeout + 100 ms; what clocks and a turn may add.
constexpr int64_t kDeadlineUs = 1100 * kMs;
constexpr int64_t kGraceUs = 60 * kMs;

}  // namespace

Workload::Workload(World* world, Checker* checker, uint32_t ops_per_second, uint64_t seed,
                   int64_t grace_us, bool resting)
    : world_(world),
      checker_(checker),
      random_(seed),
      mean_gap_us_(1'000'000 / static_cast<int64_t>(ops_per_second)),
      grace_us_(kGraceUs + grace_us) {
  const size_t shared = 2 + random_.Below(8);
  for (size_t i = 0; i < shared; ++i) {
    AddKey(static_cast<uint32_t>(random_.Below(3)), "shared:" + std::to_string(i), Use::kShared);
  }
  for (size_t i = 0; resting && i < kRestingKeys; ++i) {
    AddKey(static_cast<uint32_t>(random_.Below(3)), "resting:" + std::to_string(i), Use::kShared);
    keys_.back().rests = true;
  }
  AddKey(0, "counter", Use::kCounter);
  AddKey(2, "appended", Use::kAppended);
  AddKey(0, "private:0", Use::kPrivate);
  AddKey(1, "private:1", Use::kPrivate);
  seen_.assign(kClients, std::vector<Seen>(keys_.size()));
}

void Workload::AddKey(uint32_t db, std::string name, Use use) {
  const Key key{db, std::move(name)};
  const size_t index = checker_->AddKey(key, PositionOf(key.db, key.bytes, Partitioner::kSlot));
  CHECK(index == keys_.size());
  keys_.push_back({key, use, std::nullopt, 0});
}

void Workload::Begin() {
  going_ = true;
  Next();
}

void Workload::Next() {
  const auto gap_us = static_cast<int64_t>(random_.Below(static_cast<uint64_t>(2 * mean_gap_us_)));
  world_->Call(world_->now_us() + gap_us, [this] {
    if (!going_) return;
    AskSomething();
    Next();
  });
}

std::optional<int> Workload::AnyNodeUp() {
  for (int tries = 0; tries < 8; ++tries) {
    const int node = static_cast<int>(random_.Below(static_cast<uint64_t>(world_->size())));
    if (world_->IsUp(node)) return node;
  }
  return std::nullopt;
}

void Workload::AskSomething() {
  const auto node = AnyNodeUp();
  if (!node) return;
  const int client = static_cast<int>(random_.Below(kClients));
  const size_t key = random_.Below(keys_.size());
  ClientOp op;
  switch (keys_[key].use) {
    case Use::kPrivate: return;
    case Use::kShared: {
      auto chosen = keys_[key].rests ? RestingOp(client, key, *node) : SharedOp(client, key, *node);
      if (!chosen) return;
      op = *std::move(chosen);
      break;
    }
    case Use::kCounter:
    case Use::kAppended: op = UpdateOp(key); break;
  }
  Ask(*node, client, key, std::move(op));
}

std::string Workload::UniqueValue() {
  std::string value = "v" + std::to_string(++last_value_);
  if (random_.Chance(1, 50)) value.append(random_.Below(4000), '.');
  return value;
}

PutOperation Workload::Put(size_t key, std::optional<CausalContext> context) {
  PutOperation put;
  put.key = keys_[key].key;
  put.context = std::move(context);
  put.bytes = UniqueValue();
  return put;
}

ClientOp Workload::SharedOp(int client, size_t key, int node) {
  const Seen& seen = seen_[static_cast<size_t>(client)][key];
  const uint64_t dice = random_.Below(100);
  if (dice < 30) return {0, ReadOperation{keys_[key].key}};
  if (dice < 55) return {0, Put(key, seen.read)};
  if (dice < 65) return {0, Put(key, seen.put)};
  if (dice < 70) return {0, Put(key, CausalContext())};
  if (dice < 80) return {0, Put(key, std::nullopt)};
  if (dice < 84) return {0, DeleteOperation{keys_[key].key}};
  if (dice < 90) {
    PutOperation put = Put(key, seen.read);
    put.kind = Kind::kTombstone;
    put.bytes.clear();
    return {0, std::move(put)};
  }
  const int64_t expires_at_ms =
      world_->NowOf(node).wall_ms + 50 + static_cast<int64_t>(random_.Below(10'000));
  if (dice < 94) {
    PutOperation put = Put(key, random_.Chance(1, 2) ? std::optional(seen.read) : std::nullopt);
    put.expires_at_ms = expires_at_ms;
    return {0, std::move(put)};
  }
  UpdateOperation update{keys_[key].key, {}};
  if (dice < 97) {
    const bool persists = random_.Chance(1, 3);
    update.update.kind = persists ? UpdateKind::kPersist : UpdateKind::kExpire;
    update.update.expires_at_ms = persists ? 0 : expires_at_ms;
    return {0, std::move(update)};
  }
  if (dice < 98) {
    update.update.kind = UpdateKind::kSet;
    update.update.flags = kIfAbsent;
    update.update.bytes = UniqueValue();
    return {0, std::move(update)};
  }
  // What RENAME and RESTORE do to their destination.
  std::vector<SiblingCopy> copies(1 + random_.Below(3));
  for (SiblingCopy& copy : copies) copy.bytes = UniqueValue();
  update.update.kind = UpdateKind::kReplace;
  update.update.flags = random_.Chance(1, 3) ? uint32_t{kIfAbsent} : 0;
  update.update.bytes = EncodeCopies(copies);
  return {0, std::move(update)};
}

std::optional<ClientOp> Workload::RestingOp(int client, size_t key, int node) {
  ClientKey& state = keys_[key];
  const int64_t now_us = world_->now_us();
  if (now_us >= state.asleep_until_us) {
    state.awake_until_us = now_us + kMs * static_cast<int64_t>(1 + random_.Below(3000));
    const uint64_t scale_ms = 1000ULL << random_.Below(6);
    state.asleep_until_us =
        state.awake_until_us + kMs * static_cast<int64_t>(2000 + random_.Below(scale_ms));
  }
  if (now_us < state.awake_until_us) {
    if (random_.Chance(2, 3)) return SharedOp(client, key, node);
    return ClientOp{0, DeleteOperation{state.key}};
  }
  if (!random_.Chance(1, 8)) return std::nullopt;
  return ClientOp{0, ReadOperation{state.key}};
}

ClientOp Workload::UpdateOp(size_t key) {
  if (random_.Chance(1, 4)) return {0, ReadOperation{keys_[key].key}};
  if (random_.Chance(1, 12)) return {0, DeleteOperation{keys_[key].key}};
  UpdateOperation update{keys_[key].key, {}};
  if (keys_[key].use == Use::kCounter) {
    update.update.kind = UpdateKind::kIncrement;
    update.update.number = 1;
  } else {
    update.update.kind = UpdateKind::kAppend;
    update.update.bytes = "v" + std::to_string(++last_value_) + ";";
  }
  return {0, std::move(update)};
}

void Workload::Ask(int node, int client, size_t key, ClientOp op, bool ordered) {
  op.id = ++last_id_;
  checker_->Begin(op.id, key, op, world_->now_us(), world_->now_us() + kDeadlineUs + grace_us_);
  asked_[op.id] = {node, client, key, world_->PausedUs(node), ordered};
  CHECK(world_->Submit(node, std::move(op)));
}

void Workload::OnAnswer(int node, const Answer& answer) {
  const auto it = asked_.find(answer.id);
  if (it == asked_.end()) {
    checker_->Fail("an answer to nothing: " + std::to_string(answer.id));
    return;
  }
  const Asked asked = it->second;
  asked_.erase(it);
  const bool written = std::holds_alternative<PutAnswer>(answer.result);
  checker_->End(answer.id, answer, world_->now_us(), world_->PausedUs(node) - asked.stood_still_us);
  Seen& seen = seen_[static_cast<size_t>(asked.client)][asked.key];
  if (const auto* read = std::get_if<ReadAnswer>(&answer.result)) seen.read = read->object.context;
  if (written) seen.put = std::get<PutAnswer>(answer.result).context;
  if (!asked.ordered) return;
  if (!written) checker_->Fail("a plain SET failed in a whole ring");
  if (--keys_[asked.key].ordered_rounds == 0) {
    --ordered_left_;
    return;
  }
  world_->Call(world_->now_us(), [this, key = asked.key] { AskOrdered(key); });
}

void Workload::OnNodeDown(int node) {
  std::erase_if(asked_, [&](const auto& entry) {
    if (entry.second.node != node) return false;
    checker_->Abandoned(entry.first);
    return true;
  });
}

void Workload::ReadAll() {
  for (size_t key = 0; key < keys_.size(); ++key) {
    for (int node = 0; node < world_->size(); ++node) {
      if (!world_->IsUp(node)) continue;
      Ask(node, 0, key, {0, ReadOperation{keys_[key].key}});
    }
  }
}

void Workload::BeginOrdered(int rounds) {
  for (size_t key = 0; key < keys_.size(); ++key) {
    if (keys_[key].use != Use::kPrivate) continue;
    keys_[key].ordered_rounds = rounds;
    ++ordered_left_;
    AskOrdered(key);
  }
}

void Workload::AskOrdered(size_t key) {
  int node = 0;
  do {
    node = static_cast<int>(random_.Below(static_cast<uint64_t>(world_->size())));
  } while (!world_->IsUp(node));
  PutOperation put = Put(key, std::nullopt);
  keys_[key].last_ordered = put.bytes;
  Ask(node, 0, key, {0, std::move(put)}, true);
}

}  // namespace cartwheel::sim
