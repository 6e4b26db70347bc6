#include "server/options.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>

namespace cartwheel {
namespace {

Result<CommandLine> Parse(std::initializer_list<const char*> arguments) {
  return ParseCommandLine(std::span(arguments.begin(), arguments.size()));
}

std::string ErrorOf(std::initializer_list<const char*> arguments) {
  const Result<CommandLine> parsed = Parse(arguments);
  return parsed ? "accepted" : parsed.error().message;
}

// A configuration file that is removed with the test.
class ConfigFile {
 public:
  explicit ConfigFile(std::string_view text) {
    char path[] = "/tmp/options_test_XXXXXX";
    const int fd = mkstemp(path);
    EXPECT_GE(fd, 0);
    close(fd);
    path_ = path;
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

TEST(OptionsTest, EveryStatedDefaultIsTheDefault) {
  for (const OptionRow& row : OptionTable()) {
    if (row.default_text == "port + 10000" || row.default_text == "what is bound") continue;
    if (row.name == "seeds") continue;
    Options options;
    const std::string before = row.print(options);
    ASSERT_TRUE(SetOption(&options, row.name, row.default_text)) << row.name;
    EXPECT_EQ(row.print(options), before) << row.name;
  }
}

TEST(OptionsTest, WhatARowPrintsItReadsBack) {
  const std::pair<const char*, const char*> values[] = {
      {"port", "7001"},
      {"bind", "127.0.0.1 ::1"},
      {"engine", "memory"},
      {"maxmemory", "104857600"},
      {"fsync", "always"},
      {"seeds", "a.example:17001,[::1]:17002"},
      {"bootstrap", "yes"},
      {"partitions", "1024"},
      {"placement", "tokens"},
      {"tokens", "1024"},
      {"partitioner", "md5"},
      {"replace", "0123456789abcdef9d0a16a121edc615dc7da558"},
      {"transfer-rate", "0"},
      {"weight", "0.5"},
      {"loglevel", "debug"},
      {"client-output-buffer-limit", "normal 100 50 7 slave 5 4 3 pubsub 2 1 0"},
      {"requirepass", "a b"},
      {"replica-timeout", "1000"},
      {"zone", "rack-1"},
      {"n", "7"},
  };
  for (const auto& [name, value] : values) {
    Options options;
    const OptionRow* const row = FindOption(name);
    ASSERT_NE(row, nullptr) << name;
    ASSERT_NE(row->print(options), value) << name;
    ASSERT_TRUE(SetOption(&options, name, value)) << name;
    EXPECT_EQ(row->print(options), value);
    EXPECT_TRUE(options.Given(name));
  }
}

TEST(OptionsTest, AnUnreadableValueIsNamedAndChangesNothing) {
  const std::pair<const char*, const char*> values[] = {
      {"port", "0"},
      {"port", "65536"},
      {"port", "80x"},
      {"port", ""},
      {"bind", ""},
      {"engine", "rocks"},
      {"maxmemory", "-1"},
      {"maxmemory", "1tb"},
      {"fsync", "maybe"},
      {"seeds", "nowhere"},
      {"seeds", "a:0"},
      {"bootstrap", "true"},
      {"n", "8"},
      {"n", "0"},
      {"partitions", "3"},
      {"partitions", "32768"},
      {"placement", "odd"},
      {"tokens", "0"},
      {"tokens", "1025"},
      {"replace", "0123"},
      {"replace", "0123456789abcdef0000000000000000000000000"},
      {"transfer-rate", "fast"},
      {"weight", "0"},
      {"weight", "heavy"},
      {"loglevel", "loud"},
      {"zone", ""},
      {"cluster-name", ""},
      {"databases", "0"},
      {"client-output-buffer-limit", "master 1 1 1"},
      {"client-output-buffer-limit", "normal 1 1"},
      {"maxmemory", "99999999999gb"},
  };
  for (const auto& [name, value] : values) {
    Options options;
    const std::string before = FindOption(name)->print(options);
    const Result<void> set = SetOption(&options, name, value);
    ASSERT_FALSE(set) << name << " " << value;
    const std::string named = std::string("option '") + name + "': bad value '" + value + "': ";
    EXPECT_TRUE(set.error().message.starts_with(named)) << set.error().message;
    EXPECT_GT(set.error().message.size(), named.size());
    EXPECT_EQ(FindOption(name)->print(options), before);
    EXPECT_FALSE(options.Given(name));
  }
}

TEST(OptionsTest, SizesAreReadAsRedisReadsThem) {
  EXPECT_EQ(ParseBytes("100"), 100u);
  EXPECT_EQ(ParseBytes("1k"), 1000u);
  EXPECT_EQ(ParseBytes("1kb"), 1024u);
  EXPECT_EQ(ParseBytes("5M"), 5000000u);
  EXPECT_EQ(ParseBytes("5Mb"), 5u << 20);
  EXPECT_EQ(ParseBytes("1GB"), 1u << 30);
  EXPECT_EQ(ParseBytes("2g"), 2000000000u);
  EXPECT_EQ(ParseBytes("gb"), std::nullopt);
  EXPECT_EQ(ParseBytes("1 gb"), std::nullopt);
}

TEST(OptionsTest, AFileHasCommentsQuotesAndAnyCase) {
  Options options;
  const Result<void> parsed = ParseConfig(
      "# a comment\n\n  PORT 7001\r\nbind 127.0.0.1 ::1\nrequirepass \"a \\\"b\\x41\"\n"
      "cluster-name 'x y'\nunixsocket \"\"",
      "test.conf", &options);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(options.port, 7001);
  EXPECT_EQ(options.bind, (std::vector<std::string>{"127.0.0.1", "::1"}));
  EXPECT_EQ(options.requirepass, "a \"bA");
  EXPECT_EQ(options.cluster_name, "x y");
  EXPECT_EQ(options.unixsocket, "");
}

TEST(OptionsTest, AMistakeInAFileIsNamedWithItsLine) {
  Options options;
  const Result<void> unknown = ParseConfig("port 7001\nappendonly yes\n", "a.conf", &options);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "a.conf:2: unknown option 'appendonly' (value 'yes')");
  const Result<void> quotes = ParseConfig("dir \"x", "a.conf", &options);
  ASSERT_FALSE(quotes);
  EXPECT_EQ(quotes.error().message, "a.conf:1: unbalanced quotes in 'dir \"x'");
}

TEST(OptionsTest, FlagsWinOverTheFile) {
  const ConfigFile file("port 7001\nzone east\n");
  const Result<CommandLine> parsed = Parse({file.path(), "--port", "7002"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->options.port, 7002);
  EXPECT_EQ(parsed->options.zone, "east");
  EXPECT_EQ(parsed->config_file, file.path());
}

TEST(OptionsTest, SeveralWordsOfAFlagAreOneValue) {
  const Result<CommandLine> parsed = Parse({"--bind", "127.0.0.1", "::1", "--port", "7001"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->options.bind.size(), 2u);
  EXPECT_EQ(Parse({"--bind", "127.0.0.1 ::1"})->options.bind.size(), 2u);
}

TEST(OptionsTest, TheCommandLineNamesWhatIsWrong) {
  EXPECT_EQ(ErrorOf({"--nonsense", "7"}), "unknown option 'nonsense' (value '7')");
  EXPECT_EQ(ErrorOf({"--port"}), "option 'port': bad value '': wrong number of arguments");
  EXPECT_EQ(ErrorOf({"--announce-host", "a b"}),
            "option 'announce-host': bad value 'a b': argument must not have blanks in it");
  EXPECT_EQ(ErrorOf({"--zone", "a\nb"}),
            "option 'zone': bad value 'a\nb': argument must not have blanks in it");
  EXPECT_EQ(ErrorOf({""}), "config file '': cannot be read");
  EXPECT_EQ(ErrorOf({"--port", "1", "2"}),
            "option 'port': bad value '1 2': wrong number of arguments");
  EXPECT_EQ(ErrorOf({"/nowhere/x.conf"}), "config file '/nowhere/x.conf': cannot be read");
  EXPECT_EQ(ErrorOf({"/tmp"}), "config file '/tmp': cannot be read");
}

TEST(OptionsTest, OptionsThatContradictEachOtherAreRefused) {
  EXPECT_EQ(ErrorOf({"--n", "2", "--r", "3"}), "option 'r': bad value '3': more than n");
  EXPECT_EQ(ErrorOf({"--w", "4"}), "option 'w': bad value '4': more than n");
  EXPECT_EQ(
      ErrorOf({"--replace", "0123456789abcdef"}),
      "option 'replace': bad value '0123456789abcdef9d0a16a121edc615dc7da558': it needs seeds");
  EXPECT_EQ(ErrorOf({"--replace", "0123456789abcdef", "--seeds", "a:1"}), "accepted");
  EXPECT_EQ(ErrorOf({"--port", "60000"}),
            "option 'bus-port': bad value '': port + 10000 is past 65535, so it must be given");
  EXPECT_EQ(ErrorOf({"--port", "7001", "--bus-port", "7001"}),
            "option 'bus-port': bad value '7001': that is port");
  EXPECT_EQ(ErrorOf({"--bind", "0.0.0.0"}),
            "option 'bind': bad value '0.0.0.0': beyond loopback the bus needs a cluster-secret");
  EXPECT_EQ(ErrorOf({"--bind", "0.0.0.0", "--cluster-secret", "s"}), "accepted");
}

TEST(OptionsTest, WhatFollowsOtherOptionsIsFilledIn) {
  const Result<CommandLine> parsed = Parse({"--port", "7001", "--n", "1"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->options.bus_port, 17001);
  EXPECT_EQ(parsed->options.announce_port, 7001);
  EXPECT_EQ(parsed->options.announce_bus_port, 17001);
  EXPECT_EQ(parsed->options.announce_host, "127.0.0.1");
  EXPECT_EQ(parsed->options.r, 1);
  EXPECT_EQ(parsed->options.w, 1);
}

TEST(OptionsTest, HelpListsEveryOptionWithItsDefault) {
  const std::string help = HelpText();
  for (const OptionRow& row : OptionTable()) {
    const std::string text(row.default_text.empty() ? "none" : row.default_text);
    const size_t at = help.find("  --" + std::string(row.name) + " ");
    ASSERT_NE(at, std::string::npos) << row.name;
    const std::string line = help.substr(at, help.find('\n', at) - at);
    EXPECT_NE(line.find("(default: " + text + ")"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace cartwheel
