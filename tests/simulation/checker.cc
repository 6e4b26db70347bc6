#include "tests/simulation/checker.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "storage/record.h"
#include "storage/sibling_copy.h"

namespace cartwheel::sim {
namespace {

// An operation is answered within twice replica-timeout and a little more.
constexpr int64_t kLongestAnswerUs = 2'000'000;

std::vector<uint64_t> HashesOfCopies(const Update& update) {
  std::vector<uint64_t> hashes;
  const auto copies = DecodeCopies(update.bytes);
  for (const SiblingCopy& copy : *copies) hashes.push_back(Hash64(copy.bytes));
  return hashes;
}

}  // namespace

uint64_t Checker::HashOf(const Position& position) { return position.high ^ position.low; }

uint64_t Checker::HashOf(const Dot& dot) {
  const uint64_t words[] = {dot.actor.node, dot.actor.birth, dot.counter};
  return Hash64({reinterpret_cast<const char*>(words), sizeof(words)});
}

void Checker::Fail(std::string what) {
  if (!failure_) failure_ = std::move(what);
}

size_t Checker::AddKey(const Key& key, const Position& position) {
  keys_.push_back({});
  keys_.back().key = key;
  key_by_position_[HashOf(position)] = keys_.size() - 1;
  return keys_.size() - 1;
}

std::string Checker::Describe(const KeyState& state, const Version& version) const {
  return "key " + std::to_string(state.key.db) + "/" + state.key.bytes + ", version " +
         ToString(version.sibling.dot) +
         (version.sibling.kind == Kind::kTombstone ? " (deleted)" : "");
}

std::vector<uint64_t> Checker::Pending() const {
  std::vector<uint64_t> ids;
  for (const auto& [id, op] : pending_) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

const Checker::Version* Checker::Find(const KeyState& state, const Dot& dot) const {
  const auto it = state.by_dot.find(HashOf(dot));
  return it == state.by_dot.end() ? nullptr : &state.versions[it->second];
}

void Checker::Begin(uint64_t id, size_t key, const ClientOp& op, int64_t now_us,
                    int64_t deadline_us) {
  ++counts_.operations;
  Operation pending;
  pending.key = key;
  pending.began_us = now_us;
  pending.deadline_us = deadline_us;
  KeyState& state = keys_[key];
  if (const auto* put = std::get_if<PutOperation>(&op.operation)) {
    pending.type = put->context ? Type::kPut : Type::kPlainPut;
    if (put->context) pending.given = *put->context;
    pending.kind = put->kind;
    pending.bytes_matter = put->kind == Kind::kValue;
    pending.bytes_hash = Hash64(put->bytes);
    if (pending.bytes_matter) state.values[pending.bytes_hash].given = put->context;
  } else if (const auto* update = std::get_if<UpdateOperation>(&op.operation)) {
    pending.type = Type::kUpdate;
    pending.update = update->update;
    const uint64_t hash = Hash64(update->update.bytes);
    if (update->update.kind == UpdateKind::kAppend) state.appended.insert(hash);
    if (update->update.kind == UpdateKind::kSet) state.values[hash] = {};
    if (update->update.kind == UpdateKind::kReplace) {
      for (const uint64_t value : HashesOfCopies(update->update)) state.values[value] = {};
    }
    if (update->update.kind == UpdateKind::kIncrement) ++state.increments;
  } else if (std::holds_alternative<DeleteOperation>(op.operation)) {
    pending.type = Type::kDelete;
  } else if (std::holds_alternative<ReadOperation>(op.operation)) {
    pending.type = Type::kRead;
  }
  pending_[id] = std::move(pending);
}

void Checker::Abandoned(uint64_t id) {
  pending_.erase(id);
  ++counts_.unknown_writes;
}

void Checker::End(uint64_t id, const Answer& answer, int64_t now_us, int64_t late_us) {
  const auto it = pending_.find(id);
  if (it == pending_.end()) {
    Fail("operation " + std::to_string(id) + " was answered twice, or never asked");
    return;
  }
  Operation op = std::move(it->second);
  pending_.erase(it);
  op.sloppy = answer.sloppy;
  counts_.sloppy += op.sloppy ? 1 : 0;
  if (now_us - late_us > op.deadline_us) {
    Fail("operation " + std::to_string(id) + " on key " + keys_[op.key].key.bytes +
         " was answered " + std::to_string((now_us - late_us - op.deadline_us) / 1000) +
         " ms after its deadline");
  }
  if (const auto* read = std::get_if<ReadAnswer>(&answer.result)) {
    ++counts_.reads;
    CheckRead(keys_[op.key], read->object, op);
  } else if (const auto* put = std::get_if<PutAnswer>(&answer.result)) {
    EndPut(op, *put, now_us);
  } else if (const auto* update = std::get_if<UpdateAnswer>(&answer.result)) {
    EndUpdate(op, update->result, now_us);
  } else if (const auto* deleted = std::get_if<DeleteAnswer>(&answer.result)) {
    EndDelete(op, *deleted, now_us);
  } else if (op.type == Type::kRead) {
    ++counts_.failed_reads;
  } else {
    ++counts_.unknown_writes;
  }
}

void Checker::CheckRead(const KeyState& state, const Object& object, const Operation& op) {
  const bool strict = !op.sloppy;
  for (const Sibling& sibling : object.siblings) {
    const Version* version = Find(state, sibling.dot);
    if (version == nullptr) {
      Fail("a read returned a version that was never stored: key " + state.key.bytes + " " +
           ToString(sibling.dot));
      return;
    }
    if (strict && version->strictly_covered_us < op.began_us) {
      Fail("a read returned what an acknowledged write had covered: " + Describe(state, *version));
    }
  }
  if (!strict) return;
  for (const size_t index : state.unseen_acknowledged) {
    const Version& version = state.versions[index];
    if (version.acknowledged_us < op.began_us && !MayBeGone(state, version.sibling) &&
        !Knows(state, object.context, version)) {
      Fail("a read missed an acknowledged write: " + Describe(state, version));
    }
  }
}

template <typename Wanted>
std::vector<size_t> Checker::MintedSince(const KeyState& state, int64_t since_us,
                                         Wanted wanted) const {
  std::vector<size_t> found;
  for (size_t i = state.versions.size(); i-- > 0 && state.versions[i].minted_us >= since_us;) {
    if (wanted(state.versions[i])) found.push_back(i);
  }
  return found;
}

template <typename Covers>
void Checker::Cover(KeyState* state, int64_t now_us, bool sloppy, Covers covers) {
  std::erase_if(state->uncovered, [&](size_t other) {
    if (!covers(other)) return false;
    Version& old = state->versions[other];
    old.covered_us = std::min(old.covered_us, now_us);
    if (!sloppy) old.strictly_covered_us = std::min(old.strictly_covered_us, now_us);
    return !sloppy;
  });
  std::erase_if(state->unseen_acknowledged,
                [&](size_t other) { return state->versions[other].covered_us != INT64_MAX; });
}

void Checker::EndPut(const Operation& op, const PutAnswer& answer, int64_t now_us) {
  ++counts_.acknowledged_writes;
  KeyState& state = keys_[op.key];
  const bool plain = op.type == Type::kPlainPut;
  const auto found = MintedSince(state, op.began_us, [&](const Version& version) {
    if (version.rewritten) return false;
    const bool value_fits =
        version.dead || (version.sibling.kind == op.kind &&
                         (!op.bytes_matter || version.bytes_hash == op.bytes_hash));
    const bool context_fits = plain || (answer.context.Contains(version.sibling.dot) &&
                                        !op.given.Contains(version.sibling.dot));
    return value_fits && context_fits;
  });
  if (found.empty() && !plain && answer.context == op.given) {
    EndReplacedPut(op, &state, now_us);
    return;
  }
  if (found.empty()) {
    Fail("a write was acknowledged without a version: key " + state.key.bytes);
    return;
  }
  if (plain) {
    // Several: a write that was minted twice, of which one was stored W times. Its answer does not
    // say which.
    const bool only = found.size() == 1;
    if (only || state.versions[found.front()].bytes_hash == op.bytes_hash) {
      Acknowledge(&state, found.front(), now_us, op.sloppy, only);
    }
    return;
  }
  for (const size_t index : found) {
    CausalContext expected = op.given;
    expected.Add(state.versions[index].sibling.dot);
    if (expected != answer.context) continue;
    state.versions[index].cover = op.given;
    Acknowledge(&state, index, now_us, op.sloppy);
    return;
  }
  Fail("the answer's context is not what was given and the new dot: " +
       Describe(state, state.versions[found.front()]));
}

// A put that was minted twice, and replaced before its second minter heard of it.
void Checker::EndReplacedPut(const Operation& op, KeyState* state, int64_t now_us) {
  const auto found = MintedSince(*state, op.began_us, [&](const Version& version) {
    const bool fits =
        version.dead || (version.sibling.kind == op.kind && version.bytes_hash == op.bytes_hash);
    return fits && (version.sibling.attempt != 0 ||
                    state->by_operation.at(version.sibling.operation).size() > 1);
  });
  if (found.empty()) {
    Fail("a write that nobody minted was said to be replaced: key " + state->key.bytes);
  } else if (op.bytes_matter && found.size() == 1) {
    Acknowledge(state, found.front(), now_us, op.sloppy, false);
  }
}

void Checker::EndUpdate(const Operation& op, const UpdateResult& result, int64_t now_us) {
  KeyState& state = keys_[op.key];
  // A new expiry is a new version of what is there: nothing is lost with it but the time.
  const bool rewrote =
      op.update.kind == UpdateKind::kExpire || op.update.kind == UpdateKind::kPersist;
  if (rewrote) return;
  const bool wrote =
      (op.update.kind == UpdateKind::kSet && result.type == UpdateResult::Type::kOk) ||
      result.type == UpdateResult::Type::kInteger;
  if (!wrote) return;
  if (op.update.kind == UpdateKind::kReplace) {
    if (result.integer == 1) EndReplace(op, now_us);
    return;
  }
  ++counts_.acknowledged_writes;
  // The bytes of an APPEND are not known here; those of the others are.
  const bool bytes_known = op.update.kind != UpdateKind::kAppend;
  const uint64_t hash = Hash64(
      op.update.kind == UpdateKind::kIncrement ? std::to_string(result.integer) : op.update.bytes);
  const auto found = MintedSince(state, op.began_us, [&](const Version& version) {
    return version.sibling.kind == Kind::kValue && !version.rewritten &&
           (!bytes_known || version.bytes_hash == hash);
  });
  if (found.empty()) {
    Fail("an update was acknowledged without a version: key " + state.key.bytes);
  } else if (found.size() == 1) {
    Acknowledge(&state, found.front(), now_us, op.sloppy);
  }
}

// All of its versions are there, and cover together what was there before: not each other.
void Checker::EndReplace(const Operation& op, int64_t now_us) {
  ++counts_.acknowledged_writes;
  KeyState& state = keys_[op.key];
  const std::vector<uint64_t> hashes = HashesOfCopies(op.update);
  const auto found = MintedSince(state, op.began_us, [&](const Version& version) {
    return !version.rewritten &&
           std::find(hashes.begin(), hashes.end(), version.bytes_hash) != hashes.end();
  });
  if (found.size() != hashes.size()) {
    Fail("of " + std::to_string(hashes.size()) + " versions that were written together " +
         std::to_string(found.size()) + " are there: key " + state.key.bytes);
    return;
  }
  for (const size_t index : found) Acknowledge(&state, index, now_us, op.sloppy, false);
  if (state.versions[found.back()].minted_us <= lost_us_) return;
  Cover(&state, now_us, op.sloppy, [&](size_t other) {
    return std::find(found.begin(), found.end(), other) == found.end() &&
           state.versions[found.front()].cover.Contains(state.versions[other].sibling.dot);
  });
}

void Checker::EndDelete(const Operation& op, const DeleteAnswer& answer, int64_t now_us) {
  if (!answer.deleted) return;
  ++counts_.acknowledged_writes;
  KeyState& state = keys_[op.key];
  const auto found = MintedSince(state, op.began_us, [](const Version& version) {
    return version.sibling.kind == Kind::kTombstone;
  });
  if (found.empty()) {
    Fail("a delete was acknowledged without a version: key " + state.key.bytes);
  } else if (found.size() == 1) {
    Acknowledge(&state, found.front(), now_us, op.sloppy);
  } else {
    if (state.versions[found.back()].minted_us <= lost_us_) return;
    // One of them is this delete's: it covers at least what all of them cover, but not itself.
    for (const size_t index : found) state.versions[index].may_be_acknowledged = true;
    Cover(&state, now_us, op.sloppy, [&](size_t other) {
      const bool is_one = std::find(found.begin(), found.end(), other) != found.end();
      return !is_one && std::all_of(found.begin(), found.end(), [&](size_t index) {
        return state.versions[index].cover.Contains(state.versions[other].sibling.dot);
      });
    });
  }
}

// Whether the context has seen the write, under any of the dots that it was minted with.
bool Checker::Knows(const KeyState& state, const CausalContext& context,
                    const Version& version) const {
  const auto& twins = state.by_operation.at(version.sibling.operation);
  return std::any_of(twins.begin(), twins.end(), [&](size_t twin) {
    return context.Contains(state.versions[twin].sibling.dot);
  });
}

void Checker::Acknowledge(KeyState* state, size_t index, int64_t now_us, bool sloppy, bool covers) {
  Version& version = state->versions[index];
  if (version.minted_us <= lost_us_) return;
  version.acknowledged = true;
  version.acknowledged_us = std::min(version.acknowledged_us, now_us);
  version.sloppy = sloppy;
  version.covers = covers;
  Cover(state, index, now_us);
  if (!sloppy && version.covered_us == INT64_MAX) state->unseen_acknowledged.push_back(index);
}

void Checker::Cover(KeyState* state, size_t index, int64_t now_us) {
  const Version& version = state->versions[index];
  if (!version.covers) return;
  Cover(state, now_us, version.sloppy, [&](size_t other) {
    return other != index && version.cover.Contains(state->versions[other].sibling.dot);
  });
}

void Checker::OnDrop(const Position& position, std::string_view image, int64_t now_us) {
  const auto record = ParseRecord(image);
  const auto object = DecodeObject(record->object);
  const auto it = key_by_position_.find(HashOf(position));
  if (failed() || it == key_by_position_.end() || !object) return;
  KeyState& state = keys_[it->second];
  for (const Sibling& sibling : object->siblings) {
    const auto known = state.by_dot.find(HashOf(sibling.dot));
    if (known == state.by_dot.end()) continue;
    Version& version = state.versions[known->second];
    if (!MayBeGone(state, sibling)) {
      Fail("dropped before its time: " + Describe(state, version));
      return;
    }
    version.dropped = version.acknowledged = version.covers = true;
    version.acknowledged_us = std::min(version.acknowledged_us, now_us);
    version.sloppy = false;
    // Those of a RENAME came with one write: each covers what that replaced, but not another of
    // them.
    Cover(&state, now_us, false, [&](size_t other) {
      const Dot& dot = state.versions[other].sibling.dot;
      return other != known->second && version.cover.Contains(dot) &&
             std::none_of(object->siblings.begin(), object->siblings.end(),
                          [&](const Sibling& beside) { return beside.dot == dot; });
    });
  }
  Forget(&state, object->context);
}

void Checker::OnPrune(const Position& position, std::string_view image) {
  const auto object = DecodeObject(ParseRecord(image)->object);
  const auto it = key_by_position_.find(HashOf(position));
  if (it != key_by_position_.end()) Forget(&keys_[it->second], object->context);
}

// Reads know no more what a copy had seen; whether it had a right to is for Final.
void Checker::Forget(KeyState* state, const CausalContext& context) {
  std::erase_if(state->unseen_acknowledged,
                [&](size_t other) { return Knows(*state, context, state->versions[other]); });
}

void Checker::Lost(int64_t since_us, int64_t now_us) {
  lost_us_ = now_us;
  for (KeyState& state : keys_) {
    const auto is_lost = [&](const Version& version) {
      if (version.dropped) return false;
      if (version.acknowledged) return version.acknowledged_us >= since_us;
      // One of several that an acknowledged delete may be was minted a little before its answer.
      return version.may_be_acknowledged && version.minted_us >= since_us - kLongestAnswerUs;
    };
    if (std::none_of(state.versions.begin(), state.versions.end(), is_lost)) continue;
    state.uncovered.clear();
    for (size_t i = 0; i < state.versions.size(); ++i) {
      Version& version = state.versions[i];
      if (is_lost(version)) {
        version.acknowledged = version.may_be_acknowledged = false;
        version.acknowledged_us = INT64_MAX;
      }
      version.covered_us = version.strictly_covered_us = INT64_MAX;
      state.uncovered.push_back(i);
    }
    // What only they covered is not covered any more.
    for (size_t i = 0; i < state.versions.size(); ++i) {
      const Version& version = state.versions[i];
      if (version.acknowledged) Cover(&state, i, version.acknowledged_us);
    }
    state.unseen_acknowledged.clear();
    for (size_t i = 0; i < state.versions.size(); ++i) {
      const Version& version = state.versions[i];
      if (version.acknowledged && !version.sloppy && version.covered_us == INT64_MAX) {
        state.unseen_acknowledged.push_back(i);
      }
    }
  }
}

bool Checker::MayBeGone(const KeyState& state, const Sibling& sibling) const {
  if (!MayBeDropped(sibling)) return false;
  if (sibling.kind == Kind::kTombstone && sibling.expires_at_ms == 0) return true;
  return !ripe_ms_ || sibling.expires_at_ms <= ripe_ms_(static_cast<size_t>(&state - &keys_[0]));
}

bool Checker::HasCoveredTwin(const KeyState& state, const Sibling& sibling) {
  const auto& twins = state.by_operation.at(sibling.operation);
  return std::any_of(twins.begin(), twins.end(),
                     [&](size_t twin) { return state.versions[twin].covered_us != INT64_MAX; });
}

void Checker::Final(size_t key, const Object& object) {
  KeyState& state = keys_[key];
  std::vector<bool> safe(state.versions.size(), false);
  absl::flat_hash_set<uint64_t> safe_operations;
  CausalContext covered;
  const auto mark_safe = [&](size_t index) {
    safe[index] = true;
    safe_operations.insert(state.versions[index].sibling.operation);
    covered.Join(state.versions[index].cover);
  };
  for (const Sibling& sibling : object.siblings) {
    const auto it = state.by_dot.find(HashOf(sibling.dot));
    if (it == state.by_dot.end()) {
      Fail("at the end, a version that was never minted: " + ToString(sibling.dot));
      return;
    }
    const Version& version = state.versions[it->second];
    if (version.covered_us != INT64_MAX) {
      Fail("at the end, what an acknowledged write covered is back: " + Describe(state, version));
    }
    mark_safe(it->second);
    if (sibling.kind == Kind::kTombstone || !HasCoveredTwin(state, sibling)) continue;
    ++counts_.twins_back;
    if (sibling.dot == object.siblings[0].dot) ++counts_.twins_shown;
  }
  // What was dropped is as if it were there: it covers what it covered.
  for (size_t i = 0; i < state.versions.size(); ++i) {
    const Version& version = state.versions[i];
    const bool counts = version.acknowledged || version.may_be_acknowledged;
    if (counts && MayBeDropped(version.sibling)) mark_safe(i);
  }
  // A write covers what was minted before it, so one pass from the newest nearly always is enough.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = state.versions.size(); i-- > 0;) {
      const Version& version = state.versions[i];
      if (safe[i] || !(covered.Contains(version.sibling.dot) ||
                       safe_operations.contains(version.sibling.operation))) {
        continue;
      }
      mark_safe(i);
      changed = true;
    }
  }
  for (size_t i = 0; i < state.versions.size(); ++i) {
    if (state.versions[i].acknowledged && !safe[i]) {
      Fail("an acknowledged write is lost: " + Describe(state, state.versions[i]));
    }
  }
}

}  // namespace cartwheel::sim
