// Checker: what nodes store. Every version is known from when it is first stored, by its minter;
// what is stored under its dot later has to be the same.
#include <utility>

#include "base/decimal.h"
#include "base/hash.h"
#include "storage/record.h"
#include "tests/simulation/checker.h"

namespace cartwheel::sim {
namespace {

// A value whose time was over where it was stored: its bytes are gone, and it counts as deleted.
bool IsDead(const Sibling& sibling) {
  return sibling.kind == Kind::kTombstone && sibling.expires_at_ms != 0;
}

}  // namespace

void Checker::OnPut(uint64_t node, const Position& position, std::string_view image,
                    const CausalContext* given, int64_t now_us) {
  if (failed()) return;
  const auto record = ParseRecord(image);
  // A hint stands elsewhere than the key's own record.
  const Position of_key =
      record ? PositionOf(record->db, record->key, Partitioner::kSlot) : position;
  const auto it = key_by_position_.find(HashOf(of_key));
  if (it == key_by_position_.end() || !record) {
    Fail("a record that nobody wrote is stored");
    return;
  }
  const auto object = DecodeObject(record->object);
  if (!object) {
    Fail("an object that does not decode is stored: " + object.error().message);
    return;
  }
  for (const Sibling& sibling : object->siblings) {
    Meet(&keys_[it->second], node, *object, sibling, given, now_us);
  }
}

bool Checker::KnownValue(const KeyState& state, std::string_view bytes) const {
  if (state.values.contains(Hash64(bytes))) return true;
  if (state.increments > 0) {
    const auto number = ParseInteger(bytes);
    return number && *number >= 1 && *number <= state.increments;
  }
  // What APPEND made: tokens that were sent, each once.
  absl::flat_hash_set<uint64_t> met;
  while (!bytes.empty()) {
    const size_t length = bytes.find(';') + 1;  // 0: a token without an end
    const uint64_t hash = Hash64(bytes.substr(0, length));
    if (!state.appended.contains(hash) || !met.insert(hash).second) return false;
    bytes.remove_prefix(length);
  }
  return !met.empty();
}

void Checker::Meet(KeyState* state, uint64_t node, const Object& object, const Sibling& sibling,
                   const CausalContext* given, int64_t now_us) {
  const uint64_t hash = HashOf(sibling.dot);
  const auto [it, fresh] = state->by_dot.try_emplace(hash, state->versions.size());
  if (!fresh) {
    MeetAgain(*state, sibling, &state->versions[it->second]);
    return;
  }
  ++counts_.versions;
  Version version;
  version.sibling = sibling;
  version.sibling.bytes.clear();
  version.bytes_hash = Hash64(sibling.bytes);
  version.dead = IsDead(sibling);
  version.minted_us = now_us;
  version.cover = object.context;
  const auto value = state->values.find(version.bytes_hash);
  if (value != state->values.end()) {
    WrittenValue& written = value->second;
    if (written.operation == 0) written.operation = sibling.operation;
    version.rewritten = written.operation != sibling.operation;
    if (!version.rewritten && written.given) version.cover = *written.given;
  }
  if (given != nullptr) version.cover = *given;
  if (sibling.dot.actor.node != node) {
    Fail("a dot of another node that it never minted: " + Describe(*state, version));
  }
  if (sibling.kind == Kind::kValue && !KnownValue(*state, sibling.bytes)) {
    Fail("a value that nobody wrote: " + Describe(*state, version) + " \"" + sibling.bytes + "\"");
  }
  auto& twins = state->by_operation[sibling.operation];
  if (!twins.empty()) ++counts_.twins;
  twins.push_back(state->versions.size());
  state->uncovered.push_back(state->versions.size());
  state->versions.push_back(std::move(version));
}

void Checker::MeetAgain(const KeyState& state, const Sibling& sibling, Version* known) {
  bool same = known->sibling.time == sibling.time &&
              known->sibling.operation == sibling.operation &&
              known->sibling.expires_at_ms == sibling.expires_at_ms &&
              known->sibling.replaces == sibling.replaces;
  if (same && !IsDead(sibling)) {
    const uint64_t hash = Hash64(sibling.bytes);
    if (known->dead) {
      // Its minter found it expired already, a slower clock does not.
      same = sibling.kind == Kind::kValue && KnownValue(state, sibling.bytes);
      known->sibling.kind = sibling.kind;
      known->bytes_hash = hash;
      known->dead = false;
    } else {
      same = known->sibling.kind == sibling.kind && known->bytes_hash == hash;
    }
  }
  if (!same) {
    Fail("one dot, two values: " + Describe(state, *known) + " (\"" + sibling.bytes + "\")");
  }
}

}  // namespace cartwheel::sim
