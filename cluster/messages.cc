#include "cluster/messages.h"

#include "cluster/message_coding.h"

namespace cartwheel {
namespace {

using namespace coding;

// Beside a ReadResponse's status.
constexpr uint64_t kBehind = 4;
// Flags of a MintRequest.
constexpr uint64_t kPlain = 1;
constexpr uint64_t kMayPass = 2;
// Flags of a MergeRequest.
constexpr uint64_t kExchange = 1;
constexpr uint64_t kSynced = 2;
constexpr uint64_t kCompared = 4;
}  // namespace

void Encode(const ReadRequest& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.epoch).Number(m.have).Number(m.db).Number(
                  m.fallback ? 1 : 0),
              {m.key}, out);
}
void Encode(const ReadResponse& m, std::string* out) {
  const auto status = static_cast<uint64_t>(m.status);
  const Head head =
      Head(m.kType).Number(m.request).Number(status | (m.behind ? kBehind : 0)).Number(m.placement);
  if (m.status == ReadStatus::kObject) {
    AppendFrame(head, {m.object}, out);
  } else {
    AppendFrame(head, {}, out);
  }
}
void Encode(const CompareRequest& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.epoch).Number(m.have).Number(m.holder).Number(m.db), {m.key},
              out);
}
void Encode(const MintRequest& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(m.epoch)
                  .Number(m.operation)
                  .Number((m.plain ? kPlain : 0) | (m.may_pass ? kMayPass : 0))
                  .Number(m.attempt)
                  .Number(static_cast<uint64_t>(m.kind))
                  .Number(Unsigned(m.expires_at_ms))
                  .Number(Unsigned(m.patience_us))
                  .Number(m.db)
                  .Number(m.stamp.run)
                  .Number(Unsigned(m.stamp.sent_us))
                  .Number(m.hint_for),
              {m.key, m.context, m.replaces, m.bytes}, out);
}
void Encode(const MintResponse& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(static_cast<uint64_t>(m.status))
                  .Number(m.fresh ? 1 : 0)
                  .Number(m.placement),
              {m.object, m.error}, out);
}
void Encode(const MergeRequest& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(m.epoch)
                  .Number((m.exchange ? kExchange : 0) | (m.synced ? kSynced : 0) |
                          (m.compared ? kCompared : 0))
                  .Number(m.db)
                  .Number(m.stamp.run)
                  .Number(Unsigned(m.stamp.sent_us))
                  .Number(m.hint_for),
              {m.key, m.object}, out);
}
void Encode(const MergeResponse& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.stored ? 1 : 0).Number(m.placement), {},
              out);
}
void Encode(const UpdateRequest& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(m.epoch)
                  .Number(m.r)
                  .Number(m.w)
                  .Number(m.db)
                  .Number(m.stamp.run)
                  .Number(Unsigned(m.stamp.sent_us))
                  .Number(static_cast<uint64_t>(m.update.kind))
                  .Number(m.update.flags)
                  .Number(Unsigned(m.update.number))
                  .Number(Unsigned(m.update.expires_at_ms)),
              {m.key, m.update.bytes}, out);
}
void Encode(const UpdateResponse& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(static_cast<uint64_t>(m.status))
                  .Number(static_cast<uint64_t>(m.which))
                  .Number(m.needed)
                  .Number(m.answered)
                  .Number(static_cast<uint64_t>(m.result.type))
                  .Number(Unsigned(m.result.integer))
                  .Number(m.sloppy ? 1 : 0)
                  .Number(m.result.changed ? 1 : 0)
                  .Number(m.result.fresh ? 1 : 0)
                  .Number(m.placement),
              {m.result.text}, out);
}
void Encode(const ScanRequest& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(m.epoch)
                  .Number(m.db)
                  .Number(m.cursor)
                  .Number(m.last_slot)
                  .Number(m.count),
              {}, out);
}
void Encode(const ScanResponse& m, std::string* out) {
  std::string entries;
  for (const ScanResponse::Entry& entry : m.entries) {
    PutBytes(&entries, entry.key);
    PutBytes(&entries, entry.object);
  }
  AppendFrame(
      Head(m.kType).Number(m.request).Number(m.failed ? 1 : 0).Number(m.next).Number(m.placement),
      {entries}, out);
}
void Encode(const CountRequest& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.epoch).Number(m.db), {m.partitions}, out);
}
void Encode(const CountResponse& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.placement), {m.counts}, out);
}
void Encode(const Ping& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(m.epoch)
                  .Number(m.stamp.run)
                  .Number(Unsigned(m.stamp.sent_us)),
              {}, out);
}
void Encode(const Pong& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request), {}, out);
}
void Encode(const Publish& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.epoch).Number(m.sharded ? 1 : 0), {m.channel, m.message}, out);
}

uint8_t FrameType(Fields fields) {
  if (fields.empty() || fields[0].empty()) return 0;
  return static_cast<uint8_t>(fields[0][0]);
}

