#include "cluster/messages.h"

#include <charconv>
#include <initializer_list>

#include "base/check.h"
#include "base/coding.h"

namespace cartwheel {
namespace {

// The first field of a frame under construction: the type and the message's numbers.
class Head {
 public:
  explicit Head(uint8_t type) { bytes_[size_++] = static_cast<char>(type); }

  Head& Number(uint64_t value) {
    CHECK(size_ + 10 <= sizeof(bytes_));
    while (value >= 0x80) {
      bytes_[size_++] = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    bytes_[size_++] = static_cast<char>(value);
    return *this;
  }

  std::string_view view() const { return {bytes_, size_}; }

 private:
  char bytes_[128];
  size_t size_ = 0;
};

void AppendHeader(char kind, size_t number, std::string* out) {
  char text[24];
  text[0] = kind;
  char* end = std::to_chars(text + 1, text + sizeof(text), number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out->append(text, static_cast<size_t>(end - text));
}

void AppendField(std::string_view field, std::string* out) {
  AppendHeader('$', field.size(), out);
  out->append(field);
  out->append("\r\n", 2);
}

std::string Frame(const Head& head, std::initializer_list<std::string_view> fields) {
  size_t bytes = 32 + head.view().size();
  for (const std::string_view field : fields) bytes += field.size() + 16;
  std::string out;
  out.reserve(bytes);
  AppendHeader('*', 1 + fields.size(), &out);
  AppendField(head.view(), &out);
  for (const std::string_view field : fields) AppendField(field, &out);
  return out;
}

// Signed numbers (expiry times, increments) travel as two's complement.
uint64_t Unsigned(int64_t value) { return static_cast<uint64_t>(value); }

std::string EncodeOne(const ReadRequest& m) {
  return Frame(Head(m.kType).Number(m.request).Number(m.epoch).Number(m.have).Number(m.db),
               {m.key});
}
std::string EncodeOne(const ReadResponse& m) {
  const auto status = static_cast<uint64_t>(m.status);
  const Head head = Head(m.kType).Number(m.request).Number(status);
  return m.status == ReadStatus::kObject ? Frame(head, {m.object}) : Frame(head, {});
}
std::string EncodeOne(const CompareRequest& m) {
  return Frame(Head(m.kType).Number(m.epoch).Number(m.have).Number(m.holder).Number(m.db), {m.key});
}
std::string EncodeOne(const MintRequest& m) {
  return Frame(Head(m.kType)
                   .Number(m.request)
                   .Number(m.epoch)
                   .Number(m.operation)
                   .Number(m.plain ? 1 : 0)
                   .Number(static_cast<uint64_t>(m.kind))
                   .Number(Unsigned(m.expires_at_ms))
                   .Number(m.db),
               {m.key, m.context, m.bytes});
}
std::string EncodeOne(const MintResponse& m) {
  return Frame(Head(m.kType).Number(m.request).Number(static_cast<uint64_t>(m.status)),
               {m.object, m.error});
}
std::string EncodeOne(const MergeRequest& m) {
  return Frame(
      Head(m.kType).Number(m.request).Number(m.epoch).Number(m.exchange ? 1 : 0).Number(m.db),
      {m.key, m.object});
}
std::string EncodeOne(const MergeResponse& m) {
  return Frame(Head(m.kType).Number(m.request).Number(m.stored ? 1 : 0), {});
}
std::string EncodeOne(const UpdateRequest& m) {
  return Frame(Head(m.kType)
                   .Number(m.request)
                   .Number(m.epoch)
                   .Number(m.operation)
                   .Number(m.r)
                   .Number(m.w)
                   .Number(m.db)
                   .Number(static_cast<uint64_t>(m.update.kind))
                   .Number(m.update.flags)
                   .Number(Unsigned(m.update.number))
                   .Number(Unsigned(m.update.expires_at_ms)),
               {m.key, m.update.bytes});
}
std::string EncodeOne(const UpdateResponse& m) {
  return Frame(Head(m.kType)
                   .Number(m.request)
                   .Number(static_cast<uint64_t>(m.status))
                   .Number(static_cast<uint64_t>(m.which))
                   .Number(m.needed)
                   .Number(m.answered)
                   .Number(static_cast<uint64_t>(m.result.type))
                   .Number(Unsigned(m.result.integer)),
               {m.result.text});
}
std::string EncodeOne(const ScanRequest& m) {
  return Frame(Head(m.kType)
                   .Number(m.request)
                   .Number(m.epoch)
                   .Number(m.db)
                   .Number(m.cursor)
                   .Number(m.last_slot)
                   .Number(m.count),
               {});
}
std::string EncodeOne(const ScanResponse& m) {
  std::string entries;
  for (const ScanResponse::Entry& entry : m.entries) {
    PutBytes(&entries, entry.key);
    PutBytes(&entries, entry.object);
  }
  return Frame(Head(m.kType).Number(m.request).Number(m.failed ? 1 : 0).Number(m.next), {entries});
}
std::string EncodeOne(const CountRequest& m) {
  return Frame(Head(m.kType).Number(m.request).Number(m.epoch).Number(m.db), {m.partitions});
}
std::string EncodeOne(const CountResponse& m) {
  return Frame(Head(m.kType).Number(m.request).Number(m.keys), {});
}
std::string EncodeOne(const Ping& m) {
  return Frame(Head(m.kType).Number(m.request).Number(m.epoch), {});
}
std::string EncodeOne(const Pong& m) { return Frame(Head(m.kType).Number(m.request), {}); }

using Fields = std::span<const std::string_view>;

// Reads a frame's parts in order; ok() tells at the end whether all were there and in range.
class Parts {
 public:
  explicit Parts(Fields fields) : head_(fields[0].substr(1)), fields_(fields) {}

  uint64_t Number() { return head_.Varint(); }
  int64_t Signed() { return static_cast<int64_t>(Number()); }
  // A number of at most `max`, as an integer or enumeration.
  template <typename T>
  T Small(uint64_t max) {
    const uint64_t value = Number();
    in_range_ = in_range_ && value <= max;
    return static_cast<T>(in_range_ ? value : 0);
  }
  bool Flag() { return (Number() & 1) != 0; }
  std::string_view Field() {
    if (next_ < fields_.size()) return fields_[next_++];
    in_range_ = false;
    return {};
  }
  bool ok() const { return in_range_ && head_.ok(); }

 private:
  Reader head_;
  Fields fields_;
  size_t next_ = 1;
  bool in_range_ = true;
};

constexpr uint64_t kMaxDb = UINT32_MAX;

void Read(Parts& in, ReadRequest* m) {
  m->request = in.Number();
  m->epoch = in.Number();
  m->have = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->key = in.Field();
}
void Read(Parts& in, ReadResponse* m) {
  m->request = in.Number();
  m->status = in.Small<ReadStatus>(static_cast<uint64_t>(ReadStatus::kFailed));
  if (m->status == ReadStatus::kObject) m->object = in.Field();
}
void Read(Parts& in, CompareRequest* m) {
  m->epoch = in.Number();
  m->have = in.Number();
  m->holder = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->key = in.Field();
}
void Read(Parts& in, MintRequest* m) {
  m->request = in.Number();
  m->epoch = in.Number();
  m->operation = in.Number();
  m->plain = in.Flag();
  m->kind = in.Small<Kind>(static_cast<uint64_t>(Kind::kTombstone));
  m->expires_at_ms = in.Signed();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->key = in.Field();
  m->context = in.Field();
  m->bytes = in.Field();
}
void Read(Parts& in, MintResponse* m) {
  m->request = in.Number();
  m->status = in.Small<MintStatus>(static_cast<uint64_t>(MintStatus::kFailed));
  m->object = in.Field();
  m->error = in.Field();
}
void Read(Parts& in, MergeRequest* m) {
  m->request = in.Number();
  m->epoch = in.Number();
  m->exchange = in.Flag();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->key = in.Field();
  m->object = in.Field();
}
void Read(Parts& in, MergeResponse* m) {
  m->request = in.Number();
  m->stored = in.Flag();
}
void Read(Parts& in, UpdateRequest* m) {
  m->request = in.Number();
  m->epoch = in.Number();
  m->operation = in.Number();
  m->r = in.Small<uint8_t>(UINT8_MAX);
  m->w = in.Small<uint8_t>(UINT8_MAX);
  m->db = in.Small<uint32_t>(kMaxDb);
  m->update.kind = in.Small<UpdateKind>(static_cast<uint64_t>(UpdateKind::kGetExpire));
  m->update.flags = in.Small<uint32_t>(UINT32_MAX);
  m->update.number = in.Signed();
  m->update.expires_at_ms = in.Signed();
  m->key = in.Field();
  m->update.bytes = in.Field();
}
void Read(Parts& in, UpdateResponse* m) {
  m->request = in.Number();
  m->status = in.Small<UpdateStatus>(static_cast<uint64_t>(UpdateStatus::kTooMany));
  m->which = in.Small<char>(127);
  m->needed = in.Small<uint8_t>(UINT8_MAX);
  m->answered = in.Small<uint8_t>(UINT8_MAX);
  m->result.type = in.Small<UpdateResult::Type>(static_cast<uint64_t>(UpdateResult::Type::kError));
  m->result.integer = in.Signed();
  m->result.text = in.Field();
}
void Read(Parts& in, ScanRequest* m) {
  m->request = in.Number();
  m->epoch = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->cursor = in.Small<uint64_t>(kCursorEnd);
  m->last_slot = in.Small<uint16_t>(kSlotCount - 1);
  m->count = in.Small<uint32_t>(UINT32_MAX);
}
void Read(Parts& in, ScanResponse* m) {
  m->request = in.Number();
  m->failed = in.Flag();
  m->next = in.Small<uint64_t>(kCursorEnd);
  Reader entries(in.Field());
  while (entries.ok() && !entries.done()) {
    const std::string_view key = entries.Bytes();
    const std::string_view object = entries.Bytes();
    if (entries.ok()) m->entries.push_back({key, object});
  }
  m->failed = m->failed || !entries.ok();
}
void Read(Parts& in, CountRequest* m) {
  m->request = in.Number();
  m->epoch = in.Number();
  m->db = in.Small<uint32_t>(kMaxDb);
  m->partitions = in.Field();
}
void Read(Parts& in, CountResponse* m) {
  m->request = in.Number();
  m->keys = in.Number();
}
void Read(Parts& in, Ping* m) {
  m->request = in.Number();
  m->epoch = in.Number();
}
void Read(Parts& in, Pong* m) { m->request = in.Number(); }

template <typename Message>
Result<DataMessage> DecodeOne(Fields fields) {
  Parts parts(fields);
  Message message;
  Read(parts, &message);
  if (!parts.ok()) return Error(ErrorCode::kInvalid, "malformed message");
  return DataMessage(std::move(message));
}

}  // namespace

std::string Encode(const DataMessage& message) {
  return std::visit([](const auto& m) { return EncodeOne(m); }, message);
}

uint8_t FrameType(std::span<const std::string_view> fields) {
  if (fields.empty() || fields[0].empty()) return 0;
  return static_cast<uint8_t>(fields[0][0]);
}

Result<DataMessage> DecodeData(std::span<const std::string_view> fields) {
  switch (FrameType(fields)) {
    case ReadRequest::kType: return DecodeOne<ReadRequest>(fields);
    case ReadResponse::kType: return DecodeOne<ReadResponse>(fields);
    case CompareRequest::kType: return DecodeOne<CompareRequest>(fields);
    case MintRequest::kType: return DecodeOne<MintRequest>(fields);
    case MintResponse::kType: return DecodeOne<MintResponse>(fields);
    case MergeRequest::kType: return DecodeOne<MergeRequest>(fields);
    case MergeResponse::kType: return DecodeOne<MergeResponse>(fields);
    case UpdateRequest::kType: return DecodeOne<UpdateRequest>(fields);
    case UpdateResponse::kType: return DecodeOne<UpdateResponse>(fields);
    case ScanRequest::kType: return DecodeOne<ScanRequest>(fields);
    case ScanResponse::kType: return DecodeOne<ScanResponse>(fields);
    case CountRequest::kType: return DecodeOne<CountRequest>(fields);
    case CountResponse::kType: return DecodeOne<CountResponse>(fields);
    case Ping::kType: return DecodeOne<Ping>(fields);
    case Pong::kType: return DecodeOne<Pong>(fields);
    default: return Error(ErrorCode::kInvalid, "unknown message type");
  }
}

}  // namespace cartwheel
