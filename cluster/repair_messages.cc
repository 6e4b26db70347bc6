// The messages by which copies become equal and go where they belong: hand-over, the dropping of
// what is dead, anti-entropy, transfer.
#include "cluster/message_coding.h"
#include "cluster/messages.h"

namespace cartwheel {

using namespace coding;

void Encode(const HoldsRequest& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.epoch).Number(m.db), {m.key, m.context},
              out);
}
void Encode(const HoldsResponse& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.holds ? 1 : 0).Number(m.placement), {}, out);
}
void Encode(const LeavesRequest& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.epoch), {m.leaves}, out);
}
void Encode(const LeavesResponse& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.placement), {m.same}, out);
}
void Encode(const ReapRequest& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.epoch), {m.entries}, out);
}
void Encode(const ReapResponse& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request), {m.votes}, out);
}
void Encode(const ReapCommit& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.epoch).Number(m.stamp.run).Number(Unsigned(m.stamp.sent_us)),
              {m.entries}, out);
}
void Encode(const TreeRequest& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(m.epoch)
                  .Number(static_cast<uint64_t>(m.level))
                  .Number(m.catching_up ? 1 : 0)
                  .Place(m.from)
                  .Number(m.placement),
              {m.entries}, out);
}
void Encode(const TreeResponse& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(static_cast<uint64_t>(m.status))
                  .Number(m.more ? 1 : 0)
                  .Place(m.next),
              {m.groups}, out);
}
void Encode(const FetchRequest& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.request).Number(m.epoch).Number(m.placement), {m.positions},
              out);
}
void Encode(const TransferRequest& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(m.epoch)
                  .Number(m.placement)
                  .Place(m.from)
                  .Number(m.most_bytes),
              {m.slots}, out);
}
void Encode(const TransferResponse& m, std::string* out) {
  AppendFrame(Head(m.kType)
                  .Number(m.request)
                  .Number(static_cast<uint64_t>(m.status))
                  .Number((m.behind ? 1 : 0) | (m.more ? 2 : 0))
                  .Place(m.next),
              {m.objects}, out);
}
void Encode(const MotionReport& m, std::string* out) {
  AppendFrame(Head(m.kType).Number(m.epoch).Number(m.placement), {}, out);
}

bool Decode(Fields fields, HoldsRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->key = in.Field();
  m->context = in.Field();
  return in.ok();
}
bool Decode(Fields fields, HoldsResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->holds = in.Flag();
  m->placement = in.Number();
  return in.ok();
}
bool Decode(Fields fields, LeavesRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->leaves = in.Field();
  return in.ok();
}
bool Decode(Fields fields, LeavesResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->placement = in.Number();
  m->same = in.Field();
  return in.ok();
}
bool Decode(Fields fields, ReapRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->entries = in.Field();
  return in.ok();
}
bool Decode(Fields fields, ReapResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->votes = in.Field();
  return in.ok();
}
bool Decode(Fields fields, ReapCommit* m) {
  Parts in(fields);
  m->epoch = in.Number();
  m->stamp = in.ReadStamp();
  m->entries = in.Field();
  return in.ok();
}
bool Decode(Fields fields, TreeRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->level = in.Small<TreeLevel>(static_cast<uint64_t>(TreeLevel::kLeaf));
  m->catching_up = in.Number() != 0;
  m->from = in.Place();
  m->placement = in.Number();
  m->entries = in.Field();
  return in.ok();
}
bool Decode(Fields fields, TreeResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->status = in.Small<TreeStatus>(static_cast<uint64_t>(TreeStatus::kBusy));
  m->more = in.Number() != 0;
  m->next = in.Place();
  m->groups = in.Field();
  return in.ok();
}
bool Decode(Fields fields, FetchRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->placement = in.Number();
  m->positions = in.Field();
  return in.ok();
}
bool Decode(Fields fields, TransferRequest* m) {
  Parts in(fields);
  m->request = in.Number();
  m->epoch = in.Number();
  m->placement = in.Number();
  m->from = in.Place();
  m->most_bytes = in.Number();
  m->slots = in.Field();
  return in.ok();
}
bool Decode(Fields fields, TransferResponse* m) {
  Parts in(fields);
  m->request = in.Number();
  m->status = in.Small<TransferStatus>(static_cast<uint64_t>(TransferStatus::kLater));
  const uint64_t flags = in.Number();
  m->behind = (flags & 1) != 0;
  m->more = (flags & 2) != 0;
  m->next = in.Place();
  m->objects = in.Field();
  return in.ok();
}
bool Decode(Fields fields, MotionReport* m) {
  Parts in(fields);
  m->epoch = in.Number();
  m->placement = in.Number();
  return in.ok();
}

}  // namespace cartwheel
