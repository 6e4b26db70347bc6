// The command table: one row per command. COMMAND, arity checks, the order of calls on one key and
// INFO read these rows.
#include "server/command.h"
#include "server/commands.h"

namespace cartwheel {
namespace {

constexpr uint32_t kAnytime = kLoading | kStale;
constexpr uint32_t kOpening = kNoScript | kAnytime | kFast | kNoAuth;
constexpr uint32_t kFastRead = kReadonly | kFast;
constexpr uint32_t kFastWrite = kWrite | kFast;
constexpr uint32_t kValueWrite = kWrite | kDenyOom;

// name, arity, flags, first key, last key, step, handler
constexpr CommandRow kTable[] = {
    {"append", 3, kValueWrite | kFast, 1, 1, 1, AppendCommand},
    {"asking", 1, kFast | kAnytime, 0, 0, 0, AskingCommand},
    {"auth", -2, kOpening, 0, 0, 0, AuthCommand},
    {"client", -2, kAnytime, 0, 0, 0, ClientCommand},
    {"cluster", -2, kAnytime, 0, 0, 0, ClusterCommand},
    {"command", -1, kAnytime, 0, 0, 0, CommandCommand},
    {"config", -2, kAdmin | kNoScript | kAnytime, 0, 0, 0, ConfigCommand},
    {"dbsize", 1, kFastRead | kAllKeys, 0, 0, 0, DbSizeCommand},
    {"decr", 2, kValueWrite | kFast, 1, 1, 1, DecrCommand},
    {"decrby", 3, kValueWrite | kFast, 1, 1, 1, DecrByCommand},
    {"del", -2, kWrite, 1, -1, 1, DelCommand},
    {"dyn.del", -3, kFastWrite, 1, 1, 1, DynDelCommand},
    {"dyn.explain", 2, kReadonly, 1, 1, 1, DynExplainCommand},
    {"dyn.get", -2, kFastRead, 1, 1, 1, DynGetCommand},
    {"dyn.history", 1, kFast | kAnytime, 0, 0, 0, DynHistoryCommand},
    {"dyn.join", 2, kAdmin | kNoScript | kAnytime, 0, 0, 0, DynJoinCommand},
    {"dyn.nodes", 1, kFast | kAnytime, 0, 0, 0, DynNodesCommand},
    {"dyn.preflist", -2, kFast | kStale, 1, 1, 1, DynPreflistCommand},
    {"dyn.put", -4, kValueWrite | kFast, 1, 1, 1, DynPutCommand},
    {"dyn.quorum", -1, kFast | kAnytime, 0, 0, 0, DynQuorumCommand},
    {"dyn.repair", 1, kAdmin | kNoScript | kStale, 0, 0, 0, DynRepairCommand},
    {"dyn.ring", 1, kStale, 0, 0, 0, DynRingCommand},
    {"dyn.siblings", 2, kFastRead, 1, 1, 1, DynSiblingsCommand},
    {"dyn.status", 1, kFast | kAnytime, 0, 0, 0, DynStatusCommand},
    {"echo", 2, kFast | kAnytime, 0, 0, 0, EchoCommand},
    {"exists", -2, kFastRead, 1, -1, 1, ExistsCommand},
    {"expire", -3, kFastWrite, 1, 1, 1, ExpireCommand},
    {"expireat", -3, kFastWrite, 1, 1, 1, ExpireAtCommand},
    {"flushall", -1, kWrite | kAllKeys, 0, 0, 0, FlushAllCommand},
    {"flushdb", -1, kWrite | kAllKeys, 0, 0, 0, FlushDbCommand},
    {"get", 2, kFastRead, 1, 1, 1, GetCommand},
    {"getdel", 2, kFastWrite, 1, 1, 1, GetDelCommand},
    {"getex", -2, kFastWrite, 1, 1, 1, GetExCommand},
    {"getset", 3, kValueWrite | kFast, 1, 1, 1, GetSetCommand},
    {"hello", -1, kOpening, 0, 0, 0, HelloCommand},
    {"incr", 2, kValueWrite | kFast, 1, 1, 1, IncrCommand},
    {"incrby", 3, kValueWrite | kFast, 1, 1, 1, IncrByCommand},
    {"info", -1, kAnytime, 0, 0, 0, InfoCommand},
    {"keys", 2, kReadonly | kAllKeys, 0, 0, 0, KeysCommand},
    {"mget", -2, kFastRead, 1, -1, 1, MGetCommand},
    {"mset", -3, kValueWrite, 1, -1, 2, MSetCommand},
    {"persist", 2, kFastWrite, 1, 1, 1, PersistCommand},
    {"pexpire", -3, kFastWrite, 1, 1, 1, PExpireCommand},
    {"pexpireat", -3, kFastWrite, 1, 1, 1, PExpireAtCommand},
    {"ping", -1, kFast | kAnytime, 0, 0, 0, PingCommand},
    {"psetex", 4, kValueWrite, 1, 1, 1, PSetExCommand},
    {"pttl", 2, kFastRead, 1, 1, 1, TtlCommand},
    {"quit", -1, kOpening, 0, 0, 0, QuitCommand},
    {"readonly", 1, kFast | kAnytime, 0, 0, 0, ReadonlyCommand},
    {"readwrite", 1, kFast | kAnytime, 0, 0, 0, ReadwriteCommand},
    {"reset", 1, kOpening, 0, 0, 0, ResetCommand},
    {"scan", -2, kReadonly | kAllKeys, 0, 0, 0, ScanCommand},
    {"select", 2, kFast | kAnytime, 0, 0, 0, SelectCommand},
    {"set", -3, kValueWrite, 1, 1, 1, SetCommand},
    {"setex", 4, kValueWrite, 1, 1, 1, SetExCommand},
    {"setnx", 3, kValueWrite | kFast, 1, 1, 1, SetNxCommand},
    {"shutdown", -1, kAdmin | kNoScript | kAnytime, 0, 0, 0, ShutdownCommand},
    {"strlen", 2, kFastRead, 1, 1, 1, StrLenCommand},
    {"time", 1, kFast | kAnytime, 0, 0, 0, TimeCommand},
    {"ttl", 2, kFastRead, 1, 1, 1, TtlCommand},
    {"type", 2, kFastRead, 1, 1, 1, TypeCommand},
    {"unlink", -2, kFastWrite, 1, -1, 1, DelCommand},
};

}  // namespace

std::span<const CommandRow> CommandTable() { return kTable; }

}  // namespace cartwheel