bool Decode(Fields fields, ReadRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->have = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->fallback = in.Flag();
  m->key = in.Field();
  return in.ok();
}
bool Decode(Fields fields, ReadResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  const uint64_t status = in.Number();
  m->behind = (status & kBehind) != 0;
  m->status = static_cast<ReadStatus>(status & ~kBehind);
  m->placement = in.Number();
  if (m->status > ReadStatus::kFailed) return false;
  if (m->status == ReadStatus::kObject) m->object = in.Field();
  return in.ok();
}
bool Decode(Fields fields, CompareRequest* m) {
  Parts in(fields);
  m->epoch = in.Number();
  m->have = in.Number();
  m->holder = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->key = in.Field();
  return in.ok();
}
bool Decode(Fields fields, MintRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->operation = in.Number();
  const uint64_t flags = in.Number();
  m->plain = (flags & kPlain) != 0;
  m->may_pass = (flags & kMayPass) != 0;
  m->attempt = in.Small<uint8_t>(UINT8_MAX);
  m->kind = in.Small<Kind>(static_cast<uint64_t>(Kind::kTombstone));
  m->expires_at_ms = in.Signed();
  m->patience_us = in.Signed();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->stamp = in.ReadStamp();
  m->hint_for = in.Number();
  m->key = in.Field();
  m->context = in.Field();
  m->replaces = in.Field();
  m->bytes = in.Field();
  return in.ok();
}
bool Decode(Fields fields, MintResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->status = in.Small<MintStatus>(static_cast<uint64_t>(MintStatus::kPassed));
  m->fresh = in.Flag();
  m->placement = in.Number();
  m->object = in.Field();
  m->error = in.Field();
  return in.ok();
}
bool Decode(Fields fields, MergeRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  const uint64_t flags = in.Number();
  m->exchange = (flags & kExchange) != 0;
  m->synced = (flags & kSynced) != 0;
  m->compared = (flags & kCompared) != 0;
  m->db = in.Small<uint32_t>(kMaxDb);
  m->stamp = in.ReadStamp();
  m->hint_for = in.Number();
  m->key = in.Field();
  m->object = in.Field();
  return in.ok();
}
bool Decode(Fields fields, MergeResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->stored = in.Flag();
  m->placement = in.Number();
  return in.ok();
}
bool Decode(Fields fields, UpdateRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->r = in.Small<uint8_t>(UINT8_MAX);
  m->w = in.Small<uint8_t>(UINT8_MAX);
  m->db = in.Small<uint32_t>(kMaxDb);
  m->stamp = in.ReadStamp();
  m->update.kind = in.Small<UpdateKind>(UINT8_MAX);  // one that is not known is refused in words
  m->update.flags = in.Small<uint32_t>(UINT32_MAX);
  m->update.number = in.Signed();
  m->update.expires_at_ms = in.Signed();
  m->key = in.Field();
  m->update.bytes = in.Field();
  return in.ok();
}
bool Decode(Fields fields, UpdateResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->status = in.Small<UpdateStatus>(static_cast<uint64_t>(UpdateStatus::kElsewhere));
  m->which = in.Small<char>(127);
  m->needed = in.Small<uint8_t>(UINT8_MAX);
  m->answered = in.Small<uint8_t>(UINT8_MAX);
  m->result.type =
      in.Small<UpdateResult::Type>(static_cast<uint64_t>(UpdateResult::Type::kIntegers));
  m->result.integer = in.Signed();
  m->sloppy = in.Flag();
  m->result.changed = in.Flag();
  m->result.fresh = in.Flag();
  m->placement = in.Number();
  m->result.text = in.Field();
  return in.ok();
}
bool Decode(Fields fields, ScanRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->cursor = in.Small<uint64_t>(kCursorEnd);
  m->last_slot = in.Small<uint16_t>(kSlotCount - 1);
  m->count = in.Small<uint32_t>(UINT32_MAX);
  return in.ok();
}
bool Decode(Fields fields, ScanResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->failed = in.Flag();
  m->next = in.Small<uint64_t>(kCursorEnd);
  m->placement = in.Number();
  Reader entries(in.Field());
  while (entries.ok() && !entries.done()) {
    const std::string_view key = entries.Bytes();
    const std::string_view object = entries.Bytes();
    if (entries.ok()) m->entries.push_back({key, object});
  }
  m->failed = m->failed || !entries.ok();
  return in.ok();
}
bool Decode(Fields fields, CountRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->partitions = in.Field();
  return in.ok();
}
bool Decode(Fields fields, CountResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->placement = in.Number();
  m->counts = in.Field();
  return in.ok();
}
bool Decode(Fields fields, Ping* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->stamp = in.ReadStamp();
  return in.ok();
}
bool Decode(Fields fields, Pong* m) {
  Parts in(fields);
  m->request = in.Number();
  return in.ok();
}
bool Decode(Fields fields, Publish* m) {
  Parts in(fields);
  m->epoch = in.Number();
  m->sharded = in.Flag();
  m->channel = in.Field();
  m->message = in.Field();
  return in.ok();
}

}  // namespace cartwheel
